"""Queue-jobs that stay for the next map, and queue-jobs of several workers, on real schedulers."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.helpers import wait_until
from tests.real.pools import pool_on

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

CLUSTERS = [("slurm_cluster", "slurm.array"), ("grid_engine", "sun_grid_engine.array")]
on_all = pytest.mark.parametrize(("cluster", "name"), CLUSTERS, ids=["slurm", "grid-engine"])


def where(seconds: float) -> tuple[str, int]:
    """Return the scheduler's name of the queue-job, and the pid of its supervisor, after some time."""
    time.sleep(seconds)
    job = os.environ.get("SLURM_JOB_ID") or f"{os.environ['JOB_ID']}.{os.environ['SGE_TASK_ID']}"
    return job, os.getppid()


@on_all
def test_lingering(
    cluster: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The next maps are done by the queue-jobs of the first; one that is killed while it waits is replaced."""
    system: Any = request.getfixturevalue(cluster)
    with pool_on(system, name, tmp_path, monkeypatch, linger=60) as pool:
        first = set(pool.map(where, [0.5] * 4, chunksize=1))
        second = set(pool.map(where, [0.2] * 4, chunksize=1))
        assert second <= first
        os.kill(min(second)[1], signal.SIGKILL)
        assert [4.0, 5.0] == pool.map(float, [4, 5])


@on_all
def test_lingering_ends_by_itself(
    cluster: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Nothing is held for longer than was said."""
    system: Any = request.getfixturevalue(cluster)
    with pool_on(system, name, tmp_path, monkeypatch, linger=1) as pool:
        pool.map(where, [0.1] * 2)
        wait_until(lambda: not system.queue(), lambda: f"an empty queue: {system.queue()}", 60)
        assert [1.0] == pool.map(float, [1])


@on_all
def test_wide_queue_jobs(
    cluster: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Four tasks at a time are done by two queue-jobs of two workers."""
    with pool_on(request.getfixturevalue(cluster), name, tmp_path, monkeypatch, workers_per_job=2) as pool:
        assert 2 == len(set(pool.map(where, [1.5] * 4, chunksize=1)))


def test_whole_nodes(slurm_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tasks at a time as the node has cores, and nobody else on it."""
    options = {"width": 1, "workers_per_job": "node"}
    with pool_on(slurm_cluster, "slurm.array", tmp_path, monkeypatch, **options) as pool:
        begin = time.monotonic()
        found = pool.map(where, [2.0] * 8, chunksize=1)
        assert 1 == len(set(found))
        assert time.monotonic() - begin < 15.0
