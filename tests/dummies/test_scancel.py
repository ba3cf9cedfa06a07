"""scancel: what it removes, and that it really ends what runs."""

import signal

import pytest

from tests.dummies.conftest import NAP, USER, processes_naming, wait_until


def endless(cluster, *lines):
    """Return a script that runs for ever once it has left a mark."""
    return cluster.script(*lines, "touch mark.$SLURM_ARRAY_TASK_ID", "while true; do sleep 0.05; done")


def test_waiting_jobs(cluster):
    """Waiting elements are removed without a trace; what is cancelled as a whole is shown for a while."""
    cluster.sbatch("--hold", "--array=1-9", cluster.script())
    cluster.sbatch("--hold", cluster.script())
    assert "" == cluster.ask("scancel", "1_[3-5]", "1_9", "2")
    assert ["1_1", "1_2", "1_6", "1_7", "1_8"] == cluster.dummies.queue()
    assert ["1_[1-2,6-8] PENDING", "2 CANCELLED"] == cluster.squeue()
    cluster.ask("scancel", "1")
    assert ["1_[1-2,6-8] CANCELLED JobHeldUser", "2 CANCELLED JobHeldUser"] == cluster.squeue("%i %T %r")


def test_running_jobs(make_cluster):
    """Running jobs get SIGTERM, and SIGKILL when they do not heed it; then nothing of them is left."""
    cluster = make_cluster(kill_wait=0.2)
    script = endless(cluster, "trap 'echo deaf' TERM", f"setsid {NAP} &")
    cluster.sbatch("--array=1-2", "-o", "out.%a", "-e", "err.%a", script)
    cluster.squeue()
    wait_until(lambda: len(list(cluster.folder.glob("mark.*"))) == 2)
    cluster.ask("scancel", "1")
    assert [] == cluster.dummies.queue()
    assert [] == processes_naming(f"{cluster.dummies.folder}/spool")
    assert [] == processes_naming(NAP)
    assert "deaf" in (cluster.folder / "out.1").read_text()
    assert "CANCELLED AT" in (cluster.folder / "err.2").read_text()
    assert ["1_1 CANCELLED None", "1_2 CANCELLED None"] == cluster.squeue("%i %T %r")


def test_last_words(cluster):
    """A job that heeds SIGTERM has the time to end by itself."""
    cluster.sbatch("-o", "out", endless(cluster, "trap 'sleep 0.2; echo bye; exit' TERM"))
    cluster.squeue()
    wait_until(lambda: list(cluster.folder.glob("mark.*")))
    cluster.ask("scancel", "1")
    assert "bye\n" in (cluster.folder / "out").read_text()


def test_filters(cluster):
    """Jobs can be chosen by name, state and user."""
    script = endless(cluster)
    for name in ("one", "two", "three"):
        cluster.sbatch("-J", name, "--hold", script)
    cluster.ask("scancel", "--name=one", "--state=RUNNING")
    assert ["1", "2", "3"] == cluster.dummies.queue()
    cluster.ask("scancel", "-n", "one", "-t", "PD", "--me")
    assert ["2", "3"] == cluster.dummies.queue()
    assert ["two", "three"] == cluster.dummies.names()
    cluster.ask("scancel", f"--user={USER}")
    assert [] == cluster.dummies.queue()


def test_own_number_of_an_element(cluster):
    """An element can also be cancelled by the number that it got when it started."""
    cluster.sbatch("--array=1-3", endless(cluster))
    assert ["2", "3", "1"] == [row.split()[1] for row in cluster.squeue("%i %A")]
    cluster.ask("scancel", "3")
    assert ["1_1", "1_3"] == cluster.dummies.queue()


def test_signals(cluster):
    """A signal goes to the script with --batch, and to nobody without, and the job goes on."""
    cluster.sbatch("-o", "out", endless(cluster, "trap 'echo heard' USR1"))
    cluster.squeue()
    wait_until(lambda: list(cluster.folder.glob("mark.*")))
    cluster.ask("scancel", "-s", "USR1", "1")
    cluster.ask("scancel", f"--signal={int(signal.SIGUSR1)}", "--batch", "1")
    wait_until(lambda: (cluster.folder / "out").read_text() == "heard\n")
    assert ["1"] == cluster.dummies.queue()


def test_unknown_jobs(cluster):
    """To cancel what is not there is no error, unless a signal is asked for."""
    assert "" == cluster.ask("scancel", "99", "99_3")
    done = cluster("scancel", "-s", "KILL", "99")
    assert "scancel: error: Kill job error on job id 99: Invalid job id specified\n" == done.stderr
    assert 1 == done.returncode
    assert "" == cluster.ask("scancel", "-Q", "-s", "KILL", "99")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "scancel: error: No job identification provided\n"),
        (["bogus"], "scancel: error: Invalid job id bogus\n"),
        (["-s", "FOO", "1"], "Unknown job signal: FOO\n"),
        (["-t", "CD"], "Invalid job state specified: CD\nValid job states are PENDING, RUNNING, and SUSPENDED\n"),
    ],
)
def test_refuses(cluster, words, error):
    """What the real one refuses is refused with its words."""
    done = cluster("scancel", *words)
    assert (1, error) == (done.returncode, done.stderr)


def test_job_that_has_ended_meanwhile(cluster):
    """A job that has ended before is not cancelled but what it was."""
    cluster.sbatch(cluster.script())
    cluster.squeue()
    wait_until(lambda: cluster.dummies.queue() == [])
    cluster.ask("scancel", "1")
    assert ["1 COMPLETED"] == cluster.squeue()
