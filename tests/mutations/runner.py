"""Runs tests against a copy of the source, with or without a mutation."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .mutation import ROOT, SOURCE, TEST_SECONDS, Mutation

__all__ = ["Verdict", "run_mutated", "run_tests"]

RUN_SECONDS = 150
# With these a test fails because the mutation is no program, and not because a promise is broken.
NO_PROGRAM = {"ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "IndentationError", "UnboundLocalError"}

Outcomes = dict[str, dict[str, list[str]]]


@dataclass(frozen=True)
class Verdict:
    """What came of a mutation."""

    is_killed: bool
    words: str


@contextmanager
def copied_source(mutation: Mutation | None = None) -> Iterator[Path]:
    """Make a folder with a copy of the package in it; end afterwards what still runs there, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="pypoolparty-mutation-"))
    try:
        package = folder / "src" / "pypoolparty"
        shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            (package / mutation.file).write_text(mutation.mutated)
        yield folder
    finally:
        _end_processes_in(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _end_processes_in(folder: Path) -> None:
    """Kill what a failed test has left: all that was started with the copy in its import path."""
    needle = os.fsencode(str(folder)) + b"/"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", pid, "environ").read_bytes() + Path("/proc", pid, "cmdline").read_bytes()
            if needle in words and int(pid) != os.getpid():
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue


def run_tests(folder: Path, tests: Sequence[str], each: int = TEST_SECONDS, seconds: int = RUN_SECONDS) -> Outcomes:
    """Run tests on the copy in `folder`; return how each ended, by phase. Empty if the run had no end."""
    notes = folder / "notes.json"
    path = os.pathsep.join([str(folder / "src"), str(ROOT)])
    hidden = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**kept, "PYTHONPATH": path, "PYPOOLPARTY_MUTATION_NOTES": str(notes), "TMPDIR": str(folder)}
    options = ["-q", "-m", "not real", "-p", "tests.mutations.plugin", "-p", "no:cacheprovider"]
    options += [f"--timeout={each}", "--timeout-method=signal", f"--basetemp={folder / 'temporary'}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end_processes_in(folder)
        process.communicate()
        return {}
    if not notes.exists():
        raise AssertionError(f"pytest did not run:\n{said}")
    noted = json.loads(notes.read_text())
    if not noted["package"].startswith(str(folder)):
        raise AssertionError(f"not the copy was tested, but {noted['package']}")
    outcomes: Outcomes = noted["outcomes"]
    missing = [test for test in tests if not _of(test, outcomes)]
    if missing:
        raise AssertionError(f"not run: {missing}\n{said}")
    return outcomes


def run_mutated(mutation: Mutation) -> Verdict:
    """Run the tests of a mutation; it is killed if each of them fails because of it."""
    n = mutation.source.count(mutation.old)
    if n != 1:
        return Verdict(False, f"what is to be taken out is there {n} times")
    with copied_source(mutation) as folder:
        outcomes = run_tests(folder, mutation.tests, mutation.seconds)
    if not outcomes:
        return Verdict(False, "the tests had no end")
    words = [_judge(test, _of(test, outcomes)) for test in mutation.tests]
    return Verdict(not any(words), "; ".join(filter(None, words)))


def passes(test: str, outcomes: Outcomes) -> bool:
    """Tell whether a test has run, and nothing in it has failed or was skipped."""
    found = _of(test, outcomes)
    return bool(found) and all("passed" == phase[0] for phases in found for phase in phases.values())


def _of(test: str, outcomes: Outcomes) -> list[dict[str, list[str]]]:
    """Return the phases of a test, with each of its parameters if none are named."""
    return [phases for name, phases in outcomes.items() if name == test or name.startswith(f"{test}[")]


def _judge(test: str, found: list[dict[str, list[str]]]) -> str:
    """Return why this test does not speak against the mutation; empty if it does.

    Some promises are looked at when a test is over: that nothing is left behind.
    """
    phases = [(when, *phase) for each in found for when, phase in each.items()]
    failed = [(when, error) for when, outcome, error in phases if outcome == "failed" and when != "setup"]
    if not failed:
        return f"{test}: {', '.join(sorted({outcome for _, outcome, _ in phases}))}"
    no_program = sorted({error for _, error in failed if error in NO_PROGRAM})
    return f"{test}: {', '.join(no_program)}" if no_program else ""
