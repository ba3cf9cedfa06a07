"""A small world in which the engine runs without disk, scheduler or clock, and in which much goes wrong.

All is drawn from one seed: a world that has failed fails again. The engine (`MapRun`, and so `decide` and the
`Ledger`) is the real one; the scheduler, its queue-jobs and the work_dir are simulated. After each step the
world checks what must always hold.
"""

import heapq
import itertools
import random
from collections import Counter

from pypoolparty.engine import MapRun, Options, restore
from pypoolparty.ledger import Ledger
from pypoolparty.work_dir import DISK_FULL
from tests.unit import laws
from tests.unit.faults import Faults
from tests.unit.paper import Calls, Outcomes, PaperWorkDir
from tests.unit.paper_queue import PaperScheduler

__all__ = ["Faults", "World"]

POLL = 5.0


class World(PaperScheduler):
    """Everything there is: a scheduler, its queue, and a map with its engine.

    Parameters
    ----------
    n : int
        Number of tasks.
    policy : Policy
    faults : Faults
    seed : int
    culprits : set of int
        Tasks that kill their process whenever they are tried.
    slots : int
        How many queue-jobs may run at a time.
    n_nodes : int
    dies_at : tuple of int
        Steps at which the main process dies, and another one goes on.
    tick : float
        Seconds between two looks of the engine; 0: it looks after every event.
    """

    def __init__(self, n, policy, faults, seed, culprits=(), slots=10, n_nodes=4, dies_at=(), tick=0.0):
        super().__init__()
        self.n, self.policy, self.faults, self.culprits = n, policy, faults, set(culprits)
        self.slots, self.n_nodes, self.dies_at, self.tick = slots, n_nodes, set(dies_at), tick
        self.rng = random.Random(seed)
        self.now, self.no_room_until = 0.0, 0.0
        self.fired, self.counts = Counter(), Counter()
        self.duration = lambda itask: self.rng.expovariate(1.0)
        self._events, self._numbers = [], itertools.count(1)
        self.is_starting = False
        self.started, self.n_steps = [], 0
        self.disk = PaperWorkDir(lambda: self.now, self.has_room)
        self._begin(Ledger(n))

    def _begin(self, ledger):
        """Be a new main process."""
        self.is_resumed = hasattr(self, "engine")
        self.sink, self.calls, self.ledger = Outcomes(), Calls(self), ledger
        self._queried, self._is_querying = 0.0, False
        options = Options("python")
        self.engine = MapRun(self.disk, ledger, self.policy, options, self, self.sink, lambda: self.now)

    def die_and_resume(self, calls_are_lost=None):
        """Let the main process die between two steps, and another one go on with the work_dir after a while."""
        self.fire("main process dies")
        is_dead = self.rng.random() < 0.5  # what was called may still be done
        self.calls.is_dead = is_dead if calls_are_lost is None else calls_are_lost
        self.disk.unlogged.clear()
        for _ in range(self.rng.randrange(20)):
            self._go_on(POLL)
        self._go_on(max(0.0, self.no_room_until - self.now))  # it needs room to begin
        ledger, deliveries = restore(self.disk, self.n, self.now)
        self._begin(ledger)
        self.engine.welcome_back(deliveries)

    # ------------------------------------------------------------------ dice

    def next_number(self):
        """Return a number that is never used again."""
        return next(self._numbers)

    def happens(self, fault):
        """Throw the dice for a fault."""
        chance = getattr(self.faults, fault)
        return chance > 0.0 and self.rng.random() < chance

    def fire(self, kind):
        """Count a fault that took place."""
        self.fired[kind] += 1
        return True

    def has_room(self):
        """Tell whether there is room on the disk."""
        return self.now >= self.no_room_until

    # ------------------------------------------------------------------ time

    def at(self, delay, function):
        """Do something after a while."""
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), function))

    def run(self, most_steps=100_000, stop_at=None):
        """Drive the map to its end (or for so many steps)."""
        while not self.engine.is_closed:
            self.n_steps += 1
            assert self.n_steps < most_steps, f"no end after {self.now:.0f} s"
            if self.n_steps == stop_at:
                return self
            if self.n_steps in self.dies_at:
                self.die_and_resume()
            is_busy = self._step()
            self._poll()
            self._go_on(self.tick or (0.002 if is_busy else POLL))
        self.closed_at = self.now
        while self._events and self._events[0][0] < self.now + 60.0:
            self._go_on(60.0)  # what the scheduler was asked for last
        return self

    def _step(self):
        """Take a step, as the driver does, and check the laws if it changed anything."""
        is_busy = self.calls.settle()
        is_busy = self._or_wait_for_room(lambda: self.engine.step(self.now, self.calls, 0)) or is_busy
        if is_busy and self.has_room():
            laws.check(self)
        return is_busy

    def _or_wait_for_room(self, function):
        try:
            return function()
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            self.fire("full disk: main process")
            self.engine.break_down(error)
            return False

    def _go_on(self, most):
        """Let time go by, to the next event or for a while."""
        stop, events = self.now + most, self._events
        if events and events[0][0] < stop and not self.tick:
            stop = events[0][0]
        while events and events[0][0] <= stop:
            self.now, _, function = heapq.heappop(events)
            function()
        self.now = max(stop, self.now)

    def _poll(self):
        if self._is_querying or self.now - self._queried < POLL:
            return
        names = self.engine.asked_names()
        if names:
            self._is_querying, self._queried = True, self.now
            self.calls.start(lambda: self.query(list(names)), lambda jobs, error: self._answer(jobs, names))

    def _answer(self, jobs, names):
        self._is_querying = False
        if jobs is not None:
            self._or_wait_for_room(lambda: self.engine.observe(jobs, names, self.now))
