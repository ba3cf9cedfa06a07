"""The page on failures names tests and faults that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults_gridengine import GRID_ENGINE, MASTER
from tests.chaos.faults_slurm import SLURM

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "what goes wrong" not in line]


def test_each_row_has_a_test() -> None:
    """Nothing is claimed that is not tested."""
    assert [] == [row for row in ROWS if "`tests/" not in row.rpartition(" | ")[2]]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGE))))
def test_named_tests_exist(name: str) -> None:
    """A test that is named is there."""
    file, _, test = name.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), name


def test_all_faults_are_named() -> None:
    """Each fault that chaos stages is in the page, and each that is in the page is staged."""
    named = {fault for group in re.findall(r"\((`[^)]*`)\)", PAGE) for fault in re.findall(r"`([a-z-]+)`", group)}
    assert {*SLURM, *GRID_ENGINE, *MASTER} == named


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("line", re.findall(r"^python -m tests\.chaos .*$", PAGE, re.MULTILINE))
def test_commands_by_hand(line: str, tmp_path: Path) -> None:
    """They run, and nothing is lost; here one run of each, for all of them take hours."""
    words = shlex.split(re.sub(r"--runs \d+", "--runs 1", line), comments=True)
    words = [sys.executable, *words[1:], "--folder", str(tmp_path)]
    words = [str(tmp_path / word) if word == "runs.jsonl" else word for word in words]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(r"^runs +1$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^LOSSES +0$", done.stdout, re.MULTILINE), done.stdout
    assert ("--output" in words) == (tmp_path / "runs.jsonl").exists()
