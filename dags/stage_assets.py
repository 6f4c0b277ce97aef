"""What the stages hand on to each other, as Airflow's assets. Each event counts the rows that stand there; it names nobody."""

from __future__ import annotations

from airflow.sdk import Asset

RAW = Asset("raw")
STAGING = Asset("staging")
FEATURES = Asset("features")
SCORES = Asset("scores")
SEGMENTS = Asset("segments")
LISTS = Asset("lists")
PUBLISHED = Asset("published")
