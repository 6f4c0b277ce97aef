"""Accidents of many kinds on a small shop between two ordinary nights: every one is stopped, and nothing is written anywhere."""

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from activation.approval import decide
from activation.guard import ApprovalNeeded
from activation.sync import plan_destination, push_destination
from regulars.errors import InputError, RegularsError
from regulars.home import Home
from regulars.run import close_run, open_run, resume_run
from regulars.warehouse import open_warehouse
from scoring.match import match
from scoring.score import score
from tests.campaigns.ordinary_nights import LAST_NIGHT, pass_night, prepare
from tests.referees.mailchimp import Audience, running

NIGHTS = [LAST_NIGHT - timedelta(days=back) for back in (2, 1, 0)]
TONIGHT = NIGHTS[-1]
BOTH, TOOL, FOLDER = ("lists", "newsletter"), ("newsletter",), ("lists",)


@dataclass(frozen=True)
class Spot:
    """Where an accident happens."""

    home: Home
    audience: Audience

    def sql(self, *statements: str) -> None:
        with open_warehouse(self.home) as warehouse:
            for statement in statements:
                warehouse.execute(statement)

    def segment(self, name: str, **changes: object) -> None:
        file = self.home.config / "segments" / f"{name}.yml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))

    def newsletter(self, **changes: object) -> None:
        file = self.home.config / "destinations.yml"
        content = yaml.safe_load(file.read_text())
        content["destinations"]["newsletter"] |= changes
        file.write_text(yaml.safe_dump(content))


@dataclass(frozen=True)
class Shop:
    folder: Path
    audience: Audience


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The sample shop after two nights that were sent, with the third scored and matched."""
    progress = tmp_path_factory.mktemp("progress") / "progress.txt"
    progress.touch()
    os.environ["REGULARS_PROGRESS"] = str(progress)
    folder = tmp_path_factory.mktemp("accidents") / "home"
    (folder / "config").mkdir(parents=True)
    home = Home.at(folder)
    prepare(home, NIGHTS, 1_500)
    audience = Audience()
    with open_warehouse(home) as warehouse:
        for (address,) in warehouse.rows("select distinct normalised_email from private.stg_customers where normalised_email like '%@%'"):
            audience.add(str(address))
    with running(audience) as server:
        newsletter = {"type": "mailchimp", "account_id": audience.account_id, "audience_id": audience.audience_id}
        newsletter |= {"audience_name": audience.name, "base_url": server.url}
        content = {"destinations": {"lists": {"type": "csv_folder"}, "newsletter": newsletter}}
        (home.config / "destinations.yml").write_text(yaml.safe_dump(content))
        os.environ["MAILCHIMP_API_KEY"] = audience.api_key
        for as_of in NIGHTS:
            run = open_run(home, "night", as_of)
            pass_night(home, as_of)
            if as_of == TONIGHT:
                break
            for name in BOTH:
                try:
                    push_destination(home, as_of, "night", name)
                except ApprovalNeeded as first:
                    decide(home, first.plan_sha256, "approved", "a test")
                    push_destination(home, as_of, "night", name)
            close_run(run)
    yield Shop(folder, audience)
    del os.environ["MAILCHIMP_API_KEY"], os.environ["REGULARS_PROGRESS"]


@pytest.fixture
def spot(shop: Shop, tmp_path: Path) -> Iterator[Spot]:
    folder = tmp_path / "home"
    shutil.copytree(shop.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("sample_shop*", "dbt", "extracts"))
    audience = copy.deepcopy(shop.audience)
    audience.writes.clear()
    with running(audience) as server:
        spot = Spot(Home.at(folder), audience)
        spot.newsletter(base_url=server.url)
        yield spot


FEATURES = f"features.customer_features where as_of_date = '{TONIGHT}'"
MEMBERS = f"segments.segment_memberships where as_of_date = '{TONIGHT}'"
SCORES = f"scores.customer_scores where as_of_date = '{TONIGHT}'"


def feature(assignment: str) -> str:
    return f"update features.customer_features set {assignment} where as_of_date = '{TONIGHT}'"


def scored(assignment: str) -> str:
    return f"update scores.customer_scores set {assignment} where as_of_date = '{TONIGHT}'"


def moved(table: str, column: str, order: str, where: str = "true") -> str:
    """Give every row the value of its neighbour."""
    key = "customer_id" if column != "customer_id" else "rowid"
    return (
        f"update {table} as t set {column} = s.moved from (select {key} as k, coalesce(lead({column}) over (order by {order}),"
        f" first_value({column}) over (order by {order})) as moved from {table} where {where}) as s where t.{key} = s.k and {where}"
    )


def sql(*statements: str) -> Callable[[Spot], None]:
    return lambda spot: spot.sql(*statements)


def states_lost(spot: Spot) -> None:
    for file in spot.home.state.parent.glob("state.sqlite*"):
        file.unlink()


def segment_gone(name: str) -> Callable[[Spot], None]:
    return lambda spot: (spot.home.config / "segments" / f"{name}.yml").unlink()


def tool(**changes: str) -> Callable[[Spot], None]:
    def change(spot: Spot) -> None:
        for name, value in changes.items():
            setattr(spot.audience, name, value)

    return change


def another_target(spot: Spot) -> None:
    tool(name="Staff", audience_id="ffff000011")(spot)
    spot.newsletter(audience_name="Staff", audience_id="ffff000011")


def arms_drawn_anew(spot: Spot) -> None:
    states_lost(spot)
    spot.segment("dormant", control_share=0.5)


TONIGHTS = f"as_of_date = '{TONIGHT}'"
ACCIDENTS: dict[str, tuple[str, tuple[str, ...], Callable[[Spot], None]]] = {
    # What dbt hands on
    "no features": ("score", BOTH, sql(f"delete from {FEATURES}")),
    "half of the customers": ("score", BOTH, sql(f"delete from {FEATURES} and hash(customer_id) % 2 = 0")),
    "a tenth of the customers": ("score", BOTH, sql(f"delete from {FEATURES} and hash(customer_id) % 10 > 0")),
    "a quarter is missing": ("score", BOTH, sql(f"delete from {FEATURES} and hash(customer_id) % 4 = 0")),
    "only one customer": ("score", BOTH, sql(f"delete from {FEATURES} and customer_id <> (select min(customer_id) from {FEATURES})")),
    "ids prefixed": ("score", BOTH, sql(feature("customer_id = 'x' || customer_id"))),
    "ids of another system": ("score", BOTH, sql(feature("customer_id = md5(customer_id)"))),
    "ids in another row": ("score", BOTH, sql(moved("features.customer_features", "customer_id", "md5(customer_id)", TONIGHTS))),
    "everybody ordered today": ("score", BOTH, sql(feature("days_since_last_order = 0, orders_365d_count = 9"))),
    "nobody ordered this year": ("score", BOTH, sql(feature("days_since_last_order = days_since_last_order + 366, orders_365d_count = 0"))),
    "days counted as seconds": ("score", BOTH, sql(feature("days_since_last_order = days_since_last_order * 86400"))),
    "days shifted by half a year": ("score", BOTH, sql(feature("days_since_last_order = days_since_last_order + 183"))),
    "orders counted tenfold by a join": ("score", BOTH, sql(feature("orders_365d_count = orders_365d_count * 10, overdue_ratio = 0"))),
    "orders counted as lines": ("score", BOTH, sql(feature("orders_365d_count = orders_365d_count + 3, overdue_ratio = 1"))),
    "last orders in another row": (
        "score",
        BOTH,
        sql(moved("features.customer_features", "days_since_last_order", "md5(customer_id)", TONIGHTS)),
    ),
    "everybody's last order a mean": (
        "score",
        BOTH,
        sql(feature(f"days_since_last_order = (select avg(days_since_last_order)::bigint from {FEATURES})")),
    ),
    # What scoring hands on
    "no scores": ("plan", BOTH, sql(f"delete from {SCORES}")),
    "half of the scores": ("match", BOTH, sql(f"delete from {SCORES} and hash(customer_id) % 2 = 0")),
    "scores of other ids": ("match", BOTH, sql(scored("customer_id = md5(customer_id)"))),
    # Who stands on the lists
    "no memberships": ("plan", BOTH, sql(f"delete from {MEMBERS}")),
    "half of the memberships": ("plan", BOTH, sql(f"delete from {MEMBERS} and hash(customer_id) % 2 = 0")),
    "one list empty": ("plan", BOTH, sql(f"delete from {MEMBERS} and segment = 'dormant'")),
    "lists swapped": (
        "plan",
        BOTH,
        sql(
            "update segments.segment_memberships set segment = case segment when 'dormant' then 'new_customers'"
            f" when 'new_customers' then 'dormant' else segment end where {TONIGHTS}"
        ),
    ),
    "everybody on one list": (
        "plan",
        BOTH,
        sql(
            f"delete from {MEMBERS} and segment = 'new_customers'",
            "insert into segments.segment_memberships (customer_id, as_of_date, segment, entered_on, expires_on, contact_permission)"
            f" select customer_id, as_of_date, 'new_customers', as_of_date, as_of_date + 30, 'granted' from {FEATURES}",
        ),
    ),
    "members in another row": (
        "plan",
        BOTH,
        sql(f"update segments.segment_memberships set customer_id = 'x' || customer_id where {TONIGHTS}"),
    ),
    "everybody one person": ("plan", BOTH, sql(f"update segments.segment_memberships set customer_id = 'c1' where {TONIGHTS}")),
    # Consents
    "no consents": ("plan", BOTH, sql("delete from staging.stg_consents")),
    "consent column lost": ("match", BOTH, sql("update staging.stg_consents set status = ''")),
    "everybody denied": ("match", BOTH, sql("update staging.stg_consents set status = 'denied'")),
    "channel renamed": ("match", BOTH, sql("update staging.stg_consents set channel = 'mail'")),
    "half of the consents": ("plan", BOTH, sql("delete from staging.stg_consents where hash(account_id) % 2 = 0")),
    "a tenth denied": ("plan", BOTH, sql("update staging.stg_consents set status = 'denied' where hash(account_id) % 10 = 0")),
    "permissions unknown": ("plan", BOTH, sql(f"update segments.segment_memberships set contact_permission = 'unknown' where {TONIGHTS}")),
    # Addresses
    "addresses in another row": ("plan", BOTH, sql(moved("private.stg_customers", "normalised_email", "customer_id"))),
    "everybody one address": ("plan", BOTH, sql("update private.stg_customers set normalised_email = 'a@example.com'")),
    "another domain": (
        "plan",
        BOTH,
        sql("update private.stg_customers set normalised_email = replace(normalised_email, '@', '@mail.')"),
    ),
    "addresses cut": ("plan", BOTH, sql("update private.stg_customers set normalised_email = substr(normalised_email, 2)")),
    "no addresses": ("plan", TOOL, sql("update private.stg_customers set normalised_email = null")),
    "half of the addresses": ("plan", TOOL, sql("delete from private.stg_customers where hash(customer_id) % 2 = 0")),
    # The catalogue
    "rule inverted": ("match", BOTH, lambda spot: spot.segment("dormant", who="not (days_since_last_order > 365)")),
    "rule with a wrong unit": ("match", BOTH, lambda spot: spot.segment("dormant", who="days_since_last_order > 36500")),
    "rule that fits everybody": ("match", BOTH, lambda spot: spot.segment("dormant", who="orders_count >= 1")),
    "rule with another sign": ("match", BOTH, lambda spot: spot.segment("dormant", who="days_since_last_order < 365")),
    "segment deleted": ("match", BOTH, segment_gone("dormant")),
    "segment retitled": ("match", TOOL, lambda spot: spot.segment("dormant", title="Asleep")),
    "another channel": ("match", TOOL, lambda spot: spot.segment("dormant", channel="post")),
    "a size cap of one": ("match", BOTH, lambda spot: spot.segment("dormant", size_cap=1)),
    "a control group of half": ("match", BOTH, arms_drawn_anew),
    # The tool
    "a list cap of one": ("plan", TOOL, lambda spot: spot.newsletter(list_cap=1)),
    "one segment chosen": ("plan", TOOL, lambda spot: spot.newsletter(segments=["loyal"])),
    "another account": ("plan", TOOL, tool(account_id="acc9")),
    "another audience under the id": ("plan", TOOL, tool(name="Staff")),
    "the audience is gone": ("plan", TOOL, tool(audience_id="ffff000011")),
    "all of the target changed at once": ("plan", TOOL, another_target),
    "the ledger is lost": ("plan", TOOL, states_lost),
}


def files(home: Home) -> dict[str, bytes]:
    return {str(path.relative_to(home.lists)): path.read_bytes() for path in sorted(home.lists.rglob("*.*")) if path.is_file()}


def run_from(spot: Spot, stage: str) -> None:
    if stage == "score":
        score(spot.home, TONIGHT, "night")
    if stage in ("score", "match"):
        match(spot.home, TONIGHT, "night")


def test_there_are_fifty_kinds() -> None:
    assert len(ACCIDENTS) >= 50


def test_an_ordinary_night_is_not_stopped(spot: Spot) -> None:
    run_from(spot, "score")
    for name in BOTH:
        plan_destination(spot.home, TONIGHT, "night", name)
    assert spot.audience.writes == []


# All of them take minutes: `make campaign`.
CHOSEN = list(ACCIDENTS)[:: 1 if os.environ.get("REGULARS_ALL_ACCIDENTS") else 6]


@pytest.mark.parametrize("name", CHOSEN)
def test_an_accident_is_stopped_before_anything_is_written(spot: Spot, name: str) -> None:
    stage, where, happen = ACCIDENTS[name]
    lists = files(spot.home)
    happen(spot)
    run_from(spot, stage)
    for destination in where:
        for verb in (plan_destination, push_destination):
            with pytest.raises(RegularsError) as caught:
                verb(spot.home, TONIGHT, "night", destination)
            assert caught.value.exit_code in (2, 3)
    assert spot.audience.writes == []
    assert files(spot.home) == lists


def test_a_night_again_that_was_sent_sends_nothing(spot: Spot) -> None:
    close_run(resume_run(spot.home, "night", TONIGHT))
    lists = files(spot.home)
    for destination in BOTH:
        with pytest.raises(InputError, match="is past"):
            push_destination(spot.home, NIGHTS[0], "night", destination)
    assert spot.audience.writes == []
    assert files(spot.home) == lists


def test_a_clock_that_jumped_sends_nothing(spot: Spot) -> None:
    close_run(resume_run(spot.home, "night", TONIGHT))
    for destination in BOTH:
        with pytest.raises(InputError, match="lies in the future"):
            push_destination(spot.home, date(2090, 1, 1), "night", destination)
    assert spot.audience.writes == []
