"""Answers that are late, doubtful, full of noise, or no answers at all: what is made of them."""

import pytest

from pypoolparty.command import Completed, run
from pypoolparty.decide import FULL_REFUSALS, GiveUp, Send, decide
from pypoolparty.errors import CommandTimedOut
from pypoolparty.events import Accepted, Doubted, Refused, Sent, TaskDied
from pypoolparty.policy import Policy
from pypoolparty.slurm.dialect import SlurmDialect
from pypoolparty.states import Death, Refusal, Report
from pypoolparty.sun_grid_engine.dialect import GridEngineDialect
from tests.unit.test_decide import POLICY, ledger_with, worker
from tests.unit.test_grid_engine_dialect import xml
from tests.unit.test_scheduler import scheduler_of
from tests.unit.test_slurm_dialect import HEADER, ROW, submission

SLURM, SGE = SlurmDialect(), GridEngineDialect()


@pytest.mark.parametrize("text", ["", "\n", ROW, "Welcome!\n", HEADER[:-3], "slurm_load_jobs error: x\n"])
def test_answer_without_beginning(text):
    """Where the table's head is missing nothing was answered: it is no empty queue."""
    with pytest.raises(ValueError, match="not a table"):
        SLURM.parse_query(text)


@pytest.mark.parametrize("noise", ["Welcome to 3 | 4 clusters\n", "Loading gcc/12\r\n", "7|x|\n", "\x0c\n\u2028\n"])
def test_banners_around_the_queue(noise):
    """What sites print before the table is passed over, and after it what has nothing of a row."""
    assert [2, 3] == [job.element for job in SLURM.parse_query(noise + HEADER + ROW + "Bye.\n")]
    assert [] == SLURM.parse_query(noise + HEADER)


def test_banners_around_grid_engines_queue():
    """What sites print before and after the XML is passed over; half of it is no answer."""
    text = xml((7, "r", "3", "all.q@n1"), banner="Welcome! 1 < 2\n")
    assert [2] == [job.element for job in SGE.parse_query(text + "Bye.\n")]
    with pytest.raises(ValueError, match="not the XML"):
        SGE.parse_query(text[: len(text) // 2] + "\nBye.\n")


FAILED = "sbatch: error: Batch job submission failed: "
VIOLATES = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (f"{FAILED}Socket timed out on send/recv operation\n", None),
        (f"{FAILED}Zero Bytes were transmitted or received\n", None),
        ("Loading gcc/12\n", None),
        ("", None),
        (f"{FAILED}Unable to contact slurm controller (connect failure)\n", Refusal.LATER),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n", Refusal.JOB_LIMIT),
        (f"sbatch: error: AssocGrpSubmitJobsLimit\n{VIOLATES}", Refusal.JOB_LIMIT),
        (f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{VIOLATES}", Refusal.JOB_LIMIT),
        (f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{VIOLATES}", Refusal.NEVER),
        (f"sbatch: error: QOSMaxCpuPerJobLimit\n{VIOLATES}", Refusal.NEVER),
        (f"sbatch: error: AssocMaxWallDurationPerJobLimit\n{VIOLATES}", Refusal.NEVER),
    ],
)
def test_words_of_a_refusal(words, refusal):
    """What may have been taken all the same is in doubt; no room is no hopeless request, and the other way round."""
    assert refusal is SLURM.refusal(Completed(("sbatch",), 1, "", words))


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("", None),
        ("error: got no response from JSV\n", None),
        ("Unable to run job: timeout waiting for qmaster\n", None),
        ("error: commlib error: got select error (Connection refused)\n", Refusal.LATER),
    ],
)
def test_words_of_grid_engines_refusal(words, refusal):
    """What may have been taken all the same is in doubt."""
    assert refusal is SGE.refusal(Completed(("qsub",), 1, "", words))


def test_words_of_a_command_that_timed_out():
    """What it said before its end is not lost."""
    with pytest.raises(CommandTimedOut) as caught:
        run(["/bin/sh", "-c", "echo sleeping and retrying >&2; exec sleep 60"], 0.5)
    assert "sleeping and retrying\n" == caught.value.stderr


@pytest.mark.parametrize(
    ("words", "suspected"),
    [("", Refusal.LATER), ("sbatch: error: Slurm temporarily unable to accept job, sleeping and", Refusal.JOB_LIMIT)],
)
def test_submission_that_timed_out(words, suspected):
    """It is in doubt, and what it said tells what to do if it is found not to be taken."""
    scheduler, _ = scheduler_of(CommandTimedOut(["sbatch"], 7.0, words))
    receipt = scheduler.submit(submission())
    assert (None, suspected, (0, 1, 2, 3)) == (receipt.refusal, receipt.suspected, receipt.missing)
    ledger = ledger_with(send=False)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    ledger.apply(Doubted(1, [0, 4], receipt.words, receipt.suspected), 0.0)
    assert [] == ledger.observe([], [1], 1.0)
    [refused] = ledger.observe([], [1], 2.0)
    assert suspected is refused.refusal
    assert words in refused.words


def refuse(ledger, elements, refusal=Refusal.JOB_LIMIT):
    """Let elements be sent and refused."""
    ledger.apply(Sent(1, elements), 0.0)
    ledger.apply(Refused(1, elements, refusal, "no room"), 0.0)


def test_no_room_is_waited_for():
    """A limit on the number of jobs is no reason to give up until others have kept all the room for half a day."""
    ledger = ledger_with(send=False)
    tried: list[int] = []
    while len(tried) <= FULL_REFUSALS:
        [send] = decide(ledger, POLICY, 1e6)
        assert isinstance(send, Send)
        tried.append(len(send.elements))
        refuse(ledger, [0, tried[-1]])
    assert [4, 2, 1, 1] == tried[:4]
    [given_up] = decide(ledger, POLICY, 1e6)
    assert isinstance(given_up, GiveUp)
    assert "no room" in given_up.report.evidence


def test_room_that_comes_back():
    """After what was taken more is tried: the limit may have been used up by others, who are gone."""
    ledger = ledger_with(send=False)
    refuse(ledger, [0, 4])
    assert [Send(1, (0, 1))] == decide(ledger, POLICY, 1e6)
    ledger.apply(Sent(1, [0, 2]), 0.0)
    ledger.apply(Accepted(1, [0, 2], [(-1, "7")]), 0.0)
    assert [Send(1, (2, 3))] == decide(ledger, POLICY, 1e6)


@pytest.mark.parametrize(
    ("reports", "is_given_up"),
    [
        ([Report(Death.CRASHED, signal=11)] * 8, True),
        ([Report(Death.CRASHED, exit_code=3)] * 8, True),
        ([Report(Death.CRASHED, signal=11)] * 7, False),
        ([Report(Death.CRASHED, signal=9)] * 8, False),
        ([Report(Death.CRASHED, signal=11), Report(Death.CRASHED, exit_code=3)] * 4, False),
    ],
)
def test_tasks_that_crash_alike(reports, is_given_up):
    """When the first tasks, each another, all crash alike, no more are tried; a kill from outside is no such crash."""
    ledger = ledger_with()
    for itask, report in enumerate(reports):
        ledger.apply(TaskDied(itask, worker(0), report), 0.0)
    actions = decide(ledger, Policy(width=4, max_num_resubmissions=5), 0.0)
    assert is_given_up == ([(0, 8)] == [action.tasks for action in actions if isinstance(action, GiveUp)])
