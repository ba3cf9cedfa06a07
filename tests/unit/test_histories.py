"""The engine in thousands of random worlds: every map ends, and nothing is lost, doubled or left behind."""

import collections

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypoolparty.engine import restore
from pypoolparty.policy import Policy
from pypoolparty.states import Outcome
from tests.unit import laws
from tests.unit.faults import KINDS, Faults
from tests.unit.histories import draw_world
from tests.unit.world import World

BLOCKS, SIZE = 10, 1000


@pytest.mark.parametrize("block", range(BLOCKS))
def test_thousands_of_histories(block):
    """Whatever goes wrong (and everything does), the map ends, each task has one outcome, and no limit is passed."""
    fired = collections.Counter()
    for seed in range(block * SIZE, (block + 1) * SIZE):
        world = draw_world(seed).run(60_000)
        laws.check_end(world)
        fired.update(world.fired)
    assert [] == [kind for kind in KINDS if not fired[kind]], fired
    assert [] == [kind for kind in fired if kind not in KINDS]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(10**6, 10**9))
def test_any_history(seed):
    """Hypothesis finds no seed for which that does not hold."""
    laws.check_end(draw_world(seed).run(60_000))


def test_histories_are_not_dull():
    """In the random worlds each kind of accident does happen, and so does success."""
    events = collections.Counter()
    for seed in range(300):
        world = draw_world(seed).run(60_000)
        events.update(type(event).__name__ for event in world.disk.events())
        events.update(kind for kind in laws.lost(world).values())
        events["returned"] += sum(outcome == Outcome.RETURNED for outcome in world.ledger.outcomes)
    for name in ("Planned", "Accepted", "Refused", "Doubted", "TaskDied", "Ended", "Withdrawn", "GaveUp", "returned"):
        assert events[name] > 20, (name, events)
    assert {"Crashed", "Vanished", "Cancelled", "OutOfMemory", "TimeLimit"} <= set(events)


@pytest.mark.parametrize("seed", range(60))
def test_main_process_dies_at_any_step(seed):
    """The journal and the archives bring back all that is done, and the map goes on to its end."""
    whole = draw_world(seed, may_die=False).run(60_000)
    world = draw_world(seed, may_die=False)
    world.run(60_000, stop_at=max(2, whole.n_steps * (seed % 7 + 1) // 8))
    if world.engine.is_closed:
        return
    ledger, deliveries = restore(world.disk, world.n, world.now)
    done = {i for i in range(world.n) if world.ledger.outcomes[i] in (Outcome.RETURNED, Outcome.RAISED)}
    assert done == {itask for itask, _, _ in deliveries}
    assert done == {i for i in range(world.n) if ledger.outcomes[i]}
    open_tasks = [i for i in range(world.n) if not ledger.outcomes[i]]
    assert ledger.n_unassigned == sum(not ledger.place[i] for i in open_tasks)
    for batch in ledger.batches.values():
        assert batch.in_flight is None


@pytest.mark.parametrize("elastic", [True, False])
def test_culprit_is_alone(elastic):
    """The task that kills each of its workers is lost after its attempts; all others return."""
    policy = Policy(width=4, is_elastic=elastic, max_num_resubmissions=2, chunksize=None if elastic else 5)
    world = World(40, policy, Faults(), seed=1, culprits={17}).run()
    laws.check_end(world)
    assert {17: "Crashed"} == laws.lost(world)
    begun = [itask for itask, _ in world.started]
    assert 3 == begun.count(17)
    assert all(1 == begun.count(i) for i in range(40) if i != 17)


def test_quiet_world_is_cheap():
    """Where nothing goes wrong there is one submission, each task is begun once, and nothing is cancelled twice."""
    world = World(200, Policy(width=8), Faults(), seed=3).run()
    laws.check_end(world)
    kinds = collections.Counter(type(event).__name__ for event in world.disk.events())
    assert (1, 1, 1) == (kinds["Planned"], kinds["Sent"], kinds["Accepted"])
    assert sorted(range(200)) == sorted(itask for itask, _ in world.started)
