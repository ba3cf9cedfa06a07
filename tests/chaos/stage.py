"""What the faults of one run act upon: its processes, its work_dir, its queue-jobs."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.scenario import Scenario
from tests.chaos.systems import QueueJob, System
from tests.real.daemons import parent_of, pids


@dataclass
class Stage:
    """One run while it goes on.

    Attributes
    ----------
    program : Popen
        The main process of the moment.
    before_resume : list
        What is to be done to the work_dir while there is no main process: return what was done, or "".
    expects_end : threading.Event
        Set by a fault that ends the main process.
    is_over : threading.Event
        Set when the map has ended: what has not struck yet is too late.
    is_split : bool
        Whether a fault made the scheduler call jobs dead that may live on.
    has_zombies : bool
        Whether a fault made it call jobs alive that are dead, until it finds out in its own time.
    """

    scenario: Scenario
    system: System
    folder: Path
    parent: Path
    program: "subprocess.Popen[bytes] | None" = None
    before_resume: list[Callable[[], str]] = field(default_factory=list)
    expects_end: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)
    is_split: bool = False
    has_zombies: bool = False
    known_session: str = ""
    n_damages: int = 0
    draw: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.draw = random.Random(f"stage {self.scenario.seed}")

    def work_dir(self) -> Path | None:
        """Return the map's work_dir, once there is one."""
        found = sorted(path.parent for path in self.parent.glob("*/session.json"))
        if found:
            self.known_session = found[0].name
        return found[0] if found else None

    def session(self) -> str:
        """Return the session id, also after the end; what nothing begins with, before there is one."""
        self.work_dir()
        return self.known_session or "no session yet"

    def queue(self, *states: str) -> list[QueueJob]:
        """Return the map's queue-jobs, of some states only; none while the scheduler does not answer."""
        try:
            jobs = self.system.queue(self.session())
        except (subprocess.SubprocessError, OSError):
            return []
        return [job for job in jobs if not states or job.state in states]

    def is_gone(self, job: QueueJob) -> bool:
        """Tell whether a queue-job has left the queue; a queue that can not be asked says nothing."""
        try:
            return job.job_id not in {found.job_id for found in self.system.queue(self.session())}
        except subprocess.SubprocessError:
            return False

    def supervisors(self) -> list[int]:
        """Return the workers' supervisors."""
        found = workers_of(self.parent)
        return [pid for pid in found if parent_of(pid) not in found]

    def children(self) -> list[int]:
        """Return the processes in which tasks run."""
        found = workers_of(self.parent)
        return [pid for pid in found if parent_of(pid) in found]

    def go_on(self) -> None:
        """Let workers run on that are still stopped: the word to do so may have met a dead daemon."""
        for pid in workers_of(self.parent):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def wait(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait until the condition holds; tell whether it does."""
        return waited(condition, seconds)

    def pause(self, least: float, most: float) -> None:
        """Let some time pass, but not much longer than the map takes."""
        self.is_over.wait(self.draw.uniform(least, most))


def waited(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until the condition holds; tell whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def workers_of(folder: Path) -> list[int]:
    """Return the processes that run a worker of a work_dir below the folder."""
    begin, found = os.fsencode(folder) + b"/", []
    for pid in pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(begin) and word.endswith(b"/script.py") for word in words):
            found.append(pid)
    return found
