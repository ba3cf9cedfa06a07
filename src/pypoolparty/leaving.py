"""Leave no queue-job behind when the interpreter ends (docs/decisions/0005)."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import weakref
from types import FrameType
from typing import Protocol

__all__ = ["exit_on_signals", "live", "wait_for"]


class Leaves(Protocol):
    """A pool, as far as leaving goes."""

    def leave(self) -> None:
        """End all that is under way."""


class Ends(Protocol):
    """A driver without a pool, as far as leaving goes."""

    def join(self) -> None:
        """Wait for its end."""

    def has_ended(self) -> bool:
        """Whether that is over."""


live: weakref.WeakSet[Leaves] = weakref.WeakSet()
_departing: list[Ends] = []
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_saved = threading.local()


@atexit.register
def _end_all() -> None:
    for pool in list(live):
        try:
            pool.leave()
        except (KeyboardInterrupt, SystemExit):
            continue  # the others are to be ended, too
    while _departing:
        _departing.pop().join()


def wait_for(driver: Ends) -> None:
    """See to it that the interpreter does not end before this driver."""
    _departing[:] = [known for known in _departing if not known.has_ended()]
    _departing.append(driver)


def exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the interpreter in order, unless the program has its own mind about them."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


# A forked child has no pools to leave, and has to die at once when `multiprocessing` terminates it: a handler in
# Python may be called where its exception gets lost. The mask closes the gap between fork and reset.


def _before_fork() -> None:
    _saved.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _saved.mask)


def _after_fork_in_child() -> None:
    live.clear()
    _departing.clear()
    for number in _SIGNALS:
        if signal.getsignal(number) is _exit:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, _saved.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
