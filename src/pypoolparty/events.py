"""What can happen to a map, and how it is written: one line of ``log.jsonl`` for each event."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .states import Death, Refusal, Report

__all__ = [
    "Accepted",
    "Closed",
    "Doubted",
    "Ended",
    "Event",
    "GaveUp",
    "Greeted",
    "Left",
    "Merged",
    "Planned",
    "Refused",
    "Sent",
    "TaskDied",
    "Withdrawn",
    "from_line",
    "to_line",
]

Runs = list[int]


@dataclass(frozen=True)
class Event:
    """Base of all events."""

    # Fields that are on disk elsewhere and not worth a place in the log.
    unlogged: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Planned(Event):
    """A submission was written to disk; from here on its tasks are assigned to it.

    `elements` is the number of its queue-jobs, `tables` the chunk tables that its workers go through,
    `level` how often memory and time were raised for it.
    """

    unlogged: ClassVar[tuple[str, ...]] = ("chunks",)
    submission: int
    name: str
    elements: int
    is_elastic: bool
    tables: list[int]
    n_tasks: int
    chunks: list[Runs] = field(default_factory=list)
    level: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Sent(Event):
    """The submit command is about to be called for these elements (the intent)."""

    submission: int
    elements: Runs


@dataclass(frozen=True)
class Accepted(Event):
    """The scheduler has taken these elements; `jobs` are pairs of element and job id (-1: the array)."""

    submission: int
    elements: Runs
    jobs: list[tuple[int, str]]


@dataclass(frozen=True)
class Doubted(Event):
    """The submit command did not answer: the scheduler may have taken the elements, or not, for this reason."""

    submission: int
    elements: Runs
    words: str
    refusal: Refusal = Refusal.LATER


@dataclass(frozen=True)
class Refused(Event):
    """The scheduler did not take the elements."""

    submission: int
    elements: Runs
    refusal: Refusal
    words: str


@dataclass(frozen=True)
class Greeted(Event):
    """A worker has said hello."""

    worker: str
    node: str
    job: str


@dataclass(frozen=True)
class Left(Event):
    """A worker has said goodbye, having published so many segments from each of its slots."""

    worker: str
    reason: str
    signal: int
    segments: dict[str, int]


@dataclass(frozen=True)
class Merged(Event):
    """A segment's outcomes are durable in the archives."""

    segment: str
    returned: int
    raised: int
    late: int = 0
    damage: int = 0


@dataclass(frozen=True)
class TaskDied(Event):
    """A worker reports that this task killed its process."""

    itask: int
    worker: str
    report: Report


@dataclass(frozen=True)
class Ended(Event):
    """A queue-job is over. Its `claimed` chunks (pairs of table and ichunk) may have unfinished tasks."""

    submission: int
    element: int
    claimed: list[tuple[int, int]]
    report: Report | None = None


@dataclass(frozen=True)
class GaveUp(Event):
    """These tasks are lost."""

    tasks: Runs
    report: Report


@dataclass(frozen=True)
class Withdrawn(Event):
    """We cancel queue-jobs: those of `elements`, or (None) all of a submission."""

    submission: int
    elements: Runs | None = None


@dataclass(frozen=True)
class Closed(Event):
    """The map is over, and how."""

    how: str


_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}


def to_line(event: Event) -> dict[str, Any]:
    """Return the content of the event's line in the log."""
    line: dict[str, Any] = {"event": type(event).__name__}
    for item in dataclasses.fields(event):
        if item.name not in event.unlogged:
            line[item.name] = _plain(getattr(event, item.name))
    return line


def _plain(value: Any) -> Any:
    if isinstance(value, Report):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, (Death, Refusal)):
        return value.value
    return value


def from_line(line: Mapping[str, Any]) -> Event | None:
    """Return the event of a line; None for a line of another version's or for people."""
    kind = _KINDS.get(line.get("event", ""))
    if kind is None:
        return None
    known = {item.name for item in dataclasses.fields(kind)}
    values = {name: value for name, value in line.items() if name in known}
    if values.get("report") is not None:
        report = dict(values["report"])
        report["evidence"] = tuple(report["evidence"])
        values["report"] = Report(**{**report, "death": Death(report["death"])})
    if "refusal" in values:
        values["refusal"] = Refusal(values["refusal"])
    if "level" in values:
        values["level"] = tuple(values["level"])
    for name in ("jobs", "claimed"):
        if name in values:
            values[name] = [tuple(pair) for pair in values[name]]
    return kind(**values)
