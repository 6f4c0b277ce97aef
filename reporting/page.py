"""Everything that stands on the page, gathered from the warehouse, and the template that lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from regulars.segment import Segment
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse
from reporting import numbers
from reporting.blend_members import blend_figures
from reporting.customers import CustomerBase, churn_distribution, load_customer_base, value_concentration
from reporting.figure import Absent, DataTable, Figure
from reporting.gates import GateCounts, GateFigure, load_gate_counts, load_gate_figures
from reporting.hindcast_charts import calibration_of, hindcast_figures
from reporting.hindcasts import load_hindcasts
from reporting.hindsight_page import HindsightPage
from reporting.intake import Account, Exclusion, load_accounts, load_exclusions
from reporting.model_quality import all_metrics, calibration, model_against_baselines
from reporting.night import Night, load_night
from reporting.orders import cohort_retention, weekly_orders
from reporting.reasons import leaving_reasons, told_reasons
from reporting.segments import SegmentFigures, load_segment_figures, previous_lists, segment_movement, value_at_risk_by_segment
from reporting.sending import Sync, load_syncs, nothing_changed

TEMPLATE_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Page:
    night: Night
    base: CustomerBase | None
    base_before: CustomerBase | None
    segments: Sequence[SegmentFigures]
    lists_before: date | None
    segment_charts: Sequence[Figure | Absent]
    reason_charts: Sequence[Figure | Absent]
    customer_charts: Sequence[Figure | Absent]
    order_charts: Sequence[Figure | Absent]
    cohorts: Figure | Absent
    model_charts: Sequence[Figure | Absent]
    blend_charts: Sequence[Figure]
    hindcast_charts: Sequence[Figure | Absent]
    metrics: DataTable | None
    syncs: Sequence[Sync]
    titles: dict[str, str]
    accounts_tonight: Sequence[Account]
    accounts_ever: Sequence[Account]
    exclusions: Sequence[Exclusion]
    gates: Sequence[GateCounts]
    gate_figures: Sequence[GateFigure]

    @property
    def nothing_changed(self) -> bool:
        return nothing_changed(self.syncs)


def load_page(warehouse: Warehouse, settings: HomeSettings, catalogue: Sequence[Segment], as_of: date) -> Page:
    night = load_night(warehouse, settings, as_of)
    lists_before = previous_lists(warehouse, as_of)
    segments = load_segment_figures(warehouse, catalogue, as_of, lists_before)
    hindcasts = load_hindcasts(warehouse, night)
    titles = {segment.name: segment.title for segment in segments}
    return Page(
        night=night,
        base=load_customer_base(warehouse, as_of),
        base_before=load_customer_base(warehouse, night.previous) if night.previous else None,
        segments=segments,
        lists_before=lists_before,
        segment_charts=[segment_movement(segments, lists_before), value_at_risk_by_segment(segments, night)],
        reason_charts=[told_reasons(warehouse, as_of), leaving_reasons(warehouse, as_of)],
        customer_charts=[churn_distribution(warehouse, night), value_concentration(warehouse, night)],
        order_charts=weekly_orders(warehouse, night),
        cohorts=cohort_retention(warehouse, night),
        model_charts=[
            calibration_of(hindcasts) if hindcasts else calibration(warehouse, night),
            *model_against_baselines(warehouse, night),
        ],
        blend_charts=blend_figures(warehouse, night),
        hindcast_charts=hindcast_figures(hindcasts, night) if hindcasts else [],
        metrics=all_metrics(warehouse, night),
        syncs=sorted(load_syncs(warehouse, as_of), key=lambda sync: (sync.destination, [*titles, sync.segment].index(sync.segment))),
        titles=titles,
        accounts_tonight=load_accounts(warehouse, as_of, as_of),
        accounts_ever=load_accounts(warehouse, None, as_of),
        exclusions=load_exclusions(warehouse, None, as_of),
        gates=load_gate_counts(warehouse, as_of),
        gate_figures=load_gate_figures(warehouse, as_of),
    )


def render(page: Page, hindsight: HindsightPage) -> str:
    """The page as HTML; it asks nothing of the network and runs no script."""
    return _template("report.html").render(page=page, hindsight=hindsight, night=page.night, money=page.night.money)


def render_hindsight(page: HindsightPage) -> str:
    """The page of hindsight as HTML; see `render`."""
    return _template("hindsight.html").render(page=page, night=page.night)


def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATE_FOLDER)), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["numbers"] = numbers
    environment.tests["figure"] = lambda chart: isinstance(chart, Figure)
    return environment.get_template(name)
