"""What the dummies remember: the queue, the faults and the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ._faults import KINDS, Scripted

TYPE_CHECKING = False  # the import of typing takes longer than many a call
if TYPE_CHECKING:
    from typing import Any

PENDING, RUNNING, COMPLETING = "PENDING", "RUNNING", "COMPLETING"
COMPLETED, FAILED, CANCELLED = "COMPLETED", "FAILED", "CANCELLED"
FINAL = frozenset(
    (
        COMPLETED,
        FAILED,
        CANCELLED,
        "TIMEOUT",
        "NODE_FAIL",
        "PREEMPTED",
        "BOOT_FAIL",
        "DEADLINE",
        "OUT_OF_MEMORY",
        "REVOKED",
    )
)
SLURM, GRID_ENGINE = "slurm", "gridengine"


@dataclass
class Element:
    """One queue-job that does not merely wait: an element of an array, or (with index 0) a job of its own.

    Attributes
    ----------
    state : str
        One of Slurm's long words, or letters of Grid Engine's if a fault says so.
    own_number : int
        Slurm numbers also the elements, once they start.
    pid, born : int
        The runner's, and its start in the kernel's ticks: together they are never given twice.
    fault : int or None
        Number of the fault that is to befall it.
    shown : int
        For how many more steps it is to be seen, once it has ended.
    """

    index: int
    state: str = PENDING
    reason: str = ""
    own_number: int = 0
    pid: int = 0
    born: int = 0
    node: str = ""
    started: float = 0.0
    ended: float = 0.0
    fault: int | None = None
    shown: int = 0

    @property
    def has_runner(self) -> bool:
        """Whether it occupies a slot."""
        return self.state in (RUNNING, COMPLETING)


@dataclass
class Job:
    """What one call of sbatch or qsub has submitted.

    Attributes
    ----------
    array : str
        The indices as they were asked for, ``2-10:2``; empty if it is no array.
    waiting : list of int
        The elements that just wait. All others are in `elements`.
    throttle : int
        How many may run at a time; 0 is any number.
    options : dict
        What else was asked for, in the words of its manager.
    faults : list of int
        Numbers of the faults for which this is the very attempt.
    """

    number: int
    manager: str
    name: str
    user: str
    cwd: str
    arguments: list[str]
    array: str
    waiting: list[int]
    elements: list[Element] = field(default_factory=list)
    throttle: int = 0
    held: bool = False
    cpus: int = 1
    queue: str = ""
    excluded: list[str] = field(default_factory=list)
    submitted: float = 0.0
    stdout: str = ""
    stderr: str = ""
    restarts: int = 0
    options: dict[str, str] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)

    @property
    def running(self) -> int:
        """How many of its elements occupy a slot."""
        return sum(element.has_runner for element in self.elements)

    @property
    def in_queue(self) -> int:
        """How many of its elements have not ended."""
        return len(self.waiting) + sum(element.state not in FINAL for element in self.elements)

    def detach(self, index: int) -> Element:
        """Take a waiting element out of the row of those that just wait."""
        self.waiting.remove(index)
        element = Element(index)
        self.elements.append(element)
        return element


@dataclass
class Settings:
    """How the imitated cluster is configured.

    Attributes
    ----------
    slots : int
        How many queue-jobs run at a time.
    max_array_size : int
        Slurm's MaxArraySize: indices must be smaller.
    max_aj_tasks : int
        Grid Engine's: so many elements may an array have.
    max_submit_jobs : int or None
        So many elements (in Grid Engine: jobs) may be in the queue.
    partitions, queues : list of str
        Slurm's and Grid Engine's; the first is the default.
    parallel_environments : list of str
        Grid Engine's.
    nodes : list of str
        All of them are this machine.
    min_job_age : int
        For how many calls of squeue a job that has ended can be seen.
    kill_wait : float
        Seconds between SIGTERM and SIGKILL when Slurm cancels.
    cluster : str
    """

    slots: int = 4
    max_array_size: int = 1001
    max_aj_tasks: int = 75000
    max_submit_jobs: int | None = None
    partitions: list[str] = field(default_factory=lambda: ["main"])
    queues: list[str] = field(default_factory=lambda: ["all.q"])
    parallel_environments: list[str] = field(default_factory=lambda: ["smp"])
    nodes: list[str] = field(default_factory=lambda: ["n1", "n2", "n3", "n4"])
    min_job_age: int = 5
    kill_wait: float = 2.0
    cluster: str = "dummy"


@dataclass
class State:
    """All that is in ``queue_state.json``.

    Attributes
    ----------
    calls : dict
        How often each command was called.
    closed : bool
        Then no command answers any more.
    """

    version: int = 1
    settings: Settings = field(default_factory=Settings)
    next_number: int = 1
    calls: dict[str, int] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    faults: list[Scripted] = field(default_factory=list)
    closed: bool = False

    def new_number(self) -> int:
        """Give the next job number."""
        self.next_number += 1
        return self.next_number - 1

    def jobs_of(self, manager: str) -> list[Job]:
        """Return the jobs of one manager, in the order of their numbers."""
        return [job for job in self.jobs if job.manager == manager]

    def runners(self) -> Iterator[tuple[Job, Element]]:
        """Iterate over all elements that occupy a slot."""
        for job in self.jobs:
            for element in job.elements:
                if element.has_runner:
                    yield job, element

    def release(self, element: Element) -> None:
        """Give back a fault that was meant for an element, but did not take place."""
        if element.fault is not None:
            self.faults[element.fault].armed -= 1
            element.fault = None


def to_json(state: State) -> dict[str, Any]:
    """Return the state as JSON knows it."""
    return {
        **vars(state),
        "settings": vars(state.settings),
        "jobs": [{**vars(job), "elements": [vars(element) for element in job.elements]} for job in state.jobs],
        "faults": [_fault_to_json(scripted) for scripted in state.faults],
    }


def from_json(data: dict[str, Any]) -> State:
    """Return the state that JSON tells of."""
    return State(
        **{
            **data,
            "settings": Settings(**data["settings"]),
            "jobs": [_job_from_json(job) for job in data["jobs"]],
            "faults": [_fault_from_json(fault) for fault in data["faults"]],
        }
    )


def _job_from_json(data: dict[str, Any]) -> Job:
    return Job(**{**data, "elements": [Element(**element) for element in data["elements"]]})


def _fault_to_json(scripted: Scripted) -> dict[str, Any]:
    fate = {key: value for key, value in vars(scripted).items() if key != "fault"}
    return {"kind": type(scripted.fault).__name__, **vars(scripted.fault), **fate}


def _fault_from_json(data: dict[str, Any]) -> Scripted:
    given = dict(data)
    fate = {key: given.pop(key) for key in ("fired", "armed", "seen") if key in given}
    return Scripted(KINDS[given.pop("kind")](**given), **fate)
