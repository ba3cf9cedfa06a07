"""The queue-jobs of a map as its journal tells of them: when they were sent, ran and ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..chunks import tasks_of
from ..events import Accepted, Ended, Greeted, Left, Planned, Sent, TaskDied, Withdrawn, from_line

__all__ = ["QueueJob", "QueueJobs"]


@dataclass
class QueueJob:
    """One queue-job.

    Attributes
    ----------
    name : str
        ``<submission>-<element>``, as in ``tasks.stats.csv``.
    sent, started, ended : float or None
        In seconds since 1970: when it was handed to the scheduler, when its worker was first heard of, and when it
        was last.
    node : str
    job_id : str
        The scheduler's name for it, or for its array.
    slots : int
        How many tasks it does at a time.
    death : str
        Why it died; empty if it did not.
    deaths : list of (float, str, bool)
        When tasks died in it, or it did itself, why, and whether it was itself.
    is_elastic : bool
        Whether it goes on to other chunks when it is through with one.
    """

    name: str
    sent: float | None = None
    started: float | None = None
    ended: float | None = None
    node: str = ""
    job_id: str = ""
    slots: int = 0
    death: str = ""
    deaths: list[tuple[float, str, bool]] = field(default_factory=list)
    is_elastic: bool = True

    @property
    def wait(self) -> float | None:
        """Seconds from its submission to its start; None if it has not started."""
        if self.sent is None or self.started is None:
            return None
        return max(0.0, self.started - self.sent)


class QueueJobs:
    """A fold over the lines of a journal."""

    def __init__(self) -> None:
        self.by_name: dict[str, QueueJob] = {}
        self.begun = 0.0
        self.last_time = 0.0
        self.late = 0
        self._sizes: dict[int, int] = {}

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line."""
        now = self.last_time = float(line.get("time", self.last_time))
        self.begun = self.begun or now
        kind = line.get("event")
        if kind == "Merged":
            self.late += int(line.get("late", 0))
            return
        if kind in ("Closed", "Resumed"):
            self._end_all(now, waits_too=kind == "Closed")
            return
        event = from_line(line)
        if isinstance(event, Planned):
            self._planned(event)
        elif isinstance(event, Sent):
            for job in self._jobs(event.submission, tasks_of(event.elements)):
                if job.started is None:
                    job.sent, job.ended = now, None
        elif isinstance(event, Accepted):
            self._accepted(event)
        elif isinstance(event, (Greeted, Left, TaskDied)):
            self._heard(event, now)
        elif isinstance(event, Ended):
            self._ended(event, now)
        elif isinstance(event, Withdrawn):
            everything = range(self._sizes.get(event.submission, 0))
            for job in self._jobs(event.submission, everything if event.elements is None else tasks_of(event.elements)):
                if job.started is None:
                    job.ended = job.ended or now

    def _planned(self, event: Planned) -> None:
        self._sizes[event.submission] = event.elements
        for k in range(event.elements):
            name = f"{event.submission:04d}-{k:06d}"
            self.by_name[name] = QueueJob(name, is_elastic=event.is_elastic)

    def _jobs(self, submission: int, elements: Iterable[int]) -> list[QueueJob]:
        names = (f"{submission:04d}-{element:06d}" for element in elements)
        return [self.by_name[name] for name in names if name in self.by_name]

    def _accepted(self, event: Accepted) -> None:
        for number, job_id in event.jobs:
            for job in self._jobs(event.submission, tasks_of(event.elements) if number < 0 else [number]):
                job.job_id = str(job_id)

    def _heard(self, event: Greeted | Left | TaskDied, now: float) -> None:
        """A worker has said something: its queue-job runs, or did."""
        job = self.by_name.get(event.worker[:11])
        if job is None:
            return
        job.started = now if job.started is None else min(job.started, now)
        if isinstance(event, Greeted):
            job.node = event.node
            job.ended = None  # the scheduler may have requeued it
        elif isinstance(event, Left):
            job.ended = now
            job.slots = max(job.slots, sum(name.isdigit() for name in event.segments))
        else:
            job.deaths.append((now, event.report.death.value, False))

    def _ended(self, event: Ended, now: float) -> None:
        for job in self._jobs(event.submission, [event.element]):
            job.ended = job.ended or now
            if event.report is not None:
                job.death = event.report.death.value
                job.node = job.node or event.report.node
                if job.started is not None:
                    job.deaths.append((now, job.death, True))

    def _end_all(self, now: float, waits_too: bool) -> None:
        for job in self.by_name.values():
            if job.ended is None and waits_too:
                job.ended = now
