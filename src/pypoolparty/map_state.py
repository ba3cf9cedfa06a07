"""How far a map is: read from its work_dir alone, also while it runs, also where its main process is dead."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .events import Greeted, Left
from .history import ENDED, PENDING, RUNNING, History
from .states import Outcome
from .work_dir import Holder, Look, RecordKind, Segment

__all__ = ["MapState", "Phase", "state_of"]


class Phase(enum.Enum):
    """What a map is doing."""

    RUNNING = "running"  # a main process works on it
    DONE = "done"  # each task has returned, raised or is lost
    INTERRUPTED = "interrupted"  # its main process ended it before that
    DEAD = "dead"  # its main process is gone without a word


@dataclass(frozen=True)
class MapState:
    """How far a map is.

    Attributes
    ----------
    work_dir : str
    phase : Phase
        What it is doing, or how it ended.
    pool : str
        The kind of its pool, as ``"slurm.array"``.
    n_tasks : int
    returned, raised, lost : int
        Numbers of tasks by their outcome; all others are `open`.
    open_runs : list of int
        The tasks that have no outcome, as flat pairs ``[start, stop, start, stop, …]``.
    pending_jobs, running_jobs, ended_jobs : int
        Numbers of queue-jobs, as far as workers and main process have written down; the scheduler is not asked.
    job_ids : list of str
        What the scheduler calls them.
    nodes : list of str
        Where workers have said hello.
    submissions : int
        How often the submit command was successful or may have been.
    resubmitted : int
        How many tasks went into a second submission, or a later one.
    deaths : mapping of str to int
        How many queue-jobs or tasks' processes died, by cause.
    warning : str
        The last thing that hinders it, in the scheduler's words; empty if nothing does.
    created : float
        Seconds since 1970.
    ended : float or None
        When its main process closed it.
    last_sign : float
        When its main process was last heard of.
    resumed : int
        How often it was resumed.
    driver : Holder or None
        The main process that works on it, or has died doing so.
    """

    work_dir: str
    phase: Phase
    pool: str
    n_tasks: int
    returned: int
    raised: int
    lost: int
    open_runs: list[int]
    pending_jobs: int
    running_jobs: int
    ended_jobs: int
    job_ids: list[str]
    nodes: list[str]
    submissions: int
    resubmitted: int
    deaths: Mapping[str, int]
    warning: str
    created: float
    ended: float | None
    last_sign: float
    resumed: int
    driver: Holder | None

    @property
    def open(self) -> int:
        """The number of tasks without an outcome."""
        return self.n_tasks - self.returned - self.raised - self.lost

    @property
    def failed(self) -> int:
        """The number of tasks that raised or are lost."""
        return self.raised + self.lost

    @property
    def is_in_use(self) -> bool:
        """Whether a main process works on it."""
        return self.driver is not None and self.driver.is_alive

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        described = {name: value for name, value in vars(self).items() if name not in ("phase", "driver")}
        driver = None if self.driver is None else dict(vars(self.driver))
        return {"phase": self.phase.value, **described, "open": self.open, "failed": self.failed, "driver": driver}


def state_of(work_dir: str | os.PathLike[str]) -> MapState:
    """Read how far a map is. Nothing is written, no scheduler asked, no result unpickled.

    Parameters
    ----------
    work_dir : path
        The folder with ``session.json`` in it.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir, WrongVersion, Damaged
    """
    look = Look(work_dir)
    holder = look.holder()  # before the journal: who leaves closes that first
    history = History()
    outcomes = bytearray(look.n_tasks)
    for segment in look.segments():  # before the archives: nothing falls in between
        _take_segment(segment, outcomes, history)
    for name, outcome in (("results", Outcome.RETURNED), ("exceptions", Outcome.RAISED)):
        for itasks in look.tasks_in(name):
            _mark(outcomes, itasks, outcome)
    for line in look.journal():
        history.take(line)
    history.take_late()
    _mark(outcomes, [i for i in history.lost if not outcomes[i]], Outcome.LOST)
    _mark(outcomes, [i for i in history.not_picklable if not outcomes[i]], Outcome.RAISED)
    return _summed_up(look, holder, history, outcomes)


def _summed_up(look: Look, holder: Holder | None, history: History, outcomes: bytearray) -> MapState:
    jobs = [state for of_submission in history.jobs.values() for state in of_submission]
    created = float(look.session.get("created", 0.0))
    beaten = 0.0 if holder is None else holder.beaten
    return MapState(
        work_dir=look.path,
        phase=_phase(holder, history.closed),
        pool=str(look.session.get("pool", "")),
        n_tasks=look.n_tasks,
        returned=outcomes.count(Outcome.RETURNED),
        raised=outcomes.count(Outcome.RAISED),
        lost=outcomes.count(Outcome.LOST),
        open_runs=_runs_without_outcome(outcomes),
        pending_jobs=jobs.count(PENDING),
        running_jobs=jobs.count(RUNNING),
        ended_jobs=jobs.count(ENDED),
        job_ids=list(dict.fromkeys(history.job_ids)),
        nodes=sorted(history.nodes),
        submissions=len(history.sent),
        resubmitted=max(0, sum(history.planned[number] for number in history.sent) - look.n_tasks),
        deaths=dict(sorted(history.deaths.items())),
        warning=history.warning,
        created=created,
        ended=None if history.closed is None else history.last_time,
        last_sign=max(created, history.last_time, beaten),
        resumed=history.resumed,
        driver=holder,
    )


def _phase(holder: Holder | None, closed: str | None) -> Phase:
    if closed is not None:
        return Phase.DONE if closed == "done" else Phase.INTERRUPTED
    return Phase.RUNNING if holder is not None and holder.is_alive else Phase.DEAD


def _mark(outcomes: bytearray, itasks: Iterable[int], outcome: Outcome) -> None:
    value = int(outcome)
    for itask in itasks:
        outcomes[itask] = value


def _runs_without_outcome(outcomes: bytearray) -> list[int]:
    """Return the open tasks as flat pairs; quick where they are few runs, however many tasks."""
    runs: list[int] = []
    start = outcomes.find(Outcome.OPEN)
    while start >= 0:
        stop = start + len(outcomes[start:]) - len(outcomes[start:].lstrip(b"\0"))
        runs += [start, stop]
        start = outcomes.find(Outcome.OPEN, stop)
    return runs


def _take_segment(segment: Segment, outcomes: bytearray, history: History) -> None:
    """Take what is not yet in archives and journal."""
    for record in segment.records:
        if record.kind == RecordKind.RETURNED:
            outcomes[record.itask] = Outcome.RETURNED
        elif record.kind == RecordKind.RAISED:
            outcomes[record.itask] = Outcome.RAISED
        elif record.kind == RecordKind.HELLO:
            said = json.loads(record.value)
            history.late.append(Greeted(said["worker"], said["host"], said["job"]))
        elif record.kind == RecordKind.GOODBYE:
            said = json.loads(record.value)
            history.late.append(Left(said["worker"], said["reason"], said["signal"], said["segments"]))
