"""How a map's tasks are cut into chunks: pure functions of numbers.

Sizes follow *factoring* (Hummel, Schonberg, Flynn 1992, "Factoring: a method for scheduling
parallel loops"): rounds of one chunk for each worker, the last rounds halving their size down
to single tasks, so that all workers end at nearly the same time. The first rounds mirror them, for
inputs are often sorted: where the longest tasks come first, they are not together in one chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["CHUNKS_PER_WORKER", "chunk_sizes", "cut", "most_chunks", "runs_of", "tasks_of", "weighted_chunks"]

CHUNKS_PER_WORKER = 64
# Up to 512 workers; beyond, so many for each worker that both ends of the table fit; and never more than these.
MANY_CHUNKS, LEAST_CHUNKS_PER_WORKER, MOST_CHUNKS = 8192, 16, 65536

Runs = list[int]


def chunk_sizes(n: int, width: int, unit: int = 1) -> list[int]:
    """Return the sizes of the chunks for `n` tasks and `width` workers.

    Parameters
    ----------
    n : int
        Number of tasks.
    width : int
        Number of workers.
    unit : int
        The user's chunksize: chunks are multiples of it (but for the last).

    Returns
    -------
    list of int
        Summing up to `n`, in the order in which they are to be claimed.
    """
    if n <= 0:
        return []
    limit = most_chunks(width)
    units = -(-n // unit)
    if units <= limit:
        sizes = [unit] * units
    else:
        sizes = [unit * size for size in _factored(units, width, limit)]
    sizes[-1] -= sum(sizes) - n
    return sizes


def most_chunks(width: int) -> int:
    """Return the most chunks ever made for so many workers."""
    return min(CHUNKS_PER_WORKER * width, max(MANY_CHUNKS, LEAST_CHUNKS_PER_WORKER * width), MOST_CHUNKS)


def _factored(units: int, width: int, limit: int) -> list[int]:
    """Return at most `limit` sizes that sum up to `units`, with the smallest share in the middle."""
    share = -(-units // limit)
    deepest = max(1, limit // (4 * width))  # half of the table is left for the middle
    while True:
        halves = _halves(share)[:deepest]
        ends = 2 * len(halves) * width
        rest = units - 2 * sum(halves) * width
        if ends >= limit or rest < 0:
            return _even(units, limit)
        if -(-rest // share) + ends <= limit:
            middle = [share] * (rest // share) + [rest % share] * (rest % share > 0)
            rounds = [size for size in halves for _ in range(width)]
            return rounds[::-1] + middle + rounds
        share += max(1, share // 64)


def _halves(share: int) -> list[int]:
    """Return the sizes of rounds: half of `share`, half of that, … down to one."""
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


def weighted_chunks(itasks: Iterable[int], weights: Sequence[float], width: int, unit: int = 1) -> list[Runs]:
    """Return chunks of what weighs most first, each of a share of all that is left.

    Such shares are *guided self-scheduling* (Polychronopoulos, Kuck 1987): a chunk is a part of what is left, so the
    last ones are small.

    Parameters
    ----------
    itasks : iterable of int
        The tasks.
    weights : sequence of float
        Of each task, by its itask.
    width : int
        Number of workers.
    unit : int
        Tasks in a chunk at the least (but for the last one).
    """
    order = sorted(itasks, key=lambda itask: -weights[itask])
    total = sum(weights[itask] for itask in order)
    if total <= 0:
        return cut(runs_of(sorted(order)), chunk_sizes(len(order), width, unit))
    parts, limit = 4 * width, most_chunks(width)
    while True:
        sizes = _guided([weights[itask] for itask in order], total, parts, unit)
        if len(sizes) <= limit or parts == 1:
            break
        parts = -(-parts // 2)
    chunks, begin = [], 0
    for size in sizes:
        chunks.append(runs_of(sorted(order[begin : begin + size])))
        begin += size
    return chunks


def _guided(weights: Sequence[float], left: float, parts: int, unit: int) -> list[int]:
    """Return the sizes of chunks that weigh about a part of what is left each."""
    sizes, size, weight = [], 0, 0.0
    for one in weights:
        if size >= unit and weight + one > left / parts:
            sizes.append(size)
            left -= weight
            size, weight = 0, 0.0
        size += 1
        weight += one
    return [*sizes, size] if size else sizes
