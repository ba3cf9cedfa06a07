"""clusterfutures: an executor with one queue-job for each task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "clusterfutures",
        ("slurm",),
        "https://github.com/sampsyo/clusterfutures",
        requirements="clusterfutures",
        distribution="clusterfutures",
        imports=("cfut",),
        queue_job_per="task",
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Map by the executor; it knows no limit of tasks at a time, and takes all of the cluster."""
    import cfut

    with cfut.SlurmExecutor() as executor:
        for tasks in rounds:
            yield list(executor.map(func, tasks))
