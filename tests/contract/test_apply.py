"""What `apply` and the callbacks promise."""

import threading

import pytest

from tests.contract import functions as f
from tests.contract.helpers import wait_until


@pytest.mark.cheap
def test_apply(pool):
    """`apply` passes arguments and keywords on, and waits for the result."""
    assert 321 == pool.apply(f.weigh, (1,), {"b": 2, "c": 3})


def test_apply_without_arguments(pool):
    """A function may need no arguments."""
    assert {} == pool.apply(dict)


def test_apply_async(pool):
    """`apply_async` passes arguments and keywords on."""
    result = pool.apply_async(f.weigh, args=(1, 2), kwds={"c": 3})
    assert 321 == result.get(60)


def test_arguments_are_taken_at_the_call(pool):
    """What the caller does to a mutable argument after the call does not reach the task."""
    argument = [1, 2]
    result = pool.apply_async(f.length, (tuple(argument),))
    argument.append(3)
    assert 2 == result.get(60)


@pytest.mark.cheap
def test_many_apply_async(pool):
    """Many calls in a moment each get their own result."""
    results = [pool.apply_async(f.square, (x,)) for x in range(20)]
    assert [x * x for x in range(20)] == [result.get(90) for result in results]


def test_apply_async_from_many_threads(pool):
    """A pool may be used from several threads."""
    results = {}

    def call(x):
        results[x] = pool.apply(f.square, (x,))

    threads = [threading.Thread(target=call, args=(x,)) for x in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert {x: x * x for x in range(6)} == results


@pytest.mark.cheap
@pytest.mark.leaves_work_dir
def test_callbacks_of_map_async(pool):
    """The callback gets the whole list, once; the error_callback gets the exception, once."""
    good, bad = [], []
    pool.map_async(f.square, range(4), callback=good.append, error_callback=bad.append).wait(60)
    pool.map_async(f.raise_value_error, [7], callback=good.append, error_callback=bad.append).wait(60)
    wait_until(lambda: good and bad, "both callbacks")
    assert [[0, 1, 4, 9]] == good
    assert [("bad task", 7)] == [error.args for error in bad]


@pytest.mark.leaves_work_dir
def test_callbacks_of_apply_async(pool):
    """The callback gets the result, the error_callback the exception."""
    good, bad = [], []
    pool.apply_async(f.square, (5,), callback=good.append, error_callback=bad.append).wait(60)
    pool.apply_async(f.raise_value_error, (5,), callback=good.append, error_callback=bad.append).wait(60)
    wait_until(lambda: good and bad, "both callbacks")
    assert [25] == good
    assert [ValueError] == [type(error) for error in bad]


def test_callbacks_of_starmap_async(pool):
    """`starmap_async` calls back as well."""
    good = []
    result = pool.starmap_async(f.weigh, [(1, 2), (3, 4)], callback=good.append)
    assert [21, 43] == result.get(60)
    wait_until(lambda: good, "the callback")
    assert [[21, 43]] == good


def test_callback_is_done_when_the_result_is_ready(pool):
    """Who has waited for the result need not wait for the callback."""
    good = []
    result = pool.apply_async(f.square, (5,), callback=good.append)
    result.wait(60)
    assert result.ready()
    assert [25] == good


def test_callback_runs_in_this_process(pool):
    """Callbacks run where the pool is, in a thread of their own."""
    threads = []
    pool.map_async(f.square, range(2), callback=lambda _: threads.append(threading.current_thread())).wait(60)
    wait_until(lambda: threads, "the callback")
    assert threading.main_thread() is not threads[0]


@pytest.mark.cannot("multiprocessing", reason="its result thread dies of it and later results never come")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_callback_that_raises(pool, capfd):
    """A callback that raises harms neither its own result nor those of others."""

    def callback(_):
        raise RuntimeError("the callback's own mistake")

    result = pool.apply_async(f.square, (5,), callback=callback)
    assert 25 == result.get(60)
    assert 36 == pool.apply(f.square, (6,))
