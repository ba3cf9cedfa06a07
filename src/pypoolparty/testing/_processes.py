"""Find and kill processes, and never somebody else's: what ``/proc`` tells."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator

MARK = "PYPOOLPARTY_DUMMY_JOB"
"""The variable that tells in each process of a job whose it is: ``<folder>/<number>.<index>.``"""


def mark(folder: str, number: int, index: int) -> str:
    """Return the value of `MARK` for one element."""
    return os.path.join(folder, f"{number}.{index}.")  # the last dot: no mark is the start of another


def _stat(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/<pid>/stat`` after the command's name; the first is the state."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def born(pid: int) -> int:
    """Return when a process started, in ticks since the machine did; 0 if there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def is_alive(pid: int, its_birth: int) -> bool:
    """Whether the very process that was born then is still there, and no mere zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in (b"Z", b"X") and int(fields[19]) == its_birth


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def in_session(leader: int) -> list[int]:
    """Return the living processes of a session, without its leader."""
    found = []
    for pid in _pids():
        fields = _stat(pid)
        if pid != leader and fields and int(fields[3]) == leader and fields[0] not in (b"Z", b"X"):
            found.append(pid)
    return found


def marked(start: str) -> list[int]:
    """Return the living processes whose mark starts so; those that have left their session are among them."""
    needle = os.fsencode(f"{MARK}={start}")
    found = []
    for pid in _pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                variables = file.read().split(b"\0")
        except OSError:
            continue
        if any(variable.startswith(needle) for variable in variables):
            found.append(pid)
    return found


def send(pids: Collection[int], number: int) -> None:
    """Send a signal to each of the processes that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def kill_all(find: Callable[[], Collection[int]], seconds: float = 10.0) -> None:
    """Kill what is found until nothing is; what is killed while it forks may leave a child behind."""
    deadline = time.monotonic() + seconds
    while (pids := find()) and time.monotonic() < deadline:
        send(pids, signal.SIGKILL)
        time.sleep(0.005)


def wait_for_end(processes: Collection[tuple[int, int]], seconds: float) -> bool:
    """Wait until all of the processes, each a pid and a birth, have ended; tell whether they have."""
    deadline = time.monotonic() + seconds
    while any(is_alive(pid, birth) for pid, birth in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
