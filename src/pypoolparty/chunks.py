"""How a map's tasks are cut into chunks: pure functions of numbers.

Sizes follow *factoring* (Hummel, Schonberg, Flynn 1992, "Factoring: a method for scheduling
parallel loops"): rounds of one chunk for each worker, the last rounds halving their size down
to single tasks, so that all workers end at nearly the same time. The first rounds rise from single
tasks in the same way: where the longest tasks come first, no worker has many of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["chunk_sizes", "cut", "most_chunks", "runs_of", "tasks_of", "weighted_chunks"]

# Each chunk is a file when it is claimed. Fewer than the least rounds leave no room for rise and fall.
CHUNKS_PER_WORKER, LEAST_CHUNKS_PER_WORKER = 64, 16
MANY_CHUNKS = 8192
# By what the first rounds grow and the last ones shrink; the steeper, the fewer rounds.
SLOPES = ((4, 2), (8, 4), (32, 16))

Runs = list[int]


def most_chunks(width: int) -> int:
    """Return how many chunks so many workers may have: 64 each, but beyond 8,192 of them only 16 each."""
    return min(CHUNKS_PER_WORKER * width, max(MANY_CHUNKS, LEAST_CHUNKS_PER_WORKER * width))


def chunk_sizes(n: int, width: int, unit: int = 1, most: int | None = None) -> list[int]:
    """Return the sizes of the chunks for `n` tasks and `width` workers.

    Parameters
    ----------
    n : int
        Number of tasks.
    width : int
        Number of workers.
    unit : int
        The user's chunksize: chunks are multiples of it (but for the last).
    most : int, optional
        The most chunks to make; by default `most_chunks`.

    Returns
    -------
    list of int
        Summing up to `n`, in the order in which they are to be claimed.
    """
    if n <= 0:
        return []
    limit = max(1, most_chunks(width) if most is None else most)
    units = -(-n // unit)
    if units <= limit:
        sizes = [unit] * units
    else:
        sizes = [unit * size for size in _factored(units, width, limit)]
    sizes[-1] -= sum(sizes) - n
    return sizes


def _factored(units: int, width: int, limit: int) -> list[int]:
    """Return at most `limit` sizes that sum up to `units`: rising, level, falling."""
    for rise, fall in SLOPES:
        share = -(-units // limit)
        while share < units:
            first, last = _rising(share, rise), _falling(share, fall)
            n_level = limit - (len(first) + len(last)) * width
            rest = units - (sum(first) + sum(last)) * width
            if n_level < 0 or rest < 0:
                break  # a larger share has no fewer rounds
            if -(-rest // share) <= n_level:
                level = [share] * (rest // share) + [rest % share] * (rest % share > 0)
                return [*_rounds(first, width), *level, *_rounds(last, width)]
            share += max(1, share // 64)
    return _even(units, limit)


def _rising(share: int, factor: int) -> list[int]:
    """Return the sizes of the first rounds: one, and so many times more in each, up to `share`."""
    sizes = [1]
    while sizes[-1] * factor < share:
        sizes.append(sizes[-1] * factor)
    return sizes


def _falling(share: int, factor: int) -> list[int]:
    """Return the sizes of the last rounds: `share` divided by `factor`, and again, … down to one."""
    sizes = [share]
    while sizes[-1] > 1:
        sizes.append(max(1, sizes[-1] // factor))
    return sizes[1:]


def _rounds(sizes: list[int], width: int) -> list[int]:
    return [size for size in sizes for _ in range(width)]


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
