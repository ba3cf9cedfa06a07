"""A work_dir for those who only look: no lock is taken, and no value of the user's is unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ..payload import text_of_exception
from ._layout import Layout
from ._lock import Holder, holder_of
from ._reduced import find_in, read_reduced, rows_of, tasks_in
from ._safety import open_checked, read_session
from ._spool import RecordKind, Segment, read_segment

__all__ = ["CANCEL", "Look", "read_journal"]

CANCEL = ".cancel-"  # in the spool, which the driver lists anyhow: by whom its map is to be ended
SUFFIXES = {"results": "pickle", "exceptions": "pickle", "stdout": "txt", "stderr": "txt"}


class Look:
    """One work_dir, of a map that runs, has ended, or whose main process is dead; on any host that sees it.

    Parameters
    ----------
    path : path
        The folder with ``session.json`` in it.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir, WrongVersion, Damaged
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self.session: dict[str, Any] = read_session(self.path)
        self.layout = Layout(self.path)

    @property
    def n_tasks(self) -> int:
        """The number of tasks."""
        return int(self.session["n_tasks"])

    def holder(self) -> Holder | None:
        """Return whose it is at this moment."""
        return holder_of(self.layout.lock)

    def journal(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of ``log.jsonl``; a torn one is left out."""
        return read_journal(self.layout.log)

    def segments(self) -> Iterator[Segment]:
        """Yield what is published and not yet merged, one segment at a time."""
        for name in _names_in(self.layout.spool_new):
            try:
                yield read_segment(os.path.join(self.layout.spool_new, name))
            except FileNotFoundError:
                continue  # merged just now

    def tasks_in(self, name: str) -> Iterator[Sequence[int]]:
        """Yield the itasks in one of the archives (results, exceptions, stdout, stderr), many at a time."""
        return tasks_in(self.layout.reduced(name), SUFFIXES[name])

    def exceptions(self) -> Iterator[tuple[int, bytes]]:
        """Yield itask and description of what was raised and is merged."""
        return read_reduced(self.layout.reduced("exceptions"), SUFFIXES["exceptions"])

    def text_of(self, name: str, itask: int) -> str | None:
        """Return what a task wrote to its ``stdout`` or ``stderr``; None if it is not known to have written."""
        for segment in self.segments():  # before the archives: nothing falls in between
            for record in segment.records:
                if record.itask == itask and record.kind <= RecordKind.DIED:
                    written = record.out if name == "stdout" else record.err
                    if written:
                        return written.decode(errors="replace")
        data = find_in(self.layout.reduced(name), SUFFIXES[name], itask)
        return None if data is None else data.decode(errors="replace")

    def traceback_of(self, itask: int) -> str:
        """Return the remote traceback of a task that has raised; empty if it has not."""
        for segment in self.segments():
            for record in segment.records:
                if record.itask == itask and record.kind == RecordKind.RAISED:
                    return text_of_exception(record.value)
        data = find_in(self.layout.reduced("exceptions"), "txt", itask)
        return "" if data is None else data.decode(errors="replace")

    def rows(self, itasks: Collection[int]) -> Iterator[list[str]]:
        """Yield the rows of ``tasks.stats.csv`` of some tasks: strings, in the order of its header."""
        yield from rows_of(self.layout.stats, itasks)

    def claimed_by(self, table: int, ichunk: int) -> str:
        """Return the name of the worker that has claimed a chunk; empty if none has."""
        for folder in ("claims", "claims.withdrawn"):
            text = self._read(self.layout.submission(table, folder, f"{ichunk:06d}"))
            if text:
                return text
        return ""

    def tables(self) -> Iterator[tuple[int, list[list[int]]]]:
        """Yield number and chunks of each submission."""
        for name in _names_in(self.layout.submissions):
            text = self._read(self.layout.submission(int(name), "chunks.json")) if name.isdigit() else ""
            if text:
                yield int(name), json.loads(text)["chunks"]

    def user_path(self) -> list[str]:
        """Return the import path that the main process had, as far as it is not of its python."""
        text = self._read(self.layout.environment)
        return [str(entry) for entry in json.loads(text)["user_path"]] if text else []

    def ask_to_end(self, who: str) -> str:
        """Ask the main process, wherever it is, to end the map; return the path of what asks."""
        path = os.path.join(self.layout.spool_new, f"{CANCEL}{who}")
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return path

    def take_back(self, path: str) -> bool:
        """Take back what asks; return whether nobody had taken note of it."""
        try:
            os.unlink(path)
        except OSError:
            return False
        return True

    def _read(self, path: str) -> str:
        try:
            fd = open_checked(path)
        except OSError:
            return ""
        with os.fdopen(fd, "rb") as stream:
            return stream.read().decode(errors="replace")

    def all_rows(self) -> Iterator[list[bytes]]:
        """Yield all rows of ``tasks.stats.csv``, in the order of its header; a torn one is left out."""
        try:
            fd = open_checked(self.layout.stats)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as stream:
            next(stream, None)
            for line in stream:
                if line.endswith(b"\n"):
                    yield line[:-1].split(b",")

    def raw_outputs(self) -> list[str]:
        """Return the names of the files with the raw output of the queue-jobs."""
        return _names_in(self.layout.workers)

    def raw_output(self, name: str, most: int = 1 << 16) -> str:
        """Return the end of the raw output of a queue-job; empty if there is none."""
        try:
            # Made by the scheduler, with the user's umask: text only, in a folder of ours alone.
            fd = os.open(os.path.join(self.layout.workers, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return ""
        with os.fdopen(fd, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
            return stream.read().decode(errors="replace")

    def size(self) -> int:
        """Return how many bytes all its files have."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except OSError:
                    continue  # gone just now
        return total


def read_journal(path: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a journal; a torn one is left out, and before the first there is no file."""
    try:
        fd = open_checked(path)
    except FileNotFoundError:
        return
    with os.fdopen(fd, "rb") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []
