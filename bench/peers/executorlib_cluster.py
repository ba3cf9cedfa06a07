"""executorlib: an executor that submits one queue-job for each task, by files in HDF5."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "executorlib",
        ("slurm",),
        "https://executorlib.readthedocs.io/en/latest/2-hpc-cluster.html",
        requirements="executorlib",
        distribution="executorlib",
        imports=("executorlib", "pysqa", "h5py"),
        queue_job_per="task",
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Submit each task, with one core; the executor's own template of a job wants the partition's name."""
    from executorlib import SlurmClusterExecutor

    for number, tasks in enumerate(rounds):
        cache = os.path.join(folder, f"cache-{number}")
        resources = {"cores": 1, "partition": "main"}
        with SlurmClusterExecutor(cache_directory=cache, resource_dict=resources) as executor:
            futures = [executor.submit(func, task) for task in tasks]
            yield [future.result() for future in futures]
