"""The driver: one thread for each pool, in which all of its maps take their steps."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ..latch import Latch
from ..scheduler import Scheduler
from ..states import Job, Limits
from ._budget import Budget
from ._calls import ThreadedCaller
from ._run import MapRun

__all__ = ["Driver"]

# Between two looks at the spool: soon after something came, later when nothing does.
SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.002, 0.1, 1.4
# Between two queries of the scheduler, in polling intervals: one after something has changed, more when nothing does.
LONGEST_INTERVAL, INTERVAL_GROWTH = 4.0, 1.5


class Driver:
    """Drives the maps of one pool.

    Parameters
    ----------
    scheduler : Scheduler
    polling_interval : float
        Seconds between two queries of the scheduler, at the least; up to four times as many while nothing changes.
    say : callable
        Takes a line for the user.
    clock : callable
        Seconds, only going forward.
    max_calls_per_minute : int, optional
        Calls of the scheduler that may begin in any minute; those that cancel at the end of a map count, but do
        not wait.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        polling_interval: float,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        max_calls_per_minute: int | None = None,
    ) -> None:
        self.scheduler, self.polling_interval, self.clock = scheduler, polling_interval, clock
        self._say, self.budget = say, Budget(max_calls_per_minute)
        self._runs: list[MapRun] = []
        # The user's thread may be interrupted at any instant, and shares no lock with the driver's.
        self._arrivals: queue.SimpleQueue[MapRun] = queue.SimpleQueue()
        self._wakings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._aborting: tuple[BaseException, bool | None] | None = None
        self._is_closing = False
        self._caller = ThreadedCaller(self.wake)
        self._limits: Limits | None = None
        self._asks_limits = False
        self._queried = float("-inf")
        self._interval = polling_interval
        self._seen: tuple[int, frozenset[Job]] = (0, frozenset())
        self._is_querying = False
        self._thread: threading.Thread | None = None
        self._is_over = Latch()

    # ------------------------------------------------------------------ from other threads

    def start(self, run: MapRun) -> None:
        """Take over a map."""
        self._arrivals.put(run)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._drive, name="pypoolparty-driver", daemon=True)
                self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Have the thread look now."""
        self._wakings.put(None)

    def close(self) -> None:
        """End the thread when its last map has ended."""
        self._is_closing = True
        self.wake()

    def abort(self, error: BaseException, keep: bool | None) -> None:
        """End all maps now; what has no outcome yet gets `error`."""
        self._aborting = (error, keep)
        self.wake()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            # Not by the thread's own join: interrupted once, that takes the thread for ended (CPython issue 45274).
            self._is_over.wait(timeout)

    def has_ended(self) -> bool:
        """Whether the thread is over, or never began."""
        return self._thread is None or self._is_over.is_set()

    # ------------------------------------------------------------------ the thread

    def _drive(self) -> None:
        try:
            self._step_for_ever()
            self._caller.close()
            self.scheduler.close()
        finally:
            self._is_over.set()

    def _step_for_ever(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            is_busy = self._step()
            if not self._runs and self._is_closing and self._arrivals.empty():
                break
            pause = SHORTEST_PAUSE if is_busy else min(LONGEST_PAUSE, pause * GROWTH)
            if self._is_woken_within(pause if self._runs else None):
                pause = SHORTEST_PAUSE

    def _is_woken_within(self, seconds: float | None) -> bool:
        """Wait until somebody wakes this thread, or for so long."""
        try:
            self._wakings.get(timeout=seconds)
        except queue.Empty:
            return False
        while not self._wakings.empty():
            self._wakings.get()
        return True

    def _step(self) -> bool:
        """Let every map take one step; return whether any did something."""
        while not self._arrivals.empty():
            run = self._arrivals.get()
            run.share(self.budget)
            self._runs.append(run)
        aborting = self._aborting
        if aborting is not None:
            self._aborting = None
            for run in self._runs:
                run.abort(*aborting)
        is_busy = self._caller.settle()
        if self._runs and self._limits is None:
            return self._ask_limits() or is_busy
        for run in self._runs:
            self._limit(run)
        now = self.clock()
        # The workers of a map that is done are just leaving, and hold nobody up.
        live = [0 if run.ledger.is_done else run.ledger.live for run in self._runs]
        for run, own in zip(self._runs, live):
            is_busy = self._step_one(run, now, sum(live) - own) or is_busy
        if any(run.is_closed for run in self._runs):
            self._runs = [run for run in self._runs if not run.is_closed]
        self._query(now)
        return is_busy

    def _step_one(self, run: MapRun, now: float, elsewhere: int) -> bool:
        try:
            is_busy = run.step(now, self._caller, elsewhere)
            run.show(now)
            return is_busy
        except Exception as error:  # the rim: whatever it is, the user's call has to end
            run.break_down(error)
            return True

    def _observe_one(self, run: MapRun, jobs: list[Job], asked: dict[str, int]) -> None:
        try:
            run.observe(jobs, asked, self.clock())
        except Exception as error:
            run.break_down(error)

    def _ask_limits(self) -> bool:
        if self._asks_limits:
            return False
        self._asks_limits = True
        self.budget.spend("limits", self.clock())

        def learn(limits: Limits | None, error: Exception | None) -> None:
            self._limits = limits or Limits()

        self._caller.start(self.scheduler.limits, learn)
        return True

    def _limit(self, run: MapRun) -> None:
        """Let a map know the scheduler's limits."""
        assert self._limits is not None
        if run.policy.limits != self._limits:
            run.policy = replace(run.policy, limits=self._limits)

    def _query(self, now: float) -> None:
        """Ask the scheduler for all maps at once, if it is time to."""
        n_submissions = sum(len(run.ledger.batches) for run in self._runs)
        if n_submissions != self._seen[0]:
            self._interval = self.polling_interval
        is_early = now - self._queried < self._interval
        if self._is_querying or is_early or not self.budget.room("query", now):
            return
        asked = [(run, run.asked_names()) for run in self._runs if not run.is_closed]
        names = [name for _, of_run in asked for name in of_run]
        self._queried = now
        if not names:
            return
        self._is_querying = True
        self.budget.spend("query", now)

        def observe(jobs: list[Job] | None, error: Exception | None) -> None:
            self._is_querying = False
            if jobs is None:
                self._say(f"asking {self.scheduler.name} failed, which tells nothing of the jobs: {error}")
                return
            self._pace(n_submissions, frozenset(jobs))
            for run, of_run in asked:
                self._observe_one(run, jobs, of_run)

        self._caller.start(lambda: self.scheduler.query(names), observe)

    def _pace(self, n_submissions: int, jobs: frozenset[Job]) -> None:
        """Ask less often while the answers are the same."""
        grown = min(self._interval * INTERVAL_GROWTH, LONGEST_INTERVAL * self.polling_interval)
        self._interval = grown if (n_submissions, jobs) == self._seen else self.polling_interval
        self._seen = n_submissions, jobs
