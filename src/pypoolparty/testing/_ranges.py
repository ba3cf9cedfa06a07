"""Indices of arrays, as the managers write and read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_PART = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def parse_slurm(text: str) -> tuple[list[int], int] | None:
    """Return the indices and the throttle of ``1,3-9:2%4``; None if it can not be understood."""
    spec, _, limit = text.partition("%")
    if spec.startswith("[") and spec.endswith("]"):
        spec = spec[1:-1]
    indices: set[int] = set()
    for part in spec.split(","):
        match = _PART.fullmatch(part)
        if not match:
            return None
        first, last, by = match.groups()
        if int(last or first) < int(first) or by == "0":
            return None
        indices.update(range(int(first), int(last or first) + 1, int(by or 1)))
    return sorted(indices), int(limit) if limit.isdigit() else 0


def slurm_text(indices: Sequence[int]) -> str:
    """Write ascending indices as squeue does: ``3-9``, ``1,3``, ``0-20:2``."""
    first, last = indices[0], indices[-1]
    steps = {after - before for before, after in pairwise(indices)}
    if last - first > 10 and len(steps) == 1 and steps != {1}:
        return f"{first}-{last}:{steps.pop()}"
    runs = _runs(indices, by=1)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last, _ in runs)


def shorten(text: str, size: int) -> str:
    """Cut off what does not fit into so many bytes of C, and let it end in dots; 0 is any size."""
    return text if size <= 0 or len(text) < size else text[: size - 4] + "..."


def gridengine_text(indices: Sequence[int]) -> str:
    """Write ascending indices as qstat does: ``1-9:2,12,14-16:1``; a pair is no range."""
    parts = []
    for first, last, by in _runs(indices):
        if last - first > by:
            parts.append(f"{first}-{last}:{by}")
        else:
            parts += [str(first)] if first == last else [str(first), str(last)]
    return ",".join(parts)


def _runs(indices: Sequence[int], by: int | None = None) -> list[tuple[int, int, int]]:
    """Group indices into runs (first, last, step); with `by`, of that step only."""
    runs: list[tuple[int, int, int]] = []
    for index in indices:
        if runs:
            first, last, step = runs[-1]
            gap = index - last
            if gap == step or (first == last and by is None):
                runs[-1] = (first, index, gap)
                continue
        runs.append((index, index, by or 0))
    return runs


def parse_gridengine(text: str) -> list[int] | None:
    """Return the indices of ``2-10:2``; None if it can not be understood."""
    match = _PART.fullmatch(text)
    if not match:
        return None
    first, last, by = match.groups()
    low, high = sorted((int(first), int(last or first)))
    return list(range(low, high + 1, int(by or 1))) if by != "0" else None
