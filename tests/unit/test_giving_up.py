"""When what could still be done is never taken by the scheduler, it is given up, and nothing else is."""

import pytest

from pypoolparty.decide import GiveUp, decide
from pypoolparty.events import Ended, Planned, Refused, Sent
from pypoolparty.ledger import Ledger
from pypoolparty.states import Death, Refusal, Report
from tests.unit.test_decide import POLICY, ledger_with


@pytest.mark.parametrize("refusal", [Refusal.NEVER, Refusal.LATER])
def test_replacement_that_is_refused(refusal):
    """When only a replacement without chunks of its own could go on, and it is never taken, its tasks are given up."""
    ledger = ledger_with()
    ledger.apply(Planned(2, "m-0002", 1, True, [1], 0, []), 0.0)
    for _ in range(POLICY.patience + 1):
        ledger.apply(Sent(2, [0, 1]), 0.0)
        ledger.apply(Refused(2, [0, 1], refusal, "no"), 0.0)
    assert not any(isinstance(action, GiveUp) for action in decide(ledger, POLICY, 1e6))
    for k in range(4):
        ledger.apply(Ended(1, k, []), 0.0)
    [action] = decide(ledger, POLICY, 1e6)
    assert ((0, 8), Death.REFUSED) == (action.tasks, action.report.death)


@pytest.mark.parametrize("is_elastic", [True, False])
def test_queue_jobs_that_run_are_not_given_up(is_elastic):
    """A part of the queue-jobs was taken, the rest never will be: what the others do is waited for."""
    ledger = ledger_with(send=False, elements=8, is_elastic=is_elastic)
    ledger.apply(Sent(1, [0, 8]), 0.0)
    ledger.apply(Refused(1, [2, 8], Refusal.NEVER, "no"), 0.0)
    given_up = [action.tasks for action in decide(ledger, POLICY, 0.0) if isinstance(action, GiveUp)]
    assert ([] if is_elastic else [(2, 8)]) == given_up


@pytest.mark.parametrize("death", [Death.PREEMPTED, Death.NODE_FAILED, Death.CANCELLED])
def test_preemption_of_everything(death):
    """Submissions in a row that were all preempted end the map not before the generous limit, and then do."""
    ledger, most = Ledger(4), POLICY.retry.max_free_resubmissions
    for number in range(1, most + 2):
        assert not any(isinstance(action, GiveUp) for action in decide(ledger, POLICY, 1e6))
        ledger.apply(Planned(number, f"m-{number:04d}", 1, True, [number], 4, [[0, 4]]), 0.0)
        ledger.apply(Ended(number, 0, [], Report(death)), 0.0)
    [action] = decide(ledger, POLICY, 1e6)
    assert ((0, 4), death) == (action.tasks, action.report.death)
