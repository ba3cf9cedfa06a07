"""How often the driver of a pool asks its scheduler."""

import itertools
from types import SimpleNamespace

import pytest

from pypoolparty.batches import Batch, Element
from pypoolparty.engine import Driver
from pypoolparty.errors import SchedulerError
from pypoolparty.states import Job, JobState


class AtOnce:
    """Calls what is to be called in a thread at once."""

    def start(self, function, then):
        try:
            result, error = function(), None
        except SchedulerError as failure:
            result, error = None, failure
        then(result, error)


class Queue:
    """A scheduler that notes when it was asked, and answers what it is told to."""

    name = "Noted"

    def __init__(self):
        self.asked, self.jobs = [], [Job("7", 0, "q-0001", JobState.RUNNING)]

    def query(self, names):
        self.asked.append(list(names))
        if self.jobs is None:
            raise SchedulerError("away")
        return list(self.jobs)


def run_of(name):
    """Return a map that wants to know of one submission."""
    ledger = SimpleNamespace(batches={1: None})
    return SimpleNamespace(
        ledger=ledger, is_closed=False, asked_names=lambda: {name: 1}, observe=lambda jobs, asked, now: None
    )


@pytest.fixture
def driver():
    """A driver with one map, that asks each five seconds; nothing of it runs by itself."""
    made = Driver(Queue(), 5.0, lambda line: None)
    made._caller = AtOnce()
    made._runs = [run_of("q-0001")]
    return made


def times_of_queries(driver, seconds, change_at=None, change=None):
    """Let so many seconds pass; return when the scheduler was asked."""
    times = []
    for tenth in range(10 * seconds):
        now = tenth / 10
        if now == change_at:
            change()
        before = len(driver.scheduler.asked)
        driver._query(now)
        times += [now] * (len(driver.scheduler.asked) - before)
    return times


def gaps(times):
    """Return the seconds between two queries."""
    return [round(after - before, 1) for before, after in itertools.pairwise(times)]


def test_asks_less_often_while_nothing_changes(driver):
    """The pause grows from one polling interval to four, and no further."""
    found = gaps(times_of_queries(driver, 120))
    assert 5.0 == found[0]
    assert sorted(found) == found
    assert 20.0 == found[-1] == found[-2]


def test_a_change_makes_it_curious_again(driver):
    """After another answer than the last the next query comes after one interval."""
    times = times_of_queries(driver, 200, 100.0, driver.scheduler.jobs.clear)
    first = next(time for time in times if time > 100)
    assert 5.0 == gaps([time for time in times if time >= first])[0]


def test_a_new_submission_is_looked_at_soon(driver):
    """The longer pause is not for what was just submitted."""
    times = times_of_queries(driver, 200, 100.0, lambda: driver._runs[0].ledger.batches.update({2: None}))
    assert min(time for time in times if time >= 100) <= 105


def test_failures_tell_nothing(driver):
    """A scheduler that is away is asked on."""

    def go():
        driver.scheduler.jobs = None

    times = times_of_queries(driver, 200, 100.0, go)
    assert len([time for time in times if time > 100]) >= 4


def test_all_maps_are_asked_for_at_once(driver):
    """One query for all that the pool has running."""
    driver._runs.append(run_of("q-0002"))
    driver._query(0.0)
    assert [["q-0001", "q-0002"]] == driver.scheduler.asked


def test_who_is_heard_of_is_not_asked_for():
    """What every queue-job of a submission publishes tells more than the scheduler; each has to be heard of anew."""
    batch = Batch(1, "q-0001", True, [1], [], [Element(), Element()], 0, 9, n_left=2)
    assert not batch.is_at_work()
    batch.elements[0].is_heard = True
    assert not batch.is_at_work()
    batch.elements[0].is_heard = batch.elements[1].is_heard = True
    assert batch.is_at_work()
    assert not batch.is_at_work()
    batch.elements[0].is_heard, batch.elements[1].is_ended = True, True
    assert batch.is_at_work()


@pytest.mark.parametrize("known", [{"unsent": [1]}, {"doubted": [0, 1]}])
def test_submission_in_doubt_is_asked_for(known):
    """Whatever its other queue-jobs publish."""
    elements = [Element(is_heard=True), Element(is_heard=True)]
    assert not Batch(1, "q-0001", True, [1], [], elements, 0, 9, n_left=2, **known).is_at_work()
