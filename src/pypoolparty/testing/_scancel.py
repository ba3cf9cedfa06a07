"""The dummy of scancel: removes jobs, and ends the processes of those that run."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ._cancel import Ending, ask_to_end, drop_waiting, forget, wait_and_settle
from ._options import Answer, Getopt, Refused, Takes
from ._processes import in_session, send
from ._slurm import Asked, check_clusters, parse_asked, user_name
from ._state import FINAL, PENDING, SLURM, Job, State
from ._store import Store

OPTIONS = {
    **dict.fromkeys(["account", "clusters", "name", "partition", "signal", "state", "user"], Takes.VALUE),
    **dict.fromkeys(["batch", "full", "me", "quiet"], Takes.NOTHING),
}
LETTERS = {
    "A": "account",
    "M": "clusters",
    "Q": "quiet",
    "b": "batch",
    "f": "full",
    "n": "name",
    "p": "partition",
    "s": "signal",
    "t": "state",
    "u": "user",
}
GETOPT = Getopt("scancel", OPTIONS, LETTERS, code=1, permute=True)
STATES = {"PD": "PENDING", "R": "RUNNING", "S": "SUSPENDED"}
FILTERS = {"account", "me", "name", "partition", "state", "user"}


@dataclass(frozen=True)
class Request:
    """What one call of scancel asks for; None is all that the options mean."""

    asked: list[Asked] | None
    options: dict[str, str]
    state: str
    signal: int


def parse(words: Sequence[str]) -> Request:
    """Understand a command line."""
    given, rest = GETOPT.parse(words)
    options = dict(given)
    asked: list[Asked] = []
    for word in rest:
        read = parse_asked(word)
        if isinstance(read, str):
            raise Refused(f"scancel: error: Invalid job id {read}\n")
        asked += read
    if not rest and not FILTERS & set(options):
        raise Refused("scancel: error: No job identification provided\n")
    state = options.get("state", "").upper()
    state = STATES.get(state, state)
    if state and state not in STATES.values():
        raise Refused(
            f"Invalid job state specified: {options['state']}\nValid job states are PENDING, RUNNING, and SUSPENDED\n"
        )
    return Request(asked if rest else None, options, state, _signal(options.get("signal", "")))


def _signal(text: str) -> int:
    """Return the number of a signal; 0 is none, and means to cancel."""
    if not text or text.isdigit():
        return int(text or 0)
    name = text.upper().removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__:
        raise Refused(f"Unknown job signal: {text}\n")
    return int(signal.Signals[f"SIG{name}"])


def act(store: Store, state: State, request: Request) -> Answer:
    """Remove the jobs, or send them a signal."""
    check_clusters("scancel", request.options.get("clusters", ""), state)
    jobs = [job for job in state.jobs_of(SLURM) if _is_wanted(request.options, job)]
    if request.signal not in (0, signal.SIGKILL):
        _send(request, jobs)
    else:
        ending = _cancel(store, state, request, jobs)
        if ending:
            return Answer(then=partial(wait_and_settle, store, ending, state.settings.kill_wait + 10.0))
    if request.signal and "quiet" not in request.options:
        known = {job.number for job in state.jobs_of(SLURM)}
        unknown = [str(one.number) for one in request.asked or () if one.number not in known]
        if unknown:
            error = "scancel: error: Kill job error on job id {}: Invalid job id specified\n"
            return Answer(err="".join(error.format(number) for number in unknown), code=1)
    return Answer()


def _is_wanted(options: dict[str, str], job: Job) -> bool:
    return (
        job.name == options.get("name", job.name)
        and options.get("user", job.user) in (job.user, str(os.getuid()))
        and job.queue == options.get("partition", job.queue)
        and ("me" not in options or job.user == user_name())
    )


def _means(request: Request, job: Job, index: int, number: int, state: str) -> bool:
    return (not request.state or request.state == state) and (
        request.asked is None or any(one.means(job, index, number) for one in request.asked)
    )


def _send(request: Request, jobs: Sequence[Job]) -> None:
    """Send a signal: to the script or to all, but to nobody if neither is asked for, as Slurm does."""
    for job in jobs:
        for element in job.elements:
            if element.has_runner and _means(request, job, element.index, element.own_number, element.state):
                session = in_session(element.pid)
                if "full" in request.options:
                    send(session, request.signal)
                elif "batch" in request.options:
                    send(session[:1], request.signal)


def _cancel(store: Store, state: State, request: Request, jobs: Sequence[Job]) -> list[Ending]:
    """Remove what waits, ask what runs to end, and return the runners of the latter."""
    ending = []
    for job in jobs:
        waiting = [index for index in job.waiting if _means(request, job, index, job.number, PENDING)]
        asked = request.asked
        as_a_whole = asked is None or any(one.number == job.number and one.indices is None for one in asked)
        for index in waiting:
            drop_waiting(state, job, index, is_shown=as_a_whole)
        for element in list(job.elements):
            if element.state in FINAL or not _means(request, job, element.index, element.own_number, element.state):
                continue
            if element.has_runner:
                its_ending = ask_to_end(store, state, job, element)
                ending += [its_ending] if its_ending else []
            else:
                forget(state, job, element)
    return ending
