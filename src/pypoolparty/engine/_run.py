"""One map, from its submission to its last result."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..cause import refine
from ..chunks import runs_of, tasks_of
from ..decide import Action, Finish, GiveUp, Inspect, Plan, Send, Withdraw, decide
from ..errors import PoolPartyError
from ..events import (
    Accepted,
    Closed,
    Doubted,
    Ended,
    Event,
    GaveUp,
    Merged,
    Refused,
    Sent,
    Withdrawn,
    to_line,
)
from ..ledger import Batch, Ledger
from ..payload import dump_exception
from ..policy import Policy
from ..scheduler import Receipt, Scheduler
from ..states import Death, Job, JobState, Outcome, Report
from ..verdict import error_of
from ..work_dir import Record, RecordKind, Segment, WorkDir
from ._budget import Budget
from ._calls import Caller
from ._cancelling import TRIES, Cancellation, lingering, targets_of
from ._collect import Delivery, Harvest, harvest
from ._options import Options, Sink
from ._standing import Unwatched, Watch, standing_of
from ._submission import describe, planned, submission_of, throttle_of
from ._trouble import Trouble

__all__ = ["MapRun", "Options", "Sink"]

REFRESH_SECONDS = 2.0
GOODBYE_SECONDS = 1.0
DOUBT_SECONDS = 60.0
FULL_REFUSALS_TO_TELL = 5


class MapRun:
    """One map that is under way.

    Only the driver's thread calls its methods.
    """

    def __init__(
        self,
        work_dir: WorkDir,
        ledger: Ledger,
        policy: Policy,
        options: Options,
        scheduler: Scheduler,
        sink: Sink,
        now: Callable[[], float],
    ) -> None:
        self.work_dir, self.ledger, self.policy, self.options = work_dir, ledger, policy, options
        self.scheduler, self.sink, self.now = scheduler, sink, now
        self.is_closed = False
        self.keep: bool | None = None
        self.at_end: Callable[[str], bool] | None = None
        self._caller: Caller | None = None
        self._answers: deque[Callable[[], None]] = deque()
        self._refreshed = float("-inf")
        self._finishing_since: float | None = None
        self._harvested: tuple[list[Segment], Harvest] | None = None
        self._trouble = Trouble(work_dir.path, options.tell)
        self._elsewhere = 0
        self._last_submission = work_dir.last_submission()
        self._is_aborted = False
        self._is_broken = False
        self._cancellations: list[Cancellation] = []
        self._has_failures = False
        self._is_announced = self._is_submitted = False
        self.watch: Watch = Unwatched()
        self.share(Budget())

    def share(self, budget: Budget) -> None:
        """Call the scheduler within the budget of the pool."""
        self._budget, self._calls_before = budget, budget.counts.copy()

    def refuse_tasks(self, failed: Mapping[int, Exception]) -> None:
        """Note tasks that could not even be pickled."""
        self._has_failures = True
        for itask in failed:
            self.ledger.record(itask, Outcome.RAISED)
        self.work_dir.log({"event": "NotPicklable", "tasks": runs_of(sorted(failed))})
        try:
            for itask, error in failed.items():
                value = dump_exception(error)
                self.work_dir.keep_record(Record(RecordKind.RAISED, itask, b"", value, b"", b""), b"")
            self.work_dir.sync([])
        except OSError as error:
            self.options.tell(f"why tasks can not be pickled could not be kept in {self.work_dir.path}: {error}")
        self._deliver([(itask, False, error) for itask, error in failed.items()])

    def welcome_back(self, deliveries: list[Delivery]) -> None:
        """Deliver what an earlier main process has left."""
        self._has_failures = any(not success for _, success, _ in deliveries)
        self._announce(f"resuming {self.work_dir.path}: {self.ledger.n_done} of {self.ledger.n} tasks are done")
        self.work_dir.log({"event": "Resumed", "done": self.ledger.n_done})
        self._rescue_of_ended()
        left = lingering(self.ledger, self.policy.is_array)
        if left:
            self._cancellations.append(Cancellation(left))
        if self.ledger.is_done:
            self._end_watch()
        if deliveries:
            self.sink.deliver(deliveries)

    def _rescue_of_ended(self) -> None:
        """Publish what queue-jobs were still writing when they were cancelled: nobody looks after them any more."""
        for number, batch in self.ledger.batches.items():
            ended = [k for k, element in enumerate(batch.elements) if element.is_ended]
            if ended:
                self.work_dir.rescue(self.work_dir.unfinished_workers(number, ended))

    # ------------------------------------------------------------------ the step

    def step(self, now: float, caller: Caller, elsewhere: int) -> bool:
        """Do all that can be done now; return whether anything was.

        `elsewhere` is how many queue-jobs the pool's other maps have in the queue.
        """
        self._caller, self._elsewhere = caller, elsewhere
        if now < self._trouble.until:
            return False
        if self._is_broken:
            return self._leave(now)
        self.work_dir.beat()
        self._take_answers()
        self._cancel_again(now)
        is_busy = self._collect(now)
        if self.sink.asked_to_end is not None:
            self.abort(self.sink.asked_to_end, keep=None)
        elif self.work_dir.asked_to_end and self._finishing_since is None:
            self.abort(PoolPartyError(f"the map was cancelled from {self.work_dir.asked_to_end}"), keep=True)
        if self._finishing_since is not None:
            return self._finish(now) or is_busy
        for action in decide(self.ledger, self.policy, now, elsewhere):
            is_busy = self._perform(action, now) or is_busy
        self._trouble.end()
        return is_busy

    def show(self, now: float) -> None:
        """Let whoever watches know how the map stands, if it is time to."""
        if self.watch.is_due(now):
            self.watch.see(standing_of(self.ledger), now)

    def _end_watch(self) -> None:
        self.watch.end(standing_of(self.ledger), self.now())

    def _call(self, function: Callable[[], Any], then: Callable[[Any, Exception | None], None]) -> None:
        """Have the scheduler called; what follows from its answer is done in the next step."""
        assert self._caller is not None
        self._caller.start(function, lambda result, error: self._answers.append(lambda: then(result, error)))

    def _take_answers(self) -> None:
        """Do what follows from answers of the scheduler; where the disk is too full for it, again later."""
        while self._answers:
            self._answers[0]()
            self._answers.popleft()

    def _collect(self, now: float) -> bool:
        """Merge what is in the spool; return whether there was anything."""
        refresh = now - self._refreshed > REFRESH_SECONDS
        if not refresh and self._harvested is None and not self.work_dir.spool_has_changed():
            return False
        if refresh:
            self._refreshed = now
        if self._harvested is None:
            segments = self.work_dir.collect(refresh)
            if not segments:
                return False
            self._harvested = segments, harvest(segments, self.ledger, self.work_dir, self.policy)
        segments, found = self._harvested
        self.work_dir.sync(found.rows)  # may find the disk full: then it is tried again, not harvested again
        self._harvested = None
        for itask, outcome in found.outcomes:
            self.ledger.record(itask, outcome)
        # Also a value that can not be loaded here: it is not thrown away with the work_dir.
        self._has_failures = self._has_failures or not all(success for _, success, _ in found.deliveries)
        for event in found.events:
            self._apply(event, now)
            if isinstance(event, Merged) and event.damage:
                self.options.tell(f"{event.damage} damaged bytes at the end of segment {event.segment}: done again")
        self._deliver(found.deliveries)
        self.work_dir.discard(segments)
        return True

    def _deliver(self, deliveries: list[Delivery]) -> None:
        """Hand outcomes over; with the last of them, the archives are ready for everyone, and what is made of them."""
        if self.ledger.is_done:
            self.work_dir.complete()
            self._end_watch()
            self._call_at_end()
        if deliveries:
            self.sink.deliver(deliveries)

    def _call_at_end(self) -> None:
        """Have done, once, what the user wants of the work_dir at the end; if it fails, the folder is kept."""
        at_end, self.at_end = self.at_end, None
        if at_end is not None and not at_end(self.work_dir.path):
            self._has_failures = True

    def _apply(self, event: Event, now: float, durable: bool = False) -> None:
        """Journal an event, then let it count."""
        self.work_dir.log(to_line(event), durable)
        self.ledger.apply(event, now)

    # ------------------------------------------------------------------ actions

    def _perform(self, action: Action, now: float) -> bool:
        """Do it; False if the budget of calls has no room for it now: then it will be decided again."""
        if isinstance(action, Send):
            return self._send(action, now)
        if isinstance(action, Inspect):
            return self._inspect(action, now)
        if isinstance(action, Plan):
            self._plan(action, now)
        elif isinstance(action, Withdraw):
            self._apply(Withdrawn(action.submission, runs_of(action.elements)), now)
            self._cancel([self.ledger.batches[action.submission]], set(action.elements))
        elif isinstance(action, GiveUp):
            self._give_up(action, now)
        elif isinstance(action, Finish):
            self._finishing_since = now
            self._finish(now)
        return True

    def _plan(self, action: Plan, now: float) -> None:
        """Write a submission to disk; the next step sends it."""
        number = self._last_submission = self._last_submission + 1
        described = describe(action, number, self.policy, self.options)
        self.work_dir.write_submission(number, described, action.chunks)
        self._apply(planned(action, number, self.session_id), now)

    @property
    def session_id(self) -> str:
        """The name of the map; those of its queue-jobs begin with it."""
        return self.work_dir.path.rpartition("/")[2]

    def _send(self, action: Send, now: float) -> bool:
        room = self._budget.room("submit", now)
        # Where a queue-job is not an element of an array, each of them is a call of its own.
        elements = action.elements if self.policy.is_array and room else action.elements[:room]
        if not elements:
            return False
        batch = self.ledger.batches[action.submission]
        submission = replace(
            submission_of(batch, elements, self.work_dir, self.policy, self.options),
            throttle=throttle_of(batch, self.policy, self.ledger.live + self._elsewhere),
            excluded_nodes=self.ledger.bad_nodes(self.policy.retry.exclude_after),
        )
        self._apply(Sent(batch.number, runs_of(elements)), now, durable=True)
        self._budget.spend("submit", now, 1 if self.policy.is_array else len(elements))
        self._call(
            lambda: self.scheduler.submit(submission),
            lambda receipt, error: self._sent(batch.number, elements, receipt, error),
        )
        return True

    def _sent(self, number: int, elements: tuple[int, ...], receipt: Receipt | None, error: Exception | None) -> None:
        """Take the scheduler's answer to a submission."""
        if receipt is None:
            receipt = Receipt((), elements, None, str(error))
        if not receipt.was_called:
            self._budget.take_back("submit")
        missing = runs_of(receipt.missing)
        taken = runs_of(k for k in elements if k not in set(receipt.missing))
        now = self.now()
        if receipt.jobs:
            self._apply(Accepted(number, taken, list(receipt.jobs)), now, durable=True)
        if receipt.missing and receipt.refusal is not None:
            self._apply(Refused(number, missing, receipt.refusal, receipt.words), now)
            self.options.say(f"{self.scheduler.name} did not take a submission: {receipt.words}")
            if self.ledger.full_refusals == FULL_REFUSALS_TO_TELL and not self.ledger.live:
                self.options.tell(
                    f"no room for queue-jobs, which is waited for; {self.scheduler.name}: {receipt.words}"
                )
        elif receipt.missing:
            self._apply(Doubted(number, missing, receipt.words, receipt.suspected), now)
            self.options.say(f"no answer to a submission ({receipt.words}); looking for it by name")
        else:
            n = sum(missing[1::2]) - sum(missing[0::2]) if missing else len(elements)
            ids = ", ".join(sorted({job_id for _, job_id in receipt.jobs})[:5])
            self._tell_of_submission(n, ids)

    def _tell_of_submission(self, n: int, ids: str) -> None:
        words = f"submitted {n} queue-job{'s' * (n != 1)} to {self.scheduler.name}: {ids}"
        if not self._is_announced:
            self._announce(f"{self.ledger.n} task{'s' * (self.ledger.n != 1)}; {words}; work_dir: {self.work_dir.path}")
        elif not self._is_submitted:
            self.options.announce(words)
        else:
            self.options.say(words)
        self._is_submitted = True

    def _announce(self, words: str) -> None:
        """Say first of all what this map is, and how to watch it."""
        self._is_announced = True
        self.options.announce(f"{words}; to watch it: pypoolparty watch {shlex.quote(self.work_dir.path)}")

    def _inspect(self, action: Inspect, now: float) -> bool:
        """Find out why queue-jobs died, then see what they have left undone."""
        batch = self.ledger.batches[action.submission]
        job_ids = sorted({batch.elements[k].job_id for k, report, _ in action.elements if report is not None} - {""})
        if not job_ids:
            self._bury(action, [], now)
            return True
        if not self._budget.room("accounting", now):
            return False
        self._budget.spend("accounting", now)
        for k, _, _ in action.elements:
            batch.elements[k].is_under_inspection = True
        self._call(
            lambda: self.scheduler.post_mortem(job_ids),
            lambda accounts, error: self._bury(action, accounts or [], self.now()),
        )
        return True

    def _bury(self, action: Inspect, accounts: list[Job], now: float) -> None:
        """Note the end of queue-jobs, and what they have left undone; first of all what they have done."""
        if self.is_closed or self._finishing_since is not None:
            return
        batch = self.ledger.batches[action.submission]
        claimed = self._claimed_by({k for k, _, scan in action.elements if scan}, action.submission)
        self._collect_rescued(action, now)
        for k, report, _ in action.elements:
            if report is not None:
                stderr = self.work_dir.raw_stderr(self.scheduler.label(action.submission, k))
                job_id = batch.elements[k].job_id
                own = [job for job in accounts if job.job_id == job_id and job.element in (None, k)]
                report = refine(report, own, stderr, batch.elements[k].has_greeted)
            self._apply(Ended(action.submission, k, claimed.get(k, []), report), now)
            if report is not None:
                self.options.say(f"a queue-job died: {report.death.value}, {'; '.join(report.evidence)}")
        in_the_way = (JobState.ERROR, JobState.HOPELESS)
        stuck = {k for k, _, _ in action.elements if batch.elements[k].state in in_the_way}
        # One that was terminated and waits once more was requeued.
        stuck |= {k for k, report, _ in action.elements if report and batch.elements[k].state is JobState.PENDING}
        # One that was only not to be seen would take up room in the queue for ever.
        stuck |= {k for k, report, _ in action.elements if report and batch.elements[k].missing >= 2}
        if stuck:
            self._cancel([batch], stuck)

    def _collect_rescued(self, action: Inspect, now: float) -> None:
        elements = [k for k, _, _ in action.elements]
        self.work_dir.rescue(self.work_dir.unfinished_workers(action.submission, elements))
        self._refreshed = float("-inf")
        while self._collect(now):
            self._refreshed = float("-inf")

    def _claimed_by(self, elements: set[int], submission: int) -> dict[int, list[tuple[int, int]]]:
        """Return the chunks that these elements have claimed, in any table they went through."""
        found: dict[int, list[tuple[int, int]]] = {}
        if not elements:
            return found
        for table in self.ledger.batches[submission].tables:
            claims = self.work_dir.claims(table)
            # Chunks are many more than workers: a name is looked into once.
            owners = {name: _element_of(name, submission) for name in set(claims.values())}
            own = {name: element for name, element in owners.items() if element in elements}
            for ichunk in sorted(ichunk for ichunk, name in claims.items() if name in own):
                found.setdefault(own[claims[ichunk]], []).append((table, ichunk))
        return found

    def _give_up(self, action: GiveUp, now: float) -> None:
        tasks = list(tasks_of(action.tasks))
        self._apply(GaveUp(list(action.tasks), action.report), now, durable=True)
        self._has_failures = True
        self._deliver([(itask, False, self._lost(itask, action.report)) for itask in tasks])

    def _lost(self, itask: int, report: Report) -> BaseException:
        attempts = self.ledger.attempts.get(itask, 0) + self.ledger.free_attempts.get(itask, 0)
        if report.death is not Death.REFUSED:
            attempts = max(1, attempts)
        asked = self.options.resources
        return error_of(report, itask, attempts, self.work_dir.path, asked.mem, asked.time)

    # ------------------------------------------------------------------ queries

    def asked_names(self) -> dict[str, int]:
        """Return the names to ask the scheduler for, and the submission of each; called once in an interval.

        Of a submission whose queue-jobs have all published something since the last time, there is nothing to ask.
        """
        names: dict[str, int] = {}
        # Where there is no room for more, duplicates that are not needed may be what takes it up.
        is_full = self.ledger.full_refusals > 0
        batches = list(self.ledger.batches.values()) if is_full else self.ledger.active_batches()
        for batch in () if self._is_broken else batches:
            is_there = batch.n_live or batch.doubted is not None or (is_full and batch.job_ids)
            if batch.in_flight is None and is_there:
                if self.policy.is_array:
                    names[batch.name] = batch.number
                else:
                    for k, element in enumerate(batch.elements):
                        if (not element.is_ended and k not in batch.unsent) or (is_full and element.job_id):
                            names[f"{batch.name}-{k}"] = batch.number
        return names

    def observe(self, jobs: list[Job], asked: Mapping[str, int], now: float) -> None:
        """Take the answer to a query."""
        if self.is_closed or self._is_broken:
            return
        for event in self.ledger.observe(jobs, sorted(set(asked.values())), now):
            self._apply(event, now)
        for batch in list(self.ledger.batches.values()):
            if batch.risen and self._finishing_since is None:
                risen, batch.risen = batch.risen, set()
                self._cancel([batch], risen)

    # ------------------------------------------------------------------ the end

    def abort(self, error: BaseException, keep: bool | None) -> None:
        """End the map as it is: what has no outcome gets `error`."""
        if self.is_closed or self._is_broken or self._is_aborted or self.ledger.is_done:
            return  # it is just leaving
        self._has_failures = True
        self.keep = keep
        self._end_watch()
        self.sink.fail(error)
        self._is_aborted = True
        self._finishing_since = self.now()

    def break_down(self, error: Exception) -> None:
        """Wait if it may pass; else end the map, for what went wrong can not be mended here."""
        if self._is_broken:
            self.is_closed = True
            return
        if not self._is_aborted and self._trouble.may_pass(error, self.now()):
            return
        if self._is_aborted and isinstance(error, OSError):
            self._tell_how_to_go_on()
        self._end_watch()
        self.sink.fail(self._trouble.explain(error))
        try:
            self._cancel([b for b in self.ledger.batches.values() if b.n_live], None)
        finally:
            self._is_broken = True
            self.is_closed = not self._cancellations
            self.work_dir.abandon()

    def _tell_how_to_go_on(self) -> None:
        self.options.tell(
            f"interrupted when {self.ledger.n_done} of {self.ledger.n} tasks were done; "
            f"to go on: pypoolparty.resume({self.work_dir.path!r})"
        )

    def _leave(self, now: float) -> bool:
        """See to it that nothing is left in the queue of a map that is broken."""
        self._take_answers()
        self._cancel_again(now)
        self.is_closed = not self._cancellations
        return self.is_closed

    def _finish(self, now: float) -> bool:
        """Leave nothing behind: wait a moment for workers that are about to leave, cancel the others, close."""
        assert self._finishing_since is not None
        if self._cancellations or any(b.in_flight is not None for b in self.ledger.batches.values()):
            return False
        doubted = [b for b in self.ledger.batches.values() if b.doubted is not None and b.doubted_absent < 2]
        if doubted and now - self._finishing_since < DOUBT_SECONDS:
            return False
        batches = [b for b in self.ledger.batches.values() if not b.is_withdrawn]
        running = [e for b in batches for e in b.elements if e.has_greeted and not e.is_ended]
        n_live = sum(b.n_live for b in batches)
        patience = 0.0 if self._is_aborted else GOODBYE_SECONDS
        if running and len(running) == n_live and now - self._finishing_since < patience:
            return self._dismiss(now)
        # Where queue-jobs died, the scheduler may have requeued some on its own account.
        doomed = [b for b in batches if b.n_live or (self.ledger.is_disturbed and b.job_ids)]
        if doomed:
            for batch in doomed:
                self._apply(Withdrawn(batch.number), now)
                if self._is_aborted:
                    self.work_dir.withdraw_claims(batch.number)
            self._cancel(doomed, None)
            return True
        self._close()
        return True

    def _dismiss(self, now: float) -> bool:
        """Note the end of workers that have said goodbye."""
        any_left = False
        for batch in self.ledger.batches.values():
            for k in sorted(batch.to_judge):
                traces = batch.elements[k].traces.values()
                if traces and all(trace.is_complete for trace in traces):
                    self._apply(Ended(batch.number, k, []), now)
                    any_left = True
        return any_left

    def _cancel(self, batches: list[Batch], elements: set[int] | None) -> None:
        """Cancel queue-jobs of these batches, in one call; None: all that may be there."""
        targets = [target for batch in batches for target in targets_of(batch, elements, self.policy.is_array)]
        if targets:
            self._cancellations.append(Cancellation(targets))
            self._cancel_again(self.now())

    @property
    def _is_leaving(self) -> bool:
        return self._is_broken or self._finishing_since is not None

    def _cancel_again(self, now: float) -> None:
        """Call for all that is to be cancelled now."""
        for cancellation in self._cancellations:
            has_room = self._is_leaving or self._budget.room("cancel", now)
            if has_room and cancellation.is_due(now, self._is_leaving):
                self._call_to_cancel(cancellation)

    def _call_to_cancel(self, cancellation: Cancellation) -> None:
        cancellation.is_under_way = True
        self._budget.spend("cancel", self.now())
        self._call(
            lambda: self.scheduler.cancel(cancellation.targets),
            lambda was_called, error: self._cancelled(cancellation, was_called, error),
        )

    def _cancelled(self, cancellation: Cancellation, was_called: bool | None, error: Exception | None) -> None:
        if was_called is False:
            self._budget.take_back("cancel")
        if error is None:
            self._cancellations.remove(cancellation)
            return
        goes_on = cancellation.has_failed(error, self.now(), self._is_leaving)
        if not goes_on or cancellation.failures == TRIES:
            self.options.tell(f"cancelling queue-jobs of {self.session_id} failed: {error}")
        if not goes_on:
            if not self._is_broken:
                self.work_dir.log({"event": "CancelFailed", "words": str(error)})
            self._cancellations.remove(cancellation)

    def _close(self) -> None:
        """Close the archives; keep the folder if anything in it is worth a look."""
        keep = self.options.keep_work_dir
        if self.keep is not None:
            keep = keep or self.keep
        else:
            keep = keep or self._has_failures or self.work_dir.has_stderr
        self._collect(self.now())
        if self._budget.most is not None:
            self.options.say(self._budget.told_since(self._calls_before))
        self.work_dir.log(to_line(Closed("done" if self.ledger.is_done else "aborted")))
        self.work_dir.close()
        self._call_at_end()  # of a map that was ended before it was done
        self.is_closed = True
        if keep and self._is_aborted:
            self._tell_how_to_go_on()
        elif keep:
            self.options.say(f"the work_dir is kept: {self.work_dir.path}")
        else:
            self.work_dir.remove()


def _element_of(worker: str, submission: int) -> int:
    """Return the element of a worker of this submission; -1 of others, and of a name that is torn."""
    number, _, rest = worker.partition("-")
    element, dash, _ = rest.partition("-")
    return int(element) if dash and int(number) == submission else -1
