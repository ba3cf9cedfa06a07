"""What a pool does about deaths, on dummies that let them happen."""

import functools
import json
import time

import pytest

import pypoolparty
from pypoolparty.testing import Die, Dummies, Stuck


def wait_a_moment(number):
    """Return the task after a while."""
    time.sleep(1.5)
    return number


def raise_at_first(folder, times, number):
    """Raise so many times, then return the task."""
    for k in range(times):
        try:
            (folder / f"{number}-{k}").mkdir()
        except FileExistsError:
            continue
        raise ConnectionResetError(f"try {k}")
    return number


@pytest.fixture
def dummies(tmp_path):
    """Return dummies of Slurm."""
    with Dummies(tmp_path / "dummies") as dummies:
        yield dummies


def pool_on(dummies, tmp_path, **given):
    """Return a pool on the dummies."""
    paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
    given = {"polling_interval": 0.2, "keep_work_dir": True, **paths, **given}
    return pypoolparty.slurm.array.Pool(2, work_dir=tmp_path / "work", **given)


def levels(tmp_path):
    """Return how often more memory and time were asked for, by submission."""
    [log] = (tmp_path / "work").glob("*/log.jsonl")
    return [event["level"] for event in map(json.loads, log.read_text().splitlines()) if event["event"] == "Planned"]


def test_more_time_after_the_time_limit(dummies, tmp_path):
    """What ran into its time limit asks for twice as much; at the cap it is lost."""
    fault = dummies.add_fault(Die(signal=9, after=1.0, state="TIMEOUT"))
    with pool_on(dummies, tmp_path, time=60) as pool:
        assert [0] == pool.map(wait_a_moment, [0])
    assert 1 == dummies.fired(fault)
    assert [[0, 0], [0, 1]] == levels(tmp_path)
    again = dummies.add_fault(Die(signal=9, after=1.0, state="TIMEOUT", times=2))
    with (
        pool_on(dummies, tmp_path / "b", time=60, retry=pypoolparty.Retry(max_time=90)) as pool,
        pytest.raises(pypoolparty.errors.TimeLimit) as caught,
    ):
        pool.map(wait_a_moment, [0])
    assert (2, 2) == (caught.value.attempts, dummies.fired(again))


def test_no_memory_that_could_be_raised(dummies, tmp_path):
    """Where the pool asked for none, three deaths are enough to know that the task needs more."""
    fault = dummies.add_fault(Die(signal=9, after=1.0, state="OUT_OF_MEMORY", times=9))
    with pool_on(dummies, tmp_path) as pool, pytest.raises(pypoolparty.errors.OutOfMemory, match=r"resume .* --mem"):
        pool.map(wait_a_moment, [0])
    assert 3 == dummies.fired(fault)


@pytest.mark.parametrize(("state", "kind"), [("NODE_FAIL", "NodeFailed"), ("PREEMPTED", "Preempted")])
def test_deaths_that_do_not_count(dummies, tmp_path, state, kind):
    """They are done again without an attempt, but not for ever."""
    fault = dummies.add_fault(Stuck(state=state, times=2))
    with pool_on(dummies, tmp_path, max_num_resubmissions=0) as pool:
        assert [0] == pool.map(wait_a_moment, [0])
    assert 2 == dummies.fired(fault)
    forever = dummies.add_fault(Die(signal=9, after=1.0, state=state, times=9))
    retry = pypoolparty.Retry(max_free_resubmissions=1)
    with (
        pool_on(dummies, tmp_path / "b", retry=retry) as pool,
        pytest.raises(getattr(pypoolparty.errors, kind)) as caught,
    ):
        pool.map(wait_a_moment, [0])
    assert (2, 2) == (caught.value.attempts, dummies.fired(forever))


@pytest.mark.parametrize(("times", "n_resubmissions"), [(2, 2), (2, 1)])
def test_exceptions_that_are_no_final_answer(dummies, tmp_path, times, n_resubmissions):
    """A task that raises one of them is tried again, as often as one that died; others are final."""
    kinds = (ConnectionError,)
    arguments = {"retry": pypoolparty.Retry(retry_exceptions=kinds), "max_num_resubmissions": n_resubmissions}
    with pool_on(dummies, tmp_path, **arguments) as pool:
        values = pool.map(functools.partial(raise_at_first, tmp_path, times), [0, 1], on_error="return")
    if n_resubmissions >= times:
        assert [0, 1] == values
    else:
        assert [ConnectionResetError] * 2 == [type(value) for value in values]
    tries = sorted(path.name for path in tmp_path.glob("[01]-*"))
    assert ["0-0", "0-1", "1-0", "1-1"] == tries
