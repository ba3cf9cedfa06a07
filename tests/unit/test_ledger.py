"""What a ledger knows, by tables: events in, state out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.events import (
    Accepted,
    Closed,
    Doubted,
    Ended,
    GaveUp,
    Greeted,
    Left,
    Merged,
    Planned,
    Refused,
    Sent,
    TaskDied,
    Withdrawn,
)
from pypoolparty.ledger import Ledger
from pypoolparty.states import Death, Job, JobState, Outcome, Refusal, Report

CRASHED = Report(Death.CRASHED, "n1", evidence=("seen",))


def planned(number=1, chunks=((0, 4), (4, 8)), elements=2, is_elastic=True, tables=None):
    """Return the event of a submission of two queue-jobs."""
    listed = [list(chunk) for chunk in chunks]
    n = sum(stop - start for start, stop in listed)
    return Planned(number, f"q-{number:04d}", elements, is_elastic, tables or [number], n, listed)


def ledger_of(*events, n=8):
    """Return a ledger that has seen these events."""
    ledger = Ledger(n)
    for event in events:
        ledger.apply(event, 0.0)
    return ledger


RUNNING = (planned(), Sent(1, [0, 2]), Accepted(1, [0, 2], [(-1, "7")]))


def worker(element=0, number=1):
    """Return the name of a worker."""
    return f"{number:04d}-{element:06d}-n1-9-a"


def row(state, element=0, job_id="7", name="q-0001", **more):
    """Return a row of a query."""
    return Job(job_id, element, name, state, **more)


def test_new_ledger():
    """Nothing is known, and all tasks wait."""
    ledger = Ledger(8)
    assert (8, 0, 0, False) == (ledger.n_unassigned, ledger.n_done, ledger.live, ledger.is_done)
    assert [0, 8] == ledger.open_runs() == ledger.open_runs(unassigned_only=True)
    assert Ledger(0).is_done
    assert [] == Ledger(0).open_runs()


def test_first_outcome_wins():
    """A second outcome of a task changes nothing, of whatever kind."""
    ledger = Ledger(3)
    assert ledger.record(1, Outcome.RAISED)
    assert not ledger.record(1, Outcome.RETURNED)
    assert (Outcome.RAISED, 1, 2) == (ledger.outcomes[1], ledger.n_done, ledger.n_unassigned)
    assert [0, 1, 2, 3] == ledger.open_runs()


def test_outcome_of_a_task_that_is_given_up():
    """What is lost stays lost: it was told to the user."""
    ledger = ledger_of(GaveUp([2, 4], CRASHED))
    assert (2, False) == (ledger.n_done, ledger.record(2, Outcome.RETURNED))
    assert Outcome.LOST == ledger.outcomes[3]


def test_planned_tasks_are_assigned():
    """Tasks with an outcome are nowhere; the others wait in the table of their submission."""
    ledger = Ledger(8)
    ledger.record(5, Outcome.RETURNED)
    ledger.apply(planned(chunks=((0, 2), (4, 7))), 0.0)
    assert [1, 1, 0, 0, 1, 0, 1, 0] == list(ledger.place)
    assert [2, 4, 7, 8] == ledger.open_runs(unassigned_only=True)
    assert ([4, 6], [0, 1]) == (ledger.unfinished(1, 1), ledger.batches[1].unsent)


@pytest.mark.parametrize(
    ("events", "live", "unsent", "in_flight", "doubted"),
    [
        ((), 0, [0, 1], None, None),
        ((Sent(1, [0, 2]),), 2, [], [0, 2], None),
        ((Sent(1, [0, 1]),), 1, [1], [0, 1], None),
        ((Sent(1, [0, 2]), Accepted(1, [0, 2], [(-1, "7")])), 2, [], None, None),
        ((Sent(1, [0, 2]), Refused(1, [0, 2], Refusal.LATER, "")), 0, [0, 1], None, None),
        ((Sent(1, [0, 2]), Accepted(1, [0, 1], [(0, "7")]), Refused(1, [1, 2], Refusal.LATER, "")), 1, [1], None, None),
        ((Sent(1, [0, 2]), Doubted(1, [0, 2], "")), 2, [], None, [0, 2]),
        ((Sent(1, [0, 2]), Accepted(1, [0, 1], [(0, "7")]), Doubted(1, [1, 2], "")), 2, [], None, [1, 2]),
        ((Sent(1, [0, 2]), Doubted(1, [0, 2], ""), Accepted(1, [0, 2], [(-1, "7")])), 2, [], None, None),
        ((Sent(1, [0, 2]), Doubted(1, [0, 2], ""), Refused(1, [0, 2], Refusal.LATER, "")), 0, [0, 1], None, None),
        ((Sent(1, [0, 2]), Ended(1, 1, []), Doubted(1, [0, 2], "")), 1, [], None, [0, 1]),
        ((Sent(1, [0, 2]), Doubted(1, [0, 2], ""), Ended(1, 0, [])), 1, [], None, [1, 2]),
        ((Sent(1, [0, 2]), Doubted(1, [0, 2], ""), Ended(1, 0, []), Ended(1, 1, [])), 0, [], None, None),
    ],
)
def test_submitting(events, live, unsent, in_flight, doubted):
    """Which queue-jobs are in the queue, wait to be sent, are being sent, or are in doubt."""
    ledger = ledger_of(planned(), *events)
    batch = ledger.batches[1]
    assert (live, unsent, in_flight, doubted) == (ledger.live, batch.unsent, batch.in_flight, batch.doubted)


def test_job_ids():
    """An array has one id, which all its elements have; jobs of their own have one each."""
    ledger = ledger_of(*RUNNING)
    assert (["7"], ["7", "7"]) == (ledger.batches[1].job_ids, [e.job_id for e in ledger.batches[1].elements])
    ledger = ledger_of(planned(), Sent(1, [0, 2]), Accepted(1, [0, 2], [(0, "7"), (1, "8")]))
    assert ["7", "8"] == [element.job_id for element in ledger.batches[1].elements]


def test_waiting_after_refusals():
    """The wait grows with each refusal in a row, and an acceptance forgets them."""
    ledger = ledger_of(planned())
    waits = []
    for _ in range(9):
        ledger.apply(Sent(1, [0, 2]), 0.0)
        ledger.apply(Refused(1, [0, 2], Refusal.LATER, "busy"), 100.0)
        waits.append(ledger.submit_after - 100.0)
    assert [1, 2, 4, 8, 16, 32, 64, 120, 120] == waits
    ledger.apply(Sent(1, [0, 2]), 0.0)
    ledger.apply(Accepted(1, [0, 2], [(-1, "7")]), 0.0)
    assert 0 == ledger.submit_failures


@pytest.mark.parametrize("is_elastic", [True, False])
def test_array_that_is_too_large(is_elastic):
    """Only what was not taken is taken back: queue-jobs that run already go on."""
    chunks = [(i, i + 1) for i in range(8)]
    ledger = ledger_of(planned(chunks=chunks, elements=8, is_elastic=is_elastic))
    ledger.apply(Sent(1, [0, 2]), 0.0)
    ledger.apply(Accepted(1, [0, 2], [(-1, "7")]), 0.0)
    ledger.apply(Sent(1, [2, 8]), 0.0)
    ledger.apply(Refused(1, [2, 8], Refusal.ARRAY_SIZE, "too large"), 0.0)
    assert (2, 3, []) == (ledger.live, ledger.array_cap, ledger.batches[1].unsent)
    assert (0 if is_elastic else 6) == ledger.n_unassigned
    ledger.apply(Ended(1, 0, []), 0.0)
    ledger.apply(Ended(1, 1, []), 0.0)
    assert 8 == ledger.n_unassigned


def test_dead_queue_job_frees_what_it_has_claimed():
    """Its unfinished tasks wait again, and the first of them is charged: that one was at work."""
    ledger = ledger_of(*RUNNING)
    ledger.record(0, Outcome.RETURNED)
    ledger.apply(Ended(1, 0, [(1, 0)], CRASHED), 5.0)
    assert ([1, 4], {1: 1}) == (ledger.open_runs(unassigned_only=True), ledger.attempts)
    assert (1, 1, 5.0) == (ledger.live, ledger.lost_capacity, ledger.last_death_at)
    again = ledger.apply(Ended(1, 0, [(1, 0)], CRASHED), 6.0)
    assert ({1: 1}, 1, None) == (ledger.attempts, ledger.lost_capacity, again)


def test_queue_job_that_left_in_order_charges_nobody():
    """What it has left undone waits again, for nobody's fault."""
    ledger = ledger_of(*RUNNING, Ended(1, 0, [(1, 0)], None))
    assert ([0, 4], {}, 0) == (ledger.open_runs(unassigned_only=True), ledger.attempts, ledger.lost_capacity)


def test_last_queue_job_frees_all():
    """With the last queue-job of a submission, all that nobody can reach any more waits again."""
    ledger = ledger_of(*RUNNING, Ended(1, 0, [(1, 0)], None), Ended(1, 1, [], None))
    assert ([0, 8], []) == (ledger.open_runs(unassigned_only=True), ledger.active_batches())


def test_table_that_others_go_through_is_not_freed():
    """Replacements go on with the table of the dead; it is freed with the last that can reach it."""
    helper = planned(number=2, chunks=(), elements=1, tables=[1])
    ledger = ledger_of(*RUNNING, helper, Ended(1, 0, [], None), Ended(1, 1, [], None))
    assert 0 == ledger.n_unassigned
    ledger.apply(Ended(2, 0, [], None), 0.0)
    assert 8 == ledger.n_unassigned


def test_own_chunk_is_freed_with_its_queue_job():
    """Where each queue-job has its own chunk, nobody else will claim it."""
    ledger = ledger_of(planned(is_elastic=False), *RUNNING[1:], Ended(1, 1, [], None))
    assert [4, 8] == ledger.open_runs(unassigned_only=True)


@pytest.mark.parametrize(
    ("death", "attempts", "free"),
    [
        (Death.CRASHED, {2: 1}, {}),
        (Death.OUT_OF_MEMORY, {2: 1}, {}),
        (Death.TIME_LIMIT, {2: 1}, {}),
        (Death.VANISHED, {2: 1}, {}),
        (Death.BAD_ENVIRONMENT, {2: 1}, {}),
        (Death.PREEMPTED, {}, {2: 1}),
        (Death.NODE_FAILED, {}, {2: 1}),
        (Death.CANCELLED, {}, {2: 1}),
    ],
)
def test_what_is_charged(death, attempts, free):
    """Some deaths are the task's, some are not."""
    ledger = ledger_of(*RUNNING, TaskDied(2, worker(), Report(death)))
    assert (attempts, free) == (ledger.attempts, ledger.free_attempts)
    assert [2, 3] == ledger.open_runs(unassigned_only=True)


def test_late_news_of_a_death():
    """News of a death that come when the task has an outcome, or is in another table, change nothing for it."""
    ledger = ledger_of(*RUNNING)
    ledger.record(2, Outcome.RETURNED)
    ledger.apply(TaskDied(2, worker(), CRASHED), 0.0)
    assert ({}, 0) == (ledger.attempts, ledger.n_unassigned)
    ledger = ledger_of(*RUNNING, Ended(1, 0, [], None), Ended(1, 1, [], None), planned(number=2))
    ledger.apply(TaskDied(2, worker(number=1), CRASHED), 0.0)
    assert ({}, 0, 2) == (ledger.attempts, ledger.n_unassigned, ledger.place[2])


def test_submissions_without_any_outcome():
    """They are counted in a row; one outcome forgets them."""
    ledger = Ledger(8)
    for number in range(1, 4):
        ledger.apply(planned(number=number, elements=1), 0.0)
        ledger.apply(Ended(number, 0, [], CRASHED), 0.0)
    assert 3 == ledger.fruitless
    ledger.apply(planned(number=4, elements=1), 0.0)
    ledger.record(0, Outcome.RETURNED)
    ledger.apply(Ended(4, 0, [], CRASHED), 0.0)
    assert 0 == ledger.fruitless


def test_submissions_that_were_preempted():
    """They are counted by themselves; a submission in which anything died of its own is of the other kind."""
    preempted, ledger = Report(Death.PREEMPTED, "n1"), Ledger(8)
    for number, last in ((1, preempted), (2, preempted), (3, CRASHED)):
        ledger.apply(planned(number=number), 0.0)
        ledger.apply(Ended(number, 0, [], last), 0.0)
        ledger.apply(Ended(number, 1, [], preempted), 0.0)
    assert (1, 2) == (ledger.fruitless, ledger.free_fruitless)


def test_late_news_of_one_death_charges_once():
    """The supervisor's word of a task comes after its queue-job was declared dead, and the task charged for it."""
    ledger = ledger_of(*RUNNING, Ended(1, 0, [(1, 0)], CRASHED), TaskDied(0, worker(), CRASHED))
    assert {0: 1} == ledger.attempts


def test_outcome_acquits():
    """A task that was charged too often, and then has an outcome after all, is not given up."""
    ledger = ledger_of(*RUNNING, TaskDied(2, worker(), CRASHED))
    assert {2} == ledger.over_charged
    ledger.record(2, Outcome.RETURNED)
    assert set() == ledger.over_charged


def test_goodbye_is_judged_when_all_is_merged():
    """Segments and goodbye may come in any order; complete is what has all segments of all slots."""
    ledger = ledger_of(*RUNNING, Greeted(worker(), "n1", "7"))
    element = ledger.batches[1].elements[0]
    [trace] = element.traces.values()
    ledger.apply(Left(worker(), "exhausted", 0, {"0": 1, "s": 2}), 0.0)
    ledger.apply(Merged(f"{worker()}.s.000000", 0, 0), 0.0)
    ledger.apply(Merged(f"{worker()}.s.000001", 0, 0), 0.0)
    assert ({0}, True, False) == (ledger.batches[1].to_judge, ledger.batches[1].is_exhausted, trace.is_complete)
    ledger.apply(Merged(f"{worker()}.0.000000", 1, 0), 0.0)
    assert (True, "n1", True) == (trace.is_complete, element.node, element.has_greeted)


def test_goodbye_of_one_that_is_over():
    """A queue-job that was thought dead, and says goodbye after all, is not judged once more."""
    ledger = ledger_of(*RUNNING, Ended(1, 0, [], CRASHED), Left(worker(), "exhausted", 0, {"s": 1}))
    assert set() == ledger.batches[1].to_judge


@pytest.mark.parametrize("name", ["0009-000000-n1-9-a", "0001-000099-n1-9-a"])
def test_workers_of_nobody(name):
    """A worker that the ledger does not know is passed over."""
    ledger = ledger_of(*RUNNING, Greeted(name, "n1", ""), Left(name, "exhausted", 0, {}), Merged(f"{name}.0.0", 1, 0))
    assert set() == ledger.batches[1].to_judge


def test_withdrawn_elements():
    """Nothing is expected of them any more."""
    ledger = ledger_of(*RUNNING, Withdrawn(1, [1, 2]))
    assert (1, 1) == (ledger.live, ledger.batches[1].n_left)
    ledger.apply(Withdrawn(1), 0.0)
    assert ledger.batches[1].is_withdrawn
    ledger.apply(Closed("done"), 0.0)


@given(st.lists(st.sampled_from(list(JobState)), min_size=2, max_size=3))
def test_element_that_was_submitted_twice(states):
    """It is as alive as its best row: a dead twin is no evidence."""
    ledger = ledger_of(*RUNNING)
    ledger.observe(
        [row(state, job_id=str(7 + k)) for k, state in enumerate(states)] + [row(JobState.RUNNING, 1)], [1], 0
    )
    suspicious = [state.is_final or state in (JobState.ERROR, JobState.HOPELESS) for state in states]
    assert (0 in ledger.batches[1].to_judge) == all(suspicious)
