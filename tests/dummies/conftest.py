"""Dummies in a temporary folder, and a way to call them."""

import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from pypoolparty.testing import Dummies

USER = pwd.getpwuid(os.getuid()).pw_name
NAP = f"sleep 1000.{os.getpid()}"
"""A command that goes on for long, and is known among the processes."""


class Cluster:
    """Dummies with a few verbs for tests."""

    def __init__(self, folder, **settings):
        self.dummies = Dummies(folder / "dummies", **settings)
        self.folder = folder

    def __call__(self, command, *words, cwd=None, timeout=30, text=True, **variables):
        """Call a command, and return how it ended."""
        return subprocess.run(
            [self.dummies.path(command), *words],
            cwd=cwd or self.folder,
            env={**os.environ, **variables},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=text,
            timeout=timeout,
        )

    def ask(self, command, *words, **options):
        """Call a command that must end well, and return what it prints."""
        done = self(command, *words, **options)
        assert (0, "") == (done.returncode, done.stderr)
        return done.stdout

    def script(self, *lines, name="job.sh"):
        """Write a shell script."""
        path = self.folder / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        return str(path)

    def sbatch(self, *words):
        """Submit, and return the job's number."""
        return self.ask("sbatch", "--parsable", *words).strip()

    def qsub(self, *words):
        """Submit, and return the job's number."""
        return self.ask("qsub", "-terse", *words).partition(".")[0].strip()

    def squeue(self, layout="%i %T", *words, **variables):
        """Do a step, and return the rows of all states, sorted."""
        return sorted(self.ask("squeue", "-h", "--states=all", "-o", layout, *words, **variables).splitlines())

    def qstat(self):
        """Do a step, and return the rows (number, name, state, tasks), sorted."""
        lines = self.ask("qstat").splitlines()[2:]
        return sorted(
            (line[:7].strip(), line[16:26].strip(), line[40:45].strip(), line[103:].strip()) for line in lines
        )

    def step_until(self, condition, step=None, timeout=30):
        """Do steps until the condition holds for what the step shows, and return that."""
        step = step or self.squeue
        deadline = time.monotonic() + timeout
        while True:
            shown = step()
            if condition(shown):
                return shown
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)

    def run_all(self, step=None):
        """Do steps until the queue is empty, and one more to settle the last."""
        self.step_until(lambda shown: not self.dummies.queue(), step)
        (step or self.squeue)()


def wait_until(condition, timeout=30):
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes_naming(text):
    """Return the command lines of the processes with a text in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


@pytest.fixture
def make_cluster(tmp_path):
    """Return a function that makes dummies; see that nothing of them is left after the test."""
    clusters = []

    def make(folder=tmp_path, **settings):
        cluster = Cluster(folder, **settings)
        clusters.append(cluster)
        return cluster

    yield make
    for cluster in clusters:
        cluster.dummies.close()
        wait_until(lambda name=str(cluster.dummies.folder): processes_naming(name) == [])
        log = Path(cluster.dummies.folder, "runners.log")
        assert not log.exists() or log.read_text() == ""


@pytest.fixture
def cluster(make_cluster):
    """Return dummies with the default settings."""
    return make_cluster()
