"""submitit: one array, one queue-job for each task."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "submitit",
        ("slurm",),
        "https://facebookincubator.github.io/submitit/examples.html",
        requirements="submitit",
        distribution="submitit",
        imports=("submitit",),
        queue_job_per="task",
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Call map_array, then result of each job in turn, as in the examples."""
    import submitit

    executor = submitit.AutoExecutor(folder=os.path.join(folder, "%j"))
    executor.update_parameters(timeout_min=30, slurm_array_parallelism=slots)
    for tasks in rounds:
        jobs = executor.map_array(func, tasks)
        yield [job.result() for job in jobs]
