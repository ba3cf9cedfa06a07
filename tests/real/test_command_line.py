"""The command line on real schedulers: it works there, and a map ends from elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.helpers import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
WAITS = """
import pathlib, time

def wait(text):
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    return text
"""


@pytest.fixture(params=[("slurm_cluster", "slurm.array"), ("grid_engine", "sun_grid_engine.array")])
def cluster_and_pool(request):
    """Return a cluster, and the pool to prefer on it."""
    fixture, pool = request.param
    return request.getfixturevalue(fixture), pool


def run(cluster, folder, *words, code=0):
    """Run a command line in a folder, and return what it printed."""
    argv = [sys.executable, "-m", "pypoolparty", *map(str, words)]
    environment = {**os.environ, **cluster.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert code == done.returncode, done.stderr
    return done.stdout


def test_doctor(cluster_and_pool, tmp_path):
    """A healthy cluster has no problem, its limits are known, and the canary comes back."""
    cluster, pool = cluster_and_pool
    document = json.loads(run(cluster, tmp_path, "doctor", "--pool", pool, "--work-dir", tmp_path / "w", "--json"))
    assert [] == [finding for finding in document["findings"] if finding["weight"] == "problem"]
    [system] = [one for one in document["schedulers"] if one["pool"] == pool]
    assert system["answers"]
    assert system["version"]
    assert {"MaxArraySize", "max_aj_tasks"} & set(system["limits"])
    assert document["canary"]["nodes"]
    wait_until(lambda: not cluster.queue(), "an empty queue", 60)


def test_map_that_is_cancelled_and_resumed(cluster_and_pool, tmp_path):
    """Its main process is killed; cancel empties the queue, and resume does the rest."""
    cluster, pool = cluster_and_pool
    (tmp_path / "waiting_module.py").write_text(WAITS)
    (tmp_path / "in.txt").write_text("a\nb\nc\n")
    words = ["map", "waiting_module:wait", "--input", "in.txt", "-o", "out.txt", "--pool", pool, "-n", "2"]
    argv = [sys.executable, "-m", "pypoolparty", *words, "--set", f"work_dir={tmp_path / 'w'}"]
    environment = {**os.environ, **cluster.environment, "PYTHONPATH": str(ROOT)}
    main = subprocess.Popen(argv, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: list((tmp_path / "w").glob("*/session.json")), "a work_dir", 60)
        [work_dir] = [path.parent for path in (tmp_path / "w").glob("*/session.json")]
        wait_until(
            lambda: json.loads(run(cluster, tmp_path, "ls", work_dir, "--json"))["maps"][0]["running_jobs"], "", 90
        )
    finally:
        main.kill()
        main.communicate(timeout=30)
    run(cluster, tmp_path, "status", work_dir, code=1)
    assert json.loads(run(cluster, tmp_path, "cancel", work_dir, "--json"))["job_ids"]
    wait_until(lambda: not cluster.queue(), "an empty queue", 60)
    (tmp_path / "go").touch()
    run(cluster, tmp_path, "resume", work_dir, "-o", "out.txt")
    assert "a\nb\nc\n" == (tmp_path / "out.txt").read_text()
