"""What happens to exceptions, and to what can not be pickled."""

import functools
import multiprocessing.pool
import threading
import traceback

import pytest

from tests.contract import functions as f
from tests.contract.helpers import number_of_marks

pytestmark = pytest.mark.leaves_work_dir
MaybeEncodingError = multiprocessing.pool.MaybeEncodingError


def check_remote_traceback(error, line):
    """Check that the error shows where it was raised, as multiprocessing does."""
    assert type(error.__cause__) is multiprocessing.pool.RemoteTraceback
    assert line in str(error.__cause__)
    assert line in "".join(traceback.format_exception(error))


@pytest.mark.cheap
def test_exception_of_map(pool):
    """`map` raises the task's own exception, with its remote traceback as the cause."""
    with pytest.raises(ValueError, match="bad task") as caught:
        pool.map(f.raise_for_three, range(5), chunksize=1)
    assert type(caught.value) is ValueError
    assert ("bad task", 3) == caught.value.args
    check_remote_traceback(caught.value, 'raise ValueError("bad task", x)')


@pytest.mark.cheap
def test_exception_of_apply(pool):
    """`apply` raises the task's own exception, and its attributes are there."""
    with pytest.raises(f.OwnError) as caught:
        pool.apply(f.raise_own, (17,))
    assert (("own words", 17), 17) == (caught.value.args, caught.value.code)
    check_remote_traceback(caught.value, 'raise OwnError("own words", code)')


def test_exception_that_says_how_to_make_it_again(pool):
    """An exception whose constructor does not take its args is rebuilt by its own reduce."""
    with pytest.raises(f.ReducedError, match="code 17") as caught:
        pool.apply(f.raise_reduced, (17,))
    assert 17 == caught.value.code


@pytest.mark.cannot("multiprocessing", reason="its result thread dies of it and the result never comes")
def test_exception_with_an_unusual_constructor(pool):
    """An exception that pickle can not rebuild is raised all the same."""
    with pytest.raises(f.UnusualError, match="code 17") as caught:
        pool.apply(f.raise_unusual, (17,))
    assert 17 == caught.value.code
    check_remote_traceback(caught.value, "raise UnusualError(code=code)")
    assert 36 == pool.apply(f.square, (6,))


def test_exception_that_can_not_be_pickled(pool):
    """An exception that can not be sent gives an error that tells of it."""
    with pytest.raises(MaybeEncodingError, match="pickle"):
        pool.apply(f.raise_unpicklable, (1,))
    assert 36 == pool.apply(f.square, (6,))


def test_exception_with_a_cause(pool):
    """The cause that the exception had is in the remote traceback."""
    with pytest.raises(f.OwnError) as caught:
        pool.apply(f.raise_chained, (1,))
    check_remote_traceback(caught.value, "KeyError: 'key'")


def test_map_waits_for_all_tasks(pool, tmp_path):
    """A failure does not keep the other tasks from running, and `map` waits for them."""
    task = functools.partial(f.leave_mark, str(tmp_path), bad=(0, 2))
    with pytest.raises(ValueError, match=r"[02]") as caught:
        pool.map(task, range(6), chunksize=1)
    assert caught.value.args in [(0,), (2,)]
    assert 6 == number_of_marks(tmp_path, "ran-")


@pytest.mark.cheap
@pytest.mark.cannot("multiprocessing", reason="it raises the failure that comes first in time")
def test_map_raises_the_first_failure(pool):
    """`map` raises the failure of the lowest task, whichever failed first in time."""
    with pytest.raises(ValueError, match="1") as caught:
        pool.map(f.raise_late_then_early, range(4), chunksize=1)
    assert (1,) == caught.value.args


def test_pool_lives_on_after_a_failure(pool):
    """A failed map does not harm the next."""
    for _ in range(2):
        with pytest.raises(ValueError, match="bad task"):
            pool.map(f.raise_value_error, range(2))
    assert [0, 1] == pool.map(f.square, range(2))


@pytest.mark.cheap
def test_result_that_can_not_be_pickled(pool):
    """A result that can not be sent is the failure of that task alone."""
    iterator = pool.imap(f.unpicklable_result_for_three, range(5))
    assert [0, 1, 2] == [next(iterator) for _ in range(3)]
    with pytest.raises(MaybeEncodingError, match="lock") as caught:
        next(iterator)
    assert "lock" in caught.value.value
    assert "pickle" in caught.value.exc
    assert [4] == list(iterator)


def test_task_that_can_not_be_pickled(pool):
    """A task that can not be sent raises its own error, and the pool lives on."""
    with pytest.raises(RuntimeError, match="this task can not be pickled"):
        pool.map(f.identity, [1, f.UnpicklableTask(), 3], chunksize=1)
    assert [4] == pool.map(f.square, [2])


def test_task_that_can_not_be_pickled_is_alone(pool):
    """The other tasks of the same `imap` are not harmed."""
    iterator = pool.imap(f.identity, [1, f.UnpicklableTask(), 3])
    assert 1 == next(iterator)
    with pytest.raises(RuntimeError, match="this task can not be pickled"):
        next(iterator)
    assert [3] == list(iterator)


def test_argument_that_can_not_be_pickled(pool):
    """An argument that can not be sent raises its own error by the result."""
    result = pool.apply_async(f.identity, (threading.Lock(),))
    with pytest.raises(TypeError, match="pickle"):
        result.get(60)
    assert 36 == pool.apply(f.square, (6,))


@pytest.mark.only("multiprocessing", "local", "dummy-slurm-array", "dummy-sge")
def test_function_that_can_not_be_pickled(pool):
    """A function that can not be sent raises its own error."""
    with pytest.raises(TypeError, match="pickle"):
        pool.map(functools.partial(f.weigh, threading.Lock()), range(3))
    assert [4] == pool.map(f.square, [2])


def test_exceptions_as_results(pool):
    """An exception that is returned is a result like any other."""
    [result] = pool.map(f.identity, [ValueError("returned, not raised")])
    assert (ValueError, ("returned, not raised",)) == (type(result), result.args)
