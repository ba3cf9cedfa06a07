"""What to do next for one map: pure functions of the ledger, the policy and the time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .cause import DEATH_OF_STATE
from .chunks import chunk_sizes, cut, runs_of, tasks_of, weighted_chunks
from .events import Left
from .ledger import Batch, Element, Ledger, Trace
from .policy import Policy, Retry
from .states import Death, JobState, Report

__all__ = [
    "CORES_OF_A_NODE",
    "Action",
    "Finish",
    "GiveUp",
    "Inspect",
    "Plan",
    "Send",
    "Withdraw",
    "decide",
    "plan",
]

MOST_ELEMENTS = 4096  # so many queue-jobs suffice for any map, when nobody sets a limit
UNKNOWN_REFUSALS = 5
FULL_REFUSALS = 360  # half a day, as the last waits are two minutes each
CORES_OF_A_NODE = 8  # assumed, where a queue-job is to fill a whole one


@dataclass(frozen=True)
class Action:
    """Base of all actions."""


@dataclass(frozen=True)
class Plan(Action):
    """Write a new submission to disk."""

    elements: int
    is_elastic: bool
    tables: tuple[int, ...]
    chunks: tuple[list[int], ...]
    mem_level: int = 0
    time_level: int = 0


@dataclass(frozen=True)
class Send(Action):
    """Call the submit command for these elements of a submission."""

    submission: int
    elements: tuple[int, ...]


@dataclass(frozen=True)
class Inspect(Action):
    """See on disk what these queue-jobs left undone, and note their end.

    Each is an element, what is known of its death (None: it left in order), and whether to look for claims.
    """

    submission: int
    elements: tuple[tuple[int, Report | None, bool], ...]


@dataclass(frozen=True)
class Withdraw(Action):
    """Cancel these elements: of them nothing is expected any more."""

    submission: int
    elements: tuple[int, ...]


@dataclass(frozen=True)
class GiveUp(Action):
    """Declare tasks lost."""

    tasks: tuple[int, ...]
    report: Report


@dataclass(frozen=True)
class Finish(Action):
    """Every task has an outcome."""


def decide(ledger: Ledger, policy: Policy, now: float, elsewhere: int = 0) -> list[Action]:
    """Return what to do now.

    Parameters
    ----------
    ledger : Ledger
        What is known of the map.
    policy : Policy
    now : float
        Seconds of a clock that only goes forward.
    elsewhere : int
        Number of queue-jobs that other maps of the same pool have in the queue.
    """
    if ledger.is_done:
        return [Finish()]
    hopeless = _give_up(ledger, policy)
    if hopeless:
        return hopeless
    actions: list[Action] = []
    for batch in ledger.active_batches():
        actions += _inspect(batch, policy, now)
        actions += _withdraw(batch)
    return actions or _submit(ledger, policy, now, elsewhere)


# ---------------------------------------------------------------------- giving up


def _give_up(ledger: Ledger, policy: Policy) -> list[Action]:
    unknown = Report(Death.VANISHED, evidence=("nothing is known of how its queue-job ended",))
    last = ledger.last_report or unknown
    if ledger.refused is not None:
        report = Report(Death.REFUSED, evidence=(ledger.refused,))
        return _give_up_runs(_unsent_runs(ledger), report)
    if ledger.submit_failures > policy.patience or ledger.unknown_refusals >= UNKNOWN_REFUSALS:
        words = f"submitting failed {ledger.submit_failures} times in a row"
        return _give_up_runs(_unsent_runs(ledger), Report(Death.REFUSED, evidence=(words, ledger.last_refusal)))
    if ledger.full_refusals > FULL_REFUSALS and not ledger.live:
        words = f"there was no room for any queue-job, {ledger.full_refusals} times in a row"
        return _give_up_runs(_unsent_runs(ledger), Report(Death.REFUSED, evidence=(words, ledger.last_refusal)))
    is_fruitless = ledger.fruitless > policy.max_num_resubmissions
    if is_fruitless or ledger.free_fruitless > policy.retry.max_free_resubmissions:
        n = ledger.fruitless + ledger.free_fruitless
        words = f"{n} submissions in a row ended without any outcome"
        return _give_up_runs(ledger.open_runs(), replace(last, evidence=(*last.evidence, words)))
    alike = _alike_deaths(ledger, policy)
    if alike:
        return _give_up_runs(ledger.open_runs(), replace(last, evidence=(*last.evidence, alike)))
    return [
        GiveUp((itask, itask + 1), ledger.reports[itask])
        for itask in sorted(ledger.over_charged)
        if _is_hopeless(itask, ledger, policy)
    ]


def _alike_deaths(ledger: Ledger, policy: Policy) -> str:
    """Return why it is no use to go on when nothing at all has succeeded; empty if there is hope."""
    k = policy.retry.alike_deaths
    if ledger.n_done:
        return ""
    if ledger.bad_environments >= k:
        return f"so it was with all of the first {ledger.bad_environments} workers, and no task has succeeded"
    for how, tasks in ledger.crashes.items():
        if len(tasks) >= max(k, min(10, ledger.n)):
            return f"the first {len(tasks)} tasks all crashed alike ({how}), and none has succeeded"
    return ""


def _is_hopeless(itask: int, ledger: Ledger, policy: Policy) -> bool:
    if ledger.attempts.get(itask, 0) > policy.max_num_resubmissions:
        return True
    if ledger.free_attempts.get(itask, 0) > policy.retry.max_free_resubmissions:
        return True
    mem_level, time_level = ledger.levels.get(itask, (0, 0))
    death = ledger.reports[itask].death
    retry = policy.retry
    if death is Death.OUT_OF_MEMORY:
        asked = [policy.mem_at(level) for level in (mem_level - 1, mem_level)]
        return _is_no_more(asked, retry.max_mem, mem_level, retry)
    if death is Death.TIME_LIMIT:
        asked = [policy.time_at(level) for level in (time_level - 1, time_level)]
        return _is_no_more(asked, retry.max_time, time_level, retry)
    return False


def _is_no_more(asked: list[int | None], cap: object, n_deaths: int, retry: Retry) -> bool:
    """Tell whether a task that needed more than was asked for would be tried with no more, though it needs it."""
    before, now = asked
    is_own_need = bool(now and cap) or n_deaths >= retry.alike_deaths  # at first it may have been a neighbour's
    return now == before and is_own_need


def _give_up_runs(runs: list[int], report: Report) -> list[Action]:
    return [GiveUp(tuple(runs), report)] if runs else []


def _unsent_runs(ledger: Ledger) -> list[int]:
    """Return the tasks that wait for a submission which will not be."""
    waiting = set(tasks_of(ledger.open_runs(unassigned_only=True)) if ledger.n_unassigned else ())
    # What others go through, too, is not lost yet.
    reached = {table for batch in ledger.batches.values() if batch.n_live for table in batch.tables}
    for batch in ledger.batches.values():
        if batch.unsent and batch.is_elastic:
            for table in set(batch.tables) - reached:
                waiting.update(i for k in range(len(ledger.batches[table].chunks)) for i in ledger.unfinished(table, k))
        elif batch.unsent:
            waiting.update(i for k in batch.unsent for i in ledger.unfinished(batch.number, k))
    return runs_of(sorted(waiting))


# ---------------------------------------------------------------------- the dead and the leaving


def _inspect(batch: Batch, policy: Policy, now: float) -> list[Action]:
    found: list[tuple[int, Report | None, bool]] = []
    for k in sorted(batch.to_judge):
        verdict = _judge(batch.elements[k], policy, now)
        if verdict is not None:
            found.append((k, *verdict))
    return [Inspect(batch.number, tuple(found))] if found else []


def _judge(element: Element, policy: Policy, now: float) -> tuple[Report | None, bool] | None:
    """Return how a queue-job ended and whether it may have left something undone; None: not yet known."""
    if element.is_under_inspection:
        return None
    traces = element.traces.values()
    if traces and all(trace.is_complete for trace in traces):
        # Who terminated it, the scheduler knows: that is waited for, but not until a requeued one runs again.
        is_waiting = element.state is JobState.PENDING
        if _last_goodbye(element).reason != "terminated" or element.suspect_since is not None or is_waiting:
            return _judge_goodbye(element)
        return None
    if element.suspect_since is None:
        return None
    never_ran = element.state is JobState.ERROR and not element.has_greeted
    if not never_ran and now - element.suspect_since < policy.grace:
        return None
    return _report_of(element), True


def _last_goodbye(element: Element) -> Left:
    goodbye = next(reversed(element.traces.values())).goodbye
    assert goodbye is not None
    return goodbye


def _is_exhausted(trace: Trace) -> bool:
    return trace.goodbye is not None and trace.goodbye.reason == "exhausted"


def _judge_goodbye(element: Element) -> tuple[Report | None, bool]:
    goodbye = _last_goodbye(element)
    if goodbye.reason == "exhausted":
        # A queue-job that ran twice may have left something undone the first time.
        return None, not all(_is_exhausted(trace) for trace in element.traces.values())
    if goodbye.reason == "out of time":
        return None, True
    evidence = f"the worker said goodbye: {goodbye.reason}"
    if goodbye.reason == "terminated":
        death = DEATH_OF_STATE.get(element.state, Death.CANCELLED) if element.state else Death.CANCELLED
        evidence += f" by signal {goodbye.signal}"
        return Report(death, element.node, goodbye.signal, evidence=(evidence,)), True
    death = Death.BAD_ENVIRONMENT if goodbye.reason == "not loaded" else Death.CRASHED
    return Report(death, element.node, evidence=(evidence,)), True


def _report_of(element: Element) -> Report:
    """Return what the scheduler's words make of a queue-job that did not say goodbye."""
    state = element.state
    if element.missing >= 2:
        said = f", before that {state.value}" if state is not None else ""
        words = f"absent from {element.missing} successful queries in a row{said}"
        return Report(Death.VANISHED, element.node, evidence=(words,))
    assert state is not None
    words = f"the scheduler says {state.value}" + (f" ({element.reason})" if element.reason else "")
    if state is JobState.ERROR:
        death = Death.CANCELLED if "held" in element.reason.lower() else Death.BAD_ENVIRONMENT
    elif state is JobState.HOPELESS:
        death = Death.REFUSED
        words = f"the scheduler keeps it pending and will never run it: {element.reason}"
    elif state in (JobState.FAILED, JobState.COMPLETED) and not element.has_greeted:
        death = Death.BAD_ENVIRONMENT
        words += ", and no worker said hello"
    else:
        death = DEATH_OF_STATE.get(state, Death.CRASHED)
    return Report(death, element.node, evidence=(words,))


def _withdraw(batch: Batch) -> list[Action]:
    """Give back what is still pending when nothing is unclaimed."""
    if not batch.is_exhausted:
        return []
    pending = tuple(k for k, element in enumerate(batch.elements) if element.may_be_pending)
    return [Withdraw(batch.number, pending)] if pending and batch.in_flight is None else []


# ---------------------------------------------------------------------- submitting


def _submit(ledger: Ledger, policy: Policy, now: float, elsewhere: int) -> list[Action]:
    if any(batch.in_flight is not None or batch.doubted is not None for batch in ledger.batches.values()):
        return []
    if now < ledger.submit_after:
        return []
    room = _room(ledger, policy, elsewhere)
    if room <= 0:
        return []
    for batch in ledger.batches.values():
        if batch.unsent:
            return [Send(batch.number, tuple(batch.unsent[:room]))]
    if ledger.batches and now < ledger.last_death_at + policy.settle and ledger.live:
        return []
    return _plan_actions(ledger, policy, room)


def _room(ledger: Ledger, policy: Policy, elsewhere: int) -> int:
    """Return how many more queue-jobs may be in the queue."""
    live = ledger.live
    most = None if policy.is_elastic and policy.width is not None else MOST_ELEMENTS
    caps = [cap - live for cap in (most, policy.limits.jobs, ledger.jobs_cap) if cap is not None]
    if policy.width is not None:
        slots = policy.width - live - elsewhere
        # An array of jobs that end on their own is throttled by the scheduler, and may be longer.
        if slots <= 0 or policy.is_elastic or not policy.is_array:
            caps.append(slots)
    return min(caps)


def _plan_actions(ledger: Ledger, policy: Policy, room: int) -> list[Action]:
    if ledger.n_unassigned:
        return [plan(ledger, policy, room)]
    if policy.is_elastic and ledger.lost_capacity:
        tables = _open_tables(ledger)
        budget = policy.max_num_resubmissions * len(next(iter(ledger.batches.values())).elements)
        used = sum(len(b.elements) for b in ledger.batches.values() if not b.chunks)
        elements = min(room, ledger.lost_capacity, budget - used)
        if tables and elements > 0:
            return [Plan(elements, True, tables, ())]
    return []


def _open_tables(ledger: Ledger) -> tuple[int, ...]:
    """Return the tables in which something may be unclaimed."""
    open_batches = [b for b in ledger.active_batches() if b.is_elastic and not b.is_exhausted and b.level == (0, 0)]
    return tuple(sorted({table for batch in open_batches for table in batch.tables}))


def plan(ledger: Ledger, policy: Policy, room: int) -> Plan:
    """Return the next submission for the tasks that wait for one.

    Tasks under suspicion (their queue-job died before) get chunks of their own, so that a culprit is known.
    """
    died = {*ledger.attempts, *ledger.levels}
    suspects = [i for i in sorted(died) if not ledger.outcomes[i] and not ledger.place[i]]
    runs = ledger.open_runs(unassigned_only=True)
    if suspects:
        guilty = set(suspects)
        runs = runs_of(i for i in tasks_of(runs) if i not in guilty)
    # Those that need more than the others ask for it in a submission of their own, the modest ones first.
    level = (0, 0) if runs else min(ledger.levels.get(i, (0, 0)) for i in suspects)
    singles = [[i, i + 1] for i in suspects if ledger.levels.get(i, (0, 0)) == level]
    n = sum(runs[1::2]) - sum(runs[0::2])
    array = [cap for cap in (policy.limits.array_size, ledger.array_cap) if cap and policy.is_array]
    if policy.is_elastic:
        workers = policy.workers_per_job or CORES_OF_A_NODE
        width = min(room, -(-(n + len(singles)) // workers), *array)
        chunks = _cut(runs, n, width * workers, policy) + singles
        tables = _open_tables(ledger) if level == (0, 0) else ()
        return Plan(min(width, -(-len(chunks) // workers)), True, tables, tuple(chunks), *level)
    chunks = cut(runs, _own_sizes(n, ledger.n, policy)) + singles
    chunks = chunks[: min([MOST_ELEMENTS, *array])]
    return Plan(len(chunks), False, (), tuple(chunks), *level)


def _cut(runs: list[int], n: int, width: int, policy: Policy) -> list[list[int]]:
    """Return the chunks of `n` tasks for so many workers: by what they weigh, where that is known."""
    if policy.weights is not None and n:
        return weighted_chunks(tasks_of(runs), policy.weights, width, policy.chunksize or 1)
    return cut(runs, chunk_sizes(n, width, policy.chunksize or 1))


def _own_sizes(n: int, n_all: int, policy: Policy) -> list[int]:
    """Return the sizes of chunks where each has a queue-job of its own."""
    size = policy.chunksize or 1
    if policy.num_chunks:
        size = -(-n_all // policy.num_chunks)
    return [min(size, n - start) for start in range(0, n, size)]
