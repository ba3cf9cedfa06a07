"""What `imap` and `imap_unordered` promise."""

import pytest

from tests.contract import functions as f
from tests.contract.helpers import number_of_marks, open_gate, wait_until


@pytest.mark.cheap
def test_imap(pool):
    """`imap` gives an iterator over the results in order."""
    iterator = pool.imap(f.slow_square, range(5))
    assert iter(iterator) is iterator
    assert [0, 1, 4, 9, 16] == list(iterator)
    with pytest.raises(StopIteration):
        next(iterator)


@pytest.mark.cheap
def test_imap_unordered(pool):
    """`imap_unordered` gives each result once."""
    assert [0, 1, 4, 9, 16] == sorted(pool.imap_unordered(f.square, range(5)))


@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_chunksize(pool, method):
    """Chunks are taken apart again."""
    results = getattr(pool, method)(f.square, iter(range(10)), chunksize=4)
    assert [x * x for x in range(10)] == sorted(results)


@pytest.mark.only("multiprocessing", "local")
@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_chunksize_zero(pool, method):
    """A chunk has at least one task."""
    with pytest.raises(ValueError, match="0"):
        getattr(pool, method)(f.square, range(10), chunksize=0)


def wait_for_the_gate_in_task_zero(task):
    """Return the task; the task 0 only once the gate is open."""
    folder, x = task
    return f.leave_mark_and_wait(folder, x) if x == 0 else x


def test_imap_gives_results_as_they_arrive(pool, tmp_path):
    """The first results are there while a later task still runs."""
    tasks = [(str(tmp_path), x) for x in (1, 2, 0)]
    iterator = pool.imap(wait_for_the_gate_in_task_zero, tasks)
    assert [1, 2] == [iterator.next(60), iterator.next(60)]
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the task that waits")
    open_gate(tmp_path)
    assert 0 == iterator.next(60)


def test_imap_unordered_gives_results_as_they_arrive(pool, tmp_path):
    """A later task's result does not wait for an earlier one's."""
    tasks = [(str(tmp_path), x) for x in (0, 1, 2)]
    iterator = pool.imap_unordered(wait_for_the_gate_in_task_zero, tasks)
    assert {1, 2} == {iterator.next(60), iterator.next(60)}
    open_gate(tmp_path)
    assert 0 == iterator.next(60)


@pytest.mark.leaves_work_dir
def test_imap_raises_at_the_place_of_the_failure(pool):
    """`imap` raises where the failed task's result would be, and goes on behind it."""
    iterator = pool.imap(f.raise_for_three, range(5))
    assert [0, 1, 2] == [next(iterator) for _ in range(3)]
    with pytest.raises(ValueError, match="bad task") as caught:
        next(iterator)
    assert ("bad task", 3) == caught.value.args
    assert [4] == list(iterator)


@pytest.mark.leaves_work_dir
def test_imap_unordered_raises_each_failure_once(pool):
    """`imap_unordered` gives all good results in spite of the failed one."""
    iterator = pool.imap_unordered(f.raise_for_three, range(5))
    good, bad = [], []
    for _ in range(5):
        try:
            good.append(next(iterator))
        except ValueError as error:
            bad.append(error.args)
    assert ([0, 1, 2, 4], [("bad task", 3)]) == (sorted(good), bad)


class SaidWhen(Exception):
    """What the iterable raises."""


def tasks_until_two():
    """Yield two tasks, and raise."""
    yield 0
    yield 1
    raise SaidWhen("no more")


@pytest.mark.only("multiprocessing", "local", "dummy-slurm-array")
def test_map_raises_what_the_iterable_raises(pool):
    """An iterable that raises makes `map` raise the same, and the pool lives on."""
    with pytest.raises(SaidWhen, match="no more") as caught:
        pool.map(f.square, tasks_until_two())
    assert caught.value.__cause__ is None
    assert [4] == pool.map(f.square, [2])


def test_imap_raises_what_the_iterable_raises(pool):
    """An iterable that raises makes `imap` raise the same behind the results so far."""
    iterator = pool.imap(f.square, tasks_until_two(), chunksize=1)
    assert [0, 1] == [next(iterator), next(iterator)]
    with pytest.raises(SaidWhen, match="no more"):
        next(iterator)
    with pytest.raises(StopIteration):
        next(iterator)


def test_imap_unordered_raises_what_the_iterable_raises(pool):
    """An iterable that raises makes `imap_unordered` raise the same."""
    iterator = pool.imap_unordered(f.square, tasks_until_two())
    with pytest.raises(SaidWhen, match="no more"):
        list(iterator)
    assert [4] == pool.map(f.square, [2])


def test_not_iterable(make_pool):
    """What can not be iterated over is refused at the call."""
    pool = make_pool()
    with pytest.raises(TypeError, match="iterable"):
        pool.map(f.square, 7)
    assert [4] == pool.map(f.square, [2])


def test_imap_that_nobody_reads(pool):
    """An iterator that is dropped before its end does no harm."""
    iterator = pool.imap(f.square, range(20))
    assert 0 == next(iterator)
    del iterator
    assert [4] == pool.map(f.square, [2])
