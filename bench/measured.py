"""What the records say together: medians and ratios, None where something was not measured."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from bench.records import Record

OURS = "pypoolparty"


def over(a: float | None, b: float | None) -> float | None:
    """Return the ratio, where there is one."""
    return a / b if a is not None and b else None


class Measured:
    """All records of a report; of what was measured twice under one key, the last counts."""

    def __init__(self, found: Iterable[Record]) -> None:
        self.records = list({record.key: record for record in found}.values())

    def systems(self) -> list[str]:
        """Return the systems that were measured, in the order of the records."""
        return list(dict.fromkeys(record.system for record in self.records if record.kind == "run"))

    def peers(self, system: str, workload: str) -> list[str]:
        """Return the peers with a record: the fastest first, those without a time at the end."""
        names = dict.fromkeys(
            record.peer for record in self.records if record.kind == "run" and _is(record, system, workload)
        )
        walls = {name: self.wall(system, name, workload) for name in names}
        return sorted(names, key=lambda name: (walls[name] is None, walls[name] or 0.0, name))

    def of(self, system: str, peer: str, workload: str, kind: str = "run") -> list[Record]:
        """Return the records of one cell."""
        return [r for r in self.records if r.kind == kind and r.peer == peer and _is(r, system, workload)]

    def samples(
        self, system: str, peer: str, workload: str, value: str | Callable[[dict[str, Any]], float | None]
    ) -> list[float]:
        """Return a value of each measurement that ended well."""
        get = value if callable(value) else lambda values: values.get(value)
        found = [get(record.values) for record in self.of(system, peer, workload) if record.status == "ok"]
        return [number for number in found if number is not None]

    def median(
        self, system: str, peer: str, workload: str, value: str | Callable[[dict[str, Any]], float | None]
    ) -> float | None:
        """Return the median of a value."""
        samples = self.samples(system, peer, workload, value)
        return statistics.median(samples) if samples else None

    def wall(self, system: str, peer: str, workload: str) -> float | None:
        """Return the median of the seconds from the call to the list."""
        return self.median(system, peer, workload, "wall")

    def against(self, system: str, workload: str, peer: str) -> float | None:
        """Return our time as a share of a peer's."""
        return over(self.wall(system, OURS, workload), self.wall(system, peer, workload))

    def micro(self, name: str, system: str = "local", value: str = "value") -> float | None:
        """Return a value of a micro measurement."""
        found = [r for r in self.records if (r.kind, r.system, r.workload) == ("micro", system, name)]
        return found[-1].values.get(value) if found else None


def _is(record: Record, system: str, workload: str) -> bool:
    return (record.system, record.workload) == (system, workload)
