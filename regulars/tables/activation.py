"""What activation writes: plays and syncs."""

from __future__ import annotations

from regulars.tables.contract import Table, required

PLAYS = Table(
    "segments",
    "plays",
    "One row per customer per as_of_date per channel on which the customer is to be contacted.",
    (
        required("customer_id", "text", "The person."),
        required("as_of_date", "date", "The night."),
        required("channel", "text", "Channel of the contact."),
        required("segment", "text", "Segment whose offer is made."),
        required("offer", "text", "The segment's offer."),
        required("valid_until", "date", "Last day of the offer."),
    ),
    ("customer_id", "as_of_date", "channel"),
    "scoring",
    slice_by="as_of_date",
)

SYNCS = Table(
    "activation",
    "syncs",
    "One row per as_of_date, destination and segment: what the sync changed.",
    (
        required("as_of_date", "date", "The night."),
        required("destination", "text", "Name of the destination in config/destinations.yml."),
        required("segment", "text", "Name of the segment."),
        required("plan_sha256", "text", "Hash of the plan."),
        required("customers_count", "integer", "Customers on the list after the sync."),
        required("entered_count", "integer", "Customers put on the list."),
        required("left_count", "integer", "Customers taken off the list."),
        required("held_back_count", "integer", "Members left off: no permission, or unknown to the tool."),
        required("rejected_count", "integer", "Contacts that the tool refused."),
    ),
    ("as_of_date", "destination", "segment"),
    "activation",
    slice_by="as_of_date",
)
