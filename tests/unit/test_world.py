"""The engine in worlds where anything goes wrong: every map ends, in order."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypoolparty.events import Planned, from_line
from pypoolparty.ledger import Ledger
from pypoolparty.policy import Policy
from pypoolparty.states import Limits
from tests.unit import laws
from tests.unit.faults import CHANCES, NOT_TOO_OFTEN, Faults
from tests.unit.world import World

INFINITE = float("inf")

policies = st.builds(
    Policy,
    width=st.sampled_from([None, 1, 2, 4, 8]),
    is_elastic=st.booleans(),
    is_array=st.booleans(),
    chunksize=st.sampled_from([None, 1, 3]),
    num_chunks=st.sampled_from([None, None, 3]),
    max_num_resubmissions=st.integers(0, 3),
    limits=st.builds(Limits, st.sampled_from([None, 3]), st.sampled_from([None, 4])),
)
chances = st.dictionaries(st.sampled_from(CHANCES), st.sampled_from([0.05, 0.2, 0.6, 0.9]), max_size=5)


@st.composite
def worlds(draw):
    """Draw a world, and how much goes wrong in it."""
    faults = draw(chances)
    for name in NOT_TOO_OFTEN:
        faults[name] = min(0.6, faults.get(name, 0.0))  # else nothing is ever learned, which is no fault of ours
    more = {
        "array_limit": draw(st.sampled_from([INFINITE, 1, 3])),
        "job_limit": draw(st.sampled_from([INFINITE, INFINITE, 1, 3])),
        "file_delay": draw(st.sampled_from([0, 1, 8, 60])),
        "memory": draw(st.sampled_from([0, 20, 300])),
        "doubted_is_taken": draw(st.sampled_from([0.0, 0.6, 1.0])),
    }
    n, seed = draw(st.integers(1, 40)), draw(st.integers(0, 10**9))
    return World(n, draw(policies), Faults(**faults, **more), seed)


many_worlds = settings(max_examples=100, deadline=None)


@many_worlds
@given(worlds())
def test_every_map_ends(world):
    """Whatever goes wrong, each task has one outcome in the end, and all laws hold at each step."""
    world.run()
    laws.check_end(world)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(1, 300))
def test_every_map_ends_after_the_main_process_has_died(world, step):
    """Another main process goes on with what is on disk; what was finished is not computed again."""
    world.run(stop_at=step)
    if world.engine.is_closed:
        return
    done, died_at = set(world.disk.kept), world.now
    world.die_and_resume()
    world.run()
    laws.check_end(world)
    again = [itask for itask, at in world.started if at > died_at and itask in done]
    assert world.faults.lies or [] == again


@many_worlds
@given(worlds(), st.integers(1, 300))
def test_journal_brings_back_the_ledger(world, step):
    """The lines of the log, applied to a new ledger, give the same places, queue-jobs and charges."""
    world.run(stop_at=step)
    again = Ledger(world.n)
    for line in world.disk.journal() + world.disk.unlogged:  # those wait for room on the disk
        event = from_line(json.loads(json.dumps(line)))
        if isinstance(event, Planned):
            event = replace(event, chunks=world.disk.chunks(event.submission))
        if event is not None:
            again.apply(event, world.now)
    live = {number: (b.n_left, b.unsent, b.in_flight, b.doubted) for number, b in world.ledger.batches.items()}
    replayed = {number: (b.n_left, b.unsent, b.in_flight, b.doubted) for number, b in again.batches.items()}
    assert live == replayed
    for number, batch in world.ledger.batches.items():
        for element, other in zip(batch.elements, again.batches[number].elements):
            assert (element.job_id, element.traces) == (other.job_id, other.traces)
    open_tasks = [i for i in range(world.n) if not world.ledger.outcomes[i]]
    assert [world.ledger.place[i] for i in open_tasks] == [again.place[i] for i in open_tasks]
    lost = {i for i in range(world.n) if world.ledger.outcomes[i] == 3}
    assert lost == {i for i in range(world.n) if again.outcomes[i] == 3}


@pytest.mark.parametrize("is_elastic", [True, False])
@pytest.mark.parametrize("is_array", [True, False])
@pytest.mark.parametrize("width", [None, 1, 3])
def test_without_faults(is_elastic, is_array, width):
    """One submission does it all (or one after the other, where jobs wait for their turn): each task once."""
    world = World(20, Policy(width=width, is_elastic=is_elastic, is_array=is_array), Faults(), seed=1).run()
    laws.check_end(world)
    assert {i: ("value of", i) for i in range(20)} == world.sink.found
    assert [1] * 20 == list(Counter(itask for itask, _ in world.started).values())
    assert 1 == len(world.disk.tables)
    assert [("closed"), ("removed")] == world.disk.ends


@pytest.mark.parametrize("is_elastic", [True, False])
@pytest.mark.parametrize("most", [0, 1, 3])
def test_culprit(is_elastic, most):
    """A task that kills its process each time is tried so often as allowed and lost with the cause; others are not."""
    policy = Policy(width=3, is_elastic=is_elastic, max_num_resubmissions=most)
    world = World(20, policy, Faults(), seed=1, culprits=[7]).run()
    laws.check_end(world)
    assert {7: "Crashed"} == laws.lost(world)
    counts = Counter(itask for itask, _ in world.started)
    assert most + 1 == counts.pop(7)
    assert {1} == set(counts.values())


@pytest.mark.parametrize("memory", [0, 300])
@pytest.mark.parametrize("is_array", [True, False])
@pytest.mark.parametrize("is_elastic", [True, False])
@pytest.mark.parametrize("fault", CHANCES)
def test_what_always_goes_wrong(fault, is_elastic, is_array, memory):
    """A fault that never ends ends the map, too."""
    policy = Policy(width=2, is_elastic=is_elastic, is_array=is_array, max_num_resubmissions=2)
    world = World(5, policy, Faults(**{fault: 1.0}, memory=memory), seed=1).run()
    laws.check_end(world)


@pytest.mark.parametrize("is_array", [True, False])
@pytest.mark.parametrize("is_elastic", [True, False])
def test_submissions_that_are_never_answered(is_elastic, is_array):
    """Where each sbatch hangs and none is taken, the map is given up after a while, in the scheduler's name."""
    policy = Policy(width=2, is_elastic=is_elastic, is_array=is_array, patience=5)
    world = World(5, policy, Faults(doubted=1.0, doubted_is_taken=0.0), seed=1).run()
    laws.check_end(world)
    assert {"SubmissionRefused"} == set(laws.lost(world).values())
    assert [] == world.jobs


def test_the_world_can_find_faults(monkeypatch):
    """The test can fail: a ledger that forgets to free what the dead have claimed is found."""
    monkeypatch.setattr(Ledger, "_free", lambda self, table, tasks: [])
    with pytest.raises(AssertionError, match="no end"):
        World(5, Policy(width=2), Faults(job_dies=0.5), seed=1).run(most_steps=5000)
