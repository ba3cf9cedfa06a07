"""A small world in which the engine runs without disk, scheduler or clock, and in which much goes wrong.

All is drawn from one seed: a world that has failed fails again. The engine (`MapRun`, and so `decide` and the
`Ledger`) is the real one; the scheduler, its queue-jobs and the work_dir are simulated. After each step the
world checks what must always hold.
"""

import heapq
import itertools
import random
from dataclasses import dataclass

from pypoolparty.engine import MapRun, Options, restore
from pypoolparty.errors import SchedulerError
from pypoolparty.ledger import Ledger
from pypoolparty.scheduler import Receipt
from pypoolparty.states import Job, JobState, Limits, Refusal
from tests.unit import laws
from tests.unit.nodes import DEATHS, Died, Worker
from tests.unit.paper import Calls, Outcomes, PaperWorkDir

POLL = 5.0


@dataclass(frozen=True)
class Faults:
    """How likely it is that something goes wrong: of each task, worker, query, or submission."""

    task_raises: float = 0.0
    task_crashes: float = 0.0
    job_dies: float = 0.0
    out_of_time: float = 0.0
    not_loaded: float = 0.0
    goodbye_is_missing: float = 0.0
    requeued: float = 0.0
    held: float = 0.0
    vanishes: float = 0.0
    hides: float = 0.0
    query_fails: float = 0.0
    refused: float = 0.0
    doubted: float = 0.0
    doubted_is_taken: float = 0.6
    array_limit: float = float("inf")
    job_limit: float = float("inf")
    file_delay: float = 0.0
    memory: float = 300.0  # seconds for which the scheduler remembers what has ended

    @property
    def lies(self):
        """Whether the scheduler's answers may be wrong."""
        return bool(self.vanishes or self.hides or self.doubted or self.requeued)


@dataclass(eq=False)
class QueueJob:
    """One queue-job."""

    number: int
    element: int
    job_id: str
    name: str
    throttle: int | None
    state: JobState = JobState.PENDING
    reason: str = ""
    node: str = ""
    worker: Worker | None = None
    ended_at: float = 0.0
    is_forgotten: bool = False

    @property
    def is_live(self):
        """Whether it waits or runs."""
        return not self.state.is_final and not self.is_forgotten


class World:
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
    """

    name = "the world"

    def __init__(self, n, policy, faults, seed, culprits=(), slots=10):
        self.n, self.policy, self.faults, self.culprits, self.slots = n, policy, faults, set(culprits), slots
        self.rng = random.Random(seed)
        self.now = 0.0
        self._events, self._numbers = [], itertools.count(1)
        self.jobs, self.started, self.n_steps = [], [], 0
        self.disk = PaperWorkDir(lambda: self.now)
        self._begin(Ledger(n))

    def _begin(self, ledger):
        """Be a new main process."""
        self.is_resumed = hasattr(self, "engine")
        self.sink, self.calls, self.ledger = Outcomes(), Calls(self), ledger
        self._queried, self._is_querying = 0.0, False
        options = Options("python")
        self.engine = MapRun(self.disk, ledger, self.policy, options, self, self.sink, lambda: self.now)

    def die_and_resume(self):
        """Let the main process die between two steps, and another one go on with the work_dir after a while."""
        self.calls.is_dead = self.rng.random() < 0.5  # what was called may still be done
        for _ in range(self.rng.randrange(20)):
            self._go_on(POLL)
        ledger, deliveries = restore(self.disk, self.n, self.now)
        self._begin(ledger)
        self.engine.welcome_back(deliveries)

    def next_number(self):
        """Return a number that is never used again."""
        return next(self._numbers)

    # ------------------------------------------------------------------ time

    def at(self, delay, function):
        """Do something after a while."""
        heapq.heappush(self._events, (self.now + delay, self.next_number(), function))

    def run(self, most_steps=100_000, stop_at=None):
        """Drive the map to its end (or for so many steps)."""
        while not self.engine.is_closed:
            self.n_steps += 1
            assert self.n_steps < most_steps, f"no end after {self.now:.0f} s"
            if self.n_steps == stop_at:
                return self
            is_busy = self.calls.settle()
            is_busy = self.engine.step(self.now, self.calls, 0) or is_busy
            laws.check(self)
            self._poll()
            self._go_on(0.002 if is_busy else POLL)
        while self._events and self._events[0][0] < self.now + 60.0:
            self._go_on(60.0)  # what the scheduler was asked for last
        return self

    def _go_on(self, most):
        """Let time go by, to the next event or for a while."""
        stop = self.now + most
        if self._events and self._events[0][0] < stop:
            stop = self._events[0][0]
        while self._events and self._events[0][0] <= stop:
            self.now, _, function = heapq.heappop(self._events)
            function()
        self.now = max(stop, self.now)

    def _poll(self):
        names = self.engine.asked_names()
        if names and not self._is_querying and self.now - self._queried >= POLL:
            self._is_querying, self._queried = True, self.now
            self.calls.start(lambda: self.query(list(names)), lambda jobs, error: self._answer(jobs, names))

    def _answer(self, jobs, names):
        self._is_querying = False
        if jobs is not None:
            self.engine.observe(jobs, names, self.now)

    # ------------------------------------------------------------------ the scheduler

    def limits(self):
        """Return what the policy knows already."""
        return Limits()

    def label(self, submission, element):
        """Return a name."""
        return f"{submission}-{element}"

    def post_mortem(self, job_ids):
        """Return nothing: there is no accounting."""
        return []

    def submit(self, submission):
        """Take queue-jobs, or some, or none, and say so, or not."""
        laws.check_submission(self, submission)
        elements, chance, job_id = submission.elements, self.rng.random, str(self.next_number())
        if submission.is_array and elements[-1] >= self.faults.array_limit:
            return Receipt((), elements, Refusal.ARRAY_SIZE, "too large")
        room = max(0, self.faults.job_limit - sum(job.is_live for job in self.jobs))
        if room < len(elements) or chance() < self.faults.refused:
            refusal = Refusal.JOB_LIMIT if room < len(elements) else Refusal.LATER
            taken = 0 if submission.is_array else min(room, self.rng.randrange(len(elements)))
            jobs = [self._enqueue(submission, element, job_id) for element in elements[:taken]]
            return Receipt(self._numbers_of(jobs), elements[taken:], refusal, "not now")
        if chance() < self.faults.doubted:
            for element in elements if chance() < self.faults.doubted_is_taken else ():
                late = 30 * chance() if chance() < 0.2 else 0.0
                self.at(late, lambda element=element: self._enqueue(submission, element, job_id))
            return Receipt((), elements, None, "no answer")
        jobs = [self._enqueue(submission, element, job_id) for element in elements]
        return Receipt(((-1, job_id),) if submission.is_array else self._numbers_of(jobs))

    @staticmethod
    def _numbers_of(jobs):
        return tuple((job.element, job.job_id) for job in jobs)

    def _enqueue(self, submission, element, job_id):
        is_array = submission.is_array
        name = submission.name if is_array else f"{submission.name}-{element}"
        own_id = job_id if is_array else f"{job_id}{element:03d}"
        job = QueueJob(submission.number, element, own_id, name, submission.throttle)
        self.jobs.append(job)
        self.at(3 * self.rng.random(), self._start_jobs)
        return job

    def query(self, names):
        """Return what is in the queue, or was not long ago; or not all of it; or nothing."""
        if self.rng.random() < self.faults.query_fails:
            raise SchedulerError("no answer")
        rows = []
        for job in self.jobs:
            self._have_an_accident(job)
            is_remembered = job.is_live or (not job.is_forgotten and self.now - job.ended_at < self.faults.memory)
            if job.name in names and is_remembered and self.rng.random() >= self.faults.hides:
                element = job.element if self.policy.is_array else None
                rows.append(Job(job.job_id, element, job.name, job.state, job.reason, job.node))
        return rows

    def _have_an_accident(self, job):
        if job.state is JobState.PENDING and self.rng.random() < self.faults.held:
            job.state, job.reason = JobState.ERROR, "JobHeldUser"
        if job.state is JobState.PENDING and self.rng.random() < self.faults.vanishes:
            job.is_forgotten = True

    def cancel(self, targets):
        """End queue-jobs: those that run are told."""
        for job in self.jobs:
            if job.is_live and any(
                job.job_id == target.job_id and (target.elements is None or job.element in target.elements)
                for target in targets
            ):
                self.kill(job, JobState.CANCELLED)

    def close(self):
        """Let go."""

    # ------------------------------------------------------------------ the nodes

    def _start_jobs(self):
        for job in self.jobs:
            running = [other for other in self.jobs if other.state is JobState.RUNNING]
            mates = sum(other.number == job.number for other in running)
            if job.state is not JobState.PENDING or job.is_forgotten or len(running) >= self.slots:
                continue
            if job.throttle is None or mates < job.throttle:
                job.state, job.node = JobState.RUNNING, f"n{self.rng.randrange(4)}"
                job.worker = Worker(self, job)
                self._advance(job, job.worker)

    def _advance(self, job, worker):
        """Let a worker take its next step, if it still lives."""
        if job.worker is not worker:
            return
        try:
            self.at(next(worker.steps), lambda: self._advance(job, worker))
        except StopIteration:
            self._end(job, JobState.COMPLETED)
        except Died:
            self.kill(job, self.rng.choice(DEATHS))

    def kill(self, job, state):
        """End a queue-job; it may find the time to say goodbye, and may be queued again."""
        worker = job.worker
        if worker is not None and self.rng.random() >= self.faults.goodbye_is_missing:
            worker.say_goodbye("terminated", signal=15)
        if worker is not None and state is not JobState.CANCELLED and self.rng.random() < self.faults.requeued:
            job.state, job.worker, job.node = JobState.PENDING, None, ""
            return self.at(3 * self.rng.random(), self._start_jobs)
        job.is_forgotten = self.rng.random() < self.faults.vanishes
        return self._end(job, state)

    def _end(self, job, state):
        job.state, job.worker, job.ended_at = state, None, self.now
        self.at(self.rng.random(), self._start_jobs)
