"""Calls to the scheduler, one after the other, away from the thread that watches for results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Caller", "ThreadedCaller"]

OnDone = Callable[[Any, Exception | None], None]


class Caller(Protocol):
    """Runs functions and hands their results to whoever drives."""

    def start(self, function: Callable[[], Any], on_done: OnDone) -> None:
        """Run `function` some time; `on_done(result, error)` is called by `settle`."""

    def settle(self) -> bool:
        """Hand over what has ended; True if there was any."""

    def close(self) -> None:
        """Take no more."""


class ThreadedCaller:
    """Runs functions in a thread of its own, strictly in order.

    Parameters
    ----------
    wake : callable
        Called when something has ended.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._todo: queue.SimpleQueue[tuple[Callable[[], Any], OnDone] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[OnDone, Any, Exception | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, function: Callable[[], Any], on_done: OnDone) -> None:
        """Queue a call."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pypoolparty-calls", daemon=True)
            self._thread.start()
        self._todo.put((function, on_done))

    def _run(self) -> None:
        while True:
            item = self._todo.get()
            if item is None:
                return
            function, on_done = item
            result, error = None, None
            try:
                result = function()
            except Exception as caught:
                error = caught
            self._done.put((on_done, result, error))
            del item, function, on_done, result, error
            self._wake()

    def settle(self) -> bool:
        """Hand over what has ended."""
        any_done = False
        while True:
            try:
                on_done, result, error = self._done.get_nowait()
            except queue.Empty:
                return any_done
            on_done(result, error)
            any_done = True

    def close(self) -> None:
        """End the thread after what is queued."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()
            self._thread = None
