"""Run one command of a scheduler. Knows no scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import CommandFailed, CommandTimedOut

__all__ = ["Completed", "backoff", "beside", "run"]


@dataclass(frozen=True)
class Completed:
    """What a command answered."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def raise_for_returncode(self) -> Completed:
        """Return self, or raise `CommandFailed`."""
        if self.returncode:
            raise CommandFailed(self.argv, self.returncode, self.stdout, self.stderr)
        return self


def run(argv: Sequence[str], timeout: float, environment: Mapping[str, str] | None = None) -> Completed:
    """Run `argv` to its end.

    Parameters
    ----------
    argv : sequence of str
        Never goes through a shell.
    timeout : float
        Seconds; then the command and all that it started are killed.
    environment : mapping, optional

    Raises
    ------
    CommandTimedOut
    CommandFailed
        Only if the command can not be started; an exit code is returned.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            umask=0o077,  # schedulers make a job's raw output with it; the tasks get the user's own
            start_new_session=True,  # Ctrl-C is ours to handle, and a hung command dies with its children
        )
    except OSError as error:
        raise CommandFailed(argv, 127, "", str(error)) from error
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as late:
        _kill_group(process)
        raise CommandTimedOut(argv, timeout, (late.stderr or b"").decode(errors="backslashreplace")) from None
    except BaseException:
        _kill_group(process)
        raise
    decoded = (text.decode(errors="backslashreplace") for text in (out, err))
    return Completed(tuple(argv), process.returncode, *decoded)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def backoff(failures: int, first: float, most: float, jitter: float) -> float:
    """Return how many seconds to wait after so many failures in a row.

    Parameters
    ----------
    failures : int
        At least 1.
    first, most : float
        Seconds after the first failure, and at the most.
    jitter : float
        Between 0 and 1: spreads the callers over one and a half times the wait.
    """
    wait: float = min(most, first * 2.0 ** min(failures - 1, 30))
    return wait * (1.0 + 0.5 * jitter)


def beside(path: str, name: str) -> str:
    """Return the path of the command `name` that stands beside the command at `path`."""
    folder = os.path.dirname(path)
    return os.path.join(folder, name) if folder else name
