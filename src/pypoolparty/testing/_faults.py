"""The faults that can be scripted, and which jobs and calls they are for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = [
    "Die",
    "FailCall",
    "Fault",
    "GarbleCall",
    "HangCall",
    "LoseReply",
    "Stuck",
    "Vanish",
]


@dataclass(frozen=True, kw_only=True)
class _JobFault:
    """Which jobs a fault is for.

    Attributes
    ----------
    job : str
        Pattern (as in `fnmatch`) of the job's name.
    element : int or None
        Index in the array; None is any, and also jobs that are no array.
    attempt : int or None
        Only in the so-manyth submission, counted from 1, of a matching job since the fault was added.
        None is any.
    times : int
        How many jobs it befalls at most.
    """

    job: str = "*"
    element: int | None = None
    attempt: int | None = None
    times: int = 1

    def is_about(self, name: str, indices: Iterable[int]) -> bool:
        """Whether one of these elements of the job of that name is meant, whatever the attempt."""
        return fnmatchcase(name, self.job) and (self.element is None or self.element in indices)


@dataclass(frozen=True, kw_only=True)
class Stuck(_JobFault):
    """The job never runs, and says why; it stays until it is cancelled, unless its state is a final one.

    Attributes
    ----------
    state : str
        Slurm's long word, such as PENDING (the default), NODE_FAIL, or Grid Engine's letters (default Eqw).
    reason : str
        Default is "launch failed requeued held" in Slurm.
    """

    state: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Vanish(_JobFault):
    """The job disappears from the queue without a trace.

    Attributes
    ----------
    after : float or None
        None: instead of being started. A number: killed so many seconds after its start.
    """

    after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Die(_JobFault):
    """The running job gets a signal, with all its processes.

    Attributes
    ----------
    signal : int
    after : float
        Seconds after its start.
    state : str
        The final state that Slurm shall name instead of FAILED, such as OUT_OF_MEMORY or TIMEOUT.
    """

    signal: int = 9
    after: float = 0.0
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class LoseReply(_JobFault):
    """The submission is taken, but sbatch or qsub hangs, and then fails without having told the job's number.

    Attributes
    ----------
    seconds : float
        How long it hangs.
    """

    seconds: float = 3600.0


@dataclass(frozen=True)
class FailCall:
    """The next calls of a command fail, and do nothing.

    Attributes
    ----------
    command : str
        Such as "squeue".
    times : int
        How many calls.
    returncode : int
    stderr, stdout : str
        Default for stderr is what the command says when its daemon can not be reached.
    """

    command: str
    times: int = 1
    returncode: int = 1
    stderr: str = ""
    stdout: str = ""


@dataclass(frozen=True)
class GarbleCall:
    """The next calls of a command print a text and end as if all were well, but do nothing.

    Attributes
    ----------
    command : str
    text : str
    times : int
    """

    command: str
    text: str = "\x00\ufffd<garbage>|||\n"
    times: int = 1


@dataclass(frozen=True)
class HangCall:
    """The next calls of a command hang for a while before they do what they should.

    Attributes
    ----------
    command : str
    seconds : float
    times : int
    """

    command: str
    seconds: float = 3600.0
    times: int = 1


JobFault = Stuck | Vanish | Die | LoseReply
CallFault = FailCall | GarbleCall | HangCall
Fault = JobFault | CallFault
KINDS: dict[str, type[Fault]] = {
    kind.__name__: kind for kind in (Stuck, Vanish, Die, LoseReply, FailCall, GarbleCall, HangCall)
}


@dataclass
class Scripted:
    """A fault in the state, and what became of it.

    Attributes
    ----------
    fault : Fault
    fired : int
        How often it took place.
    armed : int
        How many jobs or calls it is meant for already; at least `fired`.
    seen : int
        How many matching submissions there were.
    """

    fault: Fault
    fired: int = 0
    armed: int = 0
    seen: int = 0

    @property
    def is_left(self) -> bool:
        """Whether it may befall one more."""
        return self.armed < self.fault.times


def note_submission(faults: Iterable[Scripted], name: str, indices: Iterable[int]) -> list[int]:
    """Count a submission, and return the numbers of the faults for which it is the very attempt."""
    meant = []
    for number, scripted in enumerate(faults):
        fault = scripted.fault
        if isinstance(fault, JobFault) and fault.is_about(name, indices):
            scripted.seen += 1
            if fault.attempt == scripted.seen:
                meant.append(number)
    return meant


def job_fault(faults: Iterable[Scripted], name: str, index: int, meant: Iterable[int]) -> int | None:
    """Return the number of the fault that shall befall an element that is about to start."""
    for number, scripted in enumerate(faults):
        fault = scripted.fault
        if (
            isinstance(fault, (Stuck, Vanish, Die))
            and scripted.is_left
            and fault.is_about(name, (index,))
            and (fault.attempt is None or number in meant)
        ):
            return number
    return None


def lost_reply(faults: Iterable[Scripted], name: str, indices: Iterable[int]) -> LoseReply | None:
    """Return the fault that befalls the submission that `note_submission` has just counted."""
    for scripted in faults:
        fault = scripted.fault
        if (
            isinstance(fault, LoseReply)
            and scripted.is_left
            and fault.is_about(name, indices)
            and fault.attempt in (None, scripted.seen)
        ):
            scripted.armed += 1
            scripted.fired += 1
            return fault
    return None


def call_fault(faults: Iterable[Scripted], command: str) -> CallFault | None:
    """Return the fault that befalls a call of a command now."""
    for scripted in faults:
        fault = scripted.fault
        if isinstance(fault, CallFault) and scripted.is_left and fault.command == command:
            scripted.armed += 1
            scripted.fired += 1
            return fault
    return None
