"""The exceptions of pypoolparty.

::

    PoolPartyError
    ├── BadSetting                 in a file of settings, or in a variable
    ├── SchedulerError
    │   ├── CommandFailed          a command of the scheduler ended with an error
    │   ├── CommandTimedOut        it did not end in time
    │   ├── UnreadableOutput       its answer can not be understood
    │   └── SubmissionRefused      the scheduler will never run such a queue-job
    ├── TaskError                  one task has no result
    │   ├── TaskRaised             its exception can not be rebuilt here; this one stands for it
    │   ├── TaskExited             it called sys.exit
    │   └── TaskLost               it was tried as often as allowed, and its queue-job died each time
    │       ├── OutOfMemory · TimeLimit · NodeFailed · Preempted · Cancelled
    │       └── Crashed · BadEnvironment · Vanished
    └── WorkDirError
        ├── NotAWorkDir · WrongVersion · UnsafeWorkDir · StillInUse
        └── Damaged                a file's content is not what was written
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BadEnvironment",
    "BadSetting",
    "Cancelled",
    "CommandFailed",
    "CommandTimedOut",
    "Crashed",
    "Damaged",
    "NodeFailed",
    "NotAWorkDir",
    "OutOfMemory",
    "PoolPartyError",
    "Preempted",
    "SchedulerError",
    "StillInUse",
    "SubmissionRefused",
    "TaskError",
    "TaskExited",
    "TaskLost",
    "TaskRaised",
    "TimeLimit",
    "UnreadableOutput",
    "UnsafeWorkDir",
    "Vanished",
    "WorkDirError",
    "WrongVersion",
]


class PoolPartyError(Exception):
    """Base of all exceptions of pypoolparty."""


class BadSetting(PoolPartyError):
    """A file of settings, or a variable, has something in it that can not be; with the file and the line."""


class SchedulerError(PoolPartyError):
    """Something between us and the scheduler went wrong."""


class CommandFailed(SchedulerError):
    """A command of the scheduler ended with an error.

    Attributes
    ----------
    argv : list of str
    returncode : int
        Negative: the number of the signal that ended it.
    stdout, stderr : str
    """

    def __init__(self, argv: Sequence[str], returncode: int, stdout: str, stderr: str) -> None:
        words = (stderr.strip() or stdout.strip() or "it said nothing")[-2000:]
        super().__init__(f"{argv[0]} ended with {returncode}: {words}")
        self.argv, self.returncode = list(argv), returncode
        self.stdout, self.stderr = stdout, stderr

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.argv, self.returncode, self.stdout, self.stderr)


class CommandTimedOut(SchedulerError):
    """A command of the scheduler did not end in time.

    Attributes
    ----------
    argv : list of str
    seconds : float
        How long it was waited for.
    stderr : str
        What it had written until then.
    """

    def __init__(self, argv: Sequence[str], seconds: float, stderr: str = "") -> None:
        super().__init__(f"{argv[0]} did not end within {seconds:g} s")
        self.argv, self.seconds, self.stderr = list(argv), seconds, stderr

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.argv, self.seconds, self.stderr)


class UnreadableOutput(SchedulerError):
    """A command of the scheduler answered something that can not be understood.

    Attributes
    ----------
    argv : list of str
    text : str
        All that it wrote to stdout.
    """

    def __init__(self, argv: Sequence[str], text: str) -> None:
        super().__init__(f"{argv[0]} answered what can not be understood: {text[:500]!r}")
        self.argv, self.text = list(argv), text

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.argv, self.text)


class SubmissionRefused(SchedulerError):
    """The scheduler refuses to ever run what was submitted; its own words are the message."""


class TaskError(PoolPartyError):
    """One task has no result.

    Attributes
    ----------
    itask : int
        Index of the task in the iterable, from 0; -1 if it is about none.
    attempts : int
        How often it was tried.
    work_dir : str
        Absolute path of the folder with what is known of it.
    """

    def __init__(self, message: str, itask: int = -1, attempts: int = 0, work_dir: str = "") -> None:
        super().__init__(message)
        self.itask, self.attempts, self.work_dir = itask, attempts, work_dir

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.itask, self.attempts, self.work_dir), dict(vars(self))


class TaskRaised(TaskError):
    """The task raised an exception that can not be rebuilt here; this one stands for it."""


class TaskExited(TaskError):
    """The task called ``sys.exit`` (or raised `SystemExit`)."""


class TaskLost(TaskError):
    """The task was tried as often as allowed, and each time its queue-job died.

    Attributes
    ----------
    node : str
        Where the last attempt ran; empty if unknown.
    evidence : list of str
        What the verdict rests on, strongest first.
    stderr_tail : str
        The last that the task or its queue-job wrote to stderr, a few thousand characters.
    """

    node: str = ""
    evidence: Sequence[str] = ()
    stderr_tail: str = ""


class OutOfMemory(TaskLost):
    """Killed because it used more memory than it had asked for."""


class TimeLimit(TaskLost):
    """Killed because its queue-job ran into the time limit."""


class NodeFailed(TaskLost):
    """The node failed under it."""


class Preempted(TaskLost):
    """Its queue-job had to make room for others."""


class Cancelled(TaskLost):
    """Somebody else cancelled its queue-job."""


class Crashed(TaskLost):
    """Its process ended by a signal or with an exit code of its own."""


class BadEnvironment(TaskLost):
    """The function, a module of it, or the initializer could not be loaded on the node."""


class Vanished(TaskLost):
    """Its queue-job left the queue without a word and without a result."""


class WorkDirError(PoolPartyError):
    """Something is wrong with a work_dir."""


class NotAWorkDir(WorkDirError):
    """The folder is no work_dir."""


class WrongVersion(WorkDirError):
    """The work_dir has a format that this version can not read."""


class UnsafeWorkDir(WorkDirError):
    """The folder belongs to or can be written by somebody else."""


class StillInUse(WorkDirError):
    """Another main process works on this work_dir."""


class Damaged(WorkDirError):
    """The content of a file is not what was written."""
