"""End a map whose main process is elsewhere, or dead."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ..events import Closed, Withdrawn, to_line
from ..history import History
from ..map_state import Phase, state_of
from ..pool import BasePool
from ..resuming import pool_of
from ..scheduler import Target
from ..work_dir import Holder, Look, WorkDir

__all__ = ["Cancelled", "cancel_map"]

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Cancelled:
    """What became of a map that was to be cancelled.

    Attributes
    ----------
    words : str
    job_ids : list of str
        What was cancelled from here, as the scheduler calls it.
    is_ended : bool
        Whether no main process works on it any more.
    is_done : bool
        Whether all of its tasks have an outcome.
    """

    words: str
    job_ids: list[str]
    is_ended: bool
    is_done: bool


def cancel_map(look: Look, timeout: float) -> Cancelled:
    """End a map, wherever its main process is.

    Raises
    ------
    SchedulerError
        If the scheduler does not answer.
    """
    holder = look.holder()
    if holder is None or not holder.is_alive:
        return _cancel_of_dead(look, holder)
    who = f"its main process, {holder.pid} on {holder.host},"
    if _ends_by_itself(look, timeout):
        if not os.path.exists(look.layout.session):
            return Cancelled(f"{who} had just ended it, with all tasks done", [], True, True)
        is_done = state_of(look.path).phase is Phase.DONE
        return Cancelled(f"{who} has ended it and cancelled its queue-jobs", [], True, is_done)
    job_ids = _cancel_queue_jobs(look, _history(look))
    return Cancelled(
        f"{who} did not react within {timeout:g} s; {_counted(job_ids)} cancelled, but it may submit others: "
        f"end it (on {holder.host}: kill {holder.pid}), then cancel again",
        job_ids,
        False,
        False,
    )


def _ends_by_itself(look: Look, timeout: float) -> bool:
    """Ask the main process to end its map, and wait for it."""
    asking = look.ask_to_end(f"{os.uname().nodename}-{os.getpid()}")
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            holder = look.holder()
            if holder is None or not holder.is_alive:
                return True
            time.sleep(LOOK_SECONDS)
    finally:
        look.take_back(asking)
    return False


def _cancel_of_dead(look: Look, holder: Holder | None) -> Cancelled:
    """Take the place of the main process, for as long as it takes to cancel, and note that."""
    phase = state_of(look.path).phase
    opened = WorkDir.open(look.path)
    try:
        history = _history(look)
        job_ids = _cancel_queue_jobs(look, history)
        for number in history.names:
            if history.live(number) and phase is not Phase.DONE:
                opened.log(to_line(Withdrawn(number)))
                opened.withdraw_claims(number)
        if phase is Phase.DEAD:
            opened.log(to_line(Closed("aborted")), durable=True)
    finally:
        opened.abandon()
    words = f"{_counted(job_ids)} cancelled; no main process works on it"
    is_elsewhere = holder is not None and holder.host != os.uname().nodename
    if look.session.get("pool") == "local" and holder is not None and is_elsewhere:
        words += f"; its worker processes, if any, are on {holder.host}: cancel there, too"
    return Cancelled(words, job_ids, True, phase is Phase.DONE)


def _counted(job_ids: list[str]) -> str:
    if not job_ids:
        return "there were no queue-jobs to be"
    return f"job{'s' * (len(job_ids) > 1)} {', '.join(job_ids[:10])}{', …' * (len(job_ids) > 10)}"


def _history(look: Look) -> History:
    history = History()
    for line in look.journal():
        history.take(line)
    return history


def _cancel_queue_jobs(look: Look, history: History) -> list[str]:
    """Ask the scheduler what is in the queue under the map's names, and cancel that."""
    pool: BasePool = pool_of(look.path, verbose=False)
    try:
        scheduler = pool._setting.scheduler
        scheduler.adopt(look.path)  # of the local pool: its orphans are no queue-jobs, and end here
        names = _names(history, pool._setting.policy.is_array)
        jobs = scheduler.query(names) if names else []
        job_ids = list(dict.fromkeys(job.job_id for job in jobs if not job.state.is_final))
        if job_ids:
            scheduler.cancel([Target(job_id) for job_id in job_ids])
    finally:
        pool.terminate()
    return job_ids


def _names(history: History, is_array: bool) -> list[str]:
    if is_array:
        return list(history.names.values())
    return [f"{name}-{k}" for number, name in history.names.items() for k in range(len(history.jobs[number]))]
