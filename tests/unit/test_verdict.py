"""What a user is told of a lost task."""

import pickle

import pytest

from pypoolparty import errors
from pypoolparty.states import Death, Report
from pypoolparty.verdict import error_of


@pytest.mark.parametrize("death", [death for death in Death if death is not Death.REFUSED])
def test_each_death_has_its_exception(death):
    """The type says why; the task, its attempts and its work_dir are on it."""
    error = error_of(Report(death), 7, 2, "/some/where")
    assert death.value == type(error).__name__
    assert isinstance(error, errors.TaskLost)
    assert (7, 2, "/some/where") == (error.itask, error.attempts, error.work_dir)
    assert "task 7" in str(error)
    assert "(attempt 2)" in str(error)
    assert "work_dir: /some/where" in str(error)


def test_all_that_is_known_is_told():
    """Node, signal, evidence and the last of stderr stand in the message and on the exception."""
    report = Report(
        Death.CRASHED, "n17", 11, 0, 2048, ("seen by its supervisor", "sacct says so"), "Segmentation fault\n"
    )
    error = error_of(report, 3, 1, "/w")
    assert [
        "task 3 crashed by signal 11 (SIGSEGV) on n17",
        "  evidence: seen by its supervisor",
        "  evidence: sacct says so",
        "  the last of its stderr: Segmentation fault",
        "  work_dir: /w",
        "  next: pypoolparty logs /w 3 --stderr",
        "  next: pypoolparty resume /w",
    ] == str(error).splitlines()
    assert ("n17", ("seen by its supervisor", "sacct says so")) == (error.node, tuple(error.evidence))
    assert "Segmentation fault\n" == error.stderr_tail


def test_little_is_known():
    """What is not known is left out."""
    expected = ["task 0 vanished with its queue-job", "  work_dir: /w", "  next: pypoolparty resume /w"]
    assert expected == str(error_of(Report(Death.VANISHED), 0, 1, "/w")).splitlines()


def test_exit_code_and_unknown_signal():
    """An exit code is told where there was no signal; a signal without a name is no trouble."""
    assert "crashed with exit code 3" in str(error_of(Report(Death.CRASHED, exit_code=3), 0, 1, "/w"))
    assert "by signal 99 (unknown)" in str(error_of(Report(Death.CRASHED, signal=99), 0, 1, "/w"))


def test_long_stderr_is_cut():
    """A message stays readable; all of it is on the exception."""
    error = error_of(Report(Death.CRASHED, stderr_tail="x" * 4000 + " the end"), 0, 1, "/w")
    assert len(str(error)) < 1200
    assert "the end" in str(error)
    assert 4008 == len(error.stderr_tail)


def test_refused_submission_has_the_schedulers_words():
    """What the scheduler said is the message."""
    error = error_of(Report(Death.REFUSED, evidence=("sbatch: error: invalid partition specified: x",)), 0, 0, "/w")
    assert isinstance(error, errors.SubmissionRefused)
    assert "sbatch: error: invalid partition specified: x" == str(error).splitlines()[0]


@pytest.mark.parametrize("death", list(Death))
def test_exceptions_can_be_pickled(death):
    """They go through a pipe whole, with all that is on them."""
    error = error_of(Report(death, "n1", 9, evidence=("seen",), stderr_tail="tail"), 7, 2, "/w")
    again = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error), vars(error)) == (type(again), str(again), vars(again))
