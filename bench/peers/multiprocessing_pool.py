"""What all of this is to be used like: multiprocessing.Pool."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.peer import Peer

_MANUAL = "https://docs.python.org/3/library/multiprocessing.html#multiprocessing.pool.Pool.map"
PEERS = [Peer("multiprocessing", ("local",), _MANUAL)]


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Map with its own chunks."""
    with multiprocessing.Pool(slots) as pool:
        for tasks in rounds:
            yield pool.map(func, tasks)
