"""All that a report tells, as numbers and texts: from the records of the workers, the journal, and the failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..failures import FailureGroup, failures_of
from ..map_state import MapState, state_of
from ..work_dir import Look
from ._advice import Advice, Needs, advise
from ._costs import Costs, cores_of, costs_of, wasted_in
from ._jobs import QueueJob, QueueJobs
from ._numbers import Histogram, Spread, histogram, spread_of
from ._records import Records, read_records
from ._text import time_unit
from ._timeline import Bars, Load, bars_of, load_of

__all__ = ["Facts", "Slow", "facts_of"]

N_SLOWEST = 10


@dataclass(frozen=True)
class Slow:
    """One of the tasks that took longest."""

    itask: int
    seconds: float
    cpu: float
    memory: float
    host: str
    job: str
    attempt: int


@dataclass(frozen=True)
class Facts:
    """What a report tells of a map."""

    state: MapState
    session: Mapping[str, Any]
    begun: float
    until: float
    n_rows: int
    seconds: Spread
    waits: Spread
    memory: Spread
    efficiency: Spread
    histograms: Mapping[str, Histogram]
    costs: Costs
    n_started: int
    n_hosts: int
    n_again: int
    most_attempts: int
    late: int
    bars: Bars | None
    load: Load
    slowest: list[Slow]
    failures: list[FailureGroup]
    advice: Advice


def facts_of(work_dir: str) -> Facts:
    """Read all that there is to tell of a map that runs, has ended, or whose main process is dead."""
    look = Look(work_dir)
    records = read_records(look)  # first: what is noted later of the same tasks does no harm
    state = state_of(work_dir)
    failures = failures_of(work_dir)
    folded = QueueJobs()
    for line in look.journal():
        folded.take(line)
    return _summed_up(look.session, records, folded, state, failures)


def _summed_up(
    session: Mapping[str, Any], records: Records, folded: QueueJobs, state: MapState, failures: list[FailureGroup]
) -> Facts:
    jobs = list(folded.by_name.values())
    _adjust(jobs, records)
    begun, until = span = _span_of(records, folded, state)
    cores = cores_of(jobs, session.get("arguments", {}))
    wasted = wasted_in(records, jobs)
    raised = {itask for group in failures if not group.is_lost for itask in group.tasks}
    seconds = list(records.seconds)
    waits = [job.wait for job in jobs if job.wait is not None]
    efficiency = _efficiency(records, seconds, cores)
    costs = costs_of(records, jobs, cores, wasted, folded.late, until)
    times = spread_of(seconds)
    longest_job = max([0.0, *((until if j.ended is None else j.ended) - (j.started or until) for j in jobs)])
    memory = spread_of(records.memory)
    return Facts(
        state=state,
        session=session,
        begun=begun,
        until=until,
        n_rows=len(records),
        seconds=times,
        waits=spread_of(waits),
        memory=memory,
        efficiency=spread_of(efficiency),
        histograms=_histograms(seconds, waits, records.memory, efficiency),
        costs=costs,
        n_started=sum(job.started is not None for job in jobs),
        n_hosts=len({*records.hosts, *(job.node for job in jobs if job.started is not None)}),
        n_again=sum(attempt > 1 for attempt in records.attempt),
        most_attempts=max(records.attempt, default=0),
        late=folded.late,
        bars=bars_of(records, jobs, wasted, raised, span),
        load=load_of(records, jobs, cores, span),
        slowest=_slowest(records, seconds),
        failures=failures,
        advice=advise(
            _needs(
                session,
                state,
                jobs,
                # Of tasks that take no time it would be noise, and so would be what is advised from it.
                costs.cpu / costs.busy if efficiency else None,
                memory.most,
                times.most,
                longest_job,
            )
        ),
    )


def _span_of(records: Records, folded: QueueJobs, state: MapState) -> tuple[float, float]:
    """Return from when to when there is something to tell."""
    jobs = folded.by_name.values()
    begun = min([state.created or math.inf, folded.begun or math.inf, *[j.sent for j in jobs if j.sent is not None]])
    if math.isinf(begun):
        begun = min(records.start, default=0.0)
    last = max([begun, state.ended or 0.0, *[j.ended for j in jobs if j.ended is not None]])
    return begun, max([last, max(records.stop, default=0.0), 0.0 if state.ended else state.last_sign])


def _efficiency(records: Records, seconds: Sequence[float], cores: Mapping[str, tuple[int, float]]) -> list[float]:
    """Return CPU time by core-time, of each task that took long enough for the clocks to tell."""
    per_task = [cores.get(name, (1, 1.0))[1] for name in records.jobs]
    rows = zip(records.cpu, seconds, records.job)
    return [cpu / (took * per_task[job]) for cpu, took, job in rows if took > 0.01]


def _histograms(
    seconds: Sequence[float], waits: Sequence[float], memory: Sequence[float], efficiency: Sequence[float]
) -> dict[str, Histogram]:
    units = [time_unit(max(values, default=0.0))[0] for values in (seconds, waits)]
    return {
        "seconds": histogram(seconds, floor=1e-6, unit=units[0]),
        "waits": histogram(waits, floor=1e-3, unit=units[1]),
        "memory": histogram(memory, unit=2.0**30 if max(memory, default=0.0) >= 1 << 30 else 2.0**20),
        "efficiency": histogram(efficiency, floor=1e-3, least=0.01),
    }


def _adjust(jobs: Sequence[QueueJob], records: Records) -> None:
    """Let queue-jobs begin no later than their first task, and end no earlier than their last.

    The main process hears of them later than they do something, and their clocks may differ from its own.
    """
    by_name = {job.name: job for job in jobs}
    known = [by_name.get(name) for name in records.jobs]
    first: list[float] = [math.inf] * len(known)
    last: list[float] = [0.0] * len(known)
    for job, start, stop in zip(records.job, records.start, records.stop):
        if start < first[job]:
            first[job] = start
        if stop > last[job]:
            last[job] = stop
    hosts = dict(zip(records.job, records.host))
    for index, found in enumerate(known):
        if found is None:
            continue
        found.node = found.node or records.hosts[hosts[index]]
        found.started = first[index] if found.started is None else min(found.started, first[index])
        if found.sent is not None:
            found.started = max(found.started, min(found.sent, first[index]))
        if found.ended is not None:
            found.ended = max(found.ended, last[index])


def _slowest(records: Records, seconds: Sequence[float]) -> list[Slow]:
    rows = sorted(range(len(seconds)), key=seconds.__getitem__)[: -N_SLOWEST - 1 : -1]
    return [
        Slow(
            records.itask[row],
            seconds[row],
            records.cpu[row],
            records.memory[row],
            records.hosts[records.host[row]],
            records.jobs[records.job[row]],
            records.attempt[row],
        )
        for row in rows
    ]


def _needs(
    session: Mapping[str, Any],
    state: MapState,
    jobs: Sequence[QueueJob],
    efficiency: float | None,
    peak: float,
    longest_task: float,
    longest_job: float,
) -> Needs:
    arguments = session.get("arguments", {})
    workers = arguments.get("workers_per_job")
    return Needs(
        peak_memory=peak,
        longest_task=longest_task,
        workers_per_job=workers if isinstance(workers, int) and workers > 0 else 1,
        cpus=arguments.get("cpus"),
        efficiency=efficiency,
        asked_memory=arguments.get("mem"),
        asked_time=arguments.get("time"),
        out_of_memory=state.deaths.get("OutOfMemory", 0),
        out_of_time=state.deaths.get("TimeLimit", 0),
        is_elastic=all(job.is_elastic for job in jobs),
        is_complete=not state.open,
    )
