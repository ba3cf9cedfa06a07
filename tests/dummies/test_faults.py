"""Faults: each one happens to whom it is meant for, as often as it is meant to, and proves it."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from pypoolparty.testing import Die, FailCall, GarbleCall, HangCall, LoseReply, Stuck, Vanish
from tests.dummies.conftest import USER, processes_naming, wait_until

REASON = "launch failed requeued held"


def endless(cluster):
    """Return a script that runs for ever once it has left a mark."""
    return cluster.script("touch mark.$SLURM_ARRAY_TASK_ID$SGE_TASK_ID", "while true; do sleep 0.05; done")


def rows(cluster):
    """Do a step, and return rows with states, priorities and reasons."""
    return cluster.squeue("%i %T %Q %r")


# -- jobs that get stuck -----------------------------------------------------------------------------


def test_stuck_element(cluster):
    """The element that is meant waits in an error state, the others are run, and it can be cancelled."""
    fault = cluster.dummies.add_fault(Stuck(element=2))
    cluster.sbatch("--array=1-3", cluster.script())
    assert f"1_2 PENDING 0 {REASON}" in rows(cluster)
    cluster.step_until(lambda shown: "1_1 COMPLETED" in shown and "1_3 COMPLETED" in shown)
    assert ["1_2"] == cluster.dummies.queue()
    assert 1 == cluster.dummies.fired(fault)
    cluster.ask("scancel", "1_2")
    assert [] == cluster.dummies.queue()


@pytest.mark.parametrize("state", ["BOOT_FAIL", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"])
def test_stuck_in_a_final_state(cluster, state):
    """A job that is to end in a final state does so without having been run."""
    fault = cluster.dummies.add_fault(Stuck(state=state, reason="why"))
    cluster.sbatch(cluster.script("touch mark"))
    assert [f"1 {state} (why)"] == cluster.squeue("%i %T %R")
    assert [] == cluster.dummies.queue()
    assert 1 == cluster.dummies.fired(fault)
    assert not (cluster.folder / "mark").exists()


def test_stuck_for_another_reason(cluster):
    """The state and the reason of a stuck job are those that are asked for."""
    cluster.dummies.add_fault(Stuck(job="a*", reason="JobHeldUser"))
    cluster.dummies.add_fault(Stuck(job="b*", state="SPECIAL_EXIT", reason="why"))
    cluster.sbatch("-J", "abc", cluster.script())
    cluster.sbatch("-J", "bcd", cluster.script())
    assert ["1 PD (JobHeldUser)", "2 SE (why)"] == cluster.squeue("%i %t %R")


def test_stuck_in_grid_engine(cluster):
    """A stuck job is in the state Eqw, says why, and can be deleted."""
    fault = cluster.dummies.add_fault(Stuck(job="x", element=2))
    cluster.qsub("-N", "x", "-cwd", "-t", "1-2", endless(cluster))
    assert [("1", "x", "Eqw", "2"), ("1", "x", "r", "1")] == cluster.qstat()
    assert "error reason" in cluster.ask("qstat", "-j", "x")
    assert 1 == cluster.dummies.fired(fault)
    assert f"{USER} has deleted job-array task 1.2\n" == cluster.ask("qdel", "1.2")


# -- jobs that vanish --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sbatch", "qsub"])
def test_vanishing_before_the_start(cluster, command):
    """The job is gone from the queue, is not remembered, and never ran."""
    fault = cluster.dummies.add_fault(Vanish())
    cluster.ask(command, cluster.script(f"touch {cluster.folder}/mark"))
    assert [] == cluster.squeue()
    assert [] == cluster.dummies.state()["jobs"]
    assert 1 == cluster.dummies.fired(fault)
    assert not (cluster.folder / "mark").exists()


@pytest.mark.parametrize(("command", "words"), [("sbatch", ()), ("qsub", ("-cwd",))])
def test_vanishing_while_running(cluster, command, words):
    """The running job is killed, gone from the queue, and not remembered."""
    fault = cluster.dummies.add_fault(Vanish(after=0.1))
    cluster.ask(command, *words, endless(cluster))
    cluster.squeue()
    wait_until(lambda: cluster.dummies.fired(fault) == 1)
    assert [] == cluster.dummies.queue()
    assert [] == cluster.squeue()
    assert [] == processes_naming(f"{cluster.dummies.folder}/spool")


# -- jobs that die -----------------------------------------------------------------------------------


def test_death_by_signal(cluster):
    """The running element dies by the signal; the others do not."""
    fault = cluster.dummies.add_fault(Die(element=2, signal=9, after=0.05))
    cluster.sbatch("--array=1-3", endless(cluster))
    cluster.step_until(lambda shown: f"1_2 FAILED {4294901759} JobLaunchFailure" in shown, lambda: rows(cluster))
    assert 1 == cluster.dummies.fired(fault)
    assert ["1_1", "1_3"] == cluster.dummies.queue()


def test_death_with_another_state(cluster):
    """The final state can be another, as if Slurm itself had killed the job."""
    fault = cluster.dummies.add_fault(Die(state="OUT_OF_MEMORY"))
    cluster.sbatch(endless(cluster))
    cluster.step_until(lambda shown: shown == ["1 OUT_OF_MEMORY"])
    assert 1 == cluster.dummies.fired(fault)


def test_death_in_grid_engine(cluster):
    """The job is gone from the queue, as if it had ended."""
    fault = cluster.dummies.add_fault(Die(signal=15))
    cluster.qsub("-cwd", endless(cluster))
    cluster.run_all(cluster.qstat)
    assert 1 == cluster.dummies.fired(fault)


def test_signal_that_is_handled(cluster):
    """A job that catches the signal ends as it wants to, and yet the fault took place."""
    fault = cluster.dummies.add_fault(Die(signal=15, after=0.3))
    cluster.sbatch(cluster.script("trap 'exit 0' TERM", "while true; do sleep 0.05; done"))
    cluster.step_until(lambda shown: shown == ["1 COMPLETED"])
    assert 1 == cluster.dummies.fired(fault)


def test_job_that_ends_before_its_death(cluster):
    """A fault that came too late did not take place, and is left for the next job."""
    fault = cluster.dummies.add_fault(Die(after=0.5))
    cluster.sbatch(cluster.script())
    cluster.step_until(lambda shown: shown == ["1 COMPLETED"])
    assert 0 == cluster.dummies.fired(fault)
    cluster.sbatch(endless(cluster))
    cluster.step_until(lambda shown: "2 FAILED" in shown)
    assert 1 == cluster.dummies.fired(fault)


# -- whom a fault is for -----------------------------------------------------------------------------


def test_times(cluster):
    """A fault befalls so many jobs, and no more."""
    fault = cluster.dummies.add_fault(Vanish(times=2))
    cluster.sbatch("--array=1-4", endless(cluster))
    assert ["1_3 RUNNING", "1_4 RUNNING"] == cluster.squeue()
    assert 2 == cluster.dummies.fired(fault)


def test_attempt(cluster):
    """A fault for the second attempt leaves the first and the third alone; other jobs do not count."""
    fault = cluster.dummies.add_fault(Stuck(job="map-*", element=1, attempt=2, times=99))
    for name, array in (("map-a", "1-2"), ("map-b", "2-3"), ("other", "1"), ("map-c", "1"), ("map-d", "1")):
        cluster.sbatch("-J", name, f"--array={array}", cluster.script())
    cluster.step_until(lambda shown: cluster.dummies.queue() == ["4_1"])
    assert 1 == cluster.dummies.fired(fault)


def test_faults_written_into_the_state(cluster):
    """A fault can also be written into the state file by hand, with only what differs from the default."""
    path = Path(cluster.dummies.folder, "queue_state.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "faults": [{"kind": "Stuck", "element": 1}]}))
    cluster.sbatch("--array=1", cluster.script())
    assert [f"1_1 PENDING 0 {REASON}"] == rows(cluster)
    assert 1 == cluster.dummies.fired(Stuck(element=1))


# -- calls that fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sbatch", "squeue", "scancel", "qsub", "qstat", "qdel"])
def test_failing_call(cluster, command):
    """The next calls fail with the code and the text that are asked for, and do nothing; then all is well."""
    number = {"s": cluster.sbatch, "q": cluster.qsub}[command[0]]("-H" if command[0] == "s" else "-h", cluster.script())
    words = {"sbatch": ["job.sh"], "qsub": ["job.sh"], "scancel": [number], "qdel": [number]}.get(command, [])
    fault = cluster.dummies.add_fault(FailCall(command, times=2, returncode=7, stderr="no\n"))
    before = cluster.dummies.queue()
    for _ in range(2):
        done = cluster(command, *words)
        assert (7, "no\n", "") == (done.returncode, done.stderr, done.stdout)
    assert before == cluster.dummies.queue()
    assert 2 == cluster.dummies.fired(fault)
    cluster.ask(command, *words)
    assert 2 == cluster.dummies.fired(fault)


def test_failing_call_with_usual_text(cluster):
    """Without a text, a failing call says that its daemon can not be reached; a failing query does no step."""
    cluster.dummies.add_fault(FailCall("squeue"))
    cluster.sbatch("--array=1-2", cluster.script())
    done = cluster("squeue")
    assert "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n" == done.stderr
    assert 1 == done.returncode
    assert [1, 2] == cluster.dummies.state()["jobs"][0]["waiting"]


def test_garbled_call(cluster):
    """The next call prints garbage and ends well."""
    fault = cluster.dummies.add_fault(GarbleCall("qstat", text="<xml?"))
    assert "<xml?" == cluster.ask("qstat", "-xml")
    assert 1 == cluster.dummies.fired(fault)


def test_hanging_call(cluster):
    """The next call hangs, without keeping others from their work, and then does what it should."""
    fault = cluster.dummies.add_fault(HangCall("squeue", seconds=0.5))
    start = time.monotonic()
    with subprocess.Popen([cluster.dummies.path("squeue"), "-h"]) as process:
        wait_until(lambda: cluster.dummies.fired(fault) == 1)
        cluster.sbatch(cluster.script())
        assert process.poll() is None
        assert 0 == process.wait(30)
    assert time.monotonic() - start >= 0.5
    assert [] == cluster.dummies.state()["jobs"][0]["waiting"]


def test_call_that_hangs_longer_than_its_caller_waits(cluster):
    """A hanging call can be killed, and has done nothing."""
    fault = cluster.dummies.add_fault(HangCall("sbatch"))
    with pytest.raises(subprocess.TimeoutExpired):
        cluster("sbatch", cluster.script(), timeout=0.5)
    assert 1 == cluster.dummies.fired(fault)
    assert [] == cluster.dummies.queue()


def test_words_that_are_wrong_meet_no_fault(cluster):
    """A call that is not understood does not use up a fault."""
    fault = cluster.dummies.add_fault(FailCall("squeue"))
    assert "unrecognized option" in cluster("squeue", "--bogus").stderr
    assert 0 == cluster.dummies.fired(fault)


# -- submissions of which nobody is told --------------------------------------------------------------


@pytest.mark.parametrize("command", ["sbatch", "qsub"])
def test_lost_reply(cluster, command):
    """The job is in the queue, yet the command hangs and then fails."""
    fault = cluster.dummies.add_fault(LoseReply(job="a*", seconds=0.2))
    name = {"sbatch": "-J", "qsub": "-N"}[command]
    cluster.ask(command, name, "other", cluster.script())
    done = cluster(command, name, "abc", cluster.script())
    assert (1, "") == (done.returncode, done.stdout)
    assert ["other", "abc"] == cluster.dummies.names()
    assert 1 == cluster.dummies.fired(fault)
    cluster.ask(command, name, "abc", cluster.script())


def test_lost_reply_of_a_killed_call(cluster):
    """The job is in the queue although the caller lost its patience and killed the command."""
    fault = cluster.dummies.add_fault(LoseReply())
    with pytest.raises(subprocess.TimeoutExpired):
        cluster("sbatch", cluster.script(), timeout=0.5)
    assert ["1"] == cluster.dummies.queue()
    assert 1 == cluster.dummies.fired(fault)
