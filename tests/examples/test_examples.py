"""The examples run, on this machine and on the dummies of Slurm, and find their answers right."""

import os
import subprocess
import sys

import pytest

from tests.examples.programs import FOLDER, NEEDS, run_example
from tests.ticking import ticking_dummies

NAMES = sorted(NEEDS)
# Each of its maps imports scipy.
SLOW = {"emcee_sampling"}


def test_all_examples_are_run():
    """No example is forgotten here."""
    assert NAMES == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
def test_on_this_machine(name, tmp_path):
    """It runs on `pypoolparty.local.Pool`, and leaves nothing but what it says."""
    run_example(name, "local", tmp_path, os.environ)
    left = {"external_programs": {".pypoolparty"}, "parameter_scan": {"scan.png"}}
    assert {path.name for path in tmp_path.iterdir()} <= left.get(name, set())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_on_dummies_of_slurm(name, tmp_path):
    """It runs on `pypoolparty.slurm.array.Pool`."""
    folder = tmp_path / "here"
    folder.mkdir()
    with ticking_dummies(tmp_path / "dummies") as environment:
        run_example(name, "slurm", folder, environment)


def test_plot_is_drawn(tmp_path):
    """The scan leaves a picture."""
    run_example("parameter_scan", "local", tmp_path, os.environ)
    assert (tmp_path / "scan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_size(name):
    """One file, to be read in a minute."""
    assert 80 >= len((FOLDER / f"{name}.py").read_text().splitlines())


def test_wrong_answer_is_found(tmp_path):
    """An answer that is not right is told, also by the exit code."""
    wrong = tmp_path / "monte_carlo.py"
    wrong.write_text((FOLDER / "monte_carlo.py").read_text().replace("< 1.0))", "< 0.9))"))
    argv = [sys.executable, str(wrong), "--pool", "local", "--tasks", "2"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (1, "WRONG") == (done.returncode, done.stdout.splitlines()[-1])
