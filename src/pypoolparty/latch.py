"""An event that can be waited for by a thread that is interrupted at any instant."""

from __future__ import annotations

import threading
import time

__all__ = ["Latch"]

LONGEST_WAIT = 1.0


class Latch:
    """Set once, and waited for.

    `threading.Event` has a lock in Python: Ctrl-C in the wrong instant of `wait` leaves it locked, and who sets the
    event then waits for ever. Here, setting never waits, and waiting needs no more than to look again.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def set(self) -> None:
        """Let all go on."""
        self._is_set = True
        try:
            self._gate.release()
        except RuntimeError:
            pass  # it is open already

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for so many seconds; return whether it is."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._is_set:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if self._gate.acquire(timeout=min(left, LONGEST_WAIT)):
                self.set()  # for the others
        return self._is_set
