"""A scheduler that is talked to by commands: what is made of their answers."""

import pytest

from pypoolparty.command import Completed
from pypoolparty.errors import CommandFailed, CommandTimedOut, UnreadableOutput
from pypoolparty.scheduler import CommandScheduler, Target, command_environment
from pypoolparty.slurm.dialect import SlurmDialect
from pypoolparty.states import Limits, Refusal
from tests.unit.test_slurm_dialect import HEADER, submission

# Commands that exist everywhere: a submission is not begun without them.
DIALECT = SlurmDialect(sbatch="/bin/sh", squeue="/bin/sh", scancel="/bin/sh")


class Script:
    """Answers commands one after the other, and remembers them."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def __call__(self, argv, timeout, environment):
        self.calls.append((list(argv), timeout, environment))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        code, out, err = answer
        return Completed(tuple(argv), code, out, err)


def scheduler_of(*answers, is_array=True, dialect=DIALECT, **environment):
    """Return a scheduler whose commands answer like this, and the script."""
    script = Script(*answers)
    return CommandScheduler(dialect, 7.0, is_array, environment, script), script


OK, BUSY = (0, "11\n", ""), (1, "", "sbatch: error: Unable to contact slurm controller\n")
TIMED_OUT = CommandTimedOut(["sbatch"], 7.0)


@pytest.mark.parametrize(
    ("answer", "jobs", "refusal", "is_missing"),
    [
        (OK, ((-1, "11"),), None, False),
        (BUSY, (), Refusal.LATER, True),
        ((1, "", "sbatch: error: invalid partition specified: x\n"), (), Refusal.NEVER, True),
        ((1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"), (), Refusal.JOB_LIMIT, True),
        ((1, "", "Invalid job array specification"), (), Refusal.ARRAY_SIZE, True),
        ((1, "", "sbatch: error: gibberish"), (), Refusal.UNKNOWN, True),
        ((1, "", "gibberish"), (), None, True),
        ((1, "", ""), (), None, True),
        ((-9, "", ""), (), None, True),
        ((1, "Loading gcc/12\n11\n", "the wrapper failed"), ((-1, "11"),), None, False),
        (CommandFailed(["sbatch"], 127, "", "No such file"), (), Refusal.NEVER, True),
        (TIMED_OUT, (), None, True),
        ((0, "what?\n", ""), (), None, True),
    ],
)
def test_array(answer, jobs, refusal, is_missing):
    """Taken, refused with a reason, or in doubt: no answer and an unreadable one mean that it may be in the queue."""
    scheduler, script = scheduler_of(answer)
    receipt = scheduler.submit(submission())
    assert (jobs, refusal) == (receipt.jobs, receipt.refusal)
    assert ((0, 1, 2, 3) if is_missing else ()) == receipt.missing
    assert is_missing == bool(receipt.words)
    assert 1 == len(script.calls)


@pytest.mark.parametrize(
    ("answers", "jobs", "missing", "refusal"),
    [
        ((OK, (0, "12\n", ""), (0, "13\n", ""), (0, "14\n", "")), 4, (), None),
        ((OK, (0, "12\n", ""), BUSY), 2, (2, 3), Refusal.LATER),
        ((OK, TIMED_OUT), 1, (1, 2, 3), None),
        ((BUSY,), 0, (0, 1, 2, 3), Refusal.LATER),
    ],
)
def test_jobs_one_by_one(answers, jobs, missing, refusal):
    """After the first one that is not taken no more are tried; what was taken is known."""
    scheduler, script = scheduler_of(*answers, is_array=False)
    receipt = scheduler.submit(submission(is_array=False))
    assert tuple((k, str(11 + k)) for k in range(jobs)) == receipt.jobs
    assert (missing, refusal) == (receipt.missing, receipt.refusal)
    assert [f"--job-name=q-0001-{k}" for k in range(len(answers))] == [argv[2] for argv, _, _ in script.calls]


def test_commands_that_are_missing():
    """Nothing is submitted that could be neither watched nor cancelled, and the missing ones are named."""
    dialect = SlurmDialect(sbatch="/bin/sh", squeue="/no/squeue", scancel="no-scancel-here")
    scheduler, script = scheduler_of(dialect=dialect)
    receipt = scheduler.submit(submission())
    assert (Refusal.NEVER, (0, 1, 2, 3)) == (receipt.refusal, receipt.missing)
    assert "/no/squeue, no-scancel-here" in receipt.words
    assert [] == script.calls


def test_query():
    """One call, with the timeout and the variables; the rows come back."""
    scheduler, script = scheduler_of((0, f"{HEADER}7_0|q-0001|RUNNING|1|n1|None\n", ""), SLURM_BITSTR_LEN="0")
    [job] = scheduler.query(["q-0001"])
    [(argv, timeout, environment)] = script.calls
    assert ("7", 0, "n1") == (job.job_id, job.element, job.node)
    assert ("--name=q-0001" in argv, timeout, environment["SLURM_BITSTR_LEN"]) == (True, 7.0, "0")


def test_query_for_jobs_that_are_gone():
    """That all of them are gone is an answer."""
    scheduler, _ = scheduler_of((1, "", "slurm_load_jobs error: Invalid job id specified\n"))
    assert [] == scheduler.query(["q-0001"])


@pytest.mark.parametrize(
    ("answer", "error"),
    [(BUSY, CommandFailed), (TIMED_OUT, CommandTimedOut), ((0, f"{HEADER}7_0|q-00", ""), UnreadableOutput)],
)
def test_query_that_fails(answer, error):
    """It says nothing of the jobs, and is never taken for an empty queue."""
    scheduler, _ = scheduler_of(answer)
    with pytest.raises(error):
        scheduler.query(["q-0001"])


def test_cancel():
    """One call for all; those that are gone already are fine, an outage is not."""
    gone = (1, "", "scancel: error: Kill job error on job id 7: Invalid job id specified\n")
    scheduler, script = scheduler_of((0, "", ""), gone, BUSY)
    scheduler.cancel([Target("7"), Target("8", (1,))])
    scheduler.cancel([Target("7")])
    with pytest.raises(CommandFailed, match="Unable to contact"):
        scheduler.cancel([Target("7")])
    assert ["/bin/sh", "7", "8_[1]"] == script.calls[0][0]


@pytest.mark.parametrize("answer", [BUSY, TIMED_OUT, (1, "", "no accounting here"), (0, "", "")])
def test_accounting_that_is_not_there(answer):
    """Many sites have none, or it is down: then it tells nothing, and nothing fails."""
    scheduler, _ = scheduler_of(answer)
    assert [] == scheduler.post_mortem(["7"])


def test_accounting():
    """What it tells of the jobs."""
    scheduler, _ = scheduler_of((0, "7_0|q|OUT_OF_MEMORY|0:125|n1\n7_0.batch|batch|OUT_OF_MEMORY|0:125|n1\n", ""))
    assert ["out of memory"] * 2 == [job.state.value for job in scheduler.post_mortem(["7"])]


@pytest.mark.parametrize(
    ("answer", "limits"),
    [((0, "MaxArraySize = 11\n", ""), Limits(10)), (BUSY, Limits()), (TIMED_OUT, Limits()), ((0, "", ""), Limits())],
)
def test_limits(answer, limits):
    """What can not be learned is left to be met."""
    scheduler, _ = scheduler_of(answer)
    assert limits == scheduler.limits()


def test_variables_of_commands(monkeypatch):
    """Of a job around us nothing is passed on; the user's defaults for sbatch are, but those that change its answer."""
    given = {
        "SLURM_JOB_ID": "1",
        "SLURM_CONF": "/etc/s",
        "SBATCH_PARTITION": "p",
        "SBATCH_WAIT": "1",
        "SBATCH_EXPORT": "NONE",
        "TMPDIR": "/tmp",
        "SGE_ROOT": "/sge",
        "COLOUR": "red",
        "SQUEUE_PARTITION": "p",
        "SCANCEL_STATE": "RUNNING",
        "SACCT_FORMAT": "x",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = command_environment({"COLOUR": "blue"})
    assert {
        "SLURM_CONF": "/etc/s",
        "SBATCH_PARTITION": "p",
        "TMPDIR": "/tmp",
        "SGE_ROOT": "/sge",
        "COLOUR": "blue",
    } == {name: found[name] for name in given if name in found}
