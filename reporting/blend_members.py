"""What the blend is made of: how much each member weighs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regulars.tables import BLEND_MEMBERS
from regulars.warehouse import Warehouse
from reporting.charts.bars import Bar, horizontal_bars
from reporting.figure import DataTable, Figure, figure
from reporting.night import Night
from reporting.numbers import percent

TARGETS = {"churn": "The churn probability", "value": "The expected value"}
MEMBERS = {
    "trees_on_offset": "Trees on buy-till-you-die",
    "trees_alone": "Trees by themselves",
    "line": "Straight line",
    "buy_till_you_die": "Buy-till-you-die",
    "hurdle_of_trees": "Order × trees",
    "hurdle_of_expectation": "Order × buy-till-you-die",
}
IN_WORDS = {1: "one member alone", 2: "two members", 3: "three members", 4: "four members"}


@dataclass(frozen=True)
class Member:
    target: str
    name: str
    weight: float
    loss: str
    alone: float
    chosen: float
    equal: float
    because: str

    @property
    def title(self) -> str:
        return MEMBERS.get(self.name, self.name)


def blend_figures(warehouse: Warehouse, night: Night) -> list[Figure]:
    """One chart a target, of the model that scored; none where it is no blend."""
    rows = warehouse.rows(
        f"select target, member, weight, loss, member_loss, chosen_loss, equal_loss, because from {BLEND_MEMBERS.qualified_name} "
        "where model_version = ? order by target, weight desc, member_loss",
        [night.model_version],
    )
    members = [Member(*row) for row in rows]
    by_target = [[member for member in members if member.target == target] for target in TARGETS]
    return [_figure(of_target) for of_target in by_target if of_target]


def _figure(members: Sequence[Member]) -> Figure:
    one, weighed = members[0], [member for member in members if member.weight > 0]
    bars = [Bar(member.title, member.weight, f"{percent(member.weight)}, alone {member.alone:.4f}") for member in members]
    compared = f"Weighed so it is {one.chosen:.4f}, with equal weights of the usual members {one.equal:.4f}"
    return figure(
        f"blend-{one.target}",
        f"{TARGETS[one.target]} is the mean of {IN_WORDS[len(weighed)]}",
        f"Weight of each member, and its {one.loss} alone, where less is better. {compared}: {one.because}.",
        lambda width: horizontal_bars(width, bars),
        DataTable(
            ("Member", "Weight", f"{one.loss} alone"),
            [(member.title, percent(member.weight, 1), f"{member.alone:.4f}") for member in members],
        ),
    )
