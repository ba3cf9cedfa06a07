"""dask.distributed on this machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "dask LocalCluster",
        ("local",),
        "https://docs.dask.org/en/stable/deploying-python.html",
        requirements="dask-jobqueue",
        distribution="distributed",
        imports=("dask.distributed",),
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Map and gather, with a process for each slot."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=slots, threads_per_worker=1, dashboard_address=None, local_directory=folder) as cluster,
        Client(cluster) as client,
    ):
        for tasks in rounds:
            yield client.gather(client.map(func, tasks, pure=False))
