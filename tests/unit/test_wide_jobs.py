"""Queue-jobs that do several tasks at a time."""

import os
import time

import pytest

import pypoolparty
from pypoolparty.chunks import tasks_of
from pypoolparty.decide import plan
from pypoolparty.ledger import Ledger
from pypoolparty.policy import Policy
from pypoolparty.slurm.dialect import SlurmDialect
from pypoolparty.states import Resources, Submission
from pypoolparty.testing import Dummies
from tests.unit.functions import identity

pytestmark = pytest.mark.timeout(60)


def parent_of(task):
    """Return the pid of the supervisor: the queue-job itself."""
    time.sleep(task)
    return os.getppid()


class Loaded:
    """A function that notes which process has unpickled it."""

    def __init__(self, pid=None):
        self.pid = pid

    def __call__(self, task):
        """Return who has loaded it, the parent of this process, and this process."""
        time.sleep(task)
        return self.pid, os.getppid(), os.getpid()

    def __reduce__(self):
        return _load, ()


def _load():
    return Loaded(os.getpid())


@pytest.fixture
def make_pool(tmp_path):
    """Return a function that makes a pool on dummies of Slurm."""
    with Dummies(tmp_path / "dummies") as dummies:

        def make(width, **options):
            paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
            pool = pypoolparty.slurm.array.Pool
            return pool(width, work_dir=str(tmp_path / "work"), polling_interval=0.2, **paths, **options)

        yield make


def test_few_queue_jobs_do_many_tasks_at_a_time(make_pool):
    """Eight tasks at a time are done by two queue-jobs of four."""
    with make_pool(8, workers_per_job=4) as pool:
        begin = time.monotonic()
        parents = pool.map(parent_of, [1.0] * 8, chunksize=1)
        assert time.monotonic() - begin < 7.5  # one after the other it would take eight
    assert 2 == len(set(parents))
    assert 4 == parents.count(parents[0])


def test_function_is_loaded_once_for_all_workers_of_a_job(make_pool):
    """The workers are forked when the function is in memory."""
    with make_pool(4, workers_per_job=4) as pool:
        found = pool.map(Loaded(), [0.2] * 8, chunksize=1)
    assert {(parent, parent) for _, parent, _ in found} == {(loader, parent) for loader, parent, _ in found}
    assert len({pid for _, _, pid in found}) > 1


def test_function_that_can_not_be_loaded_is_reported(make_pool):
    """As it is with one worker in each job."""
    with make_pool(4, workers_per_job=4) as pool, pytest.raises(pypoolparty.errors.BadEnvironment, match="no_such"):
        pool.map(Unloadable(), range(8))


class Unloadable:
    """A function that no node can load."""

    def __call__(self, task):
        """Do nothing."""

    def __reduce__(self):
        return _fail_to_load, (os.getpid(),)


def _fail_to_load(pid):
    if os.getpid() != pid:
        raise ImportError("no_such_module")
    return Unloadable()


@pytest.mark.parametrize(
    ("n", "width", "workers", "elements", "chunks"),
    [(100, 4, 8, 4, 100), (10, 4, 8, 2, 10), (1, 4, 8, 1, 1), (1000, None, 8, 125, 1000), (64, None, 0, 8, 64)],
)
def test_plan(n, width, workers, elements, chunks):
    """As many queue-jobs as the tasks fill, and chunks for all of their workers."""
    planned = plan(Ledger(n), Policy(width, workers), room=width or 4096)
    assert elements == planned.elements
    assert chunks == len(planned.chunks)
    assert list(range(n)) == [i for chunk in planned.chunks for i in tasks_of(chunk)]


def submit_argv(**resources):
    """Return the sbatch of a submission that asks for these resources."""
    submission = Submission("q-0001", True, "job.sh", (), "/w", 1, (0,), resources=Resources(**resources))
    return SlurmDialect().submit_argv(submission)


def test_whole_node_is_asked_for():
    """Nobody else is on the node."""
    assert {"--nodes=1", "--exclusive"} <= set(submit_argv(whole_node=True))
    assert not {"--nodes=1", "--exclusive"} & set(submit_argv())


def test_cores_are_those_of_all_workers(make_pool):
    """A queue-job asks for a core for each of its workers, unless told how many."""
    with make_pool(8, workers_per_job=4) as pool:
        assert 4 == pool._setting.options.resources.cpus
    with make_pool(8, workers_per_job=4, cpus=2) as pool:
        assert 2 == pool._setting.options.resources.cpus


def test_no_wider_than_the_pool(make_pool):
    """Two tasks at a time are not done by a queue-job with eight workers."""
    with make_pool(2, workers_per_job=8) as pool:
        assert (1, 2) == (pool._setting.policy.width, pool._setting.policy.workers_per_job)
        assert list(range(5)) == pool.map(identity, range(5))


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("all", ValueError), (1.5, TypeError)])
def test_bad_workers_per_job(make_pool, value, error):
    """It is a number, or "node"."""
    with pytest.raises(error, match="workers_per_job"):
        make_pool(4, workers_per_job=value)


def test_workers_per_job_needs_elastic(make_pool):
    """A queue-job for each chunk has one worker."""
    with pytest.raises(ValueError, match="elastic"):
        make_pool(4, workers_per_job=2, elastic=False)
