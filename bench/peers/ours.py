"""pypoolparty as it is in this repository."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer, takes

_README = "README.md"
POOLS = {"slurm": "slurm.array", "gridengine": "sun_grid_engine.array", "local": "local"}
_IMPORTS = ("pypoolparty.slurm.array", "pypoolparty.sun_grid_engine.array", "pypoolparty.local")
_CLUSTERS = ("slurm", "gridengine")


def _peer(name: str, systems: Sequence[str], workloads: Sequence[str] = (), **options: Any) -> Peer:
    return Peer(
        name, systems, _README, distribution="pypoolparty", imports=_IMPORTS, options=options, workloads=workloads
    )


PEERS = [
    _peer("pypoolparty", (*_CLUSTERS, "local")),
    _peer("pypoolparty workers_per_job=8", _CLUSTERS, workers_per_job=8),
    _peer("pypoolparty linger=10", _CLUSTERS, linger=10),
    _peer("pypoolparty weights=", _CLUSTERS, workloads=("lognormal",), weights=True),
]


def _pool_of(system: str) -> Any:
    import pypoolparty

    return operator.attrgetter(f"{POOLS[system]}.Pool")(pypoolparty)


def lacks(peer: Peer, system: str) -> str | None:
    """Return the argument that the pool does not know yet."""
    pool = _pool_of(system)
    unknown = [name for name in peer.options if not takes(pool.map if name == "weights" else pool, name)]
    return f"the pool does not know {', '.join(unknown)}" if unknown else None


def map(
    func: Callable[[Any], Any],
    rounds: Iterable[Sequence[Any]],
    *,
    slots: int,
    folder: str,
    system: str,
    weights: bool = False,
    **options: Any,
) -> Iterator[list[Any]]:
    """Map with all defaults but the number of tasks at a time; `weights`: tasks are seconds, and the pool is told."""
    with _pool_of(system)(slots, work_dir=folder, **options) as pool:
        for tasks in rounds:
            yield pool.map(func, tasks, weights=tasks if weights else None)
