"""What real schedulers have printed: tests/data."""

import re
from pathlib import Path

from pypoolparty.command import Completed

DATA = Path(__file__).parents[1] / "data"


def read(version, name):
    """Return the stdout of a recorded command."""
    return (DATA / version / f"{name}.txt").read_text(errors="backslashreplace")


def completed(version, name):
    """Return a recorded command with all that it said; its exit code is in the table of README.md."""
    [row] = [row for row in _rows(version) if row[0].startswith(f"{name}.txt")]
    stderr = DATA / version / f"{name}.stderr.txt"
    return Completed(("recorded",), int(row[1]), read(version, name), stderr.read_text() if stderr.exists() else "")


def names(version, pattern):
    """Return the names of all recordings that match, from the table."""
    found = [row[0].split(",")[0].removesuffix(".txt") for row in _rows(version)]
    return [name for name in found if re.fullmatch(pattern, name)]


def failures(version, pattern):
    """Return the names of all recorded commands that failed."""
    return [name for name in names(version, pattern) if completed(version, name).returncode]


def _rows(version):
    text = (DATA / version / "README.md").read_text()
    return re.findall(r"^\| (\S+\.txt.*?) \| (\d+) \| ", text, re.MULTILINE)


def words_of(jobs):
    """Return jobs as short lines, sorted by their elements."""
    ordered = sorted(jobs, key=lambda job: (int(job.job_id), -1 if job.element is None else job.element))
    return [
        f"{job.job_id}{'' if job.element is None else f'_{job.element}'} {job.state.name}"
        f"{f' @{job.node}' if job.node else ''}{f' {job.reason}' if job.reason else ''}"
        for job in ordered
    ]
