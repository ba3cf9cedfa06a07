"""The state of one map: a fold over its events. Knows no clock, no disk, no scheduler."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from .batches import Batch, Element, Trace, observe
from .chunks import runs_of, tasks_of
from .command import backoff
from .events import (
    Accepted,
    Doubted,
    Ended,
    Event,
    GaveUp,
    Greeted,
    Left,
    Merged,
    Planned,
    Refused,
    Sent,
    TaskDied,
    Withdrawn,
)
from .policy import FREE_DEATHS
from .states import Death, Job, Outcome, Refusal, Report

__all__ = ["Batch", "Element", "Ledger", "Trace"]

RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS = 1.0, 120.0


class Ledger:
    """What is known of one map.

    Parameters
    ----------
    n : int
        Number of tasks.

    Notes
    -----
    Per task there is one byte for its outcome and one number for the chunk table it waits in (0: none);
    attempts are kept for those tasks only that died.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.n_done = 0
        self.outcomes = bytearray(n)
        self.place = array("I", bytes(4 * n))
        self.n_unassigned = n
        self.batches: dict[int, Batch] = {}
        self.attempts: dict[int, int] = {}
        self.free_attempts: dict[int, int] = {}
        self.reports: dict[int, Report] = {}
        self.over_charged: set[int] = set()
        self.levels: dict[int, tuple[int, int]] = {}
        self.crashes: dict[str, set[int]] = {}
        self.deaths_on: dict[str, set[str]] = {}
        self.nodes: set[str] = set()
        self.fruitless = 0
        self.free_fruitless = 0  # those in which the queue-jobs died of nothing but the free deaths
        self.lost_capacity = 0
        self.bad_environments = 0
        self.last_report: Report | None = None
        self.is_disturbed = False  # whether any queue-job has died, or a main process
        self.last_death_at = float("-inf")
        self.submit_failures = 0
        self.unknown_refusals = 0
        self.full_refusals = 0  # those for which there is no room: that is waited for, for half a day
        self.last_refusal = ""
        self.submit_after = float("-inf")
        self.refused: str | None = None
        self.jobs_cap: int | None = None
        self.array_cap: int | None = None

    # ------------------------------------------------------------------ questions

    @property
    def is_done(self) -> bool:
        """Whether every task has an outcome."""
        return self.n_done == self.n

    @property
    def live(self) -> int:
        """Number of queue-jobs that are submitted and not known to be over."""
        return sum(batch.n_live for batch in self.batches.values())

    def active_batches(self) -> list[Batch]:
        """Return the submissions that may still work."""
        return [batch for batch in self.batches.values() if batch.is_active]

    def open_runs(self, unassigned_only: bool = False) -> list[int]:
        """Return the tasks without an outcome, as flat pairs."""
        if not self.n_done and self.n_unassigned == self.n:
            return [0, self.n] if self.n else []
        return runs_of(self._unassigned() if unassigned_only else self._open_tasks())

    def _open_tasks(self) -> Iterable[int]:
        itask = self.outcomes.find(0)
        while itask >= 0:
            yield itask
            itask = self.outcomes.find(0, itask + 1)

    def _unassigned(self) -> Iterable[int]:
        """Yield the open tasks that are in no table, without a look at all the others."""
        itask = -1
        for _ in range(self.place.count(0)):
            itask = self.place.index(0, itask + 1)
            if not self.outcomes[itask]:
                yield itask

    def unfinished(self, table: int, ichunk: int) -> list[int]:
        """Return the tasks of a chunk that have no outcome and are nowhere else."""
        tasks = tasks_of(self.batches[table].chunks[ichunk])
        return [i for i in tasks if not self.outcomes[i] and self.place[i] == table]

    def element(self, submission: int, element: int) -> Element | None:
        """Return a queue-job, or None if there is no such."""
        batch = self.batches.get(submission)
        if batch is None or not 0 <= element < len(batch.elements):
            return None
        return batch.elements[element]

    # ------------------------------------------------------------------ outcomes

    def record(self, itask: int, outcome: Outcome) -> bool:
        """Note a task's outcome; False if it has one already: the first wins."""
        if self.outcomes[itask]:
            return False
        self.outcomes[itask] = outcome
        self.over_charged.discard(itask)
        self.n_done += 1
        if not self.place[itask]:
            self.n_unassigned -= 1
        return True

    # ------------------------------------------------------------------ events

    def apply(self, event: Event, now: float) -> None:
        """Take one event into account."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(self, event, now)

    def _planned(self, event: Planned, now: float) -> None:
        number = event.submission
        batch = Batch(
            number,
            event.name,
            event.is_elastic,
            event.tables,
            event.chunks,
            [Element() for _ in range(event.elements)],
            self.n_done,
            event.n_tasks,
            event.level,
            unsent=list(range(event.elements)),
            n_left=event.elements,
        )
        self.batches[number] = batch
        self.lost_capacity = 0
        for chunk in event.chunks:
            for itask in tasks_of(chunk):
                if not self.outcomes[itask]:
                    self.n_unassigned -= not self.place[itask]
                    self.place[itask] = number

    def _sent(self, event: Sent, now: float) -> None:
        batch = self.batches[event.submission]
        sent = set(tasks_of(event.elements))
        # Those that are sent again after a doubt are counted already.
        batch.n_live += sum(1 for k in batch.unsent if k in sent)
        batch.unsent = [k for k in batch.unsent if k not in sent]
        batch.in_flight = event.elements
        batch.doubted = None

    def _accepted(self, event: Accepted, now: float) -> None:
        batch = self.batches[event.submission]
        batch.in_flight = batch.doubted = None
        self.submit_failures = self.unknown_refusals = self.full_refusals = 0
        if self.jobs_cap is not None:
            self.jobs_cap += len(tasks_of(event.elements))  # there may be room for more by now
        for number, job_id in event.jobs:
            if job_id not in batch.job_ids:
                batch.job_ids.append(job_id)
            for k in tasks_of(event.elements) if number < 0 else [number]:
                batch.elements[k].job_id = job_id

    def _doubted(self, event: Doubted, now: float) -> None:
        batch = self.batches[event.submission]
        unknown = runs_of(k for k in tasks_of(event.elements) if not batch.elements[k].is_ended)
        batch.in_flight, batch.doubted, batch.doubted_absent = None, unknown or None, 0
        batch.doubt = Refused(event.submission, event.elements, event.refusal, event.words)

    def _refused(self, event: Refused, now: float) -> None:
        batch = self.batches[event.submission]
        batch.in_flight = batch.doubted = None
        back = [k for k in tasks_of(event.elements) if not batch.elements[k].is_ended]
        batch.unsent = sorted({*batch.unsent, *back})
        batch.n_live -= len(back)
        is_full = event.refusal is Refusal.JOB_LIMIT
        self.full_refusals += is_full
        self.submit_failures += not is_full
        failures = max(self.submit_failures, self.full_refusals)
        self.unknown_refusals = self.unknown_refusals + 1 if event.refusal is Refusal.UNKNOWN else 0
        self.last_refusal = event.words
        self.submit_after = now + backoff(failures, RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS, jitter=0.0)
        if event.refusal is Refusal.NEVER:
            self.refused = event.words
        elif is_full:
            live = self.live
            self.jobs_cap = live if live else max(1, len(back) // 2)
        elif event.refusal is Refusal.ARRAY_SIZE:
            self._halve_array(batch, len(back), now)

    def _halve_array(self, batch: Batch, size: int, now: float) -> None:
        """Take back what was not taken: its tasks go into a smaller array."""
        self.array_cap = max(1, size // 2)
        self.submit_after = now
        if size <= 1:
            self.refused = "not even an array of one element is accepted"
        for k in list(batch.unsent):
            self._end_element(batch, k)
            if not batch.is_elastic:
                self._free(batch.number, tasks_of(batch.chunks[k]))
        if not batch.is_active:
            self._retire(batch, counts=False)

    def _greeted(self, event: Greeted, now: float) -> None:
        trace_and_element = self._trace(event.worker)
        if trace_and_element is not None:
            trace_and_element[1].node = event.node
            self.nodes.add(event.node)

    def _left(self, event: Left, now: float) -> None:
        found = self._trace(event.worker)
        if found is None:
            return
        found[0].goodbye = event
        submission, element = _split(event.worker)
        batch = self.batches[submission]
        if not found[1].is_ended:
            batch.to_judge.add(element)
        if event.reason == "exhausted" and batch.is_elastic:
            batch.is_exhausted = True

    def _merged(self, event: Merged, now: float) -> None:
        """Count one more merged segment of a worker."""
        worker, slot, _ = event.segment.rsplit(".", 2)
        found = self._trace(worker)
        if found is not None:
            found[0].merged[slot] = found[0].merged.get(slot, 0) + 1
            found[1].is_heard = True

    def _trace(self, worker: str) -> tuple[Trace, Element] | None:
        element = self.element(*_split(worker))
        if element is None:
            return None
        return element.traces.setdefault(worker, Trace()), element

    def _task_died(self, event: TaskDied, now: float) -> None:
        self._note_death(event.report, now)
        if event.itask < 0:
            self.bad_environments += 1
            return
        self._blame_node(event.report, f"task {event.itask}")
        if not self.outcomes[event.itask]:
            batch = self.batches.get(_split(event.worker)[0])
            place = self.place[event.itask]
            if batch is None or (place and place not in batch.tables):
                return  # so late that the task is in another table already
            element = self.element(*_split(event.worker))
            if element is not None and element.charged == event.itask:
                return  # late news of the death for which it was charged when its queue-job ended
            self._charge(event.itask, event.report)
            if place:
                self._free(place, [event.itask])

    def _note_death(self, report: Report, now: float) -> None:
        """Remember the last report; one of the same cause that has less to tell does not replace it."""
        last = self.last_report
        if last is None or last.death is not report.death or report.stderr_tail or not last.stderr_tail:
            self.last_report = report
        self.last_death_at = now

    def _ended(self, event: Ended, now: float) -> None:
        batch = self.batches[event.submission]
        element = batch.elements[event.element]
        if element.is_ended:
            return
        self._end_element(batch, event.element)
        if event.report is not None:
            element.may_linger = True
            batch.has_own_deaths = batch.has_own_deaths or event.report.death not in FREE_DEATHS
            self._note_death(event.report, now)
            self.is_disturbed = True
            self.lost_capacity += 1
            self._blame_node(event.report, f"queue-job {event.submission}-{event.element}")
            if event.report.death is Death.REFUSED:
                self.refused = "; ".join(event.report.evidence)
            if event.report.death is Death.BAD_ENVIRONMENT and not element.has_greeted:
                self.bad_environments += 1
        freed: list[int] = []
        for table, ichunk in event.claimed:
            freed += self._free(table, tasks_of(self.batches[table].chunks[ichunk]))
        if freed and event.report is not None:
            element.charged = freed[0]
            self._charge(freed[0], event.report)
        if not batch.is_elastic and event.element < len(batch.chunks):
            self._free(batch.number, tasks_of(batch.chunks[event.element]))
        if not batch.is_active:
            self._retire(batch, counts=event.report is not None)

    def _end_element(self, batch: Batch, k: int) -> None:
        batch.elements[k].is_ended = True
        batch.to_judge.discard(k)
        batch.n_left -= 1
        if batch.doubted is not None:
            # A queue-job that was heard of and is over is not looked for any more.
            batch.doubted = runs_of(i for i in tasks_of(batch.doubted) if i != k) or None
        if k in batch.unsent:
            batch.unsent.remove(k)
        else:
            batch.n_live -= 1

    def _withdrawn(self, event: Withdrawn, now: float) -> None:
        batch = self.batches[event.submission]
        if event.elements is None:
            batch.is_withdrawn = True
            return
        for k in tasks_of(event.elements):
            if not batch.elements[k].is_ended:
                batch.elements[k].may_linger = True
                self._end_element(batch, k)
        if not batch.is_active:
            self._retire(batch, counts=False)

    def _retire(self, batch: Batch, counts: bool) -> None:
        """Free what no worker can reach any more, now that all queue-jobs of a submission are over."""
        if batch.n_done_before != self.n_done:
            self.fruitless = self.free_fruitless = 0
        elif counts and batch.has_own_deaths:
            self.fruitless += 1
        elif counts:
            self.free_fruitless += 1
        reachable = {table for other in self.active_batches() for table in other.tables}
        for table in batch.tables:
            if table not in reachable:
                for chunk in self.batches[table].chunks:
                    self._free(table, tasks_of(chunk))

    def _free(self, table: int, tasks: Iterable[int]) -> list[int]:
        freed = [i for i in tasks if not self.outcomes[i] and self.place[i] == table]
        for itask in freed:
            self.place[itask] = 0
        self.n_unassigned += len(freed)
        return freed

    def _charge(self, itask: int, report: Report) -> None:
        self.reports[itask] = report
        counter = self.free_attempts if report.death in FREE_DEATHS else self.attempts
        counter[itask] = counter.get(itask, 0) + 1
        self.over_charged.add(itask)
        mem, time = self.levels.get(itask, (0, 0))
        if report.death is Death.OUT_OF_MEMORY:
            self.levels[itask] = (mem + 1, time)
        elif report.death is Death.TIME_LIMIT:
            self.levels[itask] = (mem, time + 1)
        elif report.death is Death.CRASHED and (report.exit_code or report.signal not in (0, 9, 15)):
            how = f"signal {report.signal}" if report.signal else f"exit code {report.exit_code}"
            self.crashes.setdefault(how, set()).add(itask)

    def _blame_node(self, report: Report, who: str) -> None:
        """Remember who died where, unless it was killed by its own needs or on purpose, as it may well have been."""
        own = (Death.CANCELLED, Death.PREEMPTED, Death.OUT_OF_MEMORY, Death.TIME_LIMIT, Death.VANISHED)
        if report.node and report.death not in own:
            self.deaths_on.setdefault(report.node, set()).add(who)

    def bad_nodes(self, deaths: int) -> list[str]:
        """Return the nodes on which so many have died; but never all that workers have greeted from."""
        bad = sorted(node for node, who in self.deaths_on.items() if len(who) >= deaths and node in self.nodes)
        return bad if self.nodes - set(bad) else []

    def _gave_up(self, event: GaveUp, now: float) -> None:
        for itask in tasks_of(event.tasks):
            self.record(itask, Outcome.LOST)

    _handlers: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Planned: _planned,
        Sent: _sent,
        Accepted: _accepted,
        Doubted: _doubted,
        Refused: _refused,
        Greeted: _greeted,
        Left: _left,
        Merged: _merged,
        TaskDied: _task_died,
        Ended: _ended,
        Withdrawn: _withdrawn,
        GaveUp: _gave_up,
    }

    def forgive(self) -> None:
        """Begin anew after a replay: nothing is held against tasks or scheduler, what hung in the air is in doubt."""
        self.attempts, self.free_attempts, self.over_charged, self.levels = {}, {}, set(), {}
        self.crashes = {}
        self.fruitless = self.free_fruitless = self.bad_environments = self.lost_capacity = 0
        self.submit_failures = self.unknown_refusals = self.full_refusals = 0
        self.submit_after, self.jobs_cap = float("-inf"), None
        self.is_disturbed = True
        self.last_report, self.last_death_at, self.refused = None, float("-inf"), None
        for batch in self.batches.values():
            if batch.is_withdrawn:
                batch.in_flight = batch.doubted = None
                for k, element in enumerate(batch.elements):
                    if not element.is_ended:
                        element.may_linger = True
                        self._end_element(batch, k)
                self._retire(batch, counts=False)
            elif batch.in_flight is not None:
                unknown = runs_of(k for k in tasks_of(batch.in_flight) if not batch.elements[k].is_ended)
                batch.in_flight, batch.doubted, batch.doubted_absent = None, unknown or None, 0

    def observe(self, jobs: Sequence[Job], asked: Iterable[int], now: float) -> list[Event]:
        """Take into account what a successful query said of the `asked` submissions.

        Returns
        -------
        list of Event
            What follows from it for submissions in doubt; to be applied by the caller.
        """
        return observe(self.batches, jobs, asked, now)


def _split(worker: str) -> tuple[int, int]:
    submission, element, _ = worker.split("-", 2)
    return int(submission), int(element)
