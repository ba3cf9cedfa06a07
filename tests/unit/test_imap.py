"""`imap` and its memory: tasks are fed as results are taken."""

import itertools

import pytest

import pypoolparty
from pypoolparty import pool as pool_module
from tests.real.daemons import wait_until

MOST = 100


@pytest.fixture
def few_ahead(monkeypatch):
    """Let only few tasks be ahead."""
    monkeypatch.setattr(pool_module, "MOST_AHEAD", MOST)


def counted(n, taken):
    """Yield so many tasks, and note how many were taken from it."""
    for number in range(n):
        taken.append(number)
        yield number


@pytest.mark.timeout(60)
@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_imap_is_never_far_ahead(tmp_path, few_ahead, method):
    """No more tasks are taken from the iterable than may be ahead of the consumer, and none is lost by that."""
    taken, most = [], 0
    with pypoolparty.local.Pool(2, work_dir=tmp_path) as pool:
        results = []
        for value in getattr(pool, method)(abs, counted(5 * MOST, taken)):
            results.append(value)
            most = max(most, len(taken) - len(results))
    assert list(range(5 * MOST)) == sorted(results)
    assert MOST // 2 < most <= MOST + 1


@pytest.mark.timeout(60)
def test_imap_of_an_endless_iterable(tmp_path, few_ahead):
    """Of an endless iterable the first results can be had, and the pool ends."""
    with pypoolparty.local.Pool(2, work_dir=tmp_path) as pool:
        assert list(range(250)) == list(itertools.islice(pool.imap(abs, itertools.count()), 250))


@pytest.mark.timeout(60)
def test_closed_pool_computes_all_without_a_consumer(tmp_path, few_ahead):
    """When nobody takes results, nothing more is fed; once the pool is closed, all is computed."""
    taken = []
    pool = pypoolparty.local.Pool(2, work_dir=tmp_path)
    results = pool.imap(abs, counted(5 * MOST, taken))
    wait_until(lambda: len(taken) == MOST, "the first tasks are fed", timeout=30)
    wait_until(lambda: results._n_queued == MOST, "all that were fed are computed", timeout=30)
    assert MOST == len(taken)
    pool.close()
    pool.join()
    assert 5 * MOST == len(taken)
    assert list(range(5 * MOST)) == list(results)
