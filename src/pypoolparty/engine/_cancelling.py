"""What is to be cancelled, and when it is tried again after a bad moment of the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from ..command import backoff
from ..errors import SchedulerError
from ..ledger import Batch, Ledger
from ..scheduler import Target

__all__ = ["TRIES", "Cancellation", "lingering", "targets_of"]

TRIES = 3  # then the user is told; while the map goes on it is tried again all the same
FIRST_SECONDS, MOST_SECONDS = 1.0, 60.0


@dataclass(eq=False)
class Cancellation:
    """Queue-jobs that are to be cancelled in one call, as often as it takes; at the end of the map not too often."""

    targets: list[Target]
    failures: int = 0
    not_before: float = float("-inf")
    is_under_way: bool = False

    def is_due(self, now: float, is_leaving: bool = False) -> bool:
        """Whether the scheduler is to be called now: at the end of the map, too, if that is the last try."""
        is_last = is_leaving and self.failures >= TRIES
        return not self.is_under_way and (is_last or now >= self.not_before)

    def has_failed(self, error: Exception, now: float, is_leaving: bool) -> bool:
        """Note a failure; return whether it will be tried again."""
        self.is_under_way = False
        self.failures += 1
        self.not_before = now + backoff(self.failures, FIRST_SECONDS, MOST_SECONDS, jitter=0.0)
        return isinstance(error, SchedulerError) and not (is_leaving and self.failures >= TRIES)


def targets_of(batch: Batch, elements: set[int] | None, is_array: bool) -> list[Target]:
    """Return what to cancel of a submission: these elements, or (None) all that may be in the queue."""
    if is_array:
        chosen = None if elements is None else tuple(sorted(elements))
        return [Target(job_id, chosen) for job_id in batch.job_ids]
    targets = []
    for k, element in enumerate(batch.elements):
        is_doomed = not element.is_ended or element.is_under_inspection or element.may_linger
        is_meant = is_doomed if elements is None else k in elements
        if is_meant and element.job_id:
            targets.append(Target(element.job_id))
    return targets


def lingering(ledger: Ledger, is_array: bool) -> list[Target]:
    """Return the queue-jobs whose end is known, but not whether an earlier main process came to cancel them."""
    targets = []
    for batch in ledger.batches.values():
        elements = {k for k, element in enumerate(batch.elements) if element.is_ended and element.may_linger}
        if elements:
            targets += targets_of(batch, elements, is_array)
    return targets
