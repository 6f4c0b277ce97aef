"""What was measured, as it is kept from one benchmark to the next."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measurement import Measurement


@dataclass(frozen=True)
class NightResult:
    """A night, and the script by hand on the same files."""

    as_of: str
    customers: int
    night: Measurement
    bare: Measurement

    @property
    def ratio(self) -> float:
        """How many times as long as the script the night took."""
        return self.night.seconds / self.bare.seconds


@dataclass(frozen=True)
class SizeResult:
    """One shop: its cold night, and the ordinary night after it.

    Attributes:
        size: the size that was asked for, such as 10m.
        machine: what it ran on.
    """

    size: str
    orders: int
    new_orders: int
    machine: str
    cold: NightResult
    ordinary: NightResult

    @property
    def share(self) -> float:
        """What an ordinary night takes of a cold one."""
        return self.ordinary.night.seconds / self.cold.night.seconds


def read_results(file: Path) -> list[SizeResult]:
    """The results that stand in the file, none without it; by number of orders."""
    if not file.exists():
        return []
    found = [
        SizeResult(**{**entry, **{name: _night(entry[name]) for name in ("cold", "ordinary")}})
        for entry in json.loads(file.read_text(encoding="utf-8"))
    ]
    return sorted(found, key=lambda result: result.orders)


def keep_result(file: Path, result: SizeResult) -> list[SizeResult]:
    """Put a result in the place of an earlier one of that size; all results."""
    others = [other for other in read_results(file) if other.size != result.size]
    results = sorted([*others, result], key=lambda one: one.orders)
    file.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n", encoding="utf-8")
    return results


def _night(entry: dict[str, object]) -> NightResult:
    measured = {name: Measurement(**entry[name]) for name in ("night", "bare")}  # type: ignore[arg-type]
    return NightResult(str(entry["as_of"]), int(str(entry["customers"])), **measured)
