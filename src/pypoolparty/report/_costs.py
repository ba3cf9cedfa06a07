"""What was held, what of it was used, and what was in vain. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._jobs import QueueJob
from ._records import Records
from ._timeline import Vain

__all__ = ["Costs", "cores_of", "costs_of", "wasted_in"]


@dataclass(frozen=True)
class Costs:
    """Core-hours, and what became of them.

    Attributes
    ----------
    held : float
        From the start of queue-jobs to their end.
    busy : float
        While tasks ran that returned or raised.
    cpu : float
        CPU time of these tasks.
    wasted : float
        By attempts that died, at the least, and by outcomes that came twice.
    """

    held: float
    busy: float
    cpu: float
    wasted: float

    @property
    def idle(self) -> float:
        """Held, while no task ran: starting, waiting for others to end, leaving."""
        return max(0.0, self.held - self.busy - self.wasted)


def cores_of(jobs: Sequence[QueueJob], arguments: Mapping[str, Any]) -> dict[str, tuple[int, float]]:
    """Return, for each queue-job, the cores that it holds, and the cores for each of its tasks."""
    asked = arguments.get("workers_per_job")
    usual = asked if isinstance(asked, int) and asked > 0 else max((job.slots for job in jobs), default=1) or 1
    cpus = arguments.get("cpus")
    cpus = cpus if isinstance(cpus, int) and cpus > 0 else 1
    found = {}
    for job in jobs:
        slots = job.slots or usual
        cores = max(cpus, slots)
        found[job.name] = cores, cores / slots
    return found


def wasted_in(records: Records, jobs: Sequence[QueueJob]) -> dict[str, list[Vain]]:
    """Return what was in vain: in each queue-job with deaths, from the outcome before one to the death itself.

    Where a queue-job does several tasks at a time, that is less than it was: which of them an outcome was before the
    death of, is not written down.
    """
    with_deaths = {job.name: job for job in jobs if job.deaths and job.started is not None}
    if not with_deaths:
        return {}
    indices = {index: name for index, name in enumerate(records.jobs) if name in with_deaths}
    stops: dict[str, list[float]] = {name: [] for name in with_deaths}
    for index, stop in zip(records.job, records.stop):
        if index in indices:
            stops[indices[index]].append(stop)
    found = {}
    for name, job in with_deaths.items():
        assert job.started is not None
        ends = sorted([job.started, *stops[name]])
        spans: list[Vain] = []
        for when, why, is_whole in sorted(job.deaths):
            since = max([end for end in ends if end <= when] or [job.started])
            since = max(since, spans[-1].until) if spans else since
            until = min(when, job.ended) if job.ended is not None else when
            if until > since:
                spans.append(Vain(since, until, why, is_whole))
        found[name] = spans
    return found


def costs_of(
    records: Records,
    jobs: Sequence[QueueJob],
    cores: Mapping[str, tuple[int, float]],
    wasted: Mapping[str, Sequence[Vain]],
    late: int,
    until: float,
) -> Costs:
    """Return the core-hours; `late` outcomes came a second time, and `until` is the end of what has not ended."""
    per_task = [cores.get(name, (1, 1.0))[1] for name in records.jobs]
    busy = sum((stop - start) * per_task[job] for start, stop, job in zip(records.start, records.stop, records.job))
    held = sum(
        cores[job.name][0] * max(0.0, (until if job.ended is None else job.ended) - job.started)
        for job in jobs
        if job.started is not None
    )
    died = sum(
        cores[name][0 if vain.is_whole else 1] * (vain.until - vain.since)
        for name, all_of in wasted.items()
        for vain in all_of
    )
    twice = late * busy / len(records) if len(records) else 0.0
    held = max(held, busy)  # clocks differ
    return Costs(held / 3600, busy / 3600, sum(records.cpu) / 3600, min(died + twice, held - busy) / 3600)
