"""How many calls of the scheduler a pool may begin in a minute, and how many it has made."""

from __future__ import annotations

import sys
from collections import Counter, deque
from typing import Literal

__all__ = ["Budget", "Kind"]

Kind = Literal["submit", "query", "cancel", "accounting", "limits"]
WINDOW_SECONDS = 60.0
_NAMES: dict[Kind, tuple[str, str]] = {
    "submit": ("submit", "submits"),
    "query": ("query", "queries"),
    "cancel": ("cancel", "cancels"),
    "accounting": ("look into the accounting", "looks into the accounting"),
    "limits": ("question for limits", "questions for limits"),
}


class Budget:
    """Counts calls, and tells whether there is room for more; what there is no room for is done later, never dropped.

    Parameters
    ----------
    most : int or None
        Calls that may begin in any 60 seconds; None: as many as there are.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.counts: Counter[Kind] = Counter()
        self._begun: deque[tuple[float, Kind]] = deque()

    def room(self, kind: Kind, now: float) -> int:
        """Return how many calls of a kind may begin now; queries leave half of the minute to all others."""
        if self.most is None:
            return sys.maxsize
        while self._begun and now - self._begun[0][0] >= WINDOW_SECONDS:
            self._begun.popleft()
        left = self.most - len(self._begun)
        if kind == "query":
            left = min(left, max(1, self.most // 2) - sum(1 for _, other in self._begun if other == "query"))
        return max(0, left)

    def spend(self, kind: Kind, now: float, n: int = 1) -> None:
        """Note that so many calls begin; those that must not wait are noted also where there is no room."""
        self.counts[kind] += n
        if self.most is not None:
            self._begun.extend([(now, kind)] * n)

    def take_back(self, kind: Kind) -> None:
        """Note that the last call of a kind was not needed."""
        self.counts[kind] -= 1
        for k in range(len(self._begun) - 1, -1, -1):
            if self._begun[k][1] == kind:
                del self._begun[k]
                return

    def told_since(self, before: Counter[Kind]) -> str:
        """Return the calls since then in words: ``3 scheduler calls: 1 submit, 2 queries (budget 30 a minute)``."""
        counts = self.counts - before
        n = sum(counts.values())
        parts = [f"{counts[kind]} {names[counts[kind] != 1]}" for kind, names in _NAMES.items() if counts[kind]]
        words = f"{n} scheduler call{'s' * (n != 1)}: {', '.join(parts) or 'none'}"
        return words if self.most is None else f"{words} (budget {self.most} a minute)"
