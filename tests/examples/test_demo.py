"""The main job of the README."""

import subprocess
import sys
from pathlib import Path

import pytest

PRIMES = Path(__file__).parents[2] / "demo" / "primes.py"


def run(*words):
    """Run the demo as the Makefile does."""
    argv = [sys.executable, str(PRIMES), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("pool", ["local", "multiprocessing"])
def test_answer_is_right(pool, tmp_path, monkeypatch):
    """It prints the known answer, on our pool and on the standard library's."""
    monkeypatch.chdir(tmp_path)
    done = run("--pool", pool, "--limit", "100000", "--pieces", "7")
    assert done.returncode == 0, done.stderr
    assert "\n9,592 primes, in " in done.stdout
    assert "OK" == done.stdout.splitlines()[-1]
    assert [] == list(tmp_path.iterdir())


def test_wrong_answer_is_found(tmp_path):
    """A wrong answer is said, and the exit code tells it too."""
    wrong = tmp_path / "primes.py"
    wrong.write_text(PRIMES.read_text().replace("count += 1", "count += 2"))
    argv = [sys.executable, str(wrong), "--pool", "multiprocessing", "--limit", "10000"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "WRONG" in done.stdout
