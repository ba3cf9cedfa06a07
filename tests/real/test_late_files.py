"""Where the main process and the nodes see each other's files late, as on NFS, a map is no slower for it."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real.daemons import processes_mentioning, wait_until
from tests.real.late_files import CACHE_SECONDS, LateSlurm
from tests.real.pools import pool_on

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SOON = 5.0
assert SOON < CACHE_SECONDS / 4


def work_and_tell_when(seconds: float) -> float:
    """Take a while, return the time at the end."""
    time.sleep(seconds)
    return time.time()


def test_what_a_node_makes_is_hidden(slurm_late: LateSlurm) -> None:
    """A name that was looked up here stays absent for a while when a node makes the file, and the other way round."""
    ours, theirs = slurm_late.late / "ours", slurm_late.late / "theirs"
    assert slurm_late.hides(theirs)
    assert 0 != slurm_late.run_on_node("n2", "cat", str(ours)).returncode
    ours.touch()
    done = slurm_late.run_on_node("n2", "cat", str(ours))
    assert "No such file" in done.stderr, done


def test_what_a_node_appends_is_hidden(slurm_late: LateSlurm) -> None:
    """The size of a file that was looked at stays what it was for a while."""
    file = slurm_late.late / "growing"
    file.write_text("one")
    assert 3 == file.stat().st_size
    assert 0 == slurm_late.run_on_node("n1", "sh", "-c", 'printf two >>"$1"', "sh", str(file)).returncode
    assert (3, 6) == (file.stat().st_size, (slurm_late.store / "growing").stat().st_size)


@pytest.mark.parametrize("name", ["slurm.array", "slurm"])
def test_map_ends_soon_after_its_last_result(slurm_late, name, monkeypatch):
    """The caches keep for 30 s what they have seen; a map ends within seconds of its last result all the same.

    The scheduler is asked so seldom that only the file system can tell that a result is there.
    """
    lags = []
    folder = slurm_late.late / name
    with pool_on(slurm_late, name, folder, monkeypatch, polling_interval=60.0) as pool:
        for k in range(5):
            ended = pool.map(work_and_tell_when, [0.3 + 0.2 * k] * 8, chunksize=1)
            lags.append(time.time() - max(ended))
    print(f"{name}: seconds from the last result to the end of the map: {[round(lag, 2) for lag in lags]}")
    assert 8 == len(ended)
    assert statistics.median(lags) < SOON
    assert max(lags) < CACHE_SECONDS / 2
    assert slurm_late.hides(folder / "probe")  # the caches were there all the time


ENDS = {
    "in order": "pass",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT)",
    "kill -9": "os.kill(os.getpid(), signal.SIGKILL)",
    "file systems die": "kill(pid for pid in processes_mentioning(str(cluster.store)) if 'bindfs' in program_of(pid))",
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_left_of_the_mounts(tmp_path, end):
    """However the session ends that has brought it up, no process and no mount outlives it."""
    code = f"""if True:
        import os, signal, sys
        from pathlib import Path
        from tests.real.daemons import kill, processes_mentioning, program_of
        from tests.real.guard import guarded
        from tests.real.late_files import LateSlurm
        signal.signal(signal.SIGINT, signal.default_int_handler)
        cluster = LateSlurm(Path(sys.argv[1]), nodes=2)
        with guarded(cluster), cluster:
            assert cluster.hides(cluster.late / "probe")
            print(str(cluster.folder) in Path("/proc/self/mounts").read_text(), flush=True)
            {ENDS[end]}
    """
    folder = tmp_path / "cluster"
    argv = [sys.executable, "-c", code, folder]
    session = subprocess.run(argv, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    assert "True\n" == session.stdout
    wait_until(lambda: not processes_mentioning(str(folder)), "the end of all processes")
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert [] == list((folder / "late").iterdir())
