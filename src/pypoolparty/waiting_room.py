"""Where queue-jobs that have nothing left to do wait for the next map of their pool.

A folder beside the work_dirs, for one pool alone. Each worker that waits makes a seat in it, named after its
queue-job; whoever first makes ``taken/<seat>`` decides: the worker, that it leaves; or the pool, that it goes on. Then
the pool writes into the seat where. The worker reads its seat again and again, for an opened file is looked at anew
even by file systems that cache. Where the folder is gone, the worker leaves.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from . import worker

__all__ = ["Seat", "WaitingRoom"]


@dataclass(frozen=True)
class Seat:
    """A worker that waits.

    Attributes
    ----------
    file : str
        Name of its file.
    job_name : str
        The submission's name of its queue-job, as the map knew it that it worked for last.
    element : int
        Its element in that submission.
    """

    file: str
    job_name: str
    element: int


class WaitingRoom:
    """The pool's side of the folder `path`."""

    def __init__(self, path: str, is_open: bool = False) -> None:
        self.path, self.is_open = path, is_open

    def open(self) -> None:
        """Make the folder, for us alone."""
        if not self.is_open:
            for folder in (self.path, self._at("idle"), self._at("taken")):
                os.mkdir(folder, 0o700)
                os.chmod(folder, 0o700)
            self.is_open = True

    def _at(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def seats(self) -> Iterator[Seat]:
        """Yield those who wait, and were not called yet."""
        if not self.is_open:
            return
        taken = set(os.listdir(self._at("taken")))
        for name in sorted(os.listdir(self._at("idle"))):
            session, _, worker_name = name.partition("@")
            submission, element, *_ = worker_name.split("-", 2)
            if name not in taken and submission.isdigit() and element.isdigit():
                yield Seat(name, f"{session}-{submission}", int(element))

    def call(self, seat: Seat, work_dir: str, submission: int, element: int) -> bool:
        """Send a waiting worker to a submission; False if it has left."""
        try:
            os.close(os.open(self._at("taken", seat.file), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            fd = os.open(self._at("idle", seat.file), os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileExistsError, FileNotFoundError):
            return False
        order = {"work_dir": work_dir, "submission": f"{submission:04d}", "element": element}
        try:
            os.pwrite(fd, json.dumps(order).encode().ljust(worker.SEAT_SIZE), 0)
        finally:
            os.close(fd)
        return True

    def close(self) -> None:
        """Remove the folder: who still waits leaves."""
        if self.is_open:
            self.is_open = False
            shutil.rmtree(self.path, ignore_errors=True)
