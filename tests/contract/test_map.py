"""What `map` and `starmap` promise."""

import functools
import math

import pytest

from tests.contract import functions as f


def cube_of_this_module(x):
    """Return the cube: a function of the test module itself."""
    return x**3


@pytest.mark.cheap
def test_first_example(make_pool):
    """The first example of all works."""
    pool = make_pool()
    results = pool.map(sum, [[1, 2], [2, 3], [4, 5]])
    assert [3, 5, 9] == results


@pytest.mark.cheap
def test_order_is_kept(pool):
    """Results are in the order of the tasks, whichever ends first."""
    assert [x * x for x in range(6)] == pool.map(f.slow_square, range(6), chunksize=1)


def test_function_of_the_test_module(pool):
    """A function is found again by its module's name."""
    assert [0, 1, 8] == pool.map(cube_of_this_module, range(3))


@pytest.mark.cheap
def test_starmap(pool):
    """`starmap` spreads each task over the arguments."""
    assert [21, 43, 765] == pool.starmap(f.weigh, [(1, 2), (3, 4), (5, 6, 7)])


@pytest.mark.parametrize("chunksize", [1, 3, 100])
def test_chunksize_does_not_change_results(pool, chunksize):
    """Any chunksize gives the same results."""
    assert [x * x for x in range(10)] == pool.map(f.square, range(10), chunksize)


def test_starmap_with_chunksize(pool):
    """`starmap` takes a chunksize as well."""
    tasks = [(x, x + 1) for x in range(7)]
    assert [f.weigh(*task) for task in tasks] == pool.starmap(f.weigh, tasks, chunksize=2)


ITERABLES = {
    "generator": lambda: (x for x in (3, 1, 2)),
    "tuple": lambda: (3, 1, 2),
    "dict": lambda: {3: "a", 1: "b", 2: "c"},
    "range": lambda: range(3, 0, -1),
    "map": lambda: map(int, "312"),
    "string": lambda: "312",
}


@pytest.mark.parametrize("kind", ITERABLES)
@pytest.mark.only("multiprocessing", "local", "dummy-slurm-array", "slurm-array")
def test_any_iterable(pool, kind):
    """Whatever can be iterated over is an iterable of tasks."""
    assert list(ITERABLES[kind]()) == pool.map(f.identity, ITERABLES[kind]())


def test_set_of_tasks(pool):
    """A set is taken in the order in which it is iterated over."""
    tasks = {"b", "a", "c"}
    assert list(tasks) == pool.map(f.identity, tasks)


@pytest.mark.cheap
def test_empty_iterable(pool):
    """Nothing to do gives nothing, at once and for every method."""
    assert [] == pool.map(f.square, [])
    assert [] == pool.starmap(f.weigh, [])
    assert [] == pool.map_async(f.square, []).get(10)
    assert [] == list(pool.imap(f.square, []))
    assert [] == list(pool.imap_unordered(f.square, []))


def test_one_task(pool):
    """A single task gives a list of one."""
    assert [49] == pool.map(f.square, [7])


def test_none_is_a_result(pool):
    """None is a result like any other."""
    assert [None, None, None] == pool.map(f.nothing, range(3))


def test_none_is_a_task(pool):
    """None is a task like any other."""
    assert [None, 0, ""] == pool.map(f.identity, [None, 0, ""])


def test_several_maps_in_a_row(pool):
    """A pool serves one map after the other."""
    assert [[k, k + 1] for k in range(3)] == [pool.map(f.identity, [k, k + 1]) for k in range(3)]


def test_several_maps_at_once(pool):
    """A pool serves several maps at the same time."""
    waiting = [pool.map_async(f.square, range(k, k + 3)) for k in range(4)]
    assert [[x * x for x in range(k, k + 3)] for k in range(4)] == [result.get(60) for result in waiting]


def test_two_pools_at_once(make_pool):
    """Two pools do not meet."""
    first, second = make_pool(), make_pool()
    one, two = first.map_async(f.square, range(4)), second.map_async(f.identity, range(4))
    assert ([0, 1, 4, 9], [0, 1, 2, 3]) == (one.get(60), two.get(60))


FUNCTIONS = {
    "builtin": (abs, [-1, 2], [1, 2]),
    "extension": (math.sqrt, [4.0, 9.0], [2.0, 3.0]),
    "class": (complex, ["1j", "2"], [1j, 2 + 0j]),
    "partial": (functools.partial(f.weigh, 1, c=3), [2, 4], [321, 341]),
    "bound method": (f.Multiplier(5).times, [1, 2], [5, 10]),
    "callable object": (f.Multiplier(6), [1, 2], [6, 12]),
    "class method": (f.Multiplier.doubled, [1, 2], [2, 4]),
    "static method": (f.Multiplier.tripled, [1, 2], [3, 6]),
    "method of a builtin": ("a-b-c".split, ["-", "b"], [["a", "b", "c"], ["a-", "-c"]]),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.only("multiprocessing", "local", "dummy-sge-array", "sge-array")
def test_any_function(pool, kind):
    """Whatever can be called is a function."""
    func, tasks, results = FUNCTIONS[kind]
    assert results == pool.map(func, tasks)
