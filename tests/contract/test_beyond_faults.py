"""Tasks that end their process, pools that end too early, and main processes that are interrupted."""

import functools
import os
import signal
import threading

import pytest

import pypoolparty
from tests.contract import functions as f
from tests.contract.helpers import number_of_marks, one_session_in, open_gate, processes_about, wait_until

pytestmark = [pytest.mark.beyond, pytest.mark.leaves_work_dir]


def without_three(results):
    """Check that all other tasks have their results; return the one of the task 3."""
    assert [0, 1, 2, 4, 5] == results[:3] + results[4:]
    return results[3]


@pytest.mark.cheap
def test_exit_in_a_task(pool):
    """A task that leaves Python is a failure of that task; no try is repeated and nobody waits for ever."""
    error = without_three(pool.map(f.exit_for_three, range(6), chunksize=1, on_error="return"))
    assert type(error) is pypoolparty.errors.TaskExited
    assert "leaving" in str(error)
    assert 3 == error.itask


@pytest.mark.parametrize("chunksize", [1, 3])
def test_crash_in_a_task(make_pool, chunksize):
    """A task whose process ends behind Python's back is lost, with the reason; the others return."""
    pool = make_pool(max_num_resubmissions=1)
    error = without_three(pool.map(f.crash_for_three, range(6), chunksize, on_error="return"))
    assert type(error) is pypoolparty.errors.Crashed
    assert (3, 2) == (error.itask, error.attempts)
    assert "3" in str(error)


@pytest.mark.cheap
def test_kill_in_a_task(make_pool):
    """A task whose process is killed is lost, with the reason; the others return."""
    pool = make_pool(max_num_resubmissions=1)
    error = without_three(pool.map(f.kill_for_three, range(6), chunksize=1, on_error="return"))
    assert isinstance(error, pypoolparty.errors.TaskLost)
    assert (3, 2) == (error.itask, error.attempts)


@pytest.mark.cheap
def test_crash_that_does_not_come_again(make_pool, tmp_path):
    """A task that dies once is tried again, and nobody learns of it."""
    pool = make_pool(max_num_resubmissions=2)
    assert [0, 1, 2] == pool.map(functools.partial(f.crash_once, str(tmp_path)), range(3), chunksize=1)
    assert 1 == number_of_marks(tmp_path, "crashed-")


def test_lost_task_raises(make_pool):
    """Without ``on_error="return"`` a lost task raises."""
    pool = make_pool(max_num_resubmissions=0)
    with pytest.raises(pypoolparty.errors.TaskLost) as caught:
        pool.map(f.crash_for_three, range(6))
    assert 1 == caught.value.attempts
    assert pool.map(f.square, [2]) == [4]


def test_initializer_that_raises(make_pool):
    """An initializer that raises is told, and nobody waits for ever."""
    pool = make_pool(initializer=f.raise_in_initializer, max_num_resubmissions=1)
    with pytest.raises(pypoolparty.errors.PoolPartyError, match="the initializer can not load its data"):
        pool.map(f.square, range(3))


@pytest.mark.only("local", "dummy-slurm-array", "dummy-sge")
def test_function_that_can_not_be_loaded(make_pool):
    """A function that can not be loaded on the node is told, and nobody waits for ever."""
    pool = make_pool(max_num_resubmissions=1)
    with pytest.raises(pypoolparty.errors.BadEnvironment, match="can not be loaded on this node"):
        pool.map(f.NotLoadable(), range(3))


@pytest.mark.cheap
def test_get_after_terminate(pool, tmp_path):
    """Who waits for a result when the pool is terminated is told so."""
    result = pool.starmap_async(f.leave_mark_and_wait, [(str(tmp_path), x) for x in range(3)], chunksize=1)
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
    pool.terminate()
    with pytest.raises(pypoolparty.errors.PoolPartyError):
        result.get(60)
    pool.join()


def test_next_after_terminate(pool, tmp_path):
    """Who iterates over results when the pool is terminated is told so."""
    iterator = pool.imap_unordered(f.wait_for, [str(tmp_path / "gate")])
    pool.terminate()
    with pytest.raises(pypoolparty.errors.PoolPartyError):
        iterator.next(60)
    pool.join()


@pytest.mark.cheap
def test_interrupted_main_process(run_script, system, tmp_path):
    """Ctrl-C ends a program and its queue-jobs; that nothing is left is looked at after each test."""
    process = run_script.start("wait_to_be_interrupted", str(tmp_path))
    with process:
        wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in err
    assert process.returncode != 0


@pytest.mark.cheap
def test_cancelled_map(pool, folder, tmp_path):
    """One map is ended, and no other of its pool; what it leaves can be gone on with."""
    result = pool.map_async(functools.partial(f.leave_mark_and_wait, str(tmp_path)), range(2), chunksize=1)
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
    other = pool.map_async(f.square, range(3))
    assert result.cancel()
    with pytest.raises(pypoolparty.errors.PoolPartyError, match="the map was cancelled"):
        result.get(15)
    assert not result.cancel()
    assert [0, 1, 4] == other.get(60)
    assert not other.cancel()
    open_gate(tmp_path)
    assert [0, 1] == pool.resume(result.work_dir)


@pytest.mark.cheap
def test_interrupted_map(pool, folder, tmp_path):
    """Ctrl-C in a `map` ends it also where the program goes on; its pool can be used, and the map be resumed."""

    def interrupt():
        wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pool.map(functools.partial(f.leave_mark_and_wait, str(tmp_path)), range(2), chunksize=1)
    thread.join()
    session = one_session_in(folder)
    wait_until(lambda: not processes_about(session), lambda: f"the end of {processes_about(session)}")
    assert [0, 1, 4] == pool.map(f.square, range(3))
    open_gate(tmp_path)
    assert [0, 1] == pool.resume(session)
