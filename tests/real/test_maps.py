"""Maps on real schedulers: their size, their faults, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.helpers import files_in, number_of_marks, processes_about, wait_until
from tests.real.pools import pool_on

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SLURM_POOLS = ("slurm.array", "slurm")
GRID_ENGINE_POOLS = ("sun_grid_engine.array", "sun_grid_engine")


def square_slowly(task: tuple[int, str]) -> int:
    """Leave a mark, take a while, return the square."""
    number, folder = task
    Path(folder, f"ran-{number}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.8)
    return number**2


def nap(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def do_nothing(number: int) -> int:
    """Return the task."""
    return number


def map_with_fault(pool: Any, marks: Path, fault: Callable[[], object]) -> list[int]:
    """Run a map of twelve tasks and stage a fault once four of them run."""
    marks.mkdir()
    result = pool.map_async(square_slowly, [(i, str(marks)) for i in range(12)])
    wait_until(lambda: number_of_marks(marks, "ran-") >= 4, "four running tasks", 60)
    fault()
    values: list[int] = result.get(180)
    return values


def kill_one(folder: Path, which: Callable[[int], bool]) -> None:
    """Kill -9 one process of a worker, and see that it is gone."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    mine = [pid for pid in pids if os.fsencode(folder) in _cmdline(pid) and b"script.py" in _cmdline(pid)]
    victim = next(pid for pid in mine if which(pid) and _parent(pid) > 1)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not _cmdline(victim), f"the end of {victim}")


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_child(pid: int) -> bool:
    """Tell whether a process is the worker's child, which runs the tasks."""
    return b"script.py" in _cmdline(_parent(pid))


def is_supervisor(pid: int) -> bool:
    """Tell whether a process is the worker's supervisor."""
    return not is_child(pid)


SQUARES = [i**2 for i in range(12)]


@pytest.mark.parametrize("name", SLURM_POOLS)
def test_scancel_of_a_running_element(slurm_cluster, name, tmp_path, monkeypatch):
    """Somebody cancels a running queue-job: its task is done again, the list is complete."""

    def fault() -> None:
        running = slurm_cluster.run("squeue", "-h", "-r", "-t", "R", "-o", "%i").stdout.split()
        assert 0 == slurm_cluster.run("scancel", running[0]).returncode

    with pool_on(slurm_cluster, name, tmp_path, monkeypatch) as pool:
        assert SQUARES == map_with_fault(pool, tmp_path / "marks", fault)
    assert number_of_marks(tmp_path / "marks", "ran-") > 12


@pytest.mark.parametrize("name", GRID_ENGINE_POOLS)
def test_qdel_of_a_running_element(grid_engine, name, tmp_path, monkeypatch):
    """Somebody deletes a running queue-job: its task is done again, the list is complete."""

    def fault() -> None:
        rows = [line.split() for line in grid_engine.run("qstat").stdout.splitlines()[2:]]
        element = f".{rows[0][-1]}" if name.endswith("array") else ""
        assert "deletion" in grid_engine.run("qdel", rows[0][0] + element).stdout

    with pool_on(grid_engine, name, tmp_path, monkeypatch) as pool:
        assert SQUARES == map_with_fault(pool, tmp_path / "marks", fault)
    assert number_of_marks(tmp_path / "marks", "ran-") > 12


@pytest.mark.parametrize("which", [is_child, is_supervisor])
@pytest.mark.parametrize("name", SLURM_POOLS)
def test_kill_of_a_worker_on_slurm(slurm_cluster, name, which, tmp_path, monkeypatch):
    """A worker's child or supervisor is killed: the list is complete all the same."""
    with pool_on(slurm_cluster, name, tmp_path, monkeypatch) as pool:
        fault = lambda: kill_one(tmp_path / "work", which)  # noqa: E731
        assert SQUARES == map_with_fault(pool, tmp_path / "marks", fault)


@pytest.mark.parametrize("which", [is_child, is_supervisor])
@pytest.mark.parametrize("name", GRID_ENGINE_POOLS)
def test_kill_of_a_worker_on_grid_engine(grid_engine, name, which, tmp_path, monkeypatch):
    """A worker's child or supervisor is killed: the list is complete all the same."""
    with pool_on(grid_engine, name, tmp_path, monkeypatch) as pool:
        fault = lambda: kill_one(tmp_path / "work", which)  # noqa: E731
        assert SQUARES == map_with_fault(pool, tmp_path / "marks", fault)


@pytest.mark.parametrize("name", SLURM_POOLS)
def test_hold_of_pending_elements(slurm_cluster, name, tmp_path, monkeypatch):
    """Pending queue-jobs are held for ever: others do their tasks, and the held ones are cancelled."""
    held: list[str] = []

    def hold() -> bool:
        pending = slurm_cluster.run("squeue", "-h", "-r", "-t", "PD", "-o", "%i").stdout.split()
        for job in pending[:2]:
            if slurm_cluster.run("scontrol", "hold", job).returncode == 0:
                held.append(job)
        return bool(held)

    blocked = ["--begin=now+3"]  # so that they pend long enough to be held
    with pool_on(slurm_cluster, name, tmp_path, monkeypatch, submit_args=blocked) as pool:
        result = pool.map_async(nap, [0.2] * 12)
        wait_until(hold, "pending jobs to hold")
        assert [0.2] * 12 == result.get(180)


@pytest.mark.parametrize("elastic", [True, False])
def test_more_tasks_than_an_array_may_have(slurm_small_arrays, elastic, tmp_path, monkeypatch):
    """MaxArraySize is 11 and there are 200 tasks: it just works."""
    with pool_on(slurm_small_arrays, "slurm.array", tmp_path, monkeypatch, width=16, elastic=elastic) as pool:
        n = 200 if elastic else 35
        assert list(range(n)) == pool.map(do_nothing, range(n))


def test_many_tasks_make_few_files(slurm_cluster, tmp_path, monkeypatch):
    """100,000 tasks on 16 queue-jobs never have more than 2,000 files in the work_dir."""
    with pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, width=16) as pool:
        result = pool.map_async(do_nothing, range(100_000))
        most = 0
        while not result.ready():
            most = max(most, files_in(tmp_path / "work"))
            result.wait(0.01)
        assert list(range(100_000)) == result.get(60)
    assert 16 < most < 2000


@pytest.mark.parametrize("name", ["slurm.array", "sun_grid_engine.array"])
def test_interrupt_leaves_nothing_in_the_queue(request, name, tmp_path):
    """Ctrl-C in the main process cancels all queue-jobs and tells how to go on."""
    cluster = request.getfixturevalue("slurm_cluster" if "slurm" in name else "grid_engine")
    program = f"import pypoolparty, time; pypoolparty.{name}.Pool(4, work_dir='work').map(time.sleep, [60.0] * 8)"
    environment = {**os.environ, **cluster.environment}
    main = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(processes_about(tmp_path / "work")) >= 4, "running workers", 60)
    main.send_signal(signal.SIGINT)
    told = main.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in told
    assert "pypoolparty.resume(" in told
    wait_until(lambda: not cluster.queue(), "an empty queue", 60)
    wait_until(lambda: not processes_about(tmp_path / "work"), "the end of the workers", 60)


def test_closure_over_an_array(slurm_cluster, grid_engine, tmp_path, monkeypatch):
    """A closure over a numpy array does its work on all real backends."""
    numpy = pytest.importorskip("numpy")
    weights = numpy.arange(4.0)
    for cluster, name in [(slurm_cluster, pool) for pool in SLURM_POOLS] + [
        (grid_engine, pool) for pool in GRID_ENGINE_POOLS
    ]:
        with pool_on(cluster, name, tmp_path, monkeypatch) as pool:
            assert [0.0, 6.0, 12.0] == pool.map(lambda x: float((weights * x).sum()), range(3))
