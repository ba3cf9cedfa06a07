"""The dummy of scontrol: knows ``show config``, and of it only what limits a pool."""

from __future__ import annotations

from collections.abc import Sequence

from ._options import Answer, Getopt, Refused, Takes
from ._slurm import check_clusters
from ._state import State
from ._store import Store

GETOPT = Getopt("scontrol", {"clusters": Takes.VALUE}, {"M": "clusters"}, code=1, permute=True)


def parse(words: Sequence[str]) -> str:
    """Understand a command line, and return the cluster that it names."""
    given, rest = GETOPT.parse(words)
    if rest != ["show", "config"]:
        raise Refused(f"invalid keyword: {' '.join(rest)}\n")
    return dict(given).get("clusters", "")


def act(store: Store, state: State, clusters: str) -> Answer:
    """Print the configuration."""
    check_clusters("scontrol", clusters, state)
    settings = state.settings
    values = {
        "ClusterName": settings.cluster,
        "KillWait": f"{settings.kill_wait:g} sec",
        "MaxArraySize": settings.max_array_size,
        "SLURM_VERSION": "22.05.8",
    }
    lines = "".join(f"{name:23s} = {value}\n" for name, value in values.items())
    return Answer(f"Configuration data as of now\n{lines}\n")
