"""What is cancelled stays cancelled: after bad moments of the scheduler, and after the main process died."""

import pytest

from pypoolparty.engine._cancelling import Cancellation
from pypoolparty.errors import SchedulerError
from pypoolparty.events import Ended
from pypoolparty.policy import Policy
from pypoolparty.scheduler import Target
from tests.unit import laws
from tests.unit.faults import Faults
from tests.unit.world import World


def test_tried_again_later():
    """After a failure it is tried again, at longer intervals, and not while a call is under way."""
    cancellation = Cancellation([Target("7")])
    assert cancellation.is_due(0.0)
    cancellation.is_under_way = True
    assert not cancellation.is_due(9.0)
    assert cancellation.has_failed(SchedulerError("no"), 10.0, is_leaving=True)
    assert [False, True] == [cancellation.is_due(now) for now in (10.9, 11.0)]
    assert cancellation.has_failed(SchedulerError("no"), 20.0, is_leaving=True)
    assert [False, True] == [cancellation.is_due(now) for now in (21.9, 22.0)]
    assert cancellation.has_failed(SchedulerError("no"), 30.0, is_leaving=False)
    assert [False, True] == [cancellation.is_due(30.1, is_leaving) for is_leaving in (False, True)]
    assert not cancellation.has_failed(SchedulerError("no"), 31.0, is_leaving=True)


def test_other_errors_are_not_tried_again():
    """What is no bad moment of the scheduler does not get better."""
    assert not Cancellation([Target("7")]).has_failed(ValueError("ours"), 0.0, is_leaving=False)


class Stubborn(World):
    """A world in which cancelling fails so many times at first."""

    n_failures = 2

    def cancel(self, targets):
        """Fail, or do it."""
        if self.counts["failed"] < self.n_failures:
            self.counts["failed"] += 1
            raise SchedulerError("not now")
        super().cancel(targets)


@pytest.mark.parametrize("n_failures", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("is_array", [True, False])
def test_nothing_is_left_after_failures(is_array, n_failures):
    """A held queue-job is cancelled in the end, though the scheduler fails at first, even for good the first time."""
    policy = Policy(width=2, is_array=is_array, max_num_resubmissions=0)
    world = Stubborn(3, policy, Faults(held=1.0, cancel_fails=1e-9), seed=1, slots=0)
    world.n_failures = n_failures
    world.run(stop_at=40)
    assert world.fired["held"]
    world.faults, world.slots = Faults(cancel_fails=1e-9), 10
    world.run(5000)
    laws.check_end(world)
    assert n_failures == world.counts["failed"]


@pytest.mark.parametrize("is_array", [True, False])
def test_held_queue_job_of_a_dead_main_process(is_array):
    """The main process dies when it has noted the end of a held queue-job and not cancelled it: resume does."""
    world = World(3, Policy(width=2, is_array=is_array), Faults(held=1.0), seed=1, slots=0)
    while not any(isinstance(event, Ended) for event in world.disk.events()):
        assert world.n_steps < 200
        world.run(stop_at=world.n_steps + 2)
    ended = [job for job in world.jobs if job.state.name == "ERROR"]
    assert [True] * len(ended) == [job.is_live for job in ended] != []
    world.faults, world.slots = Faults(), 10
    world.die_and_resume(calls_are_lost=True)
    world.run(stop_at=world.n_steps + 20)
    assert [False] * len(ended) == [job.is_live for job in ended]
    world.run(5000)
    laws.check_end(world)
