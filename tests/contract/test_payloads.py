"""Functions, tasks and results of many kinds and sizes."""

import array
import collections
import datetime
import decimal

import pytest

from tests.contract import functions as f

numpy = pytest.importorskip("numpy")
BY_NAME = "its pickle takes functions by name only"


@pytest.mark.cheap
@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_lambda(pool):
    """A lambda is a function."""
    assert [1, 2, 3] == pool.map(lambda x: x + 1, range(3))


@pytest.mark.cheap
@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_closure_over_an_array(pool):
    """A closure brings what it closes over, such as a numpy array."""
    weights = numpy.arange(1000.0)

    def weigh(x):
        return float((weights * x).sum())

    assert [0.0, 499500.0, 999000.0] == pool.map(weigh, range(3))


@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_functions_and_classes_made_here(pool):
    """Functions and classes that exist in no module come and go."""

    class Local:
        def __init__(self, x):
            self.x = x

    made = pool.map(lambda x: Local(x + 1), range(2))
    assert [1, 2] == [one.x for one in made]
    assert isinstance(made[0], Local)
    [result] = pool.map(lambda x: lambda y: x + y, [40])
    assert 42 == result(2)


@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_recursive_closure(pool):
    """A closure may call itself."""

    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert [1, 120, 3628800] == pool.map(factorial, [1, 5, 10])


@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_lambda_as_a_task(pool):
    """A task may be a function that exists in no module."""
    assert [7] == pool.starmap(lambda func, x: func(x), [(lambda x: x + 2, 5)])


@pytest.mark.cannot("multiprocessing", reason="the function of its initializer comes by fork, not by pickle")
def test_initializer_and_function_made_here(make_pool):
    """An initializer and a function that exist in no module share their state."""
    state = {}
    pool = make_pool(initializer=lambda value: state.update(value=value), initargs=(5,))
    assert [5, 6] == pool.map(lambda x: state["value"] + x, range(2))
    assert {} == state


VALUES = {
    "nested": {"a": [1, (2.5, {"b": {3, 4}})], None: [True, b"\x00\xff", "\N{SNOWMAN}\n"]},
    "numbers": [10**50, -1.5e-300, 1j, decimal.Decimal("0.1"), float("inf")],
    "standard library": [
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
        collections.OrderedDict(b=1, a=2),
        array.array("d", [1.5, 2.5]),
        range(5),
        slice(1, 2),
    ],
    "function and class": [f.square, f.OwnError, len],
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.only("multiprocessing", "local", "dummy-sge-array", "slurm-array")
def test_values_come_back_as_they_went(pool, kind):
    """Tasks and results are what pickle takes."""
    assert [VALUES[kind]] == pool.map(f.identity, [VALUES[kind]])


def test_numpy_arrays(pool):
    """Arrays come and go with shape and type."""
    tasks = [numpy.arange(6, dtype="int16").reshape(2, 3), numpy.zeros(0), numpy.array(["a", "bc"])]
    for sent, returned in zip(tasks, pool.map(f.identity, tasks), strict=True):
        numpy.testing.assert_array_equal(sent, returned, strict=True)


def test_one_object_in_several_tasks(pool):
    """Tasks do not share objects, as if each went by itself."""
    shared = [1]
    first, second = pool.map(f.identity, [shared, shared], chunksize=1)
    assert ([1], [1]) == (first, second)
    assert first is not second


@pytest.mark.heavy
def test_large_task_and_result(pool):
    """A task and a result of 5 MB."""
    task = bytes(range(256)) * 20_000
    assert [task, len(task)] == [pool.apply(f.identity, (task,)), pool.apply(f.length, (task,))]


@pytest.mark.heavy
@pytest.mark.cannot("multiprocessing", reason=BY_NAME)
def test_large_closure(pool):
    """A closure over 8 MB, and many tasks."""
    large = numpy.ones(1_000_000)
    sums = pool.map(lambda x: float((large * x).sum()), range(10))
    assert [1_000_000.0 * x for x in range(10)] == sums


@pytest.mark.heavy
def test_many_tiny_tasks(pool, backend):
    """3,000 tasks that do next to nothing."""
    results = pool.map(f.square, range(3000), backend.chunksize_for_many(3000))
    assert [x * x for x in range(3000)] == results


@pytest.mark.heavy
def test_many_tiny_tasks_unordered(pool, backend):
    """2,000 tasks, read as they arrive."""
    chunksize = backend.chunksize_for_many(2000) or 10
    results = pool.imap_unordered(f.square, range(2000), chunksize)
    assert [x * x for x in range(2000)] == sorted(results)
