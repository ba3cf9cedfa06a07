"""What the interpreter's own cases do not ask of an executor."""

import asyncio
import concurrent.futures
import functools
import subprocess
import sys
import threading
import time
from multiprocessing.pool import RemoteTraceback

import pytest

import pypoolparty
from tests.unit.maps import wait_until

EXECUTORS = ["ours", "processes"]


def nap(seconds):
    """Sleep."""
    time.sleep(seconds)
    return seconds


def raise_value_error(number):
    """Raise."""
    raise ValueError(number)


def hold(path):
    """Wait until a file is there."""
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.name


@pytest.fixture
def make_executor(tmp_path):
    """Return a function that makes one of either kind."""

    def make(kind):
        if kind == "processes":
            return concurrent.futures.ProcessPoolExecutor(2)
        return pypoolparty.Executor(2, backend="local", work_dir=tmp_path / "work")

    return make


@pytest.mark.parametrize("kind", EXECUTORS)
def test_exception_has_its_remote_traceback(kind, make_executor):
    """The type is the task's own, the cause the traceback of where it was raised."""
    with make_executor(kind) as executor:
        error = executor.submit(raise_value_error, 7).exception(60)
        assert isinstance(error, ValueError)
        assert "Traceback" in str(error.__cause__)
        assert "in raise_value_error" in str(error.__cause__)
        if kind == "ours":
            assert isinstance(error.__cause__, RemoteTraceback)


@pytest.mark.parametrize("kind", EXECUTORS)
def test_runtime_error_after_shutdown(kind, make_executor):
    """Whatever comes after shutdown is refused."""
    executor = make_executor(kind)
    executor.shutdown()
    for call in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call()
    executor.shutdown()


@pytest.mark.parametrize("kind", EXECUTORS)
def test_await(kind, make_executor):
    """A future can be awaited, as asyncio does it."""

    async def main(executor):
        futures = [asyncio.wrap_future(executor.submit(pow, 2, k)) for k in range(4)]
        values = await asyncio.gather(*futures)
        return values, await asyncio.get_running_loop().run_in_executor(executor, abs, -7)

    with make_executor(kind) as executor:
        assert ([1, 2, 4, 8], 7) == asyncio.run(main(executor))


@pytest.mark.parametrize("kind", EXECUTORS)
def test_wrong_chunksize(kind, make_executor):
    """It is named at once."""
    with make_executor(kind) as executor, pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=0)


def test_many_submits_are_one_map(tmp_path):
    """What is submitted in a moment goes to the cluster as one array."""
    with pypoolparty.Executor(2, backend="local", work_dir=tmp_path, keep_work_dir=True) as executor:
        futures = [executor.submit(pow, 2, k) for k in range(50)]
        assert [2**k for k in range(50)] == [future.result(60) for future in futures]
    assert 1 == len(list(tmp_path.iterdir()))


def test_cancel_before_it_is_handed_over(tmp_path):
    """A call of this moment can be cancelled, and never runs; its neighbours do."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with pypoolparty.Executor(2, backend="local", work_dir=tmp_path / "work") as executor:
        futures = [executor.submit((marks / str(k)).touch) for k in range(3)]
        assert futures[1].cancel()
        concurrent.futures.wait(futures, 60)
    assert futures[1].cancelled()
    assert ["0", "2"] == sorted(path.name for path in marks.iterdir())


def test_what_is_handed_over_says_so(tmp_path):
    """A call that is with the workers is running, and does not pretend to be cancelled."""
    gate = tmp_path / "gate"
    with pypoolparty.Executor(1, backend="local", work_dir=tmp_path / "work") as executor:
        future = executor.submit(hold, gate)
        wait_until(future.running)
        assert not future.cancel()
        gate.touch()
        assert "gate" == future.result(60)


def test_shutdown_cancels_what_is_not_handed_over(tmp_path):
    """``cancel_futures`` cancels the calls of this moment, what runs goes on, and shutdown waits for it."""
    gate = tmp_path / "gate"
    executor = pypoolparty.Executor(1, backend="local", work_dir=tmp_path / "work")
    first = executor.submit(hold, gate)
    wait_until(first.running)
    late = [executor.submit(abs, k) for k in range(5)]
    opener = threading.Timer(0.3, gate.touch)
    opener.start()
    executor.shutdown(cancel_futures=True)
    opener.join()
    assert all(future.cancelled() for future in late)
    assert "gate" == first.result(0)


def test_pool_of_somebody_else_is_left_open(tmp_path):
    """Shutdown waits for the executor's own calls and maps; the pool can be used on."""
    with pypoolparty.local.Pool(2, work_dir=tmp_path) as pool:
        with pypoolparty.Executor(pool) as executor:
            future, mapped = executor.submit(nap, 0.3), executor.map(nap, [0.3, 0.3])
        assert future.done()
        assert [0.3, 0.3] == list(mapped)
        assert [1] == pool.map(abs, [-1])
        pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            pypoolparty.Executor(pool).submit(abs, 1)
        pool.join()


def test_shutdown_without_waiting(tmp_path):
    """It returns at once; what was submitted goes on."""
    gate = tmp_path / "gate"
    executor = pypoolparty.Executor(1, backend="local", work_dir=tmp_path / "work")
    future = executor.submit(hold, gate)
    wait_until(future.running)
    executor.shutdown(wait=False)
    assert not future.done()
    gate.touch()
    assert "gate" == future.result(60)


def test_forgotten_executor_goes_on(tmp_path):
    """As with the standard library's, who has the future needs not hold the executor."""
    assert 3 == pypoolparty.Executor(1, backend="local", work_dir=tmp_path).submit(abs, -3).result(60)


def test_map_takes_no_more_than_the_buffer(tmp_path):
    """With ``buffersize`` the iterable is read only so far ahead of what was yielded."""
    taken = []

    def numbers():
        for k in range(10):
            taken.append(k)
            yield k

    with pypoolparty.Executor(2, backend="local", work_dir=tmp_path) as executor:
        results = executor.map(abs, numbers(), buffersize=3)
        assert 0 == next(results)
        assert 4 == len(taken)
        assert list(range(1, 10)) == list(results)
        for wrong, kind in ((0, ValueError), ("many", TypeError)):
            with pytest.raises(kind, match="buffersize"):
                executor.map(abs, [1], buffersize=wrong)


def wait_unless_first(folder, number):
    """Return the number; leave a mark, and but for the first wait until a file is there."""
    (folder / f"begun-{number}").touch()
    if number:
        hold(folder / "gate")
    return number


def raise_unless_later(folder, number):
    """Raise in the first task; the later ones wait until a file is there."""
    return wait_unless_first(folder, number) or raise_value_error(number)


@pytest.mark.parametrize("kind", EXECUTORS)
@pytest.mark.parametrize("func", [wait_unless_first, raise_unless_later])
def test_iterator_that_ends_early(kind, func, make_executor, tmp_path):
    """Left after the first result, or ended by what a task raised, it cancels what has not begun."""
    with make_executor(kind) as executor:
        results = executor.map(functools.partial(func, tmp_path), range(300))
        if func is raise_unless_later:
            with pytest.raises(ValueError, match="0"):
                next(results)
        else:
            assert 0 == next(results)
            results.close()
        if kind == "processes":
            (tmp_path / "gate").touch()  # it can not end the tasks that have begun
    assert 1 <= len(list(tmp_path.glob("begun-*"))) < 30


def test_map_of_what_can_not_be_pickled(tmp_path):
    """The error is that of the results, as everywhere; nothing hangs."""
    with pypoolparty.Executor(1, backend="local", work_dir=tmp_path) as executor:
        lock = threading.Lock()
        with pytest.raises(TypeError, match="pickle"):
            list(executor.map(lambda number: lock, [1, 2]))
        assert [] == list(executor.map(abs, []))


def test_wrong_arguments():
    """What does not go together is named."""
    with pytest.raises(ValueError, match="max_workers must be greater than 0, not 0"):
        pypoolparty.Executor(0)
    with pypoolparty.local.Pool(1) as pool, pytest.raises(TypeError, match="max_workers, mem"):
        pypoolparty.Executor(pool, max_workers=3, mem="1G")


PROGRAM = """
import atexit, sys, time, pypoolparty
def nap(seconds):
    time.sleep(seconds)
    return seconds
@atexit.register
def too_late():
    try:
        executor.submit(abs, 1)
    except RuntimeError as error:
        print(error)
if __name__ == "__main__":
    executor = pypoolparty.Executor(2, backend="local", work_dir=sys.argv[1])
    executor.submit(nap, 0.5).add_done_callback(lambda future: print("slept", future.result()))
    mapped = executor.map(nap, [0.6])
    if sys.argv[2] == "shut":
        executor.shutdown(wait=False)
"""


@pytest.mark.parametrize("ending", ["open", "shut"])
def test_interpreter_ends_after_what_was_submitted(ending, tmp_path):
    """The end of the program waits for the futures, and refuses new ones; nothing hangs, nothing is complained of."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    argv = [sys.executable, "-W", "error", str(script), str(tmp_path / "work"), ending]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ("slept 0.5\ncannot schedule new futures after interpreter shutdown\n", "") == (found.stdout, found.stderr)
    assert not (tmp_path / "work").exists() or [] == list((tmp_path / "work").iterdir())


# ---------------------------------------------------------------------- awaiting the results of a pool


def test_results_of_a_pool_can_be_awaited(tmp_path):
    """``await pool.map_async(…)`` and ``await pool.apply_async(…)``; several at once, and once more."""

    async def main(pool):
        one, many = pool.apply_async(pow, (2, 5)), pool.map_async(abs, [-1, -2])
        values = await asyncio.gather(_value_of(one), _value_of(many), _value_of(one))
        return values, await one

    async def failing(pool):
        with pytest.raises(ValueError, match="seven"):
            await pool.apply_async(int, ("seven",))

    with pypoolparty.local.Pool(2, work_dir=tmp_path) as pool:
        assert ([32, [1, 2], 32], 32) == asyncio.run(main(pool))
        asyncio.run(failing(pool))


async def _value_of(result):
    return await result


def test_awaiting_can_be_given_up(tmp_path):
    """A time-out of asyncio ends the waiting, not the call."""

    async def main(result):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_value_of(result), 0.2)

    gate = tmp_path / "gate"
    with pypoolparty.local.Pool(1, work_dir=tmp_path / "work") as pool:
        result = pool.apply_async(hold, (gate,))
        asyncio.run(main(result))
        gate.touch()
        assert "gate" == result.get(60)
