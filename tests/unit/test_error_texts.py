"""What users read when something goes wrong: whole texts, kept in tests/data/error_texts.

After a change that is meant, `python -m tests.unit.test_error_texts` writes them anew; read the difference.
"""

import errno
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pypoolparty
from pypoolparty import advice
from pypoolparty.errors import BadEnvironment, TaskLost
from pypoolparty.states import Death, Report
from pypoolparty.verdict import error_of

TEXTS = Path(__file__).parents[1] / "data" / "error_texts"
WORK_DIR = "/scratch/maps of me/q1"
NOT_LOADED = ("the worker could not load the function or run the initializer",)
OTHER = "the node has Python 3.12.4 (/usr/bin/python3), the main process has 3.11.2\n"
BEGIN = "Traceback (most recent call last):\n"
NO_HELLO = ("the scheduler says FAILED (NonZeroExitCode), and no worker said hello",)


def _environment(stderr, evidence=NOT_LOADED):
    return Report(Death.BAD_ENVIRONMENT, "n17", evidence=evidence, stderr_tail=stderr)


REPORTS = {
    "out-of-memory": Report(
        Death.OUT_OF_MEMORY, "n17", 9, 0, 2_000_000, ("its supervisor saw its process die", "the accounting says OOM")
    ),
    "out-of-memory-unknown-peak": Report(Death.OUT_OF_MEMORY, "n17", 9, evidence=("the scheduler says OUT_OF_MEMORY",)),
    "time-limit": Report(Death.TIME_LIMIT, "n17", evidence=("the scheduler says TIMEOUT",)),
    "node-failed": Report(Death.NODE_FAILED, "n17", evidence=("the scheduler says NODE_FAIL",)),
    "preempted": Report(Death.PREEMPTED, "n17", evidence=("the scheduler says PREEMPTED",)),
    "cancelled": Report(Death.CANCELLED, "n17", 15, evidence=("the worker said goodbye: terminated by signal 15",)),
    "crashed": Report(
        Death.CRASHED, "n17", 11, evidence=("its supervisor saw its process die",), stderr_tail="Bus error\n"
    ),
    "exited": Report(Death.CRASHED, "n17", 0, 3, evidence=("its supervisor saw its process die",)),
    "vanished": Report(Death.VANISHED, evidence=("absent from 2 successful queries in a row, before that RUNNING",)),
    "refused": Report(Death.REFUSED, evidence=("sbatch: error: invalid partition specified: longg",)),
    "module-missing": _environment(
        f"{BEGIN}  File \"script.py\", line 1\nModuleNotFoundError: No module named 'h5py'\n"
    ),
    "other-python": _environment(f"{OTHER}{BEGIN}TypeError: code() argument 13 must be str, not int\n"),
    "other-python-and-module-missing": _environment(f"{OTHER}{BEGIN}ModuleNotFoundError: No module named 'numpy'\n"),
    "work-dir-unseen": _environment("ModuleNotFoundError: No module named 'script'\n", NO_HELLO),
    "nothing-written": _environment("", NO_HELLO),
    "no-python": _environment("job.sh: 12: exec: /opt/python/bin/python3: not found\n", NO_HELLO),
    "no-python-bash": _environment("job.sh: line 12: /opt/python/bin/python3: No such file or directory\n", NO_HELLO),
    "initializer-failed": _environment("Traceback (most recent call last):\nOSError: no such device\n"),
}
RAISED = {
    "raised": ValueError("the model does not converge"),
    "raised-no-memory": MemoryError(),
    "raised-no-module": ModuleNotFoundError("No module named 'h5py'", name="h5py"),
    "raised-no-quota": OSError(errno.EDQUOT, "Disk quota exceeded", "/home/me/out.h5"),
    "raised-disk-is-full": OSError(errno.ENOSPC, "No space left on device"),
    "raised-tmp-of-a-node": FileNotFoundError(errno.ENOENT, "No such file or directory", "/tmp/table.csv"),
    "raised-no-file": FileNotFoundError(errno.ENOENT, "No such file or directory", "/scratch/table.csv"),
}
DIAGNOSED = {
    "module-missing": "'h5py'",
    "other-python": "python_path=",
    "other-python-and-module-missing": "Python 3.12.4",
    "work-dir-unseen": "work_dir=",
    "nothing-written": "work_dir=",
    "no-python": "/opt/python/bin/python3",
    "no-python-bash": "/opt/python/bin/python3",
}


def text_of(name):
    """Return the type and the text of an exception; of those that tasks raise, the note on it."""
    if name in RAISED:
        error = RAISED[name]
        return f"{type(error).__name__}: {error}\n{advice.note_on_raise(error, 7, 'n17', WORK_DIR)}\n"
    error = error_of(REPORTS[name], 7, 2, WORK_DIR, mem=1 << 30, time=600.0)
    return f"{type(error).__name__}\n{error}\n"


@pytest.mark.parametrize("name", [*REPORTS, *RAISED])
def test_text_is_as_it_was_read(name):
    """A text only changes when somebody means it to."""
    assert (TEXTS / f"{name}.txt").read_text() == text_of(name)


def test_no_text_is_left_over():
    """Each file is of a text that there is."""
    assert {*REPORTS, *RAISED} == {path.stem for path in TEXTS.iterdir()}


@pytest.mark.parametrize("name", [*REPORTS, *RAISED])
def test_text_says_what_where_and_what_next(name):
    """What happened, to which task, on which node, and the next command, whose paths the shell takes as they are."""
    text, report = text_of(name), REPORTS.get(name)
    assert "task 7" in text or report.death is Death.REFUSED
    assert (report.node if report else "n17") in text
    commands = [line.removeprefix("  next: ") for line in text.splitlines() if line.startswith("  next: ")]
    assert commands
    assert all(command.startswith("pypoolparty ") for command in commands)
    assert any(f"resume '{WORK_DIR}'" in command for command in commands)


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_recognised(name):
    """An environment that does not fit is told as what it is, and nothing is made up about others."""
    found = advice.diagnosis(REPORTS[name])
    assert (DIAGNOSED[name] in found) if name in DIAGNOSED else (found == "")


@pytest.mark.parametrize("name", RAISED)
def test_what_a_raise_means(name):
    """It is only told where there is something to tell."""
    assert (name in ("raised", "raised-no-file")) == (advice.meaning_of_raise(RAISED[name]) == "")


def test_function_to_mend_is_named():
    """A function of a script has to be given anew once it is mended."""
    function = advice.function_to_mend({"function": "my run.py:simulate"})
    note = advice.note_on_raise(ValueError(), 7, "", WORK_DIR, function)
    assert "task 7 has raised this\n" in note
    assert f"resume '{WORK_DIR}' --redo-raised --func 'my run.py:simulate'" in note
    assert "" == advice.function_to_mend({"function": "package.module:simulate"})
    assert "" == advice.function_to_mend({})


def test_module_that_is_missing_on_the_node(tmp_path, monkeypatch):
    """It is named, on the exception that the map raises."""
    (tmp_path / "soon_gone.py").write_text("def func(task): return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    func = importlib.import_module("soon_gone").func
    (tmp_path / "soon_gone.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    with (
        pypoolparty.local.Pool(1, work_dir=tmp_path / "work", max_num_resubmissions=0) as pool,
        pytest.raises(BadEnvironment, match="the module 'soon_gone' is not there for the node's Python"),
    ):
        pool.map(func, [1])


def test_python_that_is_missing_on_the_node(tmp_path):
    """Its path is told."""
    python = str(tmp_path / "no" / "python")
    with (
        pypoolparty.local.Pool(1, work_dir=tmp_path / "work", python_path=python, max_num_resubmissions=0) as pool,
        pytest.raises(BadEnvironment, match=f"the node has no {python}"),
    ):
        pool.map(abs, [1])


def other_pythons():
    """Return interpreters of other minor versions, as far as this machine has any."""
    found = {}
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in (*versions.glob("*/bin/python"), *(shutil.which(f"python3.{minor}") for minor in range(8, 16))):
        if path is not None:
            words = [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            version = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
            found.setdefault(version, str(path))
    return {key: path for key, path in found.items() if key and key != "{}.{}".format(*sys.version_info)}


@pytest.mark.timeout(120)
def test_python_of_another_version_on_the_node(tmp_path):
    """Whatever it makes of a function that goes by value, it is told as what it is, from the oldest to the newest."""
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has no other python")
    for version, path in pythons.items():
        options = {"python_path": path, "work_dir": tmp_path / version, "max_num_resubmissions": 0}
        with (
            pypoolparty.local.Pool(1, **options) as pool,
            pytest.raises(TaskLost, match=rf"most likely: the node has Python {re.escape(version)}\.\d+ \(.*python"),
        ):
            pool.map(lambda task: [number + 1 for number in range(task)], [1])


if __name__ == "__main__":
    for stale in TEXTS.iterdir():
        stale.unlink()
    for known in (*REPORTS, *RAISED):
        (TEXTS / f"{known}.txt").write_text(text_of(known))
    sys.exit(f"{len(REPORTS) + len(RAISED)} texts written to {TEXTS}: read what changed before it is committed")
