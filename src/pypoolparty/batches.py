"""One submission and its queue-jobs, as far as they are known, and how a query changes that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .chunks import runs_of, tasks_of
from .events import Accepted, Event, Left, Refused
from .states import Job, JobState, Refusal

__all__ = ["Batch", "Element", "Trace", "observe"]

DOUBTS_TO_DISPROVE = 2


@dataclass
class Trace:
    """What one worker has left in the spool so far."""

    goodbye: Left | None = None
    merged: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether it has said goodbye and all that it published was merged."""
        if self.goodbye is None:
            return False
        return all(self.merged.get(slot, 0) >= n for slot, n in self.goodbye.segments.items())


@dataclass
class Element:
    """One queue-job."""

    job_id: str = ""
    state: JobState | None = None
    reason: str = ""
    node: str = ""
    traces: dict[str, Trace] = field(default_factory=dict)
    missing: int = 0
    suspect_since: float | None = None
    is_under_inspection: bool = False
    is_ended: bool = False
    charged: int = -1  # the task that was held responsible when it ended
    may_linger: bool = False  # it ended by our word, not by its own goodbye: the scheduler may have it still
    is_heard: bool = False  # since it was last decided whether to ask the scheduler

    @property
    def has_greeted(self) -> bool:
        """Whether a worker of it was heard of."""
        return bool(self.traces)

    @property
    def may_be_pending(self) -> bool:
        """Whether nothing tells that it ever ran."""
        return not self.is_ended and not self.has_greeted and self.state in (None, JobState.PENDING)


@dataclass
class Batch:
    """One submission: its chunk table and its queue-jobs."""

    number: int
    name: str
    is_elastic: bool
    tables: list[int]
    chunks: list[list[int]]
    elements: list[Element]
    n_done_before: int
    n_tasks: int
    level: tuple[int, int] = (0, 0)
    unsent: list[int] = field(default_factory=list)
    in_flight: list[int] | None = None
    doubted: list[int] | None = None
    doubt: Refused | None = None  # what it amounts to if nothing of the doubted is in the queue
    doubted_absent: int = 0
    n_live: int = 0
    n_left: int = 0
    is_exhausted: bool = False
    is_withdrawn: bool = False
    to_judge: set[int] = field(default_factory=set)
    job_ids: list[str] = field(default_factory=list)
    has_own_deaths: bool = False  # whether any death was not of the free ones
    risen: set[int] = field(default_factory=set)  # those that ended and wait once more: the scheduler requeued them

    @property
    def is_active(self) -> bool:
        """Whether any queue-job of it may still work."""
        return self.n_left > 0

    def is_at_work(self) -> bool:
        """Tell whether all its queue-jobs were heard of since the last time: then there is nothing to ask for."""
        left = [element for element in self.elements if not element.is_ended]
        all_heard = self.doubted is None and not self.unsent and all(element.is_heard for element in left)
        for element in left:
            element.is_heard = False
        return all_heard


def observe(batches: Mapping[int, Batch], jobs: Sequence[Job], asked: Iterable[int], now: float) -> list[Event]:
    """Take into account what a successful query said of the `asked` submissions.

    Returns
    -------
    list of Event
        What follows from it for submissions in doubt; to be applied by the caller.
    """
    by_name: dict[str, list[Job]] = {}
    for job in jobs:
        by_name.setdefault(job.name, []).append(job)
    events: list[Event] = []
    for number in asked:
        batch = batches[number]
        rows = _rows_of(batch, by_name)
        if batch.doubted is not None:
            events += _settle_doubt(batch, rows)
        _observe_batch(batch, rows, now)
    return events


def _rows_of(batch: Batch, by_name: dict[str, list[Job]]) -> dict[int, Job]:
    """Return the row of each element; an element that was submitted twice is as alive as its best row."""
    rows: dict[int, Job] = {}
    for job in by_name.get(batch.name, ()):
        if job.element is not None:
            _keep_livelier(rows, job.element, job)
    if not rows:
        for k in range(len(batch.elements)):
            for job in by_name.get(f"{batch.name}-{k}", ()):
                _keep_livelier(rows, k, job)
    return rows


def _settle_doubt(batch: Batch, rows: dict[int, Job]) -> list[Event]:
    assert batch.doubted is not None
    found = [k for k in tasks_of(batch.doubted) if k in rows]
    if not found:
        batch.doubted_absent += 1
        if batch.doubted_absent < DOUBTS_TO_DISPROVE:
            return []
        words = "the submission was not answered, and nothing of it is in the queue"
        refusal = Refusal.LATER
        if batch.doubt is not None:
            refusal, words = batch.doubt.refusal, f"{words}: {batch.doubt.words}"
        return [Refused(batch.number, list(batch.doubted), refusal, words)]
    jobs = sorted({(k, rows[k].job_id) for k in found})
    lost = [k for k in tasks_of(batch.doubted) if k not in rows]
    events: list[Event] = [Accepted(batch.number, runs_of(found), jobs)]
    if lost:
        words = "not among the jobs in the queue"
        events.append(Refused(batch.number, runs_of(lost), Refusal.LATER, words))
    return events


def _observe_batch(batch: Batch, rows: dict[int, Job], now: float) -> None:
    unsent = {*batch.unsent, *tasks_of(batch.in_flight or []), *tasks_of(batch.doubted or [])}
    for k, element in enumerate(batch.elements):
        row = rows.get(k)
        waits = row is not None and row.state in (JobState.PENDING, JobState.ERROR)
        if waits and element.is_ended and element.has_greeted:
            batch.risen.add(k)
        if element.is_ended or k in unsent:
            continue
        if row is None:
            element.missing += 1
        else:
            element.missing = 0
            element.state, element.reason = row.state, row.reason
            element.node = row.node or element.node
        if (row is None and element.missing >= 2) or (row is not None and _is_suspect(row)):
            batch.to_judge.add(k)
            if element.suspect_since is None:
                element.suspect_since = now
        elif row is not None:
            element.suspect_since = None


def _is_suspect(job: Job) -> bool:
    return job.state.is_final or job.state in (JobState.ERROR, JobState.HOPELESS)


def _keep_livelier(rows: dict[int, Job], k: int, job: Job) -> None:
    if k not in rows or _is_suspect(rows[k]):
        rows[k] = job
