"""The page on failures names tests and faults that exist."""

import re
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
