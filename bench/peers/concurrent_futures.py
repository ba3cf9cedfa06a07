"""concurrent.futures of the standard library."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bench.peer import Peer

_MANUAL = "https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.map"
PEERS = [Peer("concurrent.futures", ("local",), _MANUAL)]
MANY = 10_000


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Map; the manual recommends large chunks for very long iterables, here those that multiprocessing makes."""
    with ProcessPoolExecutor(slots) as executor:
        for tasks in rounds:
            chunksize = -(-len(tasks) // (4 * slots)) if len(tasks) >= MANY else 1
            yield list(executor.map(func, tasks, chunksize=chunksize))
