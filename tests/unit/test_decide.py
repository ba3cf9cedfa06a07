"""What to do next, by tables: a ledger in a state, and the actions that follow."""

import pytest

from pypoolparty.chunks import runs_of
from pypoolparty.decide import Finish, GiveUp, Inspect, Plan, Send, Withdraw, decide
from pypoolparty.events import Accepted, Doubted, Ended, Greeted, Left, Merged, Planned, Refused, Sent, TaskDied
from pypoolparty.ledger import Ledger
from pypoolparty.policy import Policy, Retry
from pypoolparty.states import Death, Job, JobState, Limits, Outcome, Refusal, Report

POLICY = Policy(width=4, grace=10.0, settle=1.0, max_num_resubmissions=2)


def ledger_with(n=8, elements=4, is_elastic=True, send=True):
    """Return a ledger with one submission of chunks of one task, accepted at time 0."""
    ledger = Ledger(n)
    chunks = [[i, i + 1] for i in range(n)]
    ledger.apply(Planned(1, "m-0001", elements, is_elastic, [1], n, chunks), 0.0)
    if send:
        ledger.apply(Sent(1, [0, elements]), 0.0)
        ledger.apply(Accepted(1, [0, elements], [(-1, "7")]), 0.0)
    return ledger


def worker(k):
    """Return the name of the worker of element k."""
    return f"0001-{k:06d}-n1-9-a"


def rows(**states):
    """Return the rows of a query: e0=JobState.RUNNING, …"""
    return [Job("7", int(name[1:]), "m-0001", state, "", "n1") for name, state in states.items()]


def died(death, k=0, **more):
    """Return the event of a queue-job that died."""
    return Ended(1, k, [(1, k)], Report(death, **more))


def test_no_tasks():
    """A map of nothing is done."""
    assert [Finish()] == decide(Ledger(0), POLICY, 0.0)


def test_begins_with_a_plan():
    """A new map is planned as one submission that covers each task once, as wide as the pool."""
    [plan] = decide(Ledger(10), POLICY, 0.0)
    assert isinstance(plan, Plan)
    assert (4, True, ()) == (plan.elements, plan.is_elastic, plan.tables)
    assert [0, 10] == runs_of(i for chunk in plan.chunks for i in range(*chunk))


@pytest.mark.parametrize(
    ("policy", "elements", "chunks"),
    [
        (Policy(), 10, 10),
        (Policy(width=3), 3, 10),
        (Policy(width=3, limits=Limits(array_size=2)), 2, 10),
        (Policy(limits=Limits(jobs=5)), 5, 10),
        (Policy(width=3, is_elastic=False), 10, 10),
        (Policy(width=3, is_elastic=False, chunksize=4), 3, 3),
        (Policy(width=3, is_elastic=False, num_chunks=5), 5, 5),
        (Policy(is_elastic=False, limits=Limits(array_size=6)), 6, 6),
        (Policy(width=3, is_elastic=False, is_array=False), 10, 10),
    ],
)
def test_shape_of_the_plan(policy, elements, chunks):
    """Width, limits and chunks have their say in the plan for ten tasks."""
    [plan] = decide(Ledger(10), policy, 0.0)
    assert (elements, chunks) == (plan.elements, len(plan.chunks))


def test_sends_what_is_planned():
    """What is on disk is submitted, and while that is under way nothing else."""
    ledger = ledger_with(send=False)
    assert [Send(1, (0, 1, 2, 3))] == decide(ledger, POLICY, 0.0)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    assert [] == decide(ledger, POLICY, 99.0)


def test_jobs_are_sent_in_windows():
    """Jobs that are no array never exceed the pool's width, other maps of the pool counted."""
    policy = Policy(width=4, is_array=False, is_elastic=False)
    assert [Send(1, (0, 1, 2, 3))] == decide(ledger_with(elements=8, is_elastic=False, send=False), policy, 0.0)
    assert [Send(1, (0,))] == decide(ledger_with(elements=8, is_elastic=False, send=False), policy, 0.0, elsewhere=3)
    assert [] == decide(ledger_with(elements=8, is_elastic=False, send=False), policy, 0.0, elsewhere=4)


@pytest.mark.parametrize(
    ("refusal", "at", "expected"),
    [
        (Refusal.LATER, 0.5, []),
        (Refusal.LATER, 1.5, [Send(1, (0, 1, 2, 3))]),
        (Refusal.JOB_LIMIT, 1.5, [Send(1, (0, 1))]),
        (Refusal.UNKNOWN, 1.5, [Send(1, (0, 1, 2, 3))]),
        (Refusal.NEVER, 0.0, [GiveUp((0, 8), Report(Death.REFUSED, evidence=("no",)))]),
    ],
)
def test_refused_submission(refusal, at, expected):
    """A refusal means later, fewer, or never."""
    ledger = ledger_with(send=False)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    ledger.apply(Refused(1, [0, 4], refusal, "no"), 0.0)
    assert expected == decide(ledger, POLICY, at)


def test_array_that_is_too_large_is_planned_anew():
    """After an array limit the tasks go into an array of half the size."""
    ledger = ledger_with(send=False)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    ledger.apply(Refused(1, [0, 4], Refusal.ARRAY_SIZE, "no"), 0.0)
    [plan] = decide(ledger, POLICY, 0.0)
    assert 2 == plan.elements


def test_refusal_in_unknown_words_is_not_tried_for_ever():
    """After five such refusals in a row the tasks are given up, with the scheduler's words."""
    ledger = ledger_with(send=False)
    for _ in range(5):
        ledger.apply(Sent(1, [0, 4]), 0.0)
        ledger.apply(Refused(1, [0, 4], Refusal.UNKNOWN, "gibberish"), 0.0)
    [action] = decide(ledger, POLICY, 1e6)
    assert (0, 8) == action.tasks
    assert "gibberish" in action.report.evidence


def test_doubtful_submission_is_looked_up():
    """No answer: nothing is sent before two queries have not found it; found, it is accepted."""
    ledger = ledger_with(send=False)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    ledger.apply(Doubted(1, [0, 4], "timed out"), 0.0)
    assert [] == decide(ledger, POLICY, 99.0)
    assert [] == ledger.observe([], [1], 100.0)
    assert [] == decide(ledger, POLICY, 101.0)
    [refused] = ledger.observe([], [1], 105.0)
    ledger.apply(refused, 105.0)
    assert [Send(1, (0, 1, 2, 3))] == decide(ledger, POLICY, 120.0)


def test_doubtful_submission_is_found():
    """The rows of a query settle the doubt."""
    ledger = ledger_with(elements=2, send=False)
    ledger.apply(Sent(1, [0, 2]), 0.0)
    ledger.apply(Doubted(1, [0, 2], "timed out"), 0.0)
    [accepted] = ledger.observe(rows(e0=JobState.PENDING, e1=JobState.RUNNING), [1], 1.0)
    ledger.apply(accepted, 1.0)
    assert [] == decide(ledger, POLICY, 99.0)
    assert ["7"] == ledger.batches[1].job_ids


@pytest.mark.parametrize(
    ("state", "death", "after"),
    [
        (JobState.PENDING, None, 99.0),
        (JobState.RUNNING, None, 99.0),
        (JobState.SUSPENDED, None, 99.0),
        (JobState.COMPLETING, None, 99.0),
        (JobState.UNKNOWN, None, 99.0),
        (JobState.FAILED, Death.BAD_ENVIRONMENT, 10.0),
        (JobState.COMPLETED, Death.BAD_ENVIRONMENT, 10.0),
        (JobState.CANCELLED, Death.CANCELLED, 10.0),
        (JobState.OUT_OF_MEMORY, Death.OUT_OF_MEMORY, 10.0),
        (JobState.TIME_LIMIT, Death.TIME_LIMIT, 10.0),
        (JobState.NODE_FAILED, Death.NODE_FAILED, 10.0),
        (JobState.PREEMPTED, Death.PREEMPTED, 10.0),
    ],
)
def test_state_of_a_silent_queue_job(state, death, after):
    """A state is evidence only when it is final, and only after the grace for files that come late."""
    ledger = ledger_with(elements=1)
    ledger.observe(rows(e0=state), [1], 0.0)
    assert [] == decide(ledger, POLICY, after - 0.1)
    actions = decide(ledger, POLICY, after)
    assert [] == actions if death is None else isinstance(actions[0], Inspect)
    if death is not None:
        [(element, report, looks_for_claims)] = actions[0].elements
        assert (0, death, True) == (element, report.death, looks_for_claims)


def test_held_queue_job_needs_no_grace():
    """What never ran has left no files to wait for."""
    ledger = ledger_with(elements=1)
    ledger.observe(rows(e0=JobState.ERROR), [1], 0.0)
    assert isinstance(decide(ledger, POLICY, 0.0)[0], Inspect)


def test_absence_counts_only_twice_in_a_row():
    """Missing in one query is nothing; in two successful ones, and after the grace, it has vanished."""
    ledger = ledger_with(elements=1)
    ledger.observe([], [1], 0.0)
    assert [] == decide(ledger, POLICY, 99.0)
    ledger.observe(rows(e0=JobState.RUNNING), [1], 5.0)
    ledger.observe([], [1], 10.0)
    assert [] == decide(ledger, POLICY, 99.0)
    ledger.observe([], [1], 15.0)
    assert [] == decide(ledger, POLICY, 24.0)
    [inspect] = decide(ledger, POLICY, 25.0)
    assert Death.VANISHED is inspect.elements[0][1].death


def test_goodbye_is_believed_when_all_segments_are_there():
    """A worker that left in order is over at once, but not before its last segment was merged."""
    ledger = ledger_with(elements=1)
    ledger.apply(Greeted(worker(0), "n1", "7"), 0.0)
    ledger.apply(Left(worker(0), "exhausted", 0, {"0": 1, "s": 1}), 0.0)
    ledger.apply(Merged(f"{worker(0)}.s.000000", 0, 0), 0.0)
    assert [] == decide(ledger, POLICY, 99.0)
    ledger.apply(Merged(f"{worker(0)}.0.000000", 1, 0), 0.0)
    [inspect] = decide(ledger, POLICY, 0.0)
    assert ((0, None),) == tuple(element[:2] for element in inspect.elements)


def test_pending_queue_jobs_are_given_back():
    """When one worker finds nothing unclaimed, those that still wait are withdrawn."""
    ledger = ledger_with()
    ledger.observe(rows(e0=JobState.RUNNING, e1=JobState.RUNNING, e2=JobState.PENDING, e3=JobState.PENDING), [1], 0.0)
    ledger.apply(Greeted(worker(1), "n1", "7"), 0.0)
    ledger.apply(Left(worker(0), "exhausted", 0, {"s": 1}), 0.0)
    assert Withdraw(1, (2, 3)) in decide(ledger, POLICY, 0.0)


def test_task_of_a_dead_queue_job_is_submitted_again_alone():
    """It counts as an attempt, waits for others that may have died of the same, and gets a chunk of its own."""
    ledger = ledger_with()
    ledger.apply(died(Death.CRASHED), 50.0)
    assert {0: 1} == ledger.attempts
    assert [] == decide(ledger, POLICY, 50.5)
    [plan] = decide(ledger, POLICY, 51.0)
    assert (1, ([0, 1],), (1,)) == (plan.elements, plan.chunks, plan.tables)


@pytest.mark.parametrize("death", [Death.NODE_FAILED, Death.PREEMPTED, Death.CANCELLED])
def test_free_deaths(death):
    """Some deaths are not the task's fault, and are not counted as attempts."""
    ledger = ledger_with()
    ledger.apply(died(death), 0.0)
    assert ({}, {0: 1}) == (ledger.attempts, ledger.free_attempts)


def test_attempts_are_limited():
    """A task that has died once more than it may be submitted again is given up."""
    ledger = ledger_with()
    report = Report(Death.CRASHED, signal=11)
    for k in range(3):
        assert not any(isinstance(action, GiveUp) for action in decide(ledger, POLICY, 0.0)), k
        ledger.place[0] = 1
        ledger.apply(TaskDied(0, worker(0), report), 0.0)
    assert [GiveUp((0, 1), report)] == decide(ledger, POLICY, 0.0)


def test_more_memory_after_out_of_memory():
    """The task asks for more, in a submission of its own; at the cap it is given up."""
    policy = Policy(width=4, mem=100, retry=Retry(mem_factor=1.5, max_mem="1M"))
    ledger = ledger_with()
    ledger.apply(TaskDied(0, worker(0), Report(Death.OUT_OF_MEMORY)), 0.0)
    [plan] = decide(ledger, Policy(width=5, mem=100), 9.0)
    assert ((1, 0), ([0, 1],), ()) == ((plan.mem_level, plan.time_level), plan.chunks, plan.tables)
    assert [100, 150, 225] == [policy.mem_at(level) for level in range(3)]
    capped = Policy(width=4, mem=1 << 20, retry=Retry(max_mem="1M"))
    assert isinstance(decide(ledger, capped, 9.0)[0], GiveUp)


@pytest.mark.parametrize("death", [Death.OUT_OF_MEMORY, Death.TIME_LIMIT])
@pytest.mark.parametrize("given", [{}, {"mem": 100, "time": 60, "retry": Retry(mem_factor=1, time_factor=1)}])
def test_nothing_that_could_be_raised(death, given):
    """A task that lacks memory or time is not tried again and again with what it had, as with the site's default."""
    policy = Policy(width=4, **given)
    ledger = ledger_with()
    for k in range(3):
        assert not any(isinstance(action, GiveUp) for action in decide(ledger, policy, 9.0)), k
        ledger.place[0] = 1
        ledger.apply(TaskDied(0, worker(0), Report(death)), 0.0)
    assert [GiveUp((0, 1), Report(death))] == decide(ledger, policy, 9.0)


def test_first_workers_that_can_not_be_set_up():
    """Three workers that could not load the function, and nothing done: all is given up, and told why."""
    ledger = ledger_with()
    for k in range(3):
        assert [] == [action for action in decide(ledger, POLICY, 0.0) if isinstance(action, GiveUp)]
        ledger.apply(TaskDied(-1, worker(k), Report(Death.BAD_ENVIRONMENT)), 0.0)
    [action] = decide(ledger, POLICY, 0.0)
    assert ((0, 8), Death.BAD_ENVIRONMENT) == (action.tasks, action.report.death)


def test_traceback_of_a_bad_environment_is_not_forgotten():
    """What the queue-job's end tells less of does not replace the worker's own traceback."""
    ledger = ledger_with()
    ledger.apply(TaskDied(-1, worker(0), Report(Death.BAD_ENVIRONMENT, stderr_tail="no module x")), 0.0)
    ledger.apply(Ended(1, 0, [], Report(Death.BAD_ENVIRONMENT, evidence=("not loaded",))), 0.0)
    assert "no module x" == ledger.last_report.stderr_tail


def test_one_success_gives_hope():
    """When anything has succeeded, bad workers do not end the map."""
    ledger = ledger_with()
    ledger.record(0, Outcome.RETURNED)
    for k in range(3):
        ledger.apply(TaskDied(-1, worker(k), Report(Death.BAD_ENVIRONMENT)), 0.0)
    assert [] == decide(ledger, POLICY, 0.0)


def test_nodes_on_which_much_dies():
    """A node is left out after so many deaths of different tasks, but never the last one known."""
    ledger = ledger_with()
    for node in ("n1", "n2"):
        ledger.apply(Greeted(f"0001-000000-{node}-9-a", node, "7"), 0.0)
    for itask in range(3):
        ledger.apply(TaskDied(itask, worker(0), Report(Death.CRASHED, "n1", signal=9)), 0.0)
    assert ["n1"] == ledger.bad_nodes(3)
    for itask in range(3, 6):
        ledger.apply(TaskDied(itask, worker(0), Report(Death.CRASHED, "n2", signal=9)), 0.0)
    assert [] == ledger.bad_nodes(3)


def test_first_outcome_wins():
    """A late duplicate changes nothing."""
    ledger = ledger_with()
    assert ledger.record(0, Outcome.RETURNED)
    assert not ledger.record(0, Outcome.RAISED)
    assert (1, Outcome.RETURNED) == (ledger.n_done, ledger.outcomes[0])
