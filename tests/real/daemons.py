"""What the real schedulers share: processes seen through /proc, stopping by pid, waiting, free ports.

Nothing here goes by the name of a process alone: what is stopped was found by the pid that it wrote, or by
an open file, environment or command line that points into the folder of its own cluster.
"""

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


class DaemonsUnavailable(Exception):
    """A real scheduler cannot be had here; the message says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def wait_until(
    condition: Callable[[], object], what: str, *, timeout: float = 30, on_timeout: Callable[[], str] = str
) -> None:
    """Return as soon as the condition holds, or raise with what was awaited and what `on_timeout` says."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise DaemonsUnavailable(f"not within {timeout:g} s: {what}\n{on_timeout()}".rstrip())
        time.sleep(0.05)


def read_pid(pid_file: Path) -> int | None:
    """Read the pid that a daemon wrote, None when there is no such file (or nothing in it yet)."""
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    """Tell whether the process runs: a zombie, left by a parent that does not wait for it, does not."""
    fields = _status(pid)
    return bool(fields) and fields[0] not in "ZX"


def running(pid_file: Path, mark: str) -> int | None:
    """Give the pid in the file if that process lives and is ours: pids are used again by others."""
    pid = read_pid(pid_file)
    return pid if pid is not None and is_alive(pid) and mentions(pid, mark) else None


def stop(pid: int | None, *, timeout: float = 30) -> None:
    """Ask a process to end, wait for that, and kill it when it does not listen."""
    if pid is None:
        return
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        _signal(pid, number)
        try:
            wait_until(lambda: not is_alive(pid), f"the end of process {pid}", timeout=patience)
            break
        except DaemonsUnavailable:
            if number == signal.SIGKILL:
                raise


def kill(pids: Iterable[int]) -> None:
    """Kill these processes at once and wait until they are gone."""
    pids = list(pids)
    for pid in pids:
        _signal(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), f"the end of processes {pids}", timeout=10)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def pids() -> list[int]:
    """List all processes of this machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def processes_mentioning(text: str) -> list[int]:
    """List the other living processes whose command line or environment contains the text."""
    return [pid for pid in pids() if pid != os.getpid() and is_alive(pid) and mentions(pid, text)]


def mentions(pid: int, text: str) -> bool:
    """Tell whether the program, the command line or the environment of the process contains the text."""
    return text.encode() in b"\0".join([_program(pid), _proc(pid, "cmdline"), _proc(pid, "environ")])


def open_files(pid: int) -> list[str]:
    """List what the process has open, as paths (or names such as socket:[7])."""
    found = []
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    except OSError:
        pass  # gone, or not ours to look into
    return found


def parent_of(pid: int) -> int:
    """Give the pid of the parent, 0 when the process is gone."""
    fields = _status(pid)
    return int(fields[1]) if fields else 0


def started_at(pid: int) -> str:
    """Tell when the process started, in ticks since the boot, '' when it is gone."""
    fields = _status(pid)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def program_of(pid: int) -> str:
    """Give the path of the program that the process runs, '' when it is gone."""
    return os.fsdecode(_program(pid))


def environment_of(pid: int) -> dict[str, str]:
    """Read the environment that the process was started with, empty when it is gone or not ours."""
    pairs = _proc(pid, "environ").decode(errors="replace").split("\0")
    return {key: value for key, found, value in (pair.partition("=") for pair in pairs) if found}


def _status(pid: int) -> list[str]:
    """Read the fields of /proc/PID/stat that follow the name, which may hold blanks and brackets."""
    return _proc(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _program(pid: int) -> bytes:
    try:
        return os.readlink(f"/proc/{pid}/exe".encode())
    except OSError:
        return b""


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def free_ports(count: int) -> int:
    """Find the first of `count` free ports in a row, below those that the kernel gives to clients."""
    for _ in range(200):
        first = random.randrange(10_000, 32_000)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise DaemonsUnavailable(f"no {count} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # The daemons set this as well: without it, connections that linger after a restart would count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def tail(logs: Sequence[Path], lines: int = 15) -> str:
    """Show the last lines of these log files, for the message of a failure."""
    shown = []
    for log in logs:
        try:
            last = log.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            continue
        shown.append("\n".join([f"--- {log}", *last]))
    return "\n".join(shown)
