"""The release of pypoolparty on PyPI."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "pypoolparty 0.3.1",
        ("slurm", "gridengine"),
        "docs/how-to/move.md",  # its own README came with the release
        requirements="pypoolparty-0.3.1",
        distribution="pypoolparty",
        imports=("pypoolparty",),
        queue_job_per="task",
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Map by an array on Slurm; on Grid Engine it has none, and is told the number of jobs."""
    import pypoolparty

    for number, tasks in enumerate(rounds):
        settings: dict[str, Any] = {"python_path": sys.executable, "work_dir": os.path.join(folder, f"work-{number}")}
        if system == "slurm":
            pool: Any = pypoolparty.slurm.array.Pool(num_simultaneously_running_tasks=slots, **settings)
        else:
            settings["python_path"] = _wrapped_python(folder)
            pool = pypoolparty.sun_grid_engine.Pool(num_chunks=slots, **settings)
        yield pool.map(func, list(tasks))


def _wrapped_python(folder: str) -> str:
    """Return a program that runs our interpreter.

    It is handed to ``qsub -S``, and then Grid Engine starts it by a name without its path, by which a
    venv's interpreter does not find its venv.
    """
    path = os.path.join(folder, "python")
    with open(path, "w") as stream:
        stream.write(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    os.chmod(path, 0o755)
    return path
