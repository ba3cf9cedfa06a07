"""Bring back a map whose main process died: the archives say what is done, the journal what was under way."""

from __future__ import annotations

from dataclasses import replace

from ..chunks import tasks_of
from ..errors import TaskRaised
from ..events import Closed, Event, GaveUp, Planned, from_line
from ..ledger import Ledger
from ..states import Outcome
from ..work_dir import WorkDir
from ._collect import Delivery, returned, told_exception

__all__ = ["restore"]


def restore(work_dir: WorkDir, n_tasks: int, now: float) -> tuple[Ledger, list[Delivery]]:
    """Return the ledger of a map as its driver left it, and what its tasks have returned or raised.

    Tasks that were given up are open again, and nothing is held against them.
    """
    ledger = Ledger(n_tasks)
    deliveries: list[Delivery] = []
    raised: dict[int, bytes] = {}
    for itask, data in work_dir.read_reduced("results"):
        if ledger.record(itask, Outcome.RETURNED):
            deliveries.append(returned(itask, data, work_dir))
    for itask, data in work_dir.read_reduced("exceptions"):
        if ledger.record(itask, Outcome.RAISED):
            raised[itask] = data
    nodes = work_dir.nodes_of(raised)
    for itask, data in raised.items():
        deliveries.append((itask, False, told_exception(data, itask, nodes.get(itask, ""), work_dir)))
    for line in work_dir.journal():
        if line.get("event") == "NotPicklable":
            deliveries += [_never_sent(itask, work_dir) for itask in tasks_of(line["tasks"]) if _refuse(ledger, itask)]
        event = from_line(line)
        if event is not None and _counts(event):
            if isinstance(event, Planned):
                event = replace(event, chunks=work_dir.chunks(event.submission))
            ledger.apply(event, now)
    ledger.forgive()
    return ledger, deliveries


def _refuse(ledger: Ledger, itask: int) -> bool:
    """Note that a task can not be run; False if it was noted already, with what it raised."""
    return ledger.record(itask, Outcome.RAISED)


def _never_sent(itask: int, work_dir: WorkDir) -> Delivery:
    words = f"task {itask} could not be pickled, so it was never sent, and can not be done again"
    return itask, False, TaskRaised(words, itask, 0, work_dir.path)


def _counts(event: Event) -> bool:
    """Tell whether an event still holds: what was given up is tried again."""
    return not isinstance(event, (GaveUp, Closed))
