"""What one writes by hand: a pickle for each task, an array of jobs, a pickle for each result."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench import one_task
from bench.peer import Peer

PEERS = [
    Peer("sbatch --array", ("slurm",), "https://slurm.schedmd.com/job_array.html", queue_job_per="task"),
    Peer("qsub -t", ("gridengine",), "https://manpages.debian.org/bookworm/qsub.1", queue_job_per="task"),
]
LOOK_SECONDS = 0.05


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Submit an array and look for the results.

    The manual's ``sbatch --wait`` looks at 2, 10, 40 s only; so it gets more than it asks for.
    """
    for number, tasks in enumerate(rounds):
        place = os.path.join(folder, f"map-{number}")
        one_task.write_tasks(place, func, tasks)
        _submit(system, place, len(tasks), slots)
        while len(os.listdir(os.path.join(place, "results"))) < len(tasks):
            time.sleep(LOOK_SECONDS)
        yield one_task.read_results(place, len(tasks))


def _submit(system: str, place: str, n: int, slots: int) -> None:
    program = [sys.executable, "-m", "bench.one_task", place]
    if system == "slurm":
        command = " ".join(program)
        argv = ["sbatch", f"--array=0-{n - 1}%{slots}", "--output=/dev/null", f"--wrap=exec {command}"]
    else:
        argv = ["qsub", "-t", f"1-{n}", "-tc", str(slots), "-V", "-j", "y", "-o", "/dev/null", "-b", "y", *program]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
