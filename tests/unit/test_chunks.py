"""The chunk table: it covers each task once, and balances the load."""

import heapq
import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.chunks import CHUNKS_PER_WORKER, chunk_sizes, cut, most_chunks, runs_of, tasks_of

numbers_of_tasks = st.one_of(st.integers(0, 300), st.integers(0, 10**7))
widths = st.one_of(st.integers(1, 40), st.integers(1, 10**5))


@given(numbers_of_tasks, widths, st.one_of(st.just(1), st.integers(1, 5000)))
def test_sizes_cover_all_tasks(n, width, unit):
    """Sizes sum up to n, none is zero, and there are not more than the limits allow."""
    sizes = chunk_sizes(n, width, unit)
    assert n == sum(sizes)
    assert all(size > 0 for size in sizes)
    assert len(sizes) <= min(most_chunks(width), n)


@given(numbers_of_tasks, widths, st.integers(1, 5000))
def test_sizes_are_multiples_of_the_chunksize(n, width, unit):
    """All chunks but the last are multiples of what the user asked for; the last has what is left."""
    sizes = chunk_sizes(n, width, unit)
    assert {0} >= {size % unit for size in sizes[:-1]}


@given(st.integers(1, 2000), st.integers(1, 40), st.integers(1, 9))
def test_few_tasks_have_a_chunk_each(n, width, unit):
    """While there is room in the table, a chunk is one task, or the user's chunksize."""
    units = -(-n // unit)
    if units <= CHUNKS_PER_WORKER * width:
        assert [unit] * (units - 1) == chunk_sizes(n, width, unit)[:-1]


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 60))
def test_a_lower_limit_is_kept(n, width, most):
    """Never more chunks than `most`, whatever the width."""
    sizes = chunk_sizes(n, width, most=most)
    assert n == sum(sizes)
    assert len(sizes) <= most


@pytest.mark.parametrize("width", [1, 16, 128, 512, 513, 1000, 10_000])
def test_number_of_chunks(width):
    """64 for each worker while that is no more than 8,192, and never fewer than 16 for each: files as queue-jobs."""
    assert {1: 64, 16: 1024, 128: 8192, 512: 8192}.get(width, 16 * width) == most_chunks(width)


@pytest.mark.parametrize(("n", "width"), [(10**5, 1), (10**5, 16), (10**6, 128), (10**6, 1000), (10**6, 10_000)])
def test_sizes_rise_and_fall(n, width):
    """Rounds of one chunk for each worker grow from single tasks, stay level, and are halved down to single tasks."""
    sizes = chunk_sizes(n, width)
    share = max(sizes)
    first = sizes[: sizes.index(share)]
    assert [4 ** (k // width) for k in range(len(first))] == first[: len(first) // width * width]
    rounds = [sizes[k] for k in range(len(sizes) - 1, -1, -width)]
    assert [1] * width == sizes[-width:]
    assert [share >> k for k in range(share.bit_length() - 1, 0, -1)] == rounds[: share.bit_length() - 1]


@given(st.integers(10**5, 10**10), st.integers(200, 5000))
def test_the_tail_is_always_small(n, width):
    """However many tasks: with many workers, too, the last round is of single tasks, and the first as well."""
    sizes = chunk_sizes(n, width)
    assert [1] * width == sizes[-width:]
    assert [1] * width == sizes[:width]


@given(st.sets(st.integers(0, 300)))
def test_runs_and_tasks_are_inverse(itasks):
    """Tasks made into runs and back are the same tasks; runs are as few as can be."""
    ascending = sorted(itasks)
    runs = runs_of(ascending)
    assert ascending == list(tasks_of(runs))
    assert all(start < stop for start, stop in zip(runs[0::2], runs[1::2]))
    assert all(stop < start for stop, start in zip(runs[1::2], runs[2::2]))


@given(st.sets(st.integers(0, 500)), st.integers(1, 9), st.integers(1, 5))
def test_cut_round_trip(itasks, width, unit):
    """Cut chunks have the sizes asked for, and hold each task once, in order."""
    runs = runs_of(sorted(itasks))
    sizes = chunk_sizes(len(itasks), width, unit)
    chunks = [list(tasks_of(chunk)) for chunk in cut(runs, sizes)]
    assert sizes == [len(chunk) for chunk in chunks]
    assert sorted(itasks) == list(itertools.chain.from_iterable(chunks))


def test_cut_joins_what_is_apart():
    """A chunk goes over gaps between runs."""
    assert [[0, 2, 5, 6], [6, 8, 10, 11], [11, 12]] == cut([0, 2, 5, 8, 10, 12], [3, 3, 1])


def test_cut_of_nothing():
    """No runs and no sizes give no chunks."""
    assert [] == cut([], [])


def simulated_makespan(durations, width):
    """Return when the last worker ends, when idle workers claim the chunks in order."""
    free, begin = [0.0] * width, 0
    for size in chunk_sizes(len(durations), width):
        heapq.heapreplace(free, free[0] + sum(durations[begin : begin + size]))
        begin += size
    return max(free)


def make_durations(kind, n, seed):
    """Return the durations of n tasks."""
    rng = random.Random(seed)
    draw = rng.random if kind == "uniform" else lambda: rng.lognormvariate(0, 1)
    return [draw() for _ in range(n)]


@pytest.mark.parametrize("width", [1, 3, 16, 100])
@pytest.mark.parametrize("order", ["as it comes", "ascending", "descending"])
@pytest.mark.parametrize("kind", ["uniform", "lognormal"])
def test_makespan_is_near_the_ideal(kind, order, width):
    """With 1,000 tasks for each worker, the last one ends within 5 % of the ideal (measured: 4.3 % at worst)."""
    durations = make_durations(kind, 1000 * width, seed=width)
    if order != "as it comes":
        durations.sort(reverse=order == "descending")
    ideal = max(sum(durations) / width, max(durations))
    assert simulated_makespan(durations, width) <= 1.05 * ideal


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize(("n", "width"), [(200_000, 1000), (500_000, 5000)])
def test_makespan_of_many_workers(n, width, order):
    """Where workers have few tasks each, they wait for no more than the longest one, begun at the very end."""
    durations = sorted(make_durations("lognormal", n, seed=1), reverse=order == "descending")
    least = sum(durations) / width
    assert simulated_makespan(durations, width) <= 1.02 * least + (max(durations) if order == "ascending" else 0.0)


@given(st.sampled_from(["uniform", "lognormal"]), st.integers(1, 60), st.integers(100, 400), st.integers(0, 10**6))
def test_makespan_of_any_numbers(kind, width, tasks_per_worker, seed):
    """From 100 tasks for each worker on, nobody waits for more than the longest task begun at the very end."""
    durations = make_durations(kind, tasks_per_worker * width, seed)
    assert simulated_makespan(durations, width) <= 1.02 * sum(durations) / width + max(durations)


@pytest.mark.parametrize("width", [1, 10, 127, 128, 1000, 10**4])
def test_large_numbers_are_fast(width):
    """Ten million tasks are cut within seconds, also of a busy processor."""
    start = time.process_time()
    chunks = cut([0, 10**7], chunk_sizes(10**7, width))
    assert time.process_time() - start < 3.0
    assert 10**7 == sum(stop - start for start, stop in chunks)
