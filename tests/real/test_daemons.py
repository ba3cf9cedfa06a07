"""The real schedulers come up, run jobs, and leave nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.daemons import DaemonsUnavailable, processes_mentioning, wait_until
from tests.real.gridengine import RUN, GridEngine
from tests.real.slurm import SlurmCluster

pytestmark = pytest.mark.real


def submit_five(cluster: SlurmCluster, folder: Path, command: str) -> str:
    """Submit an array of five and give its id."""
    where = f"--output={folder}/out.%a"
    done = cluster.run("sbatch", "--parsable", "--array=0-4", where, f"--wrap={command}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def wait_for_empty_queue(scheduler: SlurmCluster | GridEngine) -> None:
    """Return when no job waits or runs."""
    wait_until(lambda: not scheduler.queue(), "the queue is empty", timeout=60, on_timeout=scheduler.log_tail)


def outputs(folder: Path) -> list[str]:
    """Read what the elements of an array wrote, in the order of their numbers."""
    return [file.read_text().strip() for file in sorted(folder.glob("out.*"))]


def test_slurm_runs_an_array(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    """Each element of an array runs once, and the queue is empty at the end."""
    submit_five(slurm_cluster, tmp_path, "echo $SLURM_ARRAY_TASK_ID")
    wait_for_empty_queue(slurm_cluster)
    assert outputs(tmp_path) == ["0", "1", "2", "3", "4"]


def test_slurm_writes_down_each_job_that_ended(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    """The text file of ended jobs has a line for each element, without any accounting."""
    before = slurm_cluster.job_completions.read_text().count("JobState=COMPLETED")
    submit_five(slurm_cluster, tmp_path, "true")
    wait_for_empty_queue(slurm_cluster)
    wait_until(
        lambda: slurm_cluster.job_completions.read_text().count("JobState=COMPLETED") == before + 5,
        "five more lines of ended jobs",
    )


def test_slurm_forgets_nothing_when_its_controller_restarts(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    """Jobs run on and are known again after the controller was away."""
    submit_five(slurm_cluster, tmp_path, "sleep 2; echo done")
    wait_until(lambda: len(slurm_cluster.stepds()) == 5, "all five run")
    slurm_cluster.stop_controller()
    assert "DOWN" in slurm_cluster.run("scontrol", "ping").stdout
    slurm_cluster.start_controller()
    assert len(slurm_cluster.queue()) == 5
    wait_for_empty_queue(slurm_cluster)
    assert outputs(tmp_path) == ["done"] * 5


def test_slurm_takes_a_killed_node_back(slurm_cluster: SlurmCluster) -> None:
    """A node whose slurmd was killed runs jobs again when it is started again."""
    slurm_cluster.kill_node("n4")
    slurm_cluster.start_node("n4")
    on_it = slurm_cluster.run("srun", "--nodelist=n4", "printenv", "SLURMD_NODENAME")
    assert on_it.stdout == "n4\n", on_it.stderr + slurm_cluster.log_tail()


def test_slurm_kills_what_is_over_its_memory(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    """A job that takes more than its --mem is killed, and its own stderr says so."""
    out = tmp_path / "out"
    # It is looked at once a second, so the hog must wait to be seen.
    hog = f"{sys.executable} -c 'import time; hog = bytearray(200 << 20); time.sleep(30)'"
    slurm_cluster.run("sbatch", "--mem=50M", f"--output={out}", f"--wrap={hog}")
    wait_for_empty_queue(slurm_cluster)
    assert "exceeded memory limit" in out.read_text()


def test_slurm_accounts_jobs(slurm_with_accounting: SlurmCluster, tmp_path: Path) -> None:
    """With accounting, sacct tells how each element ended."""
    job = submit_five(slurm_with_accounting, tmp_path, "exit $SLURM_ARRAY_TASK_ID")
    wait_for_empty_queue(slurm_with_accounting)
    sacct = f"sacct --noheader --parsable2 --allocations --format=JobID,ExitCode --jobs={job}".split()
    expected = [f"{job}_{i}|{i}:0" for i in range(5)]
    wait_until(
        lambda: sorted(slurm_with_accounting.run(*sacct).stdout.split()) == expected,
        f"sacct says {expected}",
        on_timeout=lambda: slurm_with_accounting.run(*sacct).stdout,
    )


def test_slurm_refuses_arrays_over_its_limit(slurm_small_arrays: SlurmCluster) -> None:
    """MaxArraySize is the first index that is not allowed, not a number of elements."""
    fits = slurm_small_arrays.run("sbatch", "--array=0-10", "--output=/dev/null", "--wrap=true")
    over = slurm_small_arrays.run("sbatch", "--array=11", "--output=/dev/null", "--wrap=true")
    assert (fits.returncode, over.returncode) == (0, 1)
    assert "Invalid job array specification" in over.stderr


def test_slurm_forgets_ended_jobs_soon(slurm_small_arrays: SlurmCluster) -> None:
    """With a small MinJobAge, a job that ended is unknown to squeue after a few seconds."""
    job = slurm_small_arrays.run("sbatch", "--parsable", "--output=/dev/null", "--wrap=true").stdout.strip()
    asked = f"squeue --noheader --states=all --jobs={job}".split()
    assert slurm_small_arrays.run(*asked).returncode == 0
    wait_until(lambda: not slurm_small_arrays.run(*asked).stdout, f"job {job} is forgotten", timeout=90)


@pytest.mark.parametrize("accounting", [False, True], ids=["plain", "accounting"])
def test_slurm_leaves_no_process(tmp_path: Path, accounting: bool) -> None:
    """After `down`, no process of the cluster and none of its jobs is left, even of a dead node."""
    with SlurmCluster(tmp_path / "cluster", accounting=accounting, nodes=2) as cluster:
        run = cluster.at.run
        submit_five(cluster, tmp_path, "sleep 600")
        wait_until(lambda: len(cluster.stepds()) == 5, "all five run", on_timeout=cluster.log_tail)
        assert len(processes_mentioning(f"{cluster.folder}/")) >= 5 + 4  # jobs, two nodes, controller, munge
        cluster.kill_node("n1")
    assert processes_mentioning(f"{cluster.folder}/") + processes_mentioning(f"{run}/") == []
    assert not run.exists()


def test_slurm_is_taken_down_by_its_folder(tmp_path: Path) -> None:
    """Another process, which knows nothing but the folder, takes a cluster down, dead controller included."""
    cluster = SlurmCluster(tmp_path / "cluster", nodes=1)
    cluster.up()
    submit_five(cluster, tmp_path, "sleep 600")
    wait_until(lambda: len(cluster.stepds()) == 5, "all five run", on_timeout=cluster.log_tail)
    cluster.stop_controller()
    code = "import sys; from tests.real.slurm import SlurmCluster as S; S(sys.argv[1]).down()"
    subprocess.run([sys.executable, "-c", code, cluster.folder], cwd=Path(__file__).parents[2], check=True)
    assert processes_mentioning(f"{cluster.folder}/") == []


def test_slurm_of_a_killed_session_is_taken_down(tmp_path: Path) -> None:
    """The guard takes the daemons down when the process that brought them up had no chance to."""
    code = """if True:
        import os, sys
        from tests.real.guard import guarded
        from tests.real.slurm import SlurmCluster
        cluster = SlurmCluster(sys.argv[1], nodes=1)
        with guarded(cluster):
            cluster.up()
            os.kill(os.getpid(), 9)
    """
    folder = tmp_path / "cluster"
    session = subprocess.run([sys.executable, "-c", code, folder], cwd=Path(__file__).parents[2])
    assert (session.returncode, (folder / "slurm.conf").exists()) == (-9, True)
    wait_until(lambda: not processes_mentioning(str(folder)), "the guard took the daemons down and left")


def test_slurm_that_does_not_come_up_leaves_no_process(tmp_path: Path) -> None:
    """The reason tells what the daemon said, and what was already up is stopped."""
    cluster = SlurmCluster(tmp_path / "cluster", extra_conf=["SelectType=select/nonsense"])
    with pytest.raises(DaemonsUnavailable, match="select/nonsense"):
        cluster.up()
    assert processes_mentioning(f"{cluster.folder}/") == []


@pytest.mark.slow
@pytest.mark.comes_first
def test_grid_engine_leaves_no_process(tmp_path: Path) -> None:
    """After `down`, no daemon and no job is left; this comes before the tests that keep one up to the end."""
    engine = GridEngine()
    if engine.is_up():
        pytest.skip("a Grid Engine is already up, and is not this test's to stop")
    with engine:
        engine.run("qsub", "-t", "1-3", "-b", "y", "-o", str(tmp_path), "-e", str(tmp_path), "sleep", "600")
        wait_until(lambda: len(processes_mentioning("SGE_JOB_SPOOL_DIR=")) >= 3, "all three run")
    assert processes_mentioning("SGE_JOB_SPOOL_DIR=") + processes_mentioning("/usr/lib/gridengine/sge_") == []
    assert not os.path.exists(RUN)


def test_grid_engine_runs_an_array(grid_engine: GridEngine, tmp_path: Path) -> None:
    """Each element of an array runs once, and the queue is empty at the end."""
    script = tmp_path / "script.sh"
    script.write_text("echo $SGE_TASK_ID\n")
    done = grid_engine.run("qsub", "-terse", "-t", "1-5", "-j", "y", "-o", f"{tmp_path}/out.$TASK_ID", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    wait_for_empty_queue(grid_engine)
    assert outputs(tmp_path) == ["1", "2", "3", "4", "5"]


def test_grid_engine_lists_each_element(grid_engine: GridEngine, tmp_path: Path) -> None:
    """The queue tells the elements of an array apart, also those that are held."""
    done = grid_engine.run("qsub", "-terse", "-t", "1-3", "-h", "-b", "y", "-o", str(tmp_path), "true")
    job = done.stdout.split(".")[0]
    assert sorted(id for id in grid_engine.queue() if id.startswith(f"{job}.")) == [f"{job}.{i}" for i in (1, 2, 3)]
    grid_engine.run("qdel", job)
    wait_until(lambda: not any(id.startswith(f"{job}.") for id in grid_engine.queue()), f"job {job} is deleted")


def test_grid_engine_that_others_use_stays_up(grid_engine: GridEngine) -> None:
    """Who finds a Grid Engine up, or is not its last user, does not take it down."""
    with GridEngine(user="by-another-hand"):
        pass
    assert grid_engine.is_up()
