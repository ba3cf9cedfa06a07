"""Take elements out of the queue, and end what runs: the common part of scancel and qdel."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection

from ._processes import send, wait_for_end
from ._state import CANCELLED, COMPLETING, SLURM, Element, Job, State
from ._step import finish, look
from ._store import Store

Ending = tuple[int, int]
"""A runner that was asked to end: its pid, and its birth."""


def drop_waiting(state: State, job: Job, index: int, is_shown: bool = False) -> None:
    """Take an element that just waits out of the queue; a cancelled array as a whole is shown for a while."""
    element = job.detach(index)
    element.reason = "JobHeldUser" if job.held else "JobArrayTaskLimit" if job.throttle else "None"
    forget(state, job, element)
    if not is_shown and element in job.elements:
        job.elements.remove(element)


def forget(state: State, job: Job, element: Element) -> None:
    """Take an element that does not run out of the queue; Slurm shows it for a while."""
    state.release(element)
    element.state, element.shown = CANCELLED, state.settings.min_job_age + 1
    if job.manager != SLURM or element.shown <= 1:
        job.elements.remove(element)


def ask_to_end(store: Store, state: State, job: Job, element: Element) -> Ending | None:
    """Let the runner of an element end its job; None if it has ended by itself already."""
    end = look(store, job, element)
    if end is not None:
        finish(state, job, element, end, time.time())
        return None
    element.state = COMPLETING
    send([element.pid], signal.SIGTERM)
    return element.pid, element.born


def wait_and_settle(store: Store, ending: Collection[Ending], seconds: float) -> None:
    """Wait for the end of runners, and write it down; the state must not be locked."""
    wait_for_end(ending, seconds)
    with store.change() as state:
        for job, element in list(state.runners()):
            if (element.pid, element.born) not in ending:
                continue
            end = look(store, job, element)
            if end is not None:
                finish(state, job, element, end, time.time())
                element.shown += 1  # the next step is the first that shows it
