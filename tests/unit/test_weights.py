"""Tasks whose durations are known beforehand: the longest are begun first."""

import heapq
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pypoolparty
from pypoolparty.chunks import most_chunks, tasks_of, weighted_chunks
from pypoolparty.decide import plan
from pypoolparty.ledger import Ledger
from pypoolparty.policy import Policy
from tests.unit.functions import identity


@given(st.lists(st.one_of(st.just(0.0), st.floats(0, 1e9)), max_size=400), st.integers(1, 40), st.integers(1, 5))
def test_each_task_is_in_one_chunk(weights, width, unit):
    """Whatever they weigh, and never in more chunks than the limit."""
    chunks = weighted_chunks(range(len(weights)), weights, width, unit)
    assert list(range(len(weights))) == sorted(itertools.chain.from_iterable(tasks_of(chunk) for chunk in chunks))
    assert len(chunks) <= most_chunks(width)
    assert all(len(tasks_of(chunk)) >= unit for chunk in chunks[:-1])


def makespan(chunks, durations, width):
    """Return when the last worker ends, when idle workers take the chunks in order."""
    free = [0.0] * width
    for chunk in chunks:
        heapq.heapreplace(free, free[0] + sum(durations[itask] for itask in tasks_of(chunk)))
    return max(free)


@pytest.mark.parametrize(("n", "width"), [(100, 16), (1000, 16), (100_000, 100), (20_000, 1000)])
def test_makespan_is_near_the_ideal(n, width):
    """With the longest first, nobody waits for a long task that was begun last."""
    rng = random.Random(n)
    durations = [rng.lognormvariate(0, 1.2) for _ in range(n)]
    chunks = weighted_chunks(range(n), durations, width)
    assert makespan(chunks, durations, width) <= 1.05 * max(sum(durations) / width, max(durations))


def test_longest_is_first():
    """The first chunk begins with the longest task, the last has the shortest."""
    chunks = weighted_chunks(range(50), [float(itask) for itask in range(50)], 4)
    assert 49 in tasks_of(chunks[0])
    assert 0 in tasks_of(chunks[-1])


def test_plan_by_weights():
    """The first submission of a map begins with what takes longest."""
    planned = plan(Ledger(4), Policy(2, weights=[1, 9, 3, 2]), room=2)
    assert [[1, 2], [2, 3], [3, 4], [0, 1]] == list(planned.chunks)


@pytest.mark.timeout(60)
def test_map_with_weights(tmp_path):
    """The list is in the order of the tasks all the same."""
    with pypoolparty.local.Pool(2, work_dir=tmp_path) as pool:
        assert list(range(50)) == pool.map(identity, range(50), weights=range(50))
        assert [2, 4] == pool.starmap(max, [(1, 2), (4, 3)], weights=iter([1, 2]))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("weights", "error"),
    [([1.0], ValueError), ([1, 2, -1], ValueError), ([1, 2, float("nan")], ValueError), ([1, 2, "x"], TypeError)],
)
def test_bad_weights(tmp_path, weights, error):
    """One finite number for each task; else nothing is submitted, and nothing stays behind."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path) as pool:
        with pytest.raises(error):
            pool.map(identity, range(3), weights=weights)
        assert [] == list(tmp_path.iterdir())
