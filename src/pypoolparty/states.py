"""The plain values that the other modules speak in."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "Death",
    "Job",
    "JobState",
    "Limits",
    "Outcome",
    "Refusal",
    "Report",
    "Resources",
    "Submission",
]


class Outcome(enum.IntEnum):
    """How a task ended."""

    OPEN = 0
    RETURNED = 1
    RAISED = 2
    LOST = 3


class JobState(enum.Enum):
    """What a scheduler says of a queue-job, in words that all schedulers share."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    ERROR = "error"  # in the queue, but it will never run as it is: held, launch failed, Eqw
    HOPELESS = "hopeless"  # in the queue, but it asks for what it can never get
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    OUT_OF_MEMORY = "out of memory"
    TIME_LIMIT = "time limit"
    NODE_FAILED = "node failed"
    PREEMPTED = "preempted"
    UNKNOWN = "unknown"  # a state that we do not know: kept, not guessed

    @property
    def is_final(self) -> bool:
        """Whether the queue-job has left the queue for good."""
        return self in _FINAL


_FINAL = {
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.OUT_OF_MEMORY,
    JobState.TIME_LIMIT,
    JobState.NODE_FAILED,
    JobState.PREEMPTED,
}


class Death(enum.Enum):
    """Why a queue-job or a task's process died."""

    OUT_OF_MEMORY = "OutOfMemory"
    TIME_LIMIT = "TimeLimit"
    NODE_FAILED = "NodeFailed"
    PREEMPTED = "Preempted"
    CANCELLED = "Cancelled"
    CRASHED = "Crashed"
    BAD_ENVIRONMENT = "BadEnvironment"
    VANISHED = "Vanished"
    REFUSED = "SubmissionRefused"


class Refusal(enum.Enum):
    """Why a scheduler did not take a submission."""

    NEVER = "never"  # it can not run here, however often it is tried
    ARRAY_SIZE = "array size"  # the array has more elements than are allowed
    JOB_LIMIT = "job limit"  # too many jobs of ours are in the queue; later there may be room
    LATER = "later"  # the scheduler has a bad moment
    UNKNOWN = "unknown"  # in words that we do not know: tried a few times more


@dataclass(frozen=True)
class Report:
    """What is known of a death.

    Attributes
    ----------
    death : Death
    node : str
    signal, exit_code : int
        Of the process that died; 0 if unknown.
    max_rss : int
        Its largest resident memory in KiB; 0 if unknown.
    evidence : tuple of str
        What the verdict rests on, strongest first.
    stderr_tail : str
    """

    death: Death
    node: str = ""
    signal: int = 0
    exit_code: int = 0
    max_rss: int = 0
    evidence: tuple[str, ...] = ()
    stderr_tail: str = ""


@dataclass(frozen=True)
class Job:
    """One row of a scheduler's answer: an element of an array, or a job of its own."""

    job_id: str
    element: int | None
    name: str
    state: JobState
    reason: str = ""
    node: str = ""


@dataclass(frozen=True)
class Limits:
    """How much a scheduler takes from us; None is unlimited or unknown."""

    array_size: int | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Resources:
    """What one queue-job asks for.

    Attributes
    ----------
    time : int or None
        Time limit in seconds.
    mem : int or None
        Memory in bytes.
    cpus, gpus : int or None
        Numbers per queue-job.
    partition, account, qos : str or None
        The queue's, the account's (project's) and the quality of service's name.
    submit_args : tuple of str
        Verbatim arguments for the submit command.
    whole_node : bool
        Whether nobody else may use the node.
    """

    time: int | None = None
    mem: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    submit_args: tuple[str, ...] = ()
    whole_node: bool = False


@dataclass(frozen=True)
class Submission:
    """What is submitted at once: `elements` queue-jobs under one name.

    Attributes
    ----------
    name : str
        The jobname, unique in the world.
    is_array : bool
        Whether the elements are one array or jobs of their own, named ``<name>-<element>``.
    script : str
        Path of the shell script to run.
    script_args : tuple of str
        Its arguments; jobs that are no array get their element appended.
    work_dir : str
        Absolute path; the raw output goes to its folder ``workers``.
    number : int
        The submission's number in its map.
    elements : tuple of int
        The elements to submit, ascending.
    throttle : int or None
        How many of them may run at a time.
    interpreter : str
        What runs the script, for schedulers that ignore its first line.
    """

    name: str
    is_array: bool
    script: str
    script_args: tuple[str, ...]
    work_dir: str
    number: int
    elements: tuple[int, ...]
    throttle: int | None = None
    resources: Resources = field(default_factory=Resources)
    excluded_nodes: Sequence[str] = ()
    interpreter: str = "/bin/sh"
