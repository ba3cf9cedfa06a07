"""What the results of the asynchronous methods promise."""

import multiprocessing

import pytest

from tests.contract import functions as f
from tests.contract.helpers import number_of_marks, open_gate, wait_until


@pytest.mark.cheap
def test_result_in_its_time(pool, tmp_path):
    """A result is not ready, then ready, and can be asked for as often as one likes."""
    result = pool.apply_async(f.leave_mark_and_wait, (str(tmp_path), 5))
    assert not result.ready()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(timeout=0.1)
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(0)
    assert result.wait(0.01) is None
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    open_gate(tmp_path)
    assert 5 == result.get(timeout=60)
    assert result.ready()
    assert result.successful()
    assert 5 == result.get()


@pytest.mark.leaves_work_dir
def test_result_of_a_failure(pool):
    """A failure is ready, not successful, and raises each time."""
    result = pool.map_async(f.raise_for_three, range(5), chunksize=1)
    result.wait(60)
    assert result.ready()
    assert not result.successful()
    for _ in range(2):
        with pytest.raises(ValueError, match="bad task"):
            result.get(1)


def test_map_async_is_ready_when_all_tasks_are(pool, tmp_path):
    """One task that still runs keeps the whole map from being ready."""
    result = pool.starmap_async(f.leave_mark_and_wait, [(str(tmp_path), x) for x in range(2)], chunksize=1)
    wait_until(lambda: number_of_marks(tmp_path, "begun-"), "the first task", timeout=60)
    assert not result.ready()
    open_gate(tmp_path)
    assert [0, 1] == result.get(60)


def test_wait_returns_with_the_result(pool):
    """`wait` without a time-out returns when the result is there."""
    result = pool.map_async(f.square, range(3))
    result.wait()
    assert result.ready()
    assert [0, 1, 4] == result.get(0)


def test_imap_next_times_out(pool, tmp_path):
    """`next` of an iterator takes a time-out, and the result is still to be had afterwards."""
    iterator = pool.imap(f.wait_for, [str(tmp_path / "gate")])
    with pytest.raises(multiprocessing.TimeoutError):
        iterator.next(timeout=0.1)
    open_gate(tmp_path)
    assert "open" == iterator.next(timeout=60)
    with pytest.raises(StopIteration):
        iterator.next(timeout=60)
