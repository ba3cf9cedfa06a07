"""How a map's tasks are cut into chunks: pure functions of numbers.

Sizes follow *factoring* (Hummel, Schonberg, Flynn 1992, "Factoring: a method for scheduling
parallel loops"): rounds of one chunk for each worker, the last rounds halving their size down
to single tasks, so that all workers end at nearly the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["CHUNKS_PER_WORKER", "MOST_CHUNKS", "chunk_sizes", "cut", "runs_of", "tasks_of"]

CHUNKS_PER_WORKER = 64
MOST_CHUNKS = 8192

Runs = list[int]


def chunk_sizes(n: int, width: int, unit: int = 1, most: int = MOST_CHUNKS) -> list[int]:
    """Return the sizes of the chunks for `n` tasks and `width` workers.

    Parameters
    ----------
    n : int
        Number of tasks.
    width : int
        Number of workers.
    unit : int
        The user's chunksize: chunks are multiples of it (but for the last).
    most : int
        The most chunks ever made.

    Returns
    -------
    list of int
        Summing up to `n`, in the order in which they are to be claimed.
    """
    if n <= 0:
        return []
    limit = max(1, min(CHUNKS_PER_WORKER * width, most))
    units = -(-n // unit)
    if units <= limit:
        sizes = [unit] * units
    else:
        sizes = [unit * size for size in _factored(units, width, limit)]
    sizes[-1] -= sum(sizes) - n
    return sizes


def _factored(units: int, width: int, limit: int) -> list[int]:
    """Return at most `limit` sizes that sum up to `units`, with the smallest first share."""
    share = -(-units // limit)
    while True:
        halves = _halves(share)
        if len(halves) * width >= limit or share >= units:
            return _even(units, limit)
        rest = units - sum(halves) * width
        if rest >= 0 and -(-rest // share) + len(halves) * width <= limit:
            begin = [share] * (rest // share) + [rest % share] * (rest % share > 0)
            return begin + [size for size in halves for _ in range(width)]
        share += max(1, share // 64)


def _halves(share: int) -> list[int]:
    """Return the sizes of the last rounds: half of `share`, half of that, … down to one."""
    return [share >> k for k in range(1, share.bit_length())]


def _even(units: int, limit: int) -> list[int]:
    """Return `limit` sizes as even as can be: for so few chunks that no tail fits."""
    return [units // limit + (k < units % limit) for k in range(limit)]


def runs_of(itasks: Iterable[int]) -> Runs:
    """Return ascending `itasks` as flat pairs ``[start, stop, start, stop, …]``."""
    runs: Runs = []
    for itask in itasks:
        if runs and runs[-1] == itask:
            runs[-1] = itask + 1
        else:
            runs += [itask, itask + 1]
    return runs


def tasks_of(runs: Sequence[int]) -> range | list[int]:
    """Return the itasks of flat pairs, in order."""
    if len(runs) == 2:
        return range(runs[0], runs[1])
    return [i for k in range(0, len(runs), 2) for i in range(runs[k], runs[k + 1])]


def cut(runs: Sequence[int], sizes: Iterable[int]) -> list[Runs]:
    """Cut `runs` into consecutive chunks of these `sizes`."""
    chunks: list[Runs] = []
    k = 0
    start, stop = (runs[0], runs[1]) if runs else (0, 0)
    for size in sizes:
        chunk: Runs = []
        while size > 0:
            if start == stop:
                k += 2
                start, stop = runs[k], runs[k + 1]
            taken = min(size, stop - start)
            chunk += [start, start + taken]
            start += taken
            size -= taken
        chunks.append(chunk)
    return chunks
