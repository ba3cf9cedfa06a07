"""Why a queue-job died: all that is told of it, weighed."""

import pytest

from pypoolparty.cause import refine
from pypoolparty.states import Death, Job, JobState, Report


def account(state, reason="0:9", node="n1"):
    """Return a row of the accounting."""
    return Job("7", 0, "q", state, reason, node)


@pytest.mark.parametrize(
    ("first", "states", "stderr", "death"),
    [
        (Death.VANISHED, [], "", Death.VANISHED),
        (Death.VANISHED, [JobState.COMPLETED], "", Death.VANISHED),
        (Death.VANISHED, [JobState.FAILED], "", Death.CRASHED),
        (Death.VANISHED, [JobState.CANCELLED], "", Death.CANCELLED),
        (Death.CRASHED, [JobState.FAILED, JobState.CANCELLED], "", Death.CANCELLED),
        (Death.CANCELLED, [JobState.TIME_LIMIT, JobState.CANCELLED], "", Death.TIME_LIMIT),
        (Death.VANISHED, [JobState.NODE_FAILED, JobState.CANCELLED], "", Death.NODE_FAILED),
        (Death.CRASHED, [JobState.OUT_OF_MEMORY, JobState.FAILED], "", Death.OUT_OF_MEMORY),
        (Death.CANCELLED, [JobState.PREEMPTED], "", Death.PREEMPTED),
        (
            Death.CRASHED,
            [JobState.FAILED, JobState.CANCELLED],
            "slurmstepd: error: StepId=15.batch exceeded memory limit (434692096 > 52428800), being killed",
            Death.OUT_OF_MEMORY,
        ),
        (
            Death.CANCELLED,
            [],
            "slurmstepd: error: *** JOB 10 ON n1 CANCELLED AT 2026-11-25T08:52:53 DUE TO TIME LIMIT ***",
            Death.TIME_LIMIT,
        ),
        (
            Death.VANISHED,
            [],
            "slurmstepd: error: *** JOB 16 ON n2 CANCELLED AT 2026-11-25T08:51:33 ***",
            Death.CANCELLED,
        ),
        (Death.VANISHED, [], "error: Detected 1 oom-kill event(s) in StepId=7.batch", Death.OUT_OF_MEMORY),
        (Death.CRASHED, [], "Traceback (most recent call last):", Death.CRASHED),
    ],
)
def test_weighing(first, states, stderr, death):
    """The cause that explains most wins over what may be its mere consequence."""
    report = refine(Report(first), [account(state) for state in states], stderr)
    assert death is report.death


def test_evidence_is_gathered():
    """All that was said is kept, each once; the node and the end of stderr too."""
    report = Report(Death.VANISHED, evidence=("absent from 2 successful queries in a row",))
    rows = [account(JobState.FAILED, "FAILED 0:9"), account(JobState.FAILED, "FAILED 0:9")]
    refined = refine(report, rows, "first line\nx exceeded memory limit y\nlast line")
    assert (
        "absent from 2 successful queries in a row",
        "the accounting says failed (FAILED 0:9)",
        "its raw stderr says: x exceeded memory limit y",
    ) == refined.evidence
    assert ("n1", "first line\nx exceeded memory limit y\nlast line") == (refined.node, refined.stderr_tail)


def test_what_is_known_already_stays():
    """A node and a stderr that the worker told are not overwritten."""
    report = Report(Death.CRASHED, node="n7", signal=11, stderr_tail="of the task")
    refined = refine(report, [account(JobState.FAILED)], "raw")
    assert ("n7", 11, "of the task") == (refined.node, refined.signal, refined.stderr_tail)


@pytest.mark.parametrize("death", list(Death))
def test_any_death_can_be_weighed(death):
    """Whatever a worker or a query tells, the weighing ends in a report."""
    assert death is refine(Report(death), [], "").death
    refine(Report(death), [account(state) for state in JobState], "oom-kill DUE TO TIME LIMIT")


@pytest.mark.parametrize("first", [Death.VANISHED, Death.CRASHED])
@pytest.mark.parametrize(
    "stderr",
    [
        "/spool/job_scripts/12: line 9: /opt/python: No such file or directory",
        "/spool/job_scripts/12: 9: exec: /opt/python: not found",
        "Traceback (most recent call last):\nModuleNotFoundError: No module named 'script'\n",
        "the node has Python 3.8.1 (/usr/bin/python3), the main process has 3.11.2",
    ],
)
def test_queue_job_without_a_worker(first, stderr):
    """Where none has said hello, raw stderr tells that the environment is bad; where one has, that is the task's."""
    report = refine(Report(first), [], stderr, has_greeted=False)
    assert report.death is Death.BAD_ENVIRONMENT
    assert any(words.startswith("no worker said hello, and") for words in report.evidence)
    assert refine(Report(first), [], stderr, has_greeted=True).death is first


@pytest.mark.parametrize("stderr", ["", "some words\n", "cat: /data/x: No such file or directory\n"])
def test_queue_job_of_which_nothing_is_known(stderr):
    """Nothing is made up."""
    assert refine(Report(Death.VANISHED), [], stderr, has_greeted=False).death is Death.VANISHED


def test_death_that_explains_more_than_the_environment():
    """A job that was cancelled before its worker began was cancelled."""
    stderr = "/spool/12: 9: exec: /opt/python: not found"
    assert refine(Report(Death.CANCELLED), [], stderr, has_greeted=False).death is Death.CANCELLED
