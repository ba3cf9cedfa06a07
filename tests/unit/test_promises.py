"""What docs/failures.md promises of nodes, schedulers and main processes, in the few events that it takes."""

import errno
import os
import pickle
from collections import Counter
from types import SimpleNamespace

import pypoolparty
from pypoolparty import worker
from pypoolparty.decide import GiveUp, Inspect, decide
from pypoolparty.engine import Driver
from pypoolparty.engine._collect import harvest
from pypoolparty.errors import SchedulerError
from pypoolparty.events import Greeted, Left, TaskDied
from pypoolparty.ledger import Ledger
from pypoolparty.policy import Policy, Retry
from pypoolparty.states import Death, JobState, Outcome, Report
from pypoolparty.work_dir import Record, RecordKind, Segment, WorkDir
from tests.unit import laws
from tests.unit.maps import make_segments, wait_until
from tests.unit.test_decide import POLICY, ledger_with, rows
from tests.unit.test_decide import worker as worker_of
from tests.unit.world import Faults, World

# -- what is known of a death ------------------------------------------------------------------------


def segment_of(*records, damage=0):
    """Return a segment of the first worker."""
    return Segment(f"{worker_of(0)}.0.000000", list(records), damage)


def returned(itask, value):
    """Return the record of a value."""
    return Record(RecordKind.RETURNED, itask, b"x\n", pickle.dumps(value), b"", b"")


def test_task_that_is_lost_tells_how():
    """The signal, the exit code, the node and the end of the stderr are in the report, and so in the exception."""
    said = {"signal": 11, "exit_code": 0, "max_rss": 1, "oom": False, "host": "n7"}
    record = Record(RecordKind.DIED, 0, b"", pickle.dumps(said), b"", b"the last words\n")
    [died, _] = harvest([segment_of(record)], Ledger(1), None, POLICY).events
    assert ("n7", 11, "the last words\n") == (died.report.node, died.report.signal, died.report.stderr_tail)
    message = str(pypoolparty.verdict.error_of(died.report, 0, 1, "/w"))
    assert all(words in message for words in ("SIGSEGV", "n7", "the last words"))


def test_first_outcome_is_kept():
    """Of two outcomes of a task, in one segment or long after, the first is archived and delivered; no other is."""
    world = World(2, Policy(width=1), Faults(), seed=1)
    found = harvest([segment_of(returned(0, "first"), returned(0, "second"))], world.ledger, world.disk, POLICY)
    world.ledger.record(0, Outcome.RETURNED)
    later = harvest([segment_of(returned(0, "third"))], world.ledger, world.disk, POLICY)
    assert ([(0, True, "first")], []) == (found.deliveries, later.deliveries)
    assert "first" == pickle.loads(world.disk.kept[0].value)


def test_cancelled_again_and_again():
    """Somebody who cancels a task's queue-jobs for ever is not opposed for ever."""
    policy = Policy(retry=Retry(max_free_resubmissions=100))
    ledger, report = ledger_with(), Report(Death.CANCELLED)
    for _ in range(100):
        ledger.place[0] = 1
        ledger.apply(TaskDied(0, worker_of(0), report), 0.0)
    assert not any(isinstance(action, GiveUp) for action in decide(ledger, policy, 0.0))
    ledger.place[0] = 1
    ledger.apply(TaskDied(0, worker_of(0), report), 0.0)
    assert [GiveUp((0, 1), report)] == decide(ledger, policy, 0.0)


def test_worker_that_found_damage():
    """It is told as a crash: the environment is not to blame, and others are not either."""
    ledger = ledger_with(elements=1)
    ledger.apply(Left(worker_of(0), "damaged", 0, {}), 0.0)
    [inspect] = decide(ledger, POLICY, 0.0)
    [(_, report, looks_for_claims)] = inspect.elements
    assert (Death.CRASHED, True) == (report.death, looks_for_claims)
    assert "damaged" in report.evidence[0]


def test_what_was_left_for_lack_of_time_is_looked_for():
    """A worker that leaves for its time limit is no failure, and its claims are looked through."""
    ledger = ledger_with(elements=1)
    ledger.apply(Left(worker_of(0), "out of time", 0, {}), 0.0)
    assert [Inspect(1, ((0, None, True),))] == decide(ledger, POLICY, 0.0)


def test_requeued_one_is_judged_at_once():
    """One that was terminated and waits once more does not hold up what it left undone."""
    ledger = ledger_with(elements=1)
    ledger.apply(Greeted(worker_of(0), "n1", "7"), 0.0)
    ledger.apply(Left(worker_of(0), "terminated", 15, {}), 0.0)
    ledger.observe(rows(e0=JobState.RUNNING), [1], 0.0)
    assert [] == decide(ledger, POLICY, 99.0)
    ledger.observe(rows(e0=JobState.PENDING), [1], 1.0)
    [inspect] = decide(ledger, POLICY, 1.0)
    assert (0, True) == (inspect.elements[0][0], inspect.elements[0][2])


# -- what is done about it ---------------------------------------------------------------------------


class Watched(World):
    """A world that notes the states of the queue-jobs that are cancelled before the map is over."""

    cancelled = ()

    def cancel(self, targets):
        """Note and cancel."""
        if not self.ledger.is_done:
            ids = {(target.job_id, k) for target in targets for k in target.elements or ()}
            states = [job.state for job in self.jobs if job.is_live and (job.job_id, job.element) in ids]
            self.cancelled = [*self.cancelled, *states]
        super().cancel(targets)


def test_held_queue_jobs_are_cancelled():
    """Held ones do not stay in the queue while the map goes on."""
    world = Watched(40, Policy(width=4), Faults(held=0.5), seed=2, slots=1).run()
    laws.check_end(world)
    assert JobState.ERROR in world.cancelled


class Requeued(Watched):
    """A world that queues its first queue-job once more when its worker has left in order."""

    is_requeued = False

    def end(self, job, state):
        """Note the end, which is none for the first."""
        super().end(job, state)
        if not self.is_requeued:
            self.is_requeued, job.throttle = True, 0
            self._wait(job)


def test_requeued_queue_job_is_cancelled():
    """One that has done its chunk and waits once more is cancelled while the map goes on."""
    world = Requeued(40, Policy(width=4, is_elastic=False), Faults(), seed=2).run()
    laws.check_end(world)
    assert [JobState.PENDING] == world.cancelled


class DeadNode(World):
    """A world in which the workers on one node die of their first task."""

    def _start_jobs(self):
        super()._start_jobs()
        for job in self.jobs:
            if job.state is JobState.RUNNING and job.node == "n0" and job.worker.number_done:
                self.kill(job, JobState.FAILED)

    excluded = ()

    def submit(self, submission):
        """Note which nodes are to be left out."""
        self.excluded = [*self.excluded, list(submission.excluded_nodes)]
        return super().submit(submission)


def test_bad_node_is_left_out():
    """After so many deaths on a node, submissions name it, and no other."""
    policy = Policy(width=4, max_num_resubmissions=20, retry=Retry(exclude_after=1))
    world = DeadNode(100, policy, Faults(), seed=1).run()
    laws.check_end(world)
    assert [] == world.excluded[0]
    assert ["n0"] in world.excluded
    assert all(nodes in ([], ["n0"]) for nodes in world.excluded)


# -- schedulers that have a bad moment ----------------------------------------------------------------


class Asked:
    """A map, as far as queries go."""

    def __init__(self):
        self.answers = []
        self.ledger = SimpleNamespace(batches={1: None})

    is_closed = False

    def asked_names(self):
        """Return one name."""
        return {"m-0001": 1}

    def observe(self, jobs, asked, now):
        """Note an answer."""
        self.answers.append(jobs)


class Away:
    """A scheduler that does not answer the first time."""

    name = "scheduler"

    def __init__(self):
        self.n_calls = 0

    def query(self, names):
        """Answer the second time."""
        self.n_calls += 1
        if self.n_calls == 1:
            raise SchedulerError("no route to host")
        return ["a job"]


def test_query_that_fails_tells_nothing():
    """The user is told; no map learns that its jobs are gone, and the next answer counts."""
    told, run, scheduler = [], Asked(), Away()
    driver = Driver(scheduler, 5.0, told.append)
    driver._runs = [run]
    for now, number in ((10.0, 1), (20.0, 2)):
        driver._query(now)
        wait_until(lambda: driver._caller.settle(), "the answer")
        assert number == scheduler.n_calls
    driver._caller.close()
    assert [["a job"]] == run.answers
    assert 1 == len(told)
    assert "no route to host" in told[0]


# -- disks that have one -----------------------------------------------------------------------------


def test_record_waits_for_room(tmp_path, monkeypatch):
    """A record that finds no room is written when there is some, whole and once."""
    segments = make_segments(WorkDir.create(str(tmp_path / "s")), interval=1e9)
    refused = []

    def write_a_part(fd, views, write=os.writev):
        if len(refused) < 2:
            refused.append(write(fd, [views[0][:9]]))
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, views)

    monkeypatch.setattr(os, "writev", write_a_part)
    monkeypatch.setattr(worker, "FLUSH_RETRY_SECONDS", 0.01)
    segments.append(worker.RETURNED, 5, b"", b"value")
    segments.publish()
    [segment] = WorkDir(str(tmp_path / "s")).collect(refresh=False)
    assert ([9, 9], 0) == (refused, segment.damage)
    assert [(5, b"value")] == [(record.itask, record.value) for record in segment.records]


def test_damaged_segment_is_told_and_done_again():
    """What was lost with the end of a segment is told, and done by others."""
    told, world = [], World(3, Policy(width=1), Faults(), seed=1)
    world.engine.options = pypoolparty.engine.Options("python", tell=told.append)
    collect, damaged = world.disk.collect, []

    def tear(refresh, most=1000):
        segments = collect(refresh, most)
        for k, segment in enumerate(segments):
            if segment.slot == "0" and not damaged:
                damaged.append(segment.records[-1].itask)
                segments[k] = Segment(segment.name, segment.records[:-1], 99)
        return segments

    world.disk.collect = tear
    world.run()
    laws.check_end(world)
    assert any("99 damaged bytes" in line and "done again" in line for line in told)
    assert {damaged[0]: 2} == {i: n for i, n in Counter(i for i, _ in world.started).items() if n > 1}
