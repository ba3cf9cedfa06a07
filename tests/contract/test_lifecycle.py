"""From the constructor to `join`."""

import collections
import contextlib

import pytest

from tests.contract import functions as f
from tests.contract.helpers import number_of_marks, open_gate, wait_until

CALLS = {
    "apply": lambda pool: pool.apply(f.square, (1,)),
    "apply_async": lambda pool: pool.apply_async(f.square, (1,)),
    "map": lambda pool: pool.map(f.square, [1]),
    "map_async": lambda pool: pool.map_async(f.square, [1]),
    "starmap": lambda pool: pool.starmap(f.weigh, [(1, 2)]),
    "starmap_async": lambda pool: pool.starmap_async(f.weigh, [(1, 2)]),
    "imap": lambda pool: pool.imap(f.square, [1]),
    "imap_unordered": lambda pool: pool.imap_unordered(f.square, [1]),
}


@pytest.mark.parametrize("end", ["close", "terminate"])
@pytest.mark.only("multiprocessing", "local", "dummy-slurm-array", "dummy-sge")
def test_no_work_after_the_end(make_pool, end):
    """A pool that was closed or terminated takes no more work."""
    pool = make_pool()
    getattr(pool, end)()
    for call in CALLS.values():
        with pytest.raises(ValueError, match="not running"):
            call(pool)
    pool.join()


@pytest.mark.cheap
def test_close_and_join_finish_the_work(pool):
    """What was asked for before `close` is done when `join` returns."""
    result, single = pool.map_async(f.slow_square, range(4)), pool.apply_async(f.square, (9,))
    pool.close()
    pool.join()
    assert result.ready()
    assert [0, 1, 4, 9] == result.get(0)
    assert 81 == single.get(0)


def test_join_before_close(pool):
    """`join` is for pools that were ended."""
    with pytest.raises(ValueError, match="still running"):
        pool.join()


def test_ending_twice(pool):
    """To end a pool again is no mistake."""
    assert [4] == pool.map(f.square, [2])
    pool.close()
    pool.close()
    pool.join()
    pool.join()
    pool.terminate()
    pool.join()


@pytest.mark.cheap
def test_context_manager(make_pool):
    """A pool as a context manager is itself, and terminated at the end."""
    pool = make_pool()
    with pool as entered:
        assert entered is pool
        assert [0, 1, 4] == pool.map(f.square, range(3))
    with pytest.raises(ValueError, match="not running"):
        pool.map(f.square, range(3))
    with pytest.raises(ValueError, match="not running"), pool:
        pass
    pool.join()


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_terminate_ends_tasks_that_run(pool, tmp_path):
    """`terminate` does not wait for tasks; that nothing is left is looked at after each test."""
    pool.starmap_async(f.leave_mark_and_wait, [(str(tmp_path), x) for x in range(6)], chunksize=1)
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
    pool.terminate()
    pool.join()


@pytest.mark.leaves_work_dir
def test_exception_in_the_context(make_pool, tmp_path):
    """An exception of the caller ends the pool and its tasks."""

    def call():
        with make_pool() as pool:
            pool.starmap_async(f.leave_mark_and_wait, [(str(tmp_path), x) for x in range(2)])
            wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
            raise KeyError("caller")

    with pytest.raises(KeyError, match="caller"):
        call()


@pytest.mark.cheap
def test_initializer(make_pool):
    """The initializer runs with its arguments in each process before its tasks."""
    pool = make_pool(initializer=f.initialise, initargs=("a", 2))
    assert [("a", 2)] * 6 == pool.map(f.read_state, range(6), chunksize=1)


def test_initializer_without_arguments(make_pool):
    """The initializer's arguments are none by default."""
    pool = make_pool(initializer=f.initialise)
    assert [()] * 2 == pool.map(f.read_state, range(2))


def test_initializer_must_be_callable(make_pool):
    """An initializer that can not be called is refused at once."""
    with pytest.raises(TypeError, match="callable"):
        make_pool(initializer="not a function")


def test_maxtasksperchild(make_pool):
    """No process runs more tasks than allowed."""
    pool = make_pool(processes=2, maxtasksperchild=2)
    processes = pool.map(f.process_of, range(7), chunksize=1)
    assert max(collections.Counter(processes).values()) <= 2


def test_fresh_process_for_each_task(make_pool):
    """With `maxtasksperchild=1` no two tasks share a process, and the initializer runs in each."""
    pool = make_pool(processes=2, maxtasksperchild=1, initializer=f.initialise, initargs=("x",))
    processes = pool.map(f.process_of, range(5), chunksize=1)
    assert 5 == len(set(processes))
    assert [("x",)] * 3 == pool.map(f.read_state, range(3), chunksize=1)


@pytest.mark.parametrize("value", [0, -1])
def test_number_of_processes(make_pool, value):
    """A pool has at least one process."""
    with pytest.raises(ValueError, match="1"):
        make_pool(processes=value)


@pytest.mark.parametrize("value", [0, -1, 0.5, "12"])
@pytest.mark.only("multiprocessing", "local", "dummy-slurm-array")
def test_number_of_maxtasksperchild(make_pool, value):
    """A process runs at least one task."""
    with pytest.raises(ValueError, match="maxtasksperchild"):
        make_pool(maxtasksperchild=value)


def test_one_process_at_a_time(make_pool, tmp_path):
    """A pool of one runs one task at a time."""
    pool = make_pool(processes=1)
    result = pool.starmap_async(f.leave_mark_and_wait, [(str(tmp_path), x) for x in range(3)], chunksize=1)
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
    assert 1 == number_of_marks(tmp_path, "begun-")
    open_gate(tmp_path)
    assert [0, 1, 2] == result.get(60)


def test_pool_that_is_never_used(make_pool):
    """A pool without work ends at once."""
    pool = make_pool()
    pool.close()
    pool.join()


def test_pool_with_closing(make_pool):
    """`contextlib.closing` lets the work end."""
    with contextlib.closing(make_pool()) as pool:
        result = pool.map_async(f.square, range(3))
    pool.join()
    assert [0, 1, 4] == result.get(0)
