"""What a journal tells of its map as a whole: a fold over the events, without the chunk tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .chunks import tasks_of
from .events import (
    Accepted,
    Closed,
    Doubted,
    Ended,
    Event,
    GaveUp,
    Greeted,
    Left,
    Planned,
    Refused,
    Sent,
    TaskDied,
    Withdrawn,
    from_line,
)
from .states import Report

__all__ = ["ENDED", "PENDING", "RUNNING", "UNSENT", "History"]

UNSENT, PENDING, RUNNING, ENDED = range(4)


@dataclass
class History:
    """The fold over a journal, without the chunk tables, which are large and tell nothing of how far it is."""

    jobs: dict[int, bytearray] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    job_ids: list[str] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    not_picklable: list[int] = field(default_factory=list)
    deaths: dict[str, int] = field(default_factory=dict)
    late: list[Event] = field(default_factory=list)
    planned: dict[int, int] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    resumed: int = 0
    warning: str = ""
    closed: str | None = None
    last_time: float = 0.0

    def live(self, submission: int) -> list[int]:
        """Return the queue-jobs of a submission that may be in the queue, as far as the journal tells."""
        return [element for element, state in enumerate(self.jobs[submission]) if state in (PENDING, RUNNING)]

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line of the journal."""
        self.last_time = float(line.get("time", self.last_time))
        kind = line.get("event")
        if kind == "Resumed":
            self.resumed += 1
            self.lost.clear()
            self.closed, self.warning = None, ""
        elif kind == "NotPicklable":
            self.not_picklable += tasks_of(line["tasks"])
        elif kind != "Merged":  # the most frequent, and the archives tell the same
            event = from_line(line)
            if event is not None:
                self._apply(event)

    def take_late(self) -> None:
        """Take what workers have said and the main process has not yet written down."""
        for event in self.late:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        if isinstance(event, Planned):
            self.jobs[event.submission] = bytearray(event.elements)
            self.names[event.submission] = event.name
            self.planned[event.submission] = event.n_tasks
        elif isinstance(event, (Sent, Accepted, Doubted, Refused)):
            self._apply_submission(event)
        elif isinstance(event, Greeted):
            self.nodes.add(event.node)
            self._set_worker(event.worker, RUNNING)
        elif isinstance(event, Left):
            self._set_worker(event.worker, ENDED)
        elif isinstance(event, Ended):
            self._set(event.submission, [event.element], ENDED)
            self._count_death(event.report)
        elif isinstance(event, TaskDied):
            self._count_death(event.report)
        elif isinstance(event, Withdrawn):
            everything = range(len(self.jobs[event.submission]))
            self._set(event.submission, everything if event.elements is None else tasks_of(event.elements), ENDED)
        elif isinstance(event, GaveUp):
            self.lost.update(tasks_of(event.tasks))
        elif isinstance(event, Closed):
            self.closed = event.how
            for number, jobs in self.jobs.items():
                self._set(number, range(len(jobs)), ENDED)

    def _apply_submission(self, event: Sent | Accepted | Doubted | Refused) -> None:
        if isinstance(event, Refused):
            self.warning = event.words
            self._set(event.submission, tasks_of(event.elements), UNSENT, PENDING)
            return
        self._set(event.submission, tasks_of(event.elements), PENDING, UNSENT)
        if isinstance(event, Accepted):
            self.warning = ""
            self.job_ids += [job_id for _, job_id in event.jobs]
        if not isinstance(event, Sent):
            self.sent.add(event.submission)

    def _set_worker(self, worker: str, state: int) -> None:
        submission, element, _ = worker.split("-", 2)
        self._set(int(submission), [int(element)], state)

    def _set(self, submission: int, elements: Iterable[int], state: int, only: int | None = None) -> None:
        """Let queue-jobs go on to a state; what has ended has ended."""
        jobs = self.jobs.get(submission, bytearray())
        for element in elements:
            if element < len(jobs) and jobs[element] != ENDED and (only is None or jobs[element] == only):
                jobs[element] = state

    def _count_death(self, report: Report | None) -> None:
        if report is not None:
            self.deaths[report.death.value] = self.deaths.get(report.death.value, 0) + 1
