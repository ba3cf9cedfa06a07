"""Exit codes: what they mean, and which error has which."""

from __future__ import annotations

import enum

from ..errors import PoolPartyError, SchedulerError, StillInUse, WorkDirError

__all__ = ["EXIT_CODES", "Exit", "code_of", "is_foreseen"]


class Exit(enum.IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WORK_DIR = 3
    IN_USE = 4
    SCHEDULER = 5
    OTHER = 6
    INTERRUPTED = 130


EXIT_CODES = {
    Exit.OK: "all is well",
    Exit.FAILED: "tasks have failed, or the map ended without all of them; doctor: there is something to mend",
    Exit.USAGE: "the command line is wrong",
    Exit.WORK_DIR: "not a work_dir, one that is not safe, damaged, or of another version",
    Exit.IN_USE: "a main process works on it",
    Exit.SCHEDULER: "the scheduler did not answer, or refused",
    Exit.OTHER: "something else went wrong: a file can not be written, a package is missing",
    Exit.INTERRUPTED: "interrupted",
}


def code_of(error: BaseException) -> Exit:
    """Return the exit code for an error."""
    if isinstance(error, StillInUse):
        return Exit.IN_USE
    if isinstance(error, WorkDirError):
        return Exit.WORK_DIR
    if isinstance(error, SchedulerError):
        return Exit.SCHEDULER
    return Exit.OTHER


def is_foreseen(error: BaseException) -> bool:
    """Tell whether an error's text says all; else it is a mistake of ours, and its traceback is of use."""
    return isinstance(error, (PoolPartyError, OSError, ImportError))
