"""Who uses daemons that are shared: the last one to leave stops them."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tests.real.daemons import started_at

BY_HAND = "by-hand"  # uses them until told otherwise


def this_process() -> str:
    """Name our process as a user, for as long as it lives."""
    return f"{os.getpid()}-{started_at(os.getpid())}"


def join(folder: Path, user: str) -> None:
    """Write down that the user needs the daemons."""
    folder.mkdir(exist_ok=True)
    (folder / user).touch()


def leave(folder: Path, user: str) -> None:
    """Write down that the user needs them no more."""
    (folder / user).unlink(missing_ok=True)


def remaining(folder: Path) -> list[str]:
    """List the users that still live; a pid alone will not do, as it is used again."""
    if not folder.is_dir():
        return []
    return [user.name for user in folder.iterdir() if user.name == BY_HAND or _lives(user.name)]


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one process of this machine at a time bring up or down; the lock ends with the process."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        file = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _lives(user: str) -> bool:
    pid, _, started = user.partition("-")
    return started_at(int(pid)) == started
