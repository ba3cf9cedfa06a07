"""Leave no queue-job behind when the interpreter ends (docs/decisions/0005)."""

from __future__ import annotations

import atexit
import signal
import threading
import weakref
from types import FrameType
from typing import Protocol

__all__ = ["exit_on_signals", "live"]


class Leaves(Protocol):
    """A pool, as far as leaving goes."""

    def leave(self) -> None:
        """End all that is under way."""


live: weakref.WeakSet[Leaves] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for pool in list(live):
        pool.leave()


def exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the interpreter in order, unless the program has its own mind about them."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
