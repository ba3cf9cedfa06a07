"""joblib with its default backend, loky."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

PEERS = [
    Peer(
        "joblib",
        ("local",),
        "https://joblib.readthedocs.io/en/stable/parallel.html",
        requirements="joblib",
        distribution="joblib",
        imports=("joblib",),
    )
]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Call Parallel, whose workers stay for the next round."""
    from joblib import Parallel, delayed

    with Parallel(n_jobs=slots) as parallel:
        for tasks in rounds:
            yield parallel(delayed(func)(task) for task in tasks)
