"""The result objects: where outcomes go, and what users hold of a call that is under way.

All of them take outcomes by ``deliver``; who delivers never knows which kind it is.
"""

from __future__ import annotations

import queue
import shlex
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import TimeoutError
from typing import Any, Protocol

from .errors import PoolPartyError
from .latch import Latch
from .payload import add_note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = [
    "ApplyBatch",
    "AsyncResult",
    "IMapIterator",
    "IMapUnorderedIterator",
    "MapResult",
    "TakesOutcome",
    "WaveSink",
]

Delivery = tuple[int, bool, Any]
Callback = Callable[[Any], object] | None


def _call_back(function: Callback, value: Any) -> None:
    """Call what the user gave; its failure is its own, and told."""
    if function is None:
        return
    try:
        function(value)
    except Exception:
        traceback.print_exc()


class TakesOutcome(Protocol):
    """Whatever takes the outcome of one call."""

    def _begins(self) -> bool:
        """Whether it is still wanted, now that the call is handed over; from then on it can not be taken back."""

    def _complete(self, success: bool, value: Any) -> None:
        """Take the value, or the exception."""


class AsyncResult:
    """The outcome of one `apply_async`, like `multiprocessing.pool.AsyncResult`; it can be awaited, too."""

    def __init__(
        self,
        callback: Callback = None,
        error_callback: Callback = None,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        self._event = Latch()
        self._callback, self._error_callback = callback, error_callback
        self._hurry = hurry
        self._success = False
        self._value: Any = None
        self._awaited: list[Future[None]] = []

    def ready(self) -> bool:
        """Return whether the call has completed."""
        return self._event.is_set()

    def successful(self) -> bool:
        """Return whether it completed without raising; raises ValueError if it has not completed."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._success

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the result is available or `timeout` seconds have passed."""
        if self._hurry is not None and not self.ready():
            self._hurry()
        self._event.wait(timeout)

    def get(self, timeout: float | None = None) -> Any:
        """Return the result, or raise what the call raised.

        Raises
        ------
        multiprocessing.TimeoutError
            If there is none after `timeout` seconds.
        """
        self.wait(timeout)
        if not self.ready():
            raise TimeoutError
        if self._success:
            return self._value
        raise self._value

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in an event loop: ``value = await pool.apply_async(…)``. Cancelling that ends the waiting alone."""
        import asyncio
        from concurrent.futures import Future

        if self._hurry is not None and not self.ready():
            self._hurry()
        future: Future[None] = Future()
        self._awaited.append(future)
        if self.ready():
            self._tell_awaiting()
        yield from asyncio.wrap_future(future).__await__()
        return self.get()

    def _tell_awaiting(self) -> None:
        while self._awaited:
            try:
                future = self._awaited.pop()
            except IndexError:
                return  # another thread was faster
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _begins(self) -> bool:
        return True

    def _complete(self, success: bool, value: Any) -> None:
        self._success, self._value = success, value
        _call_back(self._callback if success else self._error_callback, value)
        self._callback = self._error_callback = self._hurry = None
        self._event.set()
        self._tell_awaiting()


class MapResult(AsyncResult):
    """The outcome of one `map_async`.

    Parameters
    ----------
    n : int
        Number of tasks.
    returns_errors : bool
        Whether exceptions go into the list, instead of the first being raised.

    Attributes
    ----------
    work_dir : str
        Absolute path of the map's work_dir; empty if there are no tasks.
    """

    def __init__(
        self,
        n: int,
        callback: Callback = None,
        error_callback: Callback = None,
        returns_errors: bool = False,
    ) -> None:
        super().__init__(callback, error_callback)
        self.work_dir = ""
        self.asked_to_end: BaseException | None = None
        self._n, self._returns_errors = n, returns_errors
        self._values: list[Any] = [None] * n
        self._n_open = n
        self._errors: dict[int, BaseException] = {}
        if not n:
            self._complete(True, [])

    def cancel(self) -> bool:
        """End this map, and no other of its pool: its queue-jobs are cancelled, and waiting for it raises.

        What is finished is kept; `pypoolparty.resume` goes on from there.

        Returns
        -------
        bool
            False if it was too late: the call has completed.
        """
        if self.ready():
            return False
        self.asked_to_end = PoolPartyError("the map was cancelled")
        return True

    def _get_or_cancel(self) -> Any:
        """Return what `get` does, for a call whose result nobody else has: interrupted, the map is ended, too."""
        try:
            self.wait()
        except BaseException:
            self.cancel()
            raise
        return self.get()

    def deliver(self, outcomes: list[Delivery]) -> None:
        """Take outcomes; those that come after a failure of all are too late."""
        if self.ready():
            return
        for itask, success, value in outcomes:
            if success or self._returns_errors:
                self._values[itask] = value
            else:
                self._errors[itask] = value
        self._n_open -= len(outcomes)
        if not self._n_open:
            self._finish()

    def fail(self, error: BaseException) -> None:
        """End with this exception."""
        if not self.ready():
            self._complete(False, error)

    def _finish(self) -> None:
        values, self._values = self._values, []
        errors, self._errors = self._errors, {}
        if not errors:
            self._complete(True, values)
            return
        first = min(errors)
        error = errors[first]
        add_note(
            error,
            f"{len(errors)} of {self._n} tasks failed; this is of task {first}, the first of them.\n"
            f"All is kept in work_dir {self.work_dir!r}. To see why, and to go on:\n"
            f"  next: pypoolparty failures {shlex.quote(self.work_dir)}\n"
            f"  or: pypoolparty.resume({self.work_dir!r}), with redo_raised=True and func= where a mistake was mended",
        )
        self._complete(False, error)


class ApplyBatch:
    """Takes the outcomes of many `apply_async` that went to the cluster as one map."""

    def __init__(self, results: Sequence[TakesOutcome]) -> None:
        self._results: list[TakesOutcome | None] = list(results)
        self.work_dir = ""
        self.asked_to_end: BaseException | None = None

    def deliver(self, outcomes: list[Delivery]) -> None:
        """Hand each outcome to its result; those that come after a failure of all are too late."""
        for itask, success, value in outcomes:
            if not self._results:
                return
            result, self._results[itask] = self._results[itask], None
            if result is not None:
                result._complete(success, value)

    def fail(self, error: BaseException) -> None:
        """End what is open with this exception."""
        for result in self._results:
            if result is not None:
                result._complete(False, error)
        self._results = []


class IMapIterator:
    """Yields the results of `imap` in the order of the tasks, as soon as they can be."""

    def __init__(self) -> None:
        # Who iterates may be interrupted at any instant, and shares no lock with those who deliver.
        self._items: queue.SimpleQueue[tuple[bool, Any] | None] = queue.SimpleQueue()
        self._delivering = threading.Lock()
        self._early: dict[int, tuple[bool, Any]] = {}
        self._n_queued = 0
        self._n: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result or raise what its task raised.

        Raises
        ------
        StopIteration
            After the last.
        multiprocessing.TimeoutError
            If there is none after `timeout` seconds.
        """
        try:
            item = self._items.get(timeout=None if timeout is None else max(0.0, timeout))
        except queue.Empty:
            raise TimeoutError from None
        if item is None:
            self._items.put(None)  # for whoever asks once more
            raise StopIteration
        success, value = item
        if success:
            return value
        raise value

    __next__ = next

    @property
    def _n_taken(self) -> int:
        """How many results were taken; a look from another thread."""
        return self._n_queued - self._items.qsize()

    def _take(self, base: int, itask: int, success: bool, value: Any) -> None:
        self._early[base + itask] = (success, value)

    def _deliver(self, base: int, outcomes: list[Delivery]) -> None:
        """Take outcomes out of the list, so that nobody but who iterates has the values in the end."""
        with self._delivering:
            outcomes.reverse()
            while outcomes:
                self._take(base, *outcomes.pop())
            while self._n_queued in self._early:
                self._items.put(self._early.pop(self._n_queued))
                self._n_queued += 1
            self._end_if_all_are_there()

    def _set_length(self, n: int) -> None:
        with self._delivering:
            self._n = n
            self._end_if_all_are_there()

    def _end_if_all_are_there(self) -> None:
        if self._n_queued == self._n:
            self._items.put(None)


class IMapUnorderedIterator(IMapIterator):
    """Yields the results of `imap_unordered` in the order in which they come."""

    def _take(self, base: int, itask: int, success: bool, value: Any) -> None:
        self._early[self._n_queued + len(self._early)] = (success, value)


class WaveSink:
    """Takes the outcomes of one of the maps that an `imap` is made of; its tasks begin at `base`."""

    def __init__(self, iterator: IMapIterator, base: int, n: int) -> None:
        self._iterator, self._base = iterator, base
        self._open = set(range(n))
        self.work_dir = ""
        self.asked_to_end: BaseException | None = None

    def deliver(self, outcomes: list[Delivery]) -> None:
        """Hand outcomes to the iterator; those that come after a failure of all are too late."""
        fresh = [outcome for outcome in outcomes if outcome[0] in self._open]
        self._open.difference_update(itask for itask, _, _ in fresh)
        outcomes.clear()
        self._iterator._deliver(self._base, fresh)

    def fail(self, error: BaseException) -> None:
        """End what is open with this exception."""
        left, self._open = sorted(self._open), set()
        self._iterator._deliver(self._base, [(itask, False, error) for itask in left])
