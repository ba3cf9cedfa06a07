"""The scheduler of `tests.unit.world`: it takes queue-jobs, runs them on its nodes, and has bad days."""

from dataclasses import dataclass

from pypoolparty.errors import SchedulerError
from pypoolparty.scheduler import Receipt
from pypoolparty.states import Job, JobState, Limits, Refusal
from tests.unit import laws
from tests.unit.nodes import DEATHS, Died, Worker

STUCK = (JobState.ERROR, JobState.HOPELESS)
PATIENCE_OF_THE_USER = 60


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
    sleeps_until: float = 0.0
    is_forgotten: bool = False

    @property
    def is_live(self):
        """Whether it waits or runs."""
        return not self.state.is_final and not self.is_forgotten


class PaperScheduler:
    """The part of the world that the engine calls; `World` has the clock and the dice."""

    name = "the world"

    def __init__(self):
        self.jobs, self.by_id, self.waiting, self.running = [], {}, {}, {}
        self.away_until = 0.0
        self.last_cancel_failed = False
        self.n_full = 0

    def limits(self):
        """Return what the policy knows already."""
        return Limits()

    def label(self, submission, element):
        """Return a name."""
        return f"{submission}-{element}"

    def post_mortem(self, job_ids):
        """Return nothing: there is no accounting."""
        return []

    def close(self):
        """Let go."""

    def _is_away(self, what):
        """Tell whether the controller does not answer; once it is gone, it stays away for minutes."""
        if self.now >= self.away_until and self.happens("away"):
            self.away_until = self.now + 300.0 * self.rng.random()
        return self.now < self.away_until and self.fire(f"controller away: {what}")

    # ------------------------------------------------------------------ submit

    def submit(self, submission):
        """Take queue-jobs, or some, or none, and say so, or not."""
        laws.check_submission(self, submission)
        self.counts["submissions"] += 1
        elements, job_id = submission.elements, str(self.next_number())
        if self._is_away("submit"):
            return Receipt((), elements, Refusal.LATER, "unable to contact the controller")
        if submission.is_array and elements[-1] >= self.faults.array_limit:
            self.fire("refused: limit on arrays")
            return Receipt((), elements, Refusal.ARRAY_SIZE, "too large")
        room = len(elements)
        if self.faults.job_limit < float("inf"):
            room = max(0, self.faults.job_limit - sum(job.is_live for job in self.jobs))
        if room < len(elements) or self.happens("refused"):
            return self._refuse(submission, job_id, room)
        if self.happens("doubted"):
            return self._do_not_answer(submission, job_id)
        jobs = [self._enqueue(submission, element, job_id) for element in elements]
        return Receipt(((-1, job_id),) if submission.is_array else self._numbers_of(jobs))

    def _refuse(self, submission, job_id, room):
        """Refuse, after some were taken (jobs that are no array are submitted one by one)."""
        elements = submission.elements
        refusal = Refusal.JOB_LIMIT if room < len(elements) else Refusal.LATER
        self.fire("refused: limit on jobs" if refusal is Refusal.JOB_LIMIT else "refused for now")
        self._clear_up(refusal)
        taken = 0 if submission.is_array else min(room, self.rng.randrange(len(elements)))
        if taken:
            self.fire("taken in part")
        jobs = [self._enqueue(submission, element, job_id) for element in elements[:taken]]
        return Receipt(self._numbers_of(jobs), elements[taken:], refusal, "not now")

    def _clear_up(self, refusal):
        """Be the user, who is told that there is no room, and deletes what is stuck and was hidden by wrong answers."""
        self.n_full = self.n_full + 1 if refusal is Refusal.JOB_LIMIT else 0
        if self.n_full > PATIENCE_OF_THE_USER and self.faults.lies:
            self.n_full = 0
            self.counts["cleared by the user"] += 1
            for job in [job for job in self.jobs if job.state in STUCK]:
                self.end(job, JobState.CANCELLED)

    def _do_not_answer(self, submission, job_id):
        """Take the elements all the same, or a while later, or not at all."""
        is_taken = self.rng.random() < self.faults.doubted_is_taken
        self.fire("accepted without an answer" if is_taken else "not accepted, no answer")
        for element in submission.elements if is_taken else ():
            late = 30 * self.rng.random() if self.rng.random() < 0.2 and self.fire("accepted late") else 0.0
            self.at(late, lambda element=element: self._enqueue(submission, element, job_id))
        return Receipt((), submission.elements, None, "no answer")

    @staticmethod
    def _numbers_of(jobs):
        return tuple((job.element, job.job_id) for job in jobs)

    def _enqueue(self, submission, element, job_id):
        is_array = submission.is_array
        name = submission.name if is_array else f"{submission.name}-{element}"
        own_id = job_id if is_array else f"{job_id}{element:03d}"
        job = QueueJob(submission.number, element, own_id, name, submission.throttle)
        self.jobs.append(job)
        self.by_id.setdefault(own_id, []).append(job)
        self._wait(job)
        return job

    def _wait(self, job):
        """Let it wait for its turn."""
        job.state, job.worker, job.node = JobState.PENDING, None, ""
        self.waiting[job] = None
        self._look_for_work(3.0)

    # ------------------------------------------------------------------ query

    def query(self, names):
        """Return what is in the queue, or was not long ago; or not all of it; or nothing."""
        self.counts["queries"] += 1
        if self._is_away("query") or (self.happens("query_fails") and self.fire("query fails")):
            raise SchedulerError("no answer")
        self._lose_a_node()
        names, rows, faults, is_array = set(names), [], self.faults, self.policy.is_array
        for job in self.jobs:
            if job.is_forgotten or job.state.is_final:
                if job.is_forgotten or (
                    self.now - job.ended_at >= faults.memory and self.fire("forgotten (MinJobAge)")
                ):
                    continue
            else:
                self._have_an_accident(job)
            if job.name in names and not job.is_forgotten and not self._is_hidden():
                element = job.element if is_array else None
                state = JobState.UNKNOWN if self.happens("odd_state") and self.fire("unknown state") else job.state
                rows.append(Job(job.job_id, element, job.name, state, job.reason, job.node))
        return rows

    def _is_hidden(self):
        return self.happens("hides") and self.fire("absent from a query")

    def _have_an_accident(self, job):
        if job.state is JobState.PENDING:
            if self.happens("held") and self.fire("held"):
                job.state, job.reason = JobState.ERROR, "JobHeldUser"
            elif self.happens("hopeless") and self.fire("hopeless"):
                job.state, job.reason = JobState.HOPELESS, "BadConstraints"
            elif self.happens("vanishes") and self.fire("vanished"):
                job.is_forgotten = True
                self.waiting.pop(job, None)
        elif job.state is JobState.RUNNING and self.happens("suspended"):
            self.fire("suspended")
            job.state, job.sleeps_until = JobState.SUSPENDED, self.now + 60.0 * self.rng.random()
            self.at(job.sleeps_until - self.now, lambda: self._wake(job))

    def _wake(self, job):
        if job.state is JobState.SUSPENDED:
            job.state = JobState.RUNNING

    def _lose_a_node(self):
        """Let a node die with all that is on it, and nobody say a word."""
        if self.running and self.happens("node_dies"):
            self.fire("node dies")
            node = next(iter(self.running)).node
            for job in [job for job in self.running if job.node == node]:
                self.end(job, JobState.NODE_FAILED)

    # ------------------------------------------------------------------ cancel

    def cancel(self, targets):
        """End queue-jobs: those that run are told."""
        self.counts["cancellations"] += 1
        fails = self.happens("cancel_fails")
        self.last_cancel_failed = bool(self._is_away("cancel")) or (fails and self.rng.random() < 0.5)
        if not self.last_cancel_failed:
            for target in targets:
                for job in list(self.by_id.get(target.job_id, ())):
                    if job.is_live and (target.elements is None or job.element in target.elements):
                        self.kill(job, JobState.CANCELLED)
        if self.last_cancel_failed or fails:
            if fails:
                self.fire("cancel fails" if self.last_cancel_failed else "cancel done, but not answered")
            raise SchedulerError("the cancel command failed")

    # ------------------------------------------------------------------ the nodes

    def _look_for_work(self, most):
        """Start what may run, soon."""
        if not self.is_starting:
            self.is_starting = True
            self.at(most * self.rng.random(), self._start_jobs)

    def _start_jobs(self):
        self.is_starting = False
        mates = {}
        for job in self.running:
            mates[job.number] = mates.get(job.number, 0) + 1
        for job in list(self.waiting):
            if len(self.running) >= self.slots:
                return
            if job.state is JobState.PENDING and (job.throttle is None or mates.get(job.number, 0) < job.throttle):
                mates[job.number] = mates.get(job.number, 0) + 1
                del self.waiting[job]
                job.state, job.node = JobState.RUNNING, f"n{self.rng.randrange(self.n_nodes)}"
                self.running[job] = None
                job.worker = Worker(self, job)
                self._advance(job, job.worker)

    def _advance(self, job, worker):
        """Let a worker take its next step, if it still lives."""
        if job.worker is not worker:
            return
        if self.now < job.sleeps_until:
            self.at(job.sleeps_until - self.now, lambda: self._advance(job, worker))
            return
        try:
            self.at(next(worker.steps), lambda: self._advance(job, worker))
        except StopIteration:
            self.end(job, JobState.COMPLETED)
        except Died:
            state = self.rng.choice(DEATHS)
            self.fire(state.name)
            self.kill(job, state)

    def kill(self, job, state):
        """End a queue-job; it may find the time to say goodbye, and may be queued again."""
        worker = job.worker
        if worker is not None and not (self.happens("goodbye_is_missing") and self.fire("goodbye is missing")):
            worker.say_goodbye("terminated", signal=15)
        if worker is not None and state is not JobState.CANCELLED and self.happens("requeued"):
            self.fire("requeued")
            self.running.pop(job, None)
            self._wait(job)
            return
        job.is_forgotten = self.happens("vanishes") and self.fire("vanished")
        self.end(job, state)

    def end(self, job, state):
        """Note a queue-job's end, and give its slot to another."""
        self.waiting.pop(job, None)
        self.running.pop(job, None)
        job.state, job.worker, job.ended_at = state, None, self.now
        self._look_for_work(1.0)
