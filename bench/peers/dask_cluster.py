"""dask-jobqueue: workers in queue-jobs, which a scheduler in the main process feeds over the network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

GIGABYTES_PER_CORE = 1.9


def _peer(name: str, cores: int) -> Peer:
    return Peer(
        name,
        ("slurm", "gridengine"),
        "https://jobqueue.dask.org/en/stable/clusters-configuration-setup.html",
        requirements="dask-jobqueue",
        distribution="dask-jobqueue",
        imports=("dask.distributed", "dask_jobqueue"),
        options={"cores": cores},
    )


PEERS = [_peer("dask-jobqueue", 1), _peer("dask-jobqueue cores=8", 8)]


def map(
    func: Callable[[Any], Any],
    rounds: Iterable[Sequence[Any]],
    *,
    slots: int,
    folder: str,
    system: str,
    cores: int,
) -> Iterator[list[Any]]:
    """Scale up to the slots, with a process for each core, and gather."""
    from dask.distributed import Client
    from dask_jobqueue import SGECluster, SLURMCluster

    cores = min(cores, slots)
    settings: dict[str, Any] = {"job_extra_directives": []}
    if system == "gridengine":
        settings = {"job_extra_directives": ["-V", *([f"-pe smp {cores}"] if cores > 1 else [])], "queue": "all.q"}
    make_cluster = SLURMCluster if system == "slurm" else SGECluster
    with (
        make_cluster(
            cores=cores,
            processes=cores,
            memory=f"{GIGABYTES_PER_CORE * cores:.1f} GB",
            interface="lo",
            log_directory=folder,
            local_directory=folder,
            **settings,
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.scale(jobs=-(-slots // cores))
        for tasks in rounds:
            yield client.gather(client.map(func, tasks, pure=False))
