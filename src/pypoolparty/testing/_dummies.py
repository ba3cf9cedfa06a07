"""The folder with the dummies: made, looked at, and closed from here."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ._command import COMMANDS
from ._faults import Fault, Scripted
from ._processes import in_session, is_alive, kill_all, marked
from ._state import FINAL, SLURM, Element, Job, Settings, State, to_json
from ._store import Store

__all__ = ["Dummies"]


class Dummies:
    """Dummies of Slurm's and Grid Engine's commands, which act on one queue in a folder.

    ``sbatch`` and ``qsub`` append jobs to the queue, ``scancel`` and ``qdel`` remove them. Each call of
    ``squeue`` or ``qstat`` does one step of the queue: it settles what has ended, and starts what has room.
    So nothing moves unless somebody looks. The jobs are really run, in the background, on this machine.

    Parameters
    ----------
    folder : str or path
        Will be made, if necessary. It must not have dummies yet.
    slots : int
        How many queue-jobs run at a time.
    max_array_size : int
        Slurm's MaxArraySize: indices must be smaller.
    max_submit_jobs : int or None
        So many jobs (in Slurm: array elements) may be in the queue.
    partitions, queues : sequence of str
        Slurm's and Grid Engine's; the first is the default.
    nodes : sequence of str
        The names of the nodes. All of them are this machine.
    min_job_age : int
        For how many calls of ``squeue --states=all`` a job that has ended can be seen.
    kill_wait : float
        Seconds between SIGTERM and SIGKILL when Slurm cancels.
    cluster : str
        The cluster's name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Dummies(folder) as dummies:
    ...     dummies.queue()
    []
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        slots: int = 4,
        max_array_size: int = 1001,
        max_submit_jobs: int | None = None,
        partitions: Sequence[str] = ("main",),
        queues: Sequence[str] = ("all.q",),
        nodes: Sequence[str] = ("n1", "n2", "n3", "n4"),
        min_job_age: int = 5,
        kill_wait: float = 2.0,
        cluster: str = "dummy",
    ) -> None:
        settings = Settings(
            slots=slots,
            max_array_size=max_array_size,
            max_submit_jobs=max_submit_jobs,
            partitions=list(partitions),
            queues=list(queues),
            nodes=list(nodes),
            min_job_age=min_job_age,
            kill_wait=kill_wait,
            cluster=cluster,
        )
        self.folder = os.path.abspath(folder)
        self._store = Store(self.folder)
        if os.path.exists(self._store.state_path):
            raise FileExistsError(f"there are dummies in {self.folder!r} already")
        for name in ("", "bin", "ends", "spool"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)
        for command in COMMANDS:
            self._write_launcher(command)
        self._store.write(State(settings=settings))

    def _write_launcher(self, command: str) -> None:
        """Write an executable; the shell copes with paths that a line with an interpreter does not."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_launch.py")
        words = [sys.executable, "-I", "-S", "-X", "utf8", program, command, self.folder]
        text = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'
        with open(self.path(command), "wb") as file:
            file.write(os.fsencode(text))
        os.chmod(self.path(command), 0o700)

    def path(self, command: str) -> str:
        """Return the path of an executable: of sbatch, squeue, scancel, scontrol, qsub, qstat, qdel, or qconf."""
        if command not in COMMANDS:
            raise ValueError(f"there is no dummy of {command!r}, but of {', '.join(COMMANDS)}")
        return os.path.join(self.folder, "bin", command)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that let the commands be found by their names alone, and tell where their state is.

        The commands themselves need none of them.
        """
        path = os.path.join(self.folder, "bin") + os.pathsep + os.environ.get("PATH", os.defpath)
        return {"PATH": path, "PYPOOLPARTY_QUEUE_STATE": self._store.state_path}

    # -- looking -----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what is in ``queue_state.json`` at this moment."""
        return to_json(self._store.read())

    def queue(self) -> list[str]:
        """List what waits or runs, of arrays each element: ``12_3`` in Slurm, ``12.3`` in Grid Engine.

        What has ended is not in it, even if no call of squeue or qstat has settled it yet.
        """
        return [_shown(job, index) for job, index in self._queued()]

    def names(self) -> list[str]:
        """List the names of the jobs of which something waits or runs."""
        return list(dict.fromkeys(job.name for job, _ in self._queued()))

    def calls(self, command: str) -> int:
        """Return how often a command was called with words that it understood."""
        return self._store.read().calls.get(command, 0)

    def _queued(self) -> list[tuple[Job, int]]:
        found = []
        for job in self._store.read().jobs:
            indices = [element.index for element in job.elements if _is_queued(element)]
            found += [(job, index) for index in sorted([*job.waiting, *indices])]
        return found

    # -- scripting ---------------------------------------------------------------------------------

    def configure(self, **settings: Any) -> None:
        """Change settings from now on: all that the constructor takes, and those in ``queue_state.json``."""
        with self._store.change() as state:
            state.settings = Settings(**{**vars(state.settings), **settings})

    def add_fault(self, fault: Fault) -> Fault:
        """Let a fault happen from now on, and return it."""
        with self._store.change() as state:
            state.faults.append(Scripted(fault))
        return fault

    def fired(self, fault: Fault) -> int:
        """Return how often a fault took place; equal faults are counted together."""
        return sum(scripted.fired for scripted in self._store.read().faults if scripted.fault == fault)

    # -- the end -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Kill all that still runs. From now on the commands answer as if their daemons were down."""
        try:
            with self._store.change() as state:
                state.closed = True
                runners = [(element.pid, element.born) for _, element in state.runners()]
        except FileNotFoundError:  # somebody has removed the folder
            runners = []

        def find() -> set[int]:
            alive = {pid for pid, born in runners if is_alive(pid, born)}
            jobs = {pid for leader in alive for pid in in_session(leader)}
            return (alive | jobs | set(marked(os.path.join(self.folder, "")))) - {os.getpid()}

        kill_all(find)

    def __enter__(self) -> Dummies:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.folder!r}>"


def _is_queued(element: Element) -> bool:
    if element.has_runner:
        return is_alive(element.pid, element.born)
    return element.state not in FINAL


def _shown(job: Job, index: int) -> str:
    return f"{job.number}{'_' if job.manager == SLURM else '.'}{index}" if job.array else str(job.number)
