"""Which queue-jobs a task was in, and what these wrote themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..chunks import tasks_of
from ..events import Ended, TaskDied, from_line
from ..work_dir import Look

__all__ = ["RawOutput", "raw_outputs_of"]

COUNTS_FROM_ONE = "sun_grid_engine.array"  # so its elements have other numbers in the names of raw output


@dataclass(frozen=True)
class RawOutput:
    """What a queue-job wrote to its own stdout and stderr, beside what is its tasks'."""

    submission: int
    element: int
    label: str
    stdout: str
    stderr: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dict(vars(self))


def raw_outputs_of(look: Look, itask: int) -> list[RawOutput]:
    """Return the raw output of all queue-jobs that a task was in, as far as they can be told."""
    found = _by_rows(look, itask) | _by_claims(look, itask) | _by_journal(look, itask)
    first = 1 if look.session.get("pool") == COUNTS_FROM_ONE else 0
    outputs = []
    for submission, element in sorted(found):
        label = f"{submission:04d}-{element + first}"
        texts = (look.raw_output(f"{label}.{name}") for name in ("stdout", "stderr"))
        outputs.append(RawOutput(submission, element, label, *texts))
    return outputs


def _by_rows(look: Look, itask: int) -> set[tuple[int, int]]:
    """Return those that the statistics name, merged and not yet merged."""
    found = {_pair(row[6]) for row in look.rows([itask])}
    for segment in look.segments():
        if any(record.itask == itask for record in segment.records):
            found.add(segment.element)
    return found


def _by_claims(look: Look, itask: int) -> set[tuple[int, int]]:
    """Return those that hold a claim on a chunk with the task in it."""
    found = set()
    for table, ichunk in _chunks_with(look, itask):
        worker = look.claimed_by(table, ichunk)
        if worker:
            found.add(_pair(worker))
    return found


def _by_journal(look: Look, itask: int) -> set[tuple[int, int]]:
    """Return those that died over the task, or with a chunk that has it."""
    chunks = set(_chunks_with(look, itask))
    found = set()
    for line in look.journal():
        if line.get("event") in ("TaskDied", "Ended"):
            event = from_line(line)
            if isinstance(event, TaskDied) and event.itask == itask:
                found.add(_pair(event.worker))
            elif isinstance(event, Ended) and chunks.intersection(event.claimed):
                found.add((event.submission, event.element))
    return found


def _chunks_with(look: Look, itask: int) -> list[tuple[int, int]]:
    """Return table and index of each chunk that has the task."""
    return [(table, k) for table, chunks in look.tables() for k, runs in enumerate(chunks) if _has(runs, itask)]


def _has(runs: list[int], itask: int) -> bool:
    if len(runs) == 2:
        return runs[0] <= itask < runs[1]
    return itask in tasks_of(runs)


def _pair(name: str) -> tuple[int, int]:
    submission, element = name.split("-", 2)[:2]
    return int(submission), int(element)
