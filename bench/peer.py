"""How a peer is described, and how it is found by its name."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SYSTEMS = ("slurm", "gridengine", "local")
CAP_SECONDS = 180.0
SERIES_SECONDS = 60.0  # after which no further map of a series is begun
LAUNCHES_PER_SECOND = 12  # of queue-jobs, on the Slurm of tests/real


@dataclass(frozen=True)
class Peer:
    """One way to map. Its module has ``map(func, rounds, *, slots, folder, system, **options)``.

    `map` is a generator: it maps `func` over each list of tasks in `rounds`, on one pool if it has such a thing,
    and yields the list of results. It lets go of the pool when it is closed.

    Attributes
    ----------
    name : str
    systems : sequence of str
    documentation : str
        Where it says how to set it up.
    requirements : str
        Name of the file in ``bench/requirements``, and so of the venv; without it, our own interpreter.
    distribution : str
        What is installed, to tell its version.
    imports : sequence of str
        What is imported before the clock starts.
    programs : mapping
        Programs that it needs, and Debian's packages that have them.
    queue_job_per : {"task", "slot"}
        What it submits a queue-job for.
    options : mapping
        For `map`.
    workloads : sequence of str
        What it is measured with, where that is not all.
    """

    name: str
    systems: Sequence[str]
    documentation: str
    requirements: str | None = None
    distribution: str | None = None
    imports: Sequence[str] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    queue_job_per: str = "slot"
    options: Mapping[str, Any] = field(default_factory=dict)
    workloads: Sequence[str] = ()
    module: str = ""

    def map(
        self, func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
    ) -> Iterator[list[Any]]:
        """Call `map` of the module."""
        function = importlib.import_module(self.module).map
        results: Iterator[list[Any]] = function(func, rounds, slots=slots, folder=folder, system=system, **self.options)
        return results

    def lacks(self, system: str) -> str | None:
        """Return what the installed version can not do, None if nothing."""
        find = getattr(importlib.import_module(self.module), "lacks", None)
        lacking: str | None = find(self, system) if find else None
        return lacking

    def refuses(self, rounds: Sequence[Sequence[Any]]) -> str | None:
        """Return why it is not even tried, None if it is."""
        if self.queue_job_per != "task":
            return None
        jobs = max(map(len, rounds))
        most = int(CAP_SECONDS * LAUNCHES_PER_SECOND)
        if jobs <= most:
            return None
        return f"would submit {jobs:,} queue-jobs; more than {most:,} take longer than {CAP_SECONDS:.0f} s to launch"


def all_peers() -> dict[str, Peer]:
    """Return the peers by name; none of them needs to be installed for that."""
    package = importlib.import_module("bench.peers")
    found = {}
    for row in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"bench.peers.{row.name}")
        for peer in module.PEERS:
            found[peer.name] = Peer(**{**vars(peer), "module": module.__name__})
    return found


def takes(callable_: Callable[..., Any], name: str) -> bool:
    """Tell whether something can be called with an argument of this name."""
    return name in inspect.signature(callable_).parameters
