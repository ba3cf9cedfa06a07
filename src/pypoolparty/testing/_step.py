"""One step of the queue: settle what has ended, start what has room."""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial

from ._faults import Die, Stuck, Vanish, job_fault
from ._processes import born, is_alive, kill_all, mark, marked
from ._run import SIGNALS, End, Gate, Launch, Runner
from ._state import CANCELLED, COMPLETED, COMPLETING, FAILED, FINAL, PENDING, RUNNING, SLURM, Element, Job, State
from ._store import Store

_REASONS = {"TIMEOUT": "TimeLimit", "NODE_FAIL": "NodeDown", "OUT_OF_MEMORY": "OutOfMemory"}

Prepare = Callable[[Store, State, Job, Element], Launch]


def _prepare(manager: str) -> Prepare:
    """Return what tells how a manager runs a job; only imported if it is needed, for the sake of speed."""
    if manager == SLURM:
        from ._slurm import prepare
    else:
        from ._gridengine import prepare
    return prepare


def step(store: Store, state: State) -> Gate:
    """Do one step; the runners of new jobs wait at the gate that is returned."""
    age(state)
    settle(store, state)
    chosen = choose(state, time.time())
    purge(store, state)
    gate = Gate()
    for job, element in chosen:
        launch(store, state, job, element, gate)
    gate.gather()
    return gate


# -- deciding: values only -----------------------------------------------------------------------


def age(state: State) -> None:
    """Let jobs that ended long ago be forgotten."""
    for job in state.jobs:
        for element in job.elements:
            element.shown -= element.state in FINAL
        job.elements = [element for element in job.elements if element.shown > 0 or element.state not in FINAL]


def finish(state: State, job: Job, element: Element, end: End, now: float) -> None:
    """Write down how an element has ended."""
    if not end.struck:
        state.release(element)
    element.fault, element.ended, element.pid = None, now, 0
    if job.manager == SLURM:
        element.state, element.reason = _slurm_end(element, end)
        element.shown = state.settings.min_job_age
    else:
        _gridengine_end(job, element, end, now)
    if element.state in FINAL and element.shown <= 0:
        job.elements.remove(element)


def _slurm_end(element: Element, end: End) -> tuple[str, str]:
    """Return the final state and its reason."""
    if element.state == COMPLETING:
        return CANCELLED, "None"
    if end.state:
        return end.state, _REASONS.get(end.state, "None")
    if end.lost:
        return "NODE_FAIL", "NodeDown"
    if end.failure or end.signal:
        return FAILED, "JobLaunchFailure"
    return (FAILED, "NonZeroExitCode") if end.code else (COMPLETED, "None")


def _gridengine_end(job: Job, element: Element, end: End, now: float) -> None:
    """Let the element leave the queue, or not: exit codes 99 and 100 ask for another run and for a stop."""
    if element.state != COMPLETING and end.code == 99:
        job.elements.remove(element)
        job.waiting = sorted([*job.waiting, element.index])
        job.restarts += 1
    elif element.state != COMPLETING and (end.failure or end.code == 100):
        when = time.strftime("%m/%d/%Y %H:%M:%S", time.localtime(now))
        why = f"error: {end.failure}" if end.failure else "exit_status of job start = 100"
        element.state, element.reason = "Eqw", f"{when} [0:0]: {why}"
    else:
        element.state = COMPLETED


def choose(state: State, now: float) -> list[tuple[Job, Element]]:
    """Choose what to start, and let the faults befall what is to be befallen before its start."""
    chosen = []
    free = state.settings.slots - sum(1 for _ in state.runners())
    for job in state.jobs:
        room = free if job.throttle == 0 else min(free, job.throttle - job.running)
        nodes = _nodes(state, job)
        for index in () if job.held or not nodes else tuple(job.waiting):
            if room <= 0:
                break
            element = _take(state, job, index)
            if element is None:
                continue
            element.state, element.started = RUNNING, now
            element.node = nodes[(job.number + index) % len(nodes)]
            _number(state, job, element)
            chosen.append((job, element))
            room, free = room - 1, free - 1
    return chosen


def _take(state: State, job: Job, index: int) -> Element | None:
    """Take an element out of those that wait; None if a fault makes that it is not to be started."""
    number = job_fault(state.faults, job.name, index, job.faults)
    element = job.detach(index)
    if number is None:
        return element
    scripted = state.faults[number]
    scripted.armed += 1
    element.fault = number
    if isinstance(scripted.fault, Stuck):
        _get_stuck(state, job, element, scripted.fault)
    elif isinstance(scripted.fault, Vanish) and scripted.fault.after is None:
        job.elements.remove(element)
    else:
        return element
    element.fault = None
    scripted.fired += 1
    return None


def _get_stuck(state: State, job: Job, element: Element, fault: Stuck) -> None:
    is_slurm = job.manager == SLURM
    element.state = fault.state or (PENDING if is_slurm else "Eqw")
    element.reason = fault.reason or ("launch failed requeued held" if is_slurm else "scripted by a fault")
    _number(state, job, element)
    element.shown = state.settings.min_job_age


def _number(state: State, job: Job, element: Element) -> None:
    """Give a number to an element that leaves the row of those that wait; the last one has its array's."""
    element.own_number = state.new_number() if job.waiting and job.manager == SLURM else job.number


def _nodes(state: State, job: Job) -> list[str]:
    """Return the nodes that a job may use."""
    return [
        node for node in state.settings.nodes if not any(fnmatch.fnmatchcase(node, pattern) for pattern in job.excluded)
    ]


# -- doing ---------------------------------------------------------------------------------------


def settle(store: Store, state: State) -> None:
    """See which running elements have ended, and how."""
    for job, element in list(state.runners()):
        end = look(store, job, element)
        if end is not None:
            finish(state, job, element, end, time.time())


def look(store: Store, job: Job, element: Element) -> End | None:
    """Return how an element has ended; None if it has not."""
    alive = is_alive(element.pid, element.born)  # before the note: the note is the last that a runner does
    path = store.note(job.number, element.index, element.pid)
    try:
        with open(path, encoding="utf-8") as file:
            end = End(**json.load(file))
        os.unlink(path)
    except FileNotFoundError:
        if alive:
            return None
        kill_all(partial(marked, mark(store.folder, job.number, element.index)))
        end = End(lost=True)
    return end


def purge(store: Store, state: State) -> None:
    """Forget the jobs of which nothing is left."""
    gone = [job for job in state.jobs if not job.waiting and not job.elements]
    state.jobs = [job for job in state.jobs if job.waiting or job.elements]
    for job in gone:
        store.forget(job.number)


def launch(store: Store, state: State, job: Job, element: Element, gate: Gate) -> None:
    """Start the runner of an element."""
    fault = None if element.fault is None else state.faults[element.fault].fault
    runner = Runner(store, job, element, fault if isinstance(fault, (Die, Vanish)) else None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        element.pid = runner.fork(gate, partial(_prepare(job.manager), store, state, job, element))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    element.born = born(element.pid)
