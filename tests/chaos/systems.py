"""Where the maps run: this machine, a Slurm of our own, or the machine's Grid Engine."""

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.real import commands
from tests.real.daemons import DaemonsUnavailable
from tests.real.gridengine import GridEngine
from tests.real.guard import guarded
from tests.real.late_files import LateSlurm

DISK_SIZE = "48m"
_GRID_ENGINE_LOCK = threading.Lock()


class QueueJob(NamedTuple):
    """A row of the queue: the id that the scheduler's commands take, and the state as a letter or a word."""

    job_id: str
    array_id: str
    state: str
    node: str


@dataclass
class System:
    """A place to run maps: its folders, and what its queue says. This one has no scheduler."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)  # of the nodes and daemons

    def queue(self, session: str) -> list[QueueJob]:
        """Return what is in the queue of the map with this session id."""
        return []

    def run(self, *argv: str) -> commands.Completed:
        """Run a command of the scheduler's."""
        return commands.run(argv, self.environment, timeout=30)

    def says_ok(self, *argv: str) -> bool:
        """Run a command and tell whether it did what it was asked for."""
        with contextlib.suppress(subprocess.SubprocessError):
            return self.run(*argv).returncode == 0
        return False

    def cancel(self, jobs: list[QueueJob]) -> None:
        """Have queue-jobs cancelled."""

    def heal(self) -> None:
        """Undo what a fault may have left behind."""

    def logs(self) -> str:
        """Return the end of the daemons' logs."""
        return ""

    def place(self, name: str) -> Path:
        """Return the folder of a kind of file system: ``plain``, ``disk`` or ``late``."""
        return self.folder / name


@dataclass
class SlurmSystem(System):
    """A Slurm of our own."""

    cluster: LateSlurm = field(kw_only=True)

    def queue(self, session: str) -> list[QueueJob]:
        """Ask squeue for each element."""
        done = self.run("squeue", "--noheader", "--array", "--format=%i|%F|%T|%N|%j")
        done.check_returncode()
        rows = [line.split("|") for line in done.stdout.splitlines()]
        return [QueueJob(*row[:4]) for row in rows if row[4].startswith(session)]

    def cancel(self, jobs: list[QueueJob]) -> None:
        """Have queue-jobs cancelled."""
        self.says_ok("scancel", *(job.job_id for job in jobs))

    def place(self, name: str) -> Path:
        """Return the folder of a kind of file system."""
        return self.cluster.late if name == "late" else super().place(name)

    def heal(self) -> None:
        """Take back all nodes."""
        for line in self.run("sinfo", "--noheader", "--Node", "--format=%N %T").stdout.splitlines():
            name, state = line.split()
            if re.match("down|drain|fail", state):
                self.says_ok("scontrol", "update", f"nodename={name}", "state=resume")

    def logs(self) -> str:
        """Return the end of the daemons' logs."""
        return self.cluster.log_tail()


@dataclass
class GridEngineSystem(System):
    """The machine's one Grid Engine, which others may use as well."""

    engine: GridEngine = field(kw_only=True)

    def queue(self, session: str) -> list[QueueJob]:
        """Ask qstat for each element."""
        done = self.run("qstat", "-xml", "-g", "d", "-u", "*")
        done.check_returncode()
        found = []
        for job in ElementTree.fromstring(done.stdout.replace("%lt;", "&lt;")).iter("job_list"):
            if job.findtext("JB_name", "").startswith(session):
                number, task = job.findtext("JB_job_number", ""), job.findtext("tasks")
                node = job.findtext("queue_name", "").partition("@")[2]
                job_id = f"{number}.{task}" if task else number
                found.append(QueueJob(job_id, number, job.findtext("state", ""), node))
        return found

    def cancel(self, jobs: list[QueueJob]) -> None:
        """Have queue-jobs deleted, also those that do not answer."""
        self.says_ok("qdel", "-f", *(job.job_id for job in jobs))

    def logs(self) -> str:
        """Return the end of the daemons' messages."""
        return self.engine.log_tail()


@contextlib.contextmanager
def open_lanes(backend: str, folder: Path, number: int, engine: GridEngine | None = None) -> Iterator[list[System]]:
    """Bring up so many places to run maps on a backend, and take them down at the end.

    Each has a Slurm of its own; a Grid Engine there is only one of: the one given, or ours.
    """
    with contextlib.ExitStack() as stack:
        if backend.startswith("sge") and engine is None:
            engine = stack.enter_context(GridEngine())
        lanes: list[System] = []
        for k in range(number):
            lane = folder / f"lane-{k}"
            for place in ("plain", "disk"):
                (lane / place).mkdir(parents=True)
            stack.enter_context(_small_disk(lane / "disk"))
            if backend.startswith("slurm"):
                lanes.append(stack.enter_context(_slurm(lane)))
            elif engine is not None:
                lanes.append(GridEngineSystem(lane, engine.environment, _GRID_ENGINE_LOCK, engine=engine))
            else:
                lanes.append(System(lane))
        yield lanes


@contextlib.contextmanager
def _slurm(folder: Path) -> Iterator[SlurmSystem]:
    cluster = LateSlurm(folder / "slurm", nodes=3, cpus_per_node=2, min_job_age=5)
    with guarded(cluster), cluster:
        yield SlurmSystem(folder, cluster.environment, cluster=cluster)


@contextlib.contextmanager
def _small_disk(point: Path) -> Iterator[None]:
    """Mount a file system that is filled up soon."""
    if os.geteuid() != 0:
        raise DaemonsUnavailable("only root can mount a small disk")
    commands.checked(["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=755", "tmpfs", str(point)], {})
    try:
        yield
    finally:
        commands.checked(["umount", "--lazy", str(point)], {})
