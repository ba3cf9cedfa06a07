"""What went wrong in a map, grouped by cause, and what to do about it."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .advice import after_loss, after_raise, function_to_mend
from .chunks import runs_of, tasks_of
from .events import GaveUp, from_line
from .states import Death, Report
from .verdict import error_of
from .work_dir import Look, RecordKind

__all__ = ["FailureGroup", "failures_of", "ranges"]

TAIL = 2000
NO_TEXT = "NotPicklable"
_PLACE = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True)
class FailureGroup:
    """Tasks that failed for one cause.

    Attributes
    ----------
    cause : str
        Name of the exception's type, or of the loss (`pypoolparty.errors`).
    is_lost : bool
        Whether the tasks' queue-jobs died; else the tasks have raised.
    message : str
        Of the example.
    n_messages : int
        How many different messages the tasks have.
    tasks : tuple of int
        The itasks, ascending.
    nodes : tuple of str
        Where it happened, as far as it is known.
    example : int
        The task that the texts are of: the first.
    traceback : str
        The remote traceback; empty where there is none.
    evidence : tuple of str
        What the verdict rests on, for tasks that are lost.
    stderr_tail : str
        The last that the example, or its queue-job, wrote to stderr.
    advice : tuple of str
        The next commands to type.
    """

    cause: str
    is_lost: bool
    message: str
    n_messages: int
    tasks: tuple[int, ...]
    nodes: tuple[str, ...]
    example: int
    traceback: str
    evidence: tuple[str, ...]
    stderr_tail: str
    advice: tuple[str, ...]

    @property
    def ranges(self) -> str:
        """The tasks as text: ``"3, 7-9"``."""
        return ranges(runs_of(self.tasks))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**vars(self), "count": len(self.tasks), "ranges": self.ranges, "tasks": list(self.tasks)}


def ranges(runs: Sequence[int], most: int | None = None) -> str:
    """Return flat pairs ``[start, stop, …]`` as text: ``"3, 7-9"``; beyond `most` of them, how many are left out."""
    pairs = list(zip(runs[::2], runs[1::2]))
    shown = pairs if most is None else pairs[:most]
    words = [str(start) if stop - start == 1 else f"{start}-{stop - 1}" for start, stop in shown]
    left = sum(stop - start for start, stop in pairs[len(shown) :])
    return ", ".join([*words, f"… {left} more"] if left else words)


def failures_of(work_dir: str | os.PathLike[str]) -> list[FailureGroup]:
    """Read what went wrong so far, the most frequent cause first.

    Parameters
    ----------
    work_dir : path
        The folder with ``session.json`` in it. Nothing in it is changed, and none of the user's classes needed.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir, WrongVersion, Damaged
    """
    look = Look(work_dir)
    groups: dict[tuple[Any, ...], _Group] = {}
    failed: dict[int, _Group] = {}
    for one in _failures(look):
        if one.itask not in failed:
            group = failed[one.itask] = groups.setdefault(one.key, _Group(one))
            group.add(one)
    for group in groups.values():
        group.texts_of_its_example(look)
    raised = {itask: group for itask, group in failed.items() if not group.first.is_lost}
    for row in look.rows(raised):
        raised[int(row[0])].nodes.add(row[5])
    ordered = sorted(groups.values(), key=lambda group: (-len(group.tasks), group.first.itask))
    return [group.closed(look) for group in ordered]


@dataclass(frozen=True)
class _Failure:
    """Of one task."""

    itask: int
    cause: str
    is_lost: bool
    message: str
    place: tuple[Any, ...]  # what else tells one cause from another
    traceback: str = ""
    node: str = ""
    stderr: str = ""
    report: Report | None = None
    was_sent: bool = True

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.cause, self.is_lost, self.was_sent, *self.place)


def _failures(look: Look) -> Iterator[_Failure]:
    """Yield the failures of all tasks; a task may come twice."""
    done: set[int] = set()
    for segment in look.segments():  # before the archives: nothing falls in between
        for record in segment.records:
            if record.kind == RecordKind.RETURNED:
                done.add(record.itask)
            elif record.kind == RecordKind.RAISED:
                fields = record.stat.decode(errors="replace").split(",")
                node = fields[5] if len(fields) > 5 else ""
                stderr = record.err[-TAIL:].decode(errors="replace")
                yield _raised(record.itask, record.value, node, stderr)
    lost, not_picklable = _from_journal(look)
    for itask, data in look.exceptions():
        yield replace(_raised(itask, data), was_sent=itask not in not_picklable)
    open_yet = set(lost) | set(not_picklable)
    for itasks in look.tasks_in("results") if open_yet else ():
        open_yet.difference_update(itasks)
    for itask in sorted(open_yet - done):
        if itask in lost:
            yield _lost(itask, lost[itask], look.path)
        else:
            words = "the task itself could not be pickled, so it was never sent"
            yield _Failure(itask, NO_TEXT, False, words, (), was_sent=False)


def _from_journal(look: Look) -> tuple[dict[int, Report], set[int]]:
    lost: dict[int, Report] = {}
    not_picklable: set[int] = set()
    for line in look.journal():
        kind = line.get("event")
        if kind == "Resumed":
            lost.clear()
        elif kind == "NotPicklable":
            not_picklable.update(tasks_of(line["tasks"]))
        elif kind == "GaveUp":
            event = from_line(line)
            assert isinstance(event, GaveUp)
            lost.update((itask, event.report) for itask in tasks_of(event.tasks))
    return lost, not_picklable


def _raised(itask: int, data: bytes, node: str = "", stderr: str = "") -> _Failure:
    # The description is of plain values; the user's exception is pickled within it, and stays so.
    described = pickle.loads(data)
    traceback = str(described["traceback"])
    places = _PLACE.findall(traceback)
    cause = str(described["type"]).removeprefix("builtins.")
    message = str(described["message"])
    return _Failure(itask, cause, False, message, tuple(places[-1:]), traceback, node, stderr)


def _lost(itask: int, report: Report, work_dir: str) -> _Failure:
    place: tuple[Any, ...] = (report.signal, report.exit_code)
    if report.death is Death.BAD_ENVIRONMENT:
        place = (_last_line(report.stderr_tail),)
    # Without the task's number: the message is that of all in the group.
    message = str(error_of(report, itask, 1, work_dir)).splitlines()[0].removeprefix(f"task {itask} ")
    if report.death is Death.BAD_ENVIRONMENT and _last_line(report.stderr_tail):
        message = f"{message}: {_last_line(report.stderr_tail)}"
    traceback = report.stderr_tail if "Traceback (most recent call last)" in report.stderr_tail else ""
    tail = report.stderr_tail[-TAIL:]
    return _Failure(itask, report.death.value, True, message, place, traceback, report.node, tail, report)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


@dataclass
class _Group:
    """A group in the making."""

    first: _Failure
    tasks: list[int] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    stderr: str = ""

    def add(self, one: _Failure) -> None:
        """Take one more task."""
        self.tasks.append(one.itask)
        self.messages.add(one.message)
        if one.node:
            self.nodes.add(one.node)
        if one.itask < self.first.itask:
            self.first = one

    def texts_of_its_example(self, look: Look) -> None:
        """Find what the example wrote to stderr."""
        self.stderr = self.first.stderr
        if not self.stderr and not self.first.is_lost:
            self.stderr = (look.text_of("stderr", self.first.itask) or "")[-TAIL:]

    def closed(self, look: Look) -> FailureGroup:
        """Return the group."""
        first = self.first
        return FailureGroup(
            cause=first.cause,
            is_lost=first.is_lost,
            message=first.message,
            n_messages=len(self.messages),
            tasks=tuple(sorted(self.tasks)),
            nodes=tuple(sorted(self.nodes)),
            example=first.itask,
            traceback=first.traceback,
            evidence=first.report.evidence if first.report else (),
            stderr_tail=self.stderr,
            advice=_advice(first, look),
        )


def _advice(one: _Failure, look: Look) -> tuple[str, ...]:
    """Return the commands that lead on from here."""
    if not one.was_sent:
        return ()
    if one.report is None:
        return after_raise(look.path, one.itask, function_to_mend(look.session))
    arguments: Mapping[str, Any] = look.session.get("arguments", {})
    return after_loss(one.report, look.path, one.itask, arguments.get("mem"), arguments.get("time"))
