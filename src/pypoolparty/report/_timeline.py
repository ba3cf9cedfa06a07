"""Where and when tasks ran: bars where they are few, sums over hosts and time where they are many. Pure."""

from __future__ import annotations

import heapq
import re
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ._jobs import QueueJob
from ._numbers import add_interval, settle
from ._records import Records

__all__ = ["Bars", "Load", "Vain", "bars_of", "load_of"]

MOST_BARS, MOST_LANES = 1500, 60
MOST_BINS, MOST_ROWS = 200, 48


class Vain(NamedTuple):
    """A time in a queue-job that came to nothing: from when to when, why, and whether on all of its cores."""

    since: float
    until: float
    why: str
    is_whole: bool


@dataclass(frozen=True)
class Bars:
    """A bar for each task, in lanes.

    Attributes
    ----------
    lanes : list of str
        Names, by host and queue-job.
    tasks : list of (lane, start, stop, itask, raised)
        Times in seconds since the beginning.
    waits, holds, deaths : list of (lane, start, stop, words)
        From a queue-job's submission to its start; from there to its end; and what was in vain before a death.
    """

    lanes: list[str]
    tasks: list[tuple[int, float, float, int, bool]]
    waits: list[tuple[int, float, float, str]]
    holds: list[tuple[int, float, float, str]]
    deaths: list[tuple[int, float, float, str]]


def bars_of(
    records: Records,
    jobs: Sequence[QueueJob],
    wasted: Mapping[str, Sequence[Vain]],
    raised: Collection[int],
    span: tuple[float, float],
) -> Bars | None:
    """Return a bar for each task; None if they are too many to be told apart."""
    shown = [job for job in jobs if job.sent is not None or job.started is not None]
    if len(records) > MOST_BARS or len(shown) > MOST_LANES:
        return None
    shown.sort(key=lambda job: (job.started is None, job.node, job.name))
    by_job = _rows_by_job(records)
    slots = {job.name: _slots_of(records, by_job.get(job.name, [])) for job in shown}
    if sum(max(1, len(set(found.values()))) for found in slots.values()) > MOST_LANES:
        return None
    bars = Bars([], [], [], [], [])
    begin, end = span
    for job in shown:
        base, number = len(bars.lanes), max(1, len(set(slots[job.name].values())))
        short = _short(job.name)
        bars.lanes.extend(
            f"{job.node or 'not started'} · {short}{f'.{k}' if number > 1 else ''}" for k in range(number)
        )
        stopped = (job.ended or end) - begin
        if job.sent is not None:
            started = stopped if job.started is None else job.started - begin
            bars.waits.extend(
                (base + k, job.sent - begin, max(started, job.sent - begin), short) for k in range(number)
            )
        if job.started is not None:
            bars.holds.extend((base + k, job.started - begin, stopped, short) for k in range(number))
        for vain in wasted.get(job.name, ()):
            lanes = range(base, base + (number if vain.is_whole else 1))
            bars.deaths.extend((lane, vain.since - begin, vain.until - begin, vain.why) for lane in lanes)
        for row, slot in slots[job.name].items():
            itask = records.itask[row]
            times = records.start[row] - begin, records.stop[row] - begin
            bars.tasks.append((base + slot, *times, itask, itask in raised))
    return bars


def _short(name: str) -> str:
    """Return a queue-job's name without its leading zeros: ``"1-3"``."""
    submission, _, element = name.partition("-")
    return f"{int(submission)}-{int(element)}" if submission.isdigit() and element.isdigit() else name


def _rows_by_job(records: Records) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, job in enumerate(records.job):
        found.setdefault(records.jobs[job], []).append(row)
    return found


def _slots_of(records: Records, rows: list[int]) -> dict[int, int]:
    """Give each row of a queue-job a slot in which no two of them overlap."""
    slots: dict[int, int] = {}
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for row in sorted(rows, key=lambda row: records.start[row]):
        while busy and busy[0][0] <= records.start[row] + 1e-3:
            heapq.heappush(free, heapq.heappop(busy)[1])
        slot = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (records.stop[row], slot))
        slots[row] = slot
    return slots


@dataclass(frozen=True)
class Load:
    """How much was going on, in bins of time.

    Attributes
    ----------
    width : float
        Of a bin, in seconds.
    busy, held, waiting : list of float
        Mean numbers: of tasks that ran, of cores that were held, of queue-jobs that waited.
    rows : list of str
        Names of hosts; where they are many, of the first and the last of those that share a row.
    shares : list of list
        For each row and bin, the share of its cores that was busy; None where it held none.
    busy_hours, held_hours : list of float
        Of each row, in core-hours.
    outcomes : list of int
        How many came from each row.
    """

    width: float
    busy: list[float]
    held: list[float]
    waiting: list[float]
    rows: list[str]
    shares: list[list[float | None]]
    busy_hours: list[float]
    held_hours: list[float]
    outcomes: list[int]


@dataclass
class _Sums:
    """Sums over bins in the making."""

    n: int

    def __post_init__(self) -> None:
        self.partial = array("d", bytes(8 * self.n))
        self.steps = array("d", bytes(8 * (self.n + 1)))

    def add(self, begin: float, end: float, weight: float = 1.0) -> None:
        """Add an interval, in bins."""
        add_interval(max(0.0, begin), min(float(self.n), end), self.partial, self.steps, weight)

    def settle(self) -> list[float]:
        """Return them."""
        return settle(self.partial, self.steps)


def load_of(
    records: Records, jobs: Sequence[QueueJob], cores: Mapping[str, tuple[int, float]], span: tuple[float, float]
) -> Load:
    """Sum up what went on.

    Parameters
    ----------
    records : Records
    jobs : sequence of QueueJob
    cores : mapping
        Of each queue-job by its name: cores it holds, and cores for each of its tasks.
    span : (float, float)
        From when to when.
    """
    (begin, end), n = span, MOST_BINS
    width = max(end - begin, 1e-3) / n
    rows, row_of = group_hosts(
        sorted({*records.hosts, *(job.node for job in jobs if job.started is not None)}, key=_natural)
    )
    busy, held, waiting = [_Sums(n) for _ in rows], [_Sums(n) for _ in rows], _Sums(n)
    outcomes = _add_tasks(records, cores, row_of, busy, (begin, width))
    for one in jobs:
        until = ((end if one.ended is None else one.ended) - begin) / width
        started = until if one.started is None else (one.started - begin) / width
        if one.started is not None:
            held[row_of[one.node]].add(started, until, cores.get(one.name, (1, 1.0))[0])
        if one.sent is not None:
            waiting.add((one.sent - begin) / width, started)
    all_busy, all_held = [sums.settle() for sums in busy], [sums.settle() for sums in held]
    return Load(
        width,
        [sum(column) for column in zip(*all_busy)] or [0.0] * n,
        [sum(column) for column in zip(*all_held)] or [0.0] * n,
        waiting.settle(),
        rows,
        [[_share(b, h) for b, h in zip(*pair)] for pair in zip(all_busy, all_held)],
        [sum(row) * width / 3600 for row in all_busy],
        [sum(row) * width / 3600 for row in all_held],
        outcomes,
    )


def _add_tasks(
    records: Records,
    cores: Mapping[str, tuple[int, float]],
    row_of: Mapping[str, int],
    busy: Sequence[_Sums],
    bins: tuple[float, float],
) -> list[int]:
    """Add all tasks to the sums of their rows, in bins from a time on and of a width; return how many each row has."""
    begin, width = bins
    rows_of_hosts = [row_of[host] for host in records.hosts]
    per_task = [cores.get(name, (1, 1.0))[1] for name in records.jobs]
    outcomes = [0] * len(busy)
    for start, stop, host, job in zip(records.start, records.stop, records.host, records.job):
        row = rows_of_hosts[host]
        outcomes[row] += 1
        busy[row].add((start - begin) / width, (stop - begin) / width, per_task[job])
    return outcomes


def _share(busy: float, held: float) -> float | None:
    return round(min(1.0, busy / held), 3) if held > 1e-6 else None


def group_hosts(hosts: Sequence[str], most: int = MOST_ROWS) -> tuple[list[str], dict[str, int]]:
    """Return the names of at most so many rows, and the row of each host."""
    if len(hosts) <= most:
        return list(hosts), {host: row for row, host in enumerate(hosts)}
    size = -(-len(hosts) // most)
    groups = [hosts[k : k + size] for k in range(0, len(hosts), size)]
    names = [f"{group[0]} … {group[-1]}" if len(group) > 1 else group[0] for group in groups]
    return names, {host: k // size for k, host in enumerate(hosts)}


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts ``node2`` before ``node10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]
