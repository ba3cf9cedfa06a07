"""The hard limit of scheduler calls in a minute: what is too much waits, and nothing is dropped."""

import re
from collections import Counter
from dataclasses import replace

import pytest

import pypoolparty
from pypoolparty.engine._budget import Budget
from pypoolparty.policy import Policy
from pypoolparty.setting import _read_budget
from pypoolparty.testing import Dummies
from tests.unit import laws
from tests.unit.faults import Faults
from tests.unit.histories import draw_world
from tests.unit.test_driver import driver, times_of_queries  # noqa: F401  (a fixture)
from tests.unit.world import World


def most_in_a_minute(times):
    """Return how many of these seconds at the most lie in one minute."""
    return max((sum(begin <= time < begin + 60.0 for time in times) for begin in times), default=0)


def test_room_comes_back_after_a_minute():
    """Exactly so many calls may begin in any 60 seconds, at whatever moments."""
    budget = Budget(3)
    times = []
    for now in range(300):
        if budget.room("submit", now):
            budget.spend("submit", now)
            times.append(now)
    assert [0, 1, 2, 60, 61, 62, 120, 121, 122] == times[:9]
    assert 3 == most_in_a_minute(times)


def test_queries_leave_room_for_others():
    """However often is asked, half of the minute is left for submissions; with one call a minute all may have it."""
    budget = Budget(10)
    budget.spend("query", 0.0, 5)
    assert (0, 5) == (budget.room("query", 1.0), budget.room("submit", 1.0))
    assert 1 == Budget(1).room("query", 0.0)


def test_what_does_not_wait_counts():
    """Cancels at the end are made in any case; what comes then waits for longer."""
    budget = Budget(2)
    budget.spend("cancel", 0.0, 5)
    assert 0 == budget.room("submit", 59.9)
    assert 2 == budget.room("submit", 60.0)


def test_no_budget():
    """Without a limit there is always room, and nothing is remembered but the counts."""
    budget = Budget()
    budget.spend("query", 0.0, 10**6)
    assert budget.room("query", 0.0) > 10**9
    assert "1000000 scheduler calls: 1000000 queries" == budget.told_since(Counter())


def test_call_that_was_not_needed():
    """It is as if it had not been, and the calls before and after it count on."""
    budget = Budget(3)
    for now, kind in enumerate(("submit", "query", "submit")):
        budget.spend(kind, float(now))
    budget.take_back("submit")
    assert {"submit": 1, "query": 1} == dict(budget.counts)
    assert (1, 2) == (budget.room("submit", 2.0), budget.room("submit", 60.5))


def test_words():
    """The user is told what was called, since the map began."""
    budget = Budget(30)
    budget.spend("submit", 0.0)
    before = budget.counts.copy()
    assert "0 scheduler calls: none (budget 30 a minute)" == budget.told_since(before)
    budget.spend("submit", 1.0)
    budget.spend("query", 2.0, 2)
    assert "3 scheduler calls: 1 submit, 2 queries (budget 30 a minute)" == budget.told_since(before)


@pytest.mark.parametrize(
    ("given", "interval", "is_array", "expected"),
    [(None, 5.0, True, 120), (None, 0.5, True, 240), (None, 5.0, False, 600), (7, 0.5, True, 7)],
)
def test_defaults(given, interval, is_array, expected):
    """Two a second, or what a shorter interval asks for; more where each queue-job is a call of its own."""
    assert expected == _read_budget(given, interval, is_array)


@pytest.mark.parametrize(("wrong", "kind"), [(0, ValueError), (-1, ValueError), ("many", TypeError), (True, TypeError)])
def test_wrong_budget(wrong, kind):
    """What is wrong is named with its value."""
    with pytest.raises(kind, match="max_calls_per_minute"):
        _read_budget(wrong, 5.0, True)


def test_driver_asks_within_the_budget(driver):  # noqa: F811
    """Queries that there is no room for are made later, not never."""
    driver.polling_interval = driver._interval = 1.0
    driver.budget = Budget(6)
    times = times_of_queries(driver, 300)
    assert 3 == most_in_a_minute(times)
    assert len(times) >= 3 * 4
    assert 3 * 60 < max(times)


class Noted(Budget):
    """A budget that notes when calls began, and how often there was no room."""

    def __init__(self, most):
        super().__init__(most)
        self.begun, self.refused = [], 0

    def room(self, kind, now):
        """Note where there is none."""
        room = super().room(kind, now)
        self.refused += not room
        return room

    def spend(self, kind, now, n=1):
        """Note them."""
        super().spend(kind, now, n)
        self.begun += [now] * (n if kind in ("submit", "accounting") else 0)


def test_what_is_no_call_does_not_count():
    """Submissions and cancellations that the scheduler was not called for are taken back."""
    budget = Budget(4)
    world = World(5, Policy(width=2), Faults(), seed=5)
    world.engine.share(budget)
    submit, cancel = world.submit, world.cancel
    world.submit = lambda submission: replace(submit(submission), was_called=False)
    world.cancel = lambda targets: bool(cancel(targets))
    world.run()
    laws.check_end(world)
    assert (1, 0, 0) == (world.counts["submissions"], budget.counts["submit"], budget.counts["cancel"])


def test_submissions_wait_for_room():
    """A map of a queue-job for each chunk ends complete, and no minute has more submissions than are allowed."""
    budget = Noted(4)
    world = World(20, Policy(width=8, is_elastic=False, is_array=False, chunksize=1), Faults(), seed=5)
    world.engine.share(budget)
    world.run()
    laws.check_end(world)
    assert {} == laws.lost(world)
    assert 20 == len(budget.begun)
    assert 4 == most_in_a_minute(budget.begun)


def test_every_history_ends_within_a_tight_budget():
    """Whatever goes wrong, a map with few calls ends as well, by the same laws; no minute has more than allowed."""
    refused = 0
    for seed in range(150):
        world, budget = draw_world(seed, may_die=False), Noted(4)
        world.engine.share(budget)
        world.run(200_000)
        laws.check_end(world)
        assert most_in_a_minute(budget.begun) <= 4
        refused += budget.refused
    assert refused > 100


def test_calls_are_told_with_verbose(tmp_path, capfd):
    """At the end of a map a line says how often the scheduler was called, and what the budget is."""
    with Dummies(tmp_path / "dummies") as dummies:
        paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
        with pypoolparty.slurm.array.Pool(2, work_dir=tmp_path / "work", verbose=True, **paths) as pool:
            assert [0, 1] == pool.map(abs, range(2))
            pool.close()
            pool.join()
    assert re.search(r"scheduler calls?: 1 submit.* \(budget 120 a minute\)", capfd.readouterr().err)
