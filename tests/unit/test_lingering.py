"""Queue-jobs that stay for the next map of their pool."""

import os
import signal
import time

import pytest

import pypoolparty
from pypoolparty.events import Accepted, to_line
from pypoolparty.lingering import Lingering, Origin
from pypoolparty.scheduler import Receipt, Target
from pypoolparty.states import Job, JobState, Limits, Submission
from pypoolparty.testing import Dummies
from pypoolparty.waiting_room import WaitingRoom
from pypoolparty.work_dir import WorkDir
from tests.unit.functions import identity

pytestmark = pytest.mark.timeout(60)
NAPS = [0.05] * 8


def parent_of(task):
    """Return the pid of the supervisor: the queue-job itself."""
    time.sleep(task)
    return os.getppid()


def read_variable(task):
    """Return a variable of the task's environment, and the folder it works in."""
    return os.environ.get(task), os.getcwd()


@pytest.fixture
def dummies(tmp_path):
    """Dummies of Slurm with four slots."""
    with Dummies(tmp_path / "dummies") as opened:
        yield opened


@pytest.fixture
def make_pool(dummies, tmp_path):
    """Return a function that makes a pool on the dummies."""

    def make(width=3, **options):
        paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
        return pypoolparty.slurm.array.Pool(
            width, work_dir=str(tmp_path / "work"), polling_interval=0.2, **paths, **options
        )

    return make


def wait_until(condition, seconds=20.0):
    """Wait for a condition; it has to come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_next_map_uses_the_same_queue_jobs(make_pool, dummies):
    """Three maps need one submission, and the tasks are run by its queue-jobs."""
    with make_pool(linger=20) as pool:
        first = set(pool.map(parent_of, NAPS, chunksize=1))
        others = set(pool.map(parent_of, NAPS, chunksize=1)) | set(pool.map(parent_of, NAPS, chunksize=1))
    assert 1 == dummies.calls("sbatch")
    assert others & first
    assert len(others | first) <= 3  # a busy machine may start one of them after the first map
    assert [] == dummies.queue()


def test_without_linger_each_map_is_submitted(make_pool, dummies):
    """By default nothing is held."""
    with make_pool() as pool:
        pool.map(identity, range(4))
        pool.map(identity, range(4))
    assert 2 == dummies.calls("sbatch")


def test_nothing_waits_after_the_pool(make_pool, dummies, tmp_path):
    """The end of the pool is the end of those who wait, and of the folder that they wait in."""
    with make_pool(linger=600) as pool:
        pool.map(parent_of, NAPS, chunksize=1)
        assert any(name.endswith(".waiting") for name in os.listdir(tmp_path / "work"))
    wait_until(lambda: not dummies.queue())
    assert [] == [name for name in os.listdir(tmp_path / "work") if name.endswith(".waiting")]


def test_waiting_ends_by_itself(make_pool, dummies):
    """After so many seconds the queue-jobs leave, and the next map is submitted."""
    with make_pool(linger=0.3) as pool:
        pool.map(identity, range(4))
        wait_until(lambda: not dummies.queue())
        assert list(range(4)) == pool.map(identity, range(4))
    assert 2 == dummies.calls("sbatch")


def test_wider_map_submits_the_rest(make_pool, dummies):
    """Where those who wait do not suffice, the others are submitted."""
    with make_pool(linger=20) as pool:
        one = set(pool.map(parent_of, [0.05]))
        many = set(pool.map(parent_of, [0.3] * 6, chunksize=1))
    assert 2 == dummies.calls("sbatch")
    assert one < many


def test_next_map_begins_afresh(make_pool, monkeypatch, tmp_path):
    """Variables and folder are those of the main process at the time of the second map."""
    monkeypatch.setenv("FIRST", "1")
    with make_pool(linger=20) as pool:
        assert [("1", os.getcwd())] == pool.map(read_variable, ["FIRST"])
        monkeypatch.setenv("FIRST", "2")
        monkeypatch.chdir(tmp_path)
        assert [("2", str(tmp_path))] == pool.map(read_variable, ["FIRST"])


def test_death_of_who_was_called(make_pool, dummies):
    """A queue-job that dies while it waits costs time, but no task."""
    with make_pool(1, linger=60) as pool:
        (pid,) = set(pool.map(parent_of, [0.05]))
        os.kill(pid, signal.SIGKILL)
        assert [1, 2, 3] == pool.map(identity, [1, 2, 3])
    assert 2 == dummies.calls("sbatch")


@pytest.mark.parametrize("seconds", [-1, float("nan"), "long"])
def test_bad_linger(make_pool, seconds):
    """It has to be a number of seconds."""
    with pytest.raises((TypeError, ValueError), match="linger"):
        make_pool(linger=seconds)


def test_linger_needs_elastic(make_pool):
    """A queue-job that ends after its own chunk can not stay."""
    with pytest.raises(ValueError, match="elastic"):
        make_pool(linger=1, elastic=False)


class Inner:
    """A scheduler that notes what it is asked."""

    name = "Noted"

    def __init__(self):
        self.submitted, self.cancelled, self.rows = [], [], []

    def limits(self):
        return Limits()

    def submit(self, submission):
        self.submitted.append(submission)
        return Receipt(((-1, "77"),))

    def query(self, names):
        return [row for row in self.rows if row.name in names]

    def cancel(self, targets):
        self.cancelled += targets
        return True

    def post_mortem(self, job_ids):
        return [row for row in self.rows if row.job_id in job_ids]

    def adopt(self, work_dir):
        pass

    def close(self):
        pass


def submission(name, elements):
    """Return a submission of so many elements."""
    number = int(name.rpartition("-")[2])
    return Submission(name, True, "job.sh", (), "/maps/" + name[:-5], number, tuple(range(elements)))


@pytest.fixture
def lingering(tmp_path):
    """A map's array of three, of which the element 1 waits, and a later map that it was sent to."""
    inner = Inner()
    both = Lingering(inner, WaitingRoom(str(tmp_path / "room")))
    both.submit(submission("a-0001", 3))
    (tmp_path / "room" / "idle" / "a@0001-000001-host-5-abc").write_text("")
    receipt = both.submit(submission("b-0001", 1))
    assert ((0, Origin("77", 1, "a-0001").guest_id),) == receipt.jobs
    return both


def test_who_waits_needs_no_call(lingering, tmp_path):
    """Only what the scheduler was called for counts as a call of it."""
    (tmp_path / "room" / "idle" / "a@0001-000002-host-6-abc").write_text("")
    assert not lingering.submit(submission("c-0001", 1)).was_called
    assert lingering.submit(submission("d-0001", 1)).was_called
    assert not lingering.cancel([Target("77", (1,))])
    assert lingering.cancel([Target("77")])


def test_query_tells_of_a_guest_under_its_new_name(lingering):
    """What the scheduler says of its queue-job is told to the map that it works for."""
    lingering.inner.rows = [Job("77", k, "a-0001", JobState.RUNNING) for k in range(3)]
    (found,) = lingering.query(["b-0001"])
    assert ("b-0001", 0, JobState.RUNNING) == (found.name, found.element, found.state)


def test_accounting_of_a_guest(lingering):
    """How its queue-job ended is told under the guest's job id."""
    guest = Origin("77", 1, "a-0001").guest_id
    lingering.inner.rows = [Job("77", k, "a-0001", JobState.OUT_OF_MEMORY) for k in range(3)]
    assert [(guest, JobState.OUT_OF_MEMORY)] == [(job.job_id, job.state) for job in lingering.post_mortem([guest])]


def test_cancelling_the_first_map_spares_who_has_gone_on(lingering):
    """Its whole array is cancelled, but for the element that works for the other map."""
    lingering.cancel([Target("77")])
    assert [Target("77", (0, 2))] == lingering.inner.cancelled


def test_cancelling_a_guest(lingering):
    """The element of the array that it is in truth is cancelled."""
    lingering.cancel([Target(Origin("77", 1, "a-0001").guest_id)])
    assert [Target("77", (1,))] == lingering.inner.cancelled


def test_end_cancels_who_waits(lingering, tmp_path):
    """And nobody else."""
    (tmp_path / "room" / "idle" / "a@0001-000002-host-6-abc").write_text("")
    lingering.close()
    assert [Target("77", (2,))] == lingering.inner.cancelled
    assert not (tmp_path / "room").exists()


def test_guests_of_a_dead_main_process(tmp_path):
    """Who goes on with a map knows its guests by its journal, closes the waiting room, and can cancel them."""
    left = WorkDir.create(str(tmp_path / "b"))
    guest = Origin("77", 1, "a-0001").guest_id
    left.log(to_line(Accepted(1, [0, 1], [(0, guest)])))
    room = tmp_path / "room"
    WaitingRoom(str(room)).open()
    left.write_submission(1, {"width": 1, "linger": {"room": str(room), "seconds": 9}}, [[0, 1]])
    (tmp_path / "b" / "submissions" / "0002").mkdir()  # it died before it had written what workers are told
    left.abandon()
    resumed = Lingering(Inner(), None)
    resumed.adopt(left.path)
    resumed.inner.rows = [Job("77", k, "a-0001", JobState.RUNNING) for k in range(3)]
    assert [("b-0001", 0)] == [(job.name, job.element) for job in resumed.query(["b-0001"])]
    resumed.cancel([Target(guest)])
    assert [Target("77", (1,))] == resumed.inner.cancelled
    assert not room.exists()
