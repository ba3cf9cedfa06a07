"""How a map stands, in a few numbers: what the engine hands to whoever shows its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..ledger import Ledger
from ..states import Outcome

__all__ = ["Standing", "Unwatched", "Watch", "standing_of"]


@dataclass(frozen=True)
class Standing:
    """How a map stands.

    Attributes
    ----------
    n : int
        Number of tasks.
    done : int
        Those with an outcome, whatever that is.
    failed : int
        Those of them that raised or are lost.
    resubmitted : int
        How often tasks were begun again because their queue-job died.
    running, pending : int
        Queue-jobs that work, and that wait in the queue, as far as is known.
    """

    n: int
    done: int = 0
    failed: int = 0
    resubmitted: int = 0
    running: int = 0
    pending: int = 0


class Watch(Protocol):
    """Whoever shows the progress of a map. None of its methods may raise or take long."""

    def is_due(self, now: float) -> bool:
        """Whether it wants to know how the map stands."""

    def see(self, standing: Standing, now: float) -> None:
        """Take how the map stands."""

    def end(self, standing: Standing, now: float) -> None:
        """Take how it stands in the end; called again, do nothing."""


class Unwatched:
    """Nobody looks."""

    def is_due(self, now: float) -> bool:
        """Return False."""
        return False

    def see(self, standing: Standing, now: float) -> None:
        """Do nothing."""

    def end(self, standing: Standing, now: float) -> None:
        """Do nothing."""


def standing_of(ledger: Ledger) -> Standing:
    """Return how a map stands: work for each queue-job, and next to none for each task."""
    running = sum(
        sum(element.has_greeted and not element.is_ended for element in batch.elements)
        for batch in ledger.active_batches()
    )
    return Standing(
        ledger.n,
        ledger.n_done,
        ledger.outcomes.count(Outcome.RAISED) + ledger.outcomes.count(Outcome.LOST),
        sum(ledger.attempts.values()) + sum(ledger.free_attempts.values()),
        running,
        max(0, ledger.live - running),
    )
