"""What goes wrong on the nodes of real schedulers is told as what it is: what, which task, where, what to type."""

import importlib
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from pypoolparty import errors
from tests.hidden import python_without
from tests.real.pools import pool_on
from tests.unit.test_error_texts import other_pythons

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

POOLS = ("slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine")
ARRAYS = ("slurm.array", "sun_grid_engine.array")
ENVIRONMENT = ("pypoolparty doctor", "pypoolparty logs {} 0 --stderr", "pypoolparty resume {}")


def segfault(number: int) -> int:
    """Kill the own process, and leave no picture of it on the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    return number


def raise_for_one(number: int) -> int:
    """The task 1 fails."""
    if number == 1:
        raise ValueError(f"no root of {number}")
    return number


@pytest.fixture
def lost(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that maps on a pool, and returns the exception that this ends with."""

    def lost(name: str, func: Any, **arguments: Any) -> BaseException:
        cluster = request.getfixturevalue("slurm_cluster" if name.startswith("slurm") else "grid_engine")
        arguments = {"max_num_resubmissions": 0, "width": 2, **arguments}
        with (
            pytest.raises(Exception) as caught,  # noqa: PT011  which one it is, the test asks
            pool_on(cluster, name, tmp_path, monkeypatch, **arguments) as pool,
        ):
            pool.map(func, range(2))
        return caught.value

    return lost


def check(error: BaseException, kind: type, words: str, commands: tuple[str, ...]) -> None:
    """It is of this kind, has these words, and names these commands to go on with."""
    assert kind is type(error), error
    assert isinstance(error, errors.TaskLost)
    assert words in str(error), error
    following = [line.removeprefix("  next: ") for line in str(error).splitlines() if line.startswith("  next: ")]
    assert [command.format(error.work_dir) for command in commands] == following


@pytest.mark.parametrize("name", POOLS)
def test_no_python(lost, name):
    """The node has no such interpreter."""
    error = lost(name, abs, python_path="/no/such/python3")
    check(error, errors.BadEnvironment, "most likely: the node has no /no/such/python3: python_path=", ENVIRONMENT)


@pytest.mark.parametrize("name", POOLS)
def test_other_python(lost, name):
    """The node has a Python to which no function can be brought by its value."""
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has no other python")
    version, path = sorted(pythons.items())[-1]
    error = lost(name, lambda task: [number + 1 for number in range(task)], python_path=path)
    assert isinstance(error, (errors.BadEnvironment, errors.Crashed)), error
    assert f"most likely: the node has Python {version}." in str(error)


@pytest.mark.parametrize("name", POOLS)
def test_module_that_is_missing(lost, name, tmp_path, monkeypatch):
    """The node lacks a module of the user's; node and module are named."""
    (tmp_path / "soon_gone.py").write_text("def func(task): return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    func = importlib.import_module("soon_gone").func
    (tmp_path / "soon_gone.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    try:
        error = lost(name, func)
    finally:
        del sys.modules["soon_gone"]
    check(error, errors.BadEnvironment, "the module 'soon_gone' is not there for the node's Python", ENVIRONMENT)
    assert error.node
    assert f" on {error.node}" in str(error).splitlines()[0]


@pytest.mark.parametrize("name", ARRAYS)
def test_work_dir_that_is_not_seen(lost, name, tmp_path):
    """The node sees an empty folder where the work_dir should be."""
    (tmp_path / "work").mkdir()
    error = lost(name, abs, python_path=python_without(tmp_path / "work", tmp_path / "python-on-the-node"))
    check(error, errors.BadEnvironment, "the work_dir can not be seen on the node: work_dir= has to be", ENVIRONMENT)


@pytest.mark.parametrize("name", POOLS)
def test_crash(lost, name):
    """The process of a task dies by a signal; signal and node are named."""
    error = lost(name, segfault)
    check(error, errors.Crashed, "crashed by signal 11 (SIGSEGV) on ", ENVIRONMENT[1:])
    assert error.node


@pytest.mark.parametrize("name", POOLS)
def test_task_that_raises(lost, name):
    """The exception is the task's own, with a note of which task that was, where, and what to type."""
    error = lost(name, raise_for_one)
    assert (ValueError, ("no root of 1",)) == (type(error), error.args)
    if not hasattr(error, "add_note"):
        pytest.skip("notes come with Python 3.11")
    own, of_all = error.__notes__
    first, logs, resume = own.splitlines()
    assert first.startswith("task 1 has raised this on ")
    assert first.rpartition(" ")[2] != "on"
    assert logs.startswith("  next: pypoolparty logs ")
    assert logs.endswith(" 1 --stderr")
    assert " --redo-raised" in resume
    assert "1 of 2 tasks failed" in of_all
