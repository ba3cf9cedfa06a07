"""Maps in all conditions, and a way to call the command line within this process."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypoolparty.cli import main
from pypoolparty.testing import Dummies
from tests.unit import functions
from tests.unit.maps import run_local, wait_until

# A map whose tasks 3 and 4 wait for a file ``go``.
PROGRAM = """
import functools, json, sys, pypoolparty
from pypoolparty.resuming import POOL_CLASSES
from tests.unit import functions
marks, work_dir, kind, options = sys.argv[1:]
func = functools.partial(functions.wait_for, marks, waiting=[3, 4])
with POOL_CLASSES[kind](1, polling_interval=0.2, work_dir=work_dir, **json.loads(options)) as pool:
    print(pool.map(func, range(6), chunksize=1))
"""


@dataclass
class Running:
    """A program with a map that waits."""

    program: subprocess.Popen
    work_dir: str
    marks: Path

    def let_go(self):
        """Let all its tasks end."""
        (self.marks / "go").touch()

    def kill(self):
        """Let the main process die without a word."""
        self.program.kill()
        self.program.wait(timeout=30)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Work in an empty folder, with one of our own for temporary files, and leave the import path as it was."""
    folder, temporary = tmp_path / "here", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return folder


@pytest.fixture
def invoke():
    """Return a function that runs a command line in this process, and checks its exit code."""

    def run(*words, code=0, **given):
        result = CliRunner().invoke(main, [str(word) for word in words], **given)
        assert code == result.exit_code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def invoke_json(invoke):
    """Return a function that runs a command line with ``--json``, and returns the one document on stdout."""

    def run(*words, **given):
        return json.loads(invoke(*words, "--json", **given).stdout)

    return run


@pytest.fixture
def dummies(tmp_path, monkeypatch):
    """Dummies of all schedulers, found by their names."""
    with Dummies(tmp_path / "dummies", slots=2) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def finished(tmp_path):
    """The work_dir of a map whose tasks have all returned; the odd ones have written to stdout."""
    return run_local(tmp_path / "finished", functions.shout_some, range(6))


@pytest.fixture
def failed(tmp_path):
    """The work_dir of a map whose tasks 1 and 2 of six have raised a ValueError, and written to stderr."""
    func = functools.partial(functions.fail_on, bad=[1, 2], how="raise")
    return run_local(tmp_path / "failed", func, range(6))


@pytest.fixture
def lost(tmp_path):
    """The work_dir of a map whose task 2 of four is lost."""
    func = functools.partial(functions.fail_on, bad=[2], how="kill")
    return run_local(tmp_path / "lost", func, range(4), max_num_resubmissions=0)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program with a map that waits, on some kind of pool."""
    started = []

    def run(kind="local", **options):
        marks, parent = tmp_path / f"marks-{len(started)}", tmp_path / f"maps-{len(started)}"
        marks.mkdir()
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))
        environment = {**os.environ, "PYTHONPATH": path}
        argv = [sys.executable, "-c", PROGRAM, marks, parent, kind, json.dumps(options)]
        program = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(Running(program, "", marks))
        wait_until(lambda: (marks / "at-3").exists())
        [work_dir] = [path for path in parent.iterdir() if (path / "session.json").exists()]
        started[-1].work_dir = str(work_dir)
        return started[-1]

    yield run
    for running in started:
        running.let_go()
        running.program.kill()
        running.program.communicate(timeout=30)


@pytest.fixture
def live(start):
    """A map that runs."""
    return start()


@pytest.fixture
def dead(start):
    """A map whose main process was killed."""
    running = start()
    running.kill()
    return running
