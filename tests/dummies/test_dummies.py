"""The folder with the dummies: many callers at once, crashes of callers, and the end."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from pypoolparty.testing import Dummies, HangCall
from tests.dummies.conftest import NAP, processes_naming, wait_until


def in_threads(count, work):
    """Do some work in several threads at once, and raise what goes wrong in them."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == errors


def test_many_submitters(cluster):
    """Nothing is lost and no number given twice when many submit and look at the same time."""
    script = cluster.script('echo "$1" >> "done"')

    def submit(number):
        for turn in range(5):
            cluster.ask("sbatch", script, f"{number}.{turn}")
            cluster.ask("squeue")

    in_threads(4, submit)
    cluster.run_all()
    expected = sorted(f"{number}.{turn}" for number in range(4) for turn in range(5))
    assert expected == sorted((cluster.folder / "done").read_text().split())
    assert 21 == cluster.dummies.state()["next_number"]


def test_many_lookers(make_cluster):
    """Each job is run exactly once, and no more at a time than there are slots, however many look at once."""
    cluster = make_cluster(slots=2)
    script = cluster.script(
        'mkdir "running.$SLURM_ARRAY_TASK_ID"',
        'ls -d running.* | wc -l >> counts; echo "$SLURM_ARRAY_TASK_ID" >> "done"',
        'sleep 0.05; rmdir "running.$SLURM_ARRAY_TASK_ID"',
    )
    cluster.sbatch("--array=0-11", script)
    in_threads(3, lambda number: cluster.run_all())
    assert sorted(range(12)) == sorted(int(line) for line in (cluster.folder / "done").read_text().split())
    assert max(int(line) for line in (cluster.folder / "counts").read_text().split()) <= 2


def test_caller_that_is_killed(cluster):
    """A squeue that is killed at any moment loses no job, runs none twice, and keeps nobody waiting."""
    cluster.sbatch("--array=0-29", cluster.script('echo "$SLURM_ARRAY_TASK_ID" >> "done"'))
    for number in range(40):
        with subprocess.Popen(
            [cluster.dummies.path("squeue")], stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                process.wait(0.03 + 0.001 * number)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    cluster.run_all()
    assert list(range(30)) == sorted(int(line) for line in (cluster.folder / "done").read_text().split())


def test_runner_that_is_killed(cluster):
    """A job whose runner is killed is lost with its node, and its processes are killed too."""
    cluster.sbatch(cluster.script(NAP))
    cluster.squeue()
    [element] = cluster.dummies.state()["jobs"][0]["elements"]
    wait_until(lambda: processes_naming(NAP))
    os.kill(element["pid"], signal.SIGKILL)
    cluster.step_until(lambda rows: rows == ["1 NODE_FAIL"])
    assert [] == processes_naming(NAP)


def test_pid_of_another_process(cluster):
    """A process that has the pid of a runner, but was born at another time, is not taken for it."""
    cluster.sbatch(cluster.script())
    cluster.squeue()
    wait_until(lambda: cluster.dummies.queue() == [])
    with cluster.dummies._store.change() as state:
        [element] = state.jobs[0].elements
        element.pid = os.getpid()
    assert [] == cluster.dummies.queue()
    assert ["1 NODE_FAIL"] == cluster.squeue()
    cluster.ask("scancel", "1")


def test_close(make_cluster):
    """After the end nothing runs any more, whatever it did to get away, and all commands fail."""
    cluster = make_cluster()
    script = cluster.script("trap '' TERM", f"setsid {NAP} &", f"{NAP} & touch mark.$1", "wait")
    cluster.sbatch(script, "a")
    cluster.qsub("-cwd", script, "b")
    cluster.sbatch("--hold", script)
    cluster.squeue()
    wait_until(lambda: len(list(cluster.folder.glob("mark.*"))) == 2)
    cluster.dummies.close()
    assert [] == processes_naming(NAP)
    assert [] == processes_naming(str(cluster.dummies.folder))
    for command, *words in (
        ["sbatch", script],
        ["squeue"],
        ["scancel", "1"],
        ["qsub", script],
        ["qstat"],
        ["qdel", "2"],
    ):
        done = cluster(command, *words)
        assert 1 == done.returncode
        assert "Unable to contact slurm controller" in done.stderr or "commlib error" in done.stderr
    cluster.dummies.close()


def test_close_ends_calls_that_hang(cluster):
    """A call that hangs by a fault does not outlive the dummies."""
    cluster.dummies.add_fault(HangCall("squeue"))
    with subprocess.Popen([cluster.dummies.path("squeue")], stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: cluster.dummies.calls("squeue") == 1)
        cluster.dummies.close()
        assert 1 == process.wait(30)


def test_context_manager(tmp_path):
    """The dummies are closed on the way out, also when their folder is gone already."""
    with Dummies(tmp_path / "x") as dummies:
        assert f"<Dummies in '{tmp_path}/x'>" == repr(dummies)
    assert dummies.state()["closed"]
    with Dummies(tmp_path / "y") as dummies:
        (tmp_path / "y").rename(tmp_path / "z")


def test_folder_is_used_once(cluster):
    """A folder that has dummies already is refused."""
    with pytest.raises(FileExistsError, match="dummies"):
        Dummies(cluster.dummies.folder)


def test_unknown_command(cluster):
    """There are only dummies of some commands."""
    with pytest.raises(ValueError, match="sacct"):
        cluster.dummies.path("sacct")


def test_environment(cluster):
    """With the dummies' variables the commands are found by their names."""
    done = subprocess.run(
        ["sh", "-c", "command -v sbatch; command -v qdel"],
        env={**os.environ, **cluster.dummies.environment},
        capture_output=True,
        text=True,
    )
    assert [cluster.dummies.path("sbatch"), cluster.dummies.path("qdel")] == done.stdout.split()


def test_calls_are_counted(cluster):
    """Each call is counted, also one that is refused."""
    for word in ("main", "nope"):
        cluster("sbatch", "-p", word, cluster.script())
    assert (2, 0) == (cluster.dummies.calls("sbatch"), cluster.dummies.calls("squeue"))


def test_configure(cluster):
    """Settings can be changed later, and unknown ones are refused."""
    cluster.dummies.configure(slots=1, max_array_size=5)
    assert 1 == cluster("sbatch", "--array=5", cluster.script()).returncode
    assert "MaxArraySize            = 5\n" in cluster.ask("scontrol", "show", "config")
    with pytest.raises(TypeError):
        cluster.dummies.configure(bogus=1)


def test_commands_import_nothing_of_the_package(cluster):
    """The commands load the dummies' own modules, the standard library, and nothing else."""
    program = (
        "import runpy, sys; sys.argv[:] = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(roots - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    launch = os.path.join(os.path.dirname(sys.modules["pypoolparty.testing"].__file__), "_launch.py")
    argv = [sys.executable, "-I", "-S", "-c", program, launch, "squeue", cluster.dummies.folder, "-h"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert ("['pypoolparty_dummies']\n", "") == (done.stdout, done.stderr)
