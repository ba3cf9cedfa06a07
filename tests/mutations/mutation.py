"""What a mutation is, and the rows of the page that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "ROOT", "SOURCE", "TEST_SECONDS", "Mutation", "Row", "parse_rows"]

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pypoolparty"
PAGE = ROOT / "docs" / "failures.md"

TEST_SECONDS = 20

_TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")


@dataclass(frozen=True)
class Mutation:
    """The handling of one row, taken out of one file.

    Attributes
    ----------
    section, row : str
        The heading and the first cell of the row in the page.
    file : str
        Below ``src/pypoolparty``.
    old, new : str
        Text that is there exactly once, and what takes its place.
    tests : tuple of str
        Those of the row's tests that have to fail; each may have ``[parameters]`` behind it.
    seconds : int
        How long a test may take: without the handling some have no end.
    """

    section: str
    row: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    seconds: int = TEST_SECONDS

    @property
    def name(self) -> str:
        """A name for people."""
        line = len(self.source[: self.source.find(self.old)].splitlines()) or 1
        return f"{self.row} ({self.file}:{line})"

    @property
    def source(self) -> str:
        """The file as it is."""
        return (SOURCE / self.file).read_text()

    @property
    def mutated(self) -> str:
        """The file without the handling."""
        return self.source.replace(self.old, self.new)


@dataclass(frozen=True)
class Row:
    """One row of a table of the page."""

    section: str
    first: str
    tests: frozenset[str]


def parse_rows(page: str) -> list[Row]:
    """Return all rows of the tables that have tests."""
    rows, section = [], ""
    for line in page.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| ") and not line.startswith("| what goes wrong"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            rows.append(Row(section, cells[0], frozenset(_TEST.findall(cells[-1]))))
    return rows
