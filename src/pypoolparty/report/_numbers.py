"""Quantiles, histograms and sums over time. Pure, and quick enough for a million values."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Histogram", "Spread", "add_interval", "histogram", "settle", "spread_of"]


@dataclass(frozen=True)
class Spread:
    """How values are distributed, in a few numbers."""

    n: int
    least: float
    median: float
    p95: float
    most: float
    mean: float


def spread_of(values: Iterable[float]) -> Spread:
    """Return the spread of some values; all zero where there are none."""
    ordered = sorted(values)
    n = len(ordered)
    if not n:
        return Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    p95 = ordered[max(0, math.ceil(0.95 * n) - 1)]
    return Spread(n, ordered[0], middle, p95, ordered[-1], math.fsum(ordered) / n)


@dataclass(frozen=True)
class Histogram:
    """Counts of values between edges; all bins have their lower edge within, the last both."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    is_log: bool


def histogram(
    values: Sequence[float], most_bins: int = 30, floor: float = 0.0, unit: float = 1.0, least: float = 0.0
) -> Histogram:
    """Count values in bins.

    Parameters
    ----------
    values : sequence of float
        Not negative.
    most_bins : int
    floor : float
        The least that can be told from zero; smaller values count as this.
    unit : float
        In which edges of equal width are round numbers.
    least : float
        The least width of bins of equal width.

    Returns
    -------
    Histogram
        With bins of equal width, or, where the largest value is more than fifty times the smallest, of equal ratio.
    """
    if not len(values):
        return Histogram((), (), False)
    low, high = max(min(values), floor), max(max(values), floor)
    low = max(low, 1e-9 * high) if low > 0 else low  # what is smaller is next to nothing
    is_log = low > 0 and high > 50 * low
    edges = (
        _log_edges(low, high, most_bins)
        if is_log
        else _even_edges(low, high, max((high - low) / most_bins, least), unit)
    )
    counts = [0] * (len(edges) - 1)
    last = len(counts) - 1
    scaled = math.log if is_log else float
    base = scaled(edges[0])
    per_bin = len(counts) / (scaled(edges[-1]) - base)
    for value in values:
        counts[min(last, max(0, int((scaled(max(value, low)) - base) * per_bin + 1e-9)))] += 1
    return Histogram(tuple(edges), tuple(counts), is_log)


def _log_edges(low: float, high: float, most: int) -> list[float]:
    """Return edges of equal ratio, several to a decade."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high) + 1e-9)
    per_decade = max(1, min(8, most // max(1, last - first)))
    begin = math.floor(math.log10(low) * per_decade + 1e-9)
    end = max(begin + 1, math.ceil(math.log10(high) * per_decade - 1e-9))
    return [10.0 ** (k / per_decade) for k in range(begin, end + 1)]


def _even_edges(low: float, high: float, width: float, unit: float) -> list[float]:
    """Return edges at round numbers of a unit; not so narrow that their labels would be the same."""
    step = unit * _round_step(max(width, high / 50, 1e-6 * unit) / unit)
    begin = math.floor(low / step + 1e-9)
    end = max(begin + 1, math.ceil(high / step - 1e-9))
    return [k * step for k in range(begin, end + 1)]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, … that is at least so large."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= least * (1 - 1e-9))


def add_interval(begin: float, end: float, partial: array[float], steps: array[float], weight: float = 1.0) -> None:
    """Add an interval to sums over bins of width one; whatever its length, at the same cost.

    Parameters
    ----------
    begin, end : float
        In units of the bins' width, within 0 and the number of bins.
    partial, steps : array of float
        The sums in the making, to be finished by `settle`; `steps` has one more than `partial`.
    weight : float
    """
    if end <= begin:
        return
    last_bin = len(partial) - 1
    first, last = min(int(begin), last_bin), min(int(end), last_bin)
    if first == last:
        partial[first] += weight * (end - begin)
        return
    partial[first] += weight * (first + 1 - begin)
    partial[last] += weight * (end - last)
    steps[first + 1] += weight
    steps[last] -= weight


def settle(partial: array[float], steps: array[float]) -> list[float]:
    """Return the finished sums: how much of each bin is covered, as a mean number of intervals."""
    level, sums = 0.0, []
    for part, step in zip(partial, steps):
        level += step
        sums.append(max(0.0, round(part + level, 9)))
    return sums
