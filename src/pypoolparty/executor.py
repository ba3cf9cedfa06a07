"""`concurrent.futures.Executor` over any pool."""

from __future__ import annotations

import atexit
import collections
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor as _Executor
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from multiprocessing import TimeoutError as PoolTimeoutError
from typing import Any

from . import choose
from .arguments import optional_int
from .errors import PoolPartyError
from .pool import BasePool
from .results import Delivery, IMapIterator, WaveSink

__all__ = ["Executor"]

_live: weakref.WeakSet[Executor] = weakref.WeakSet()
_is_leaving = False


class _Call:
    """Takes the outcome of one `submit` to its future."""

    def __init__(self, future: Future[Any]) -> None:
        self.future = future

    def _begins(self) -> bool:
        return self.future.set_running_or_notify_cancel()

    def _complete(self, success: bool, value: Any) -> None:
        if success:
            self.future.set_result(value)
        else:
            self.future.set_exception(value)


class _MapSink(WaveSink):
    """Takes the outcomes of one `map`, and tells a future when it has them all."""

    def __init__(self, results: IMapIterator, n: int, is_over: Future[Any]) -> None:
        super().__init__(results, 0, n)
        results._set_length(n)
        self._is_over = is_over
        self._end()

    def give_up(self) -> None:
        """Have the map ended, if any of its tasks is open: nobody wants its results any more."""
        if self._open:
            self.asked_to_end = PoolPartyError("the iterator over the results was closed")

    def _end(self) -> None:
        if not self._open and not self._is_over.done():
            self._is_over.set_result(None)

    def deliver(self, outcomes: list[Delivery]) -> None:
        """Hand outcomes to the iterator."""
        super().deliver(outcomes)
        self._end()

    def fail(self, error: BaseException) -> None:
        """End what is open with this exception."""
        super().fail(error)
        self._end()


class Executor(_Executor):
    """Runs calls in queue-jobs; see `concurrent.futures.Executor` for its methods.

    Parameters
    ----------
    pool : pool or int, optional
        Any pool of this package; it is left open at the end, for whoever made it. An int is `max_workers`.
    max_workers : int, optional
        The most tasks at a time, where no pool is given.
    backend : {"slurm", "sun_grid_engine", "local"}, optional
        Where no pool is given: as for `pypoolparty.Pool`.
    **arguments
        For the pool that is made then; `shutdown` closes it.

    Notes
    -----
    Many `submit` in a moment become one array. From then on their tasks are on disk for any worker to take: the futures
    are `running`, also while they wait in the queue, and can not be cancelled any more. Only what was submitted in the
    last moment can. `shutdown` without `wait` and the end of the interpreter let go on what was submitted, as
    `concurrent.futures.ProcessPoolExecutor` does.

    Examples
    --------
    >>> import pypoolparty
    >>> with pypoolparty.Executor(2, backend="local") as executor:
    ...     futures = [executor.submit(pow, 2, exponent) for exponent in range(4)]
    ...     [future.result() for future in futures]
    [1, 2, 4, 8]
    """

    def __init__(
        self,
        pool: BasePool | int | None = None,
        *,
        max_workers: int | None = None,
        backend: str | None = None,
        **arguments: Any,
    ) -> None:
        self._is_shut = True  # until all is set up
        self._lock = threading.Lock()
        self._open: set[Future[Any]] = set()
        self._calls: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        if isinstance(pool, BasePool):
            given = {name: value for name, value in {"max_workers": max_workers, "backend": backend}.items() if value}
            if given or arguments:
                raise TypeError(f"a pool is given, so that it takes no {', '.join([*given, *arguments])}")
            self._pool, self._owns_pool = pool, False
        else:
            width = max_workers if pool is None else pool
            if width is not None and width <= 0:
                raise ValueError(f"max_workers must be greater than 0, not {width!r}")
            self._pool, self._owns_pool = choose.Pool(width, backend=backend, **arguments), True
        self._is_shut = False
        _live.add(self)

    # ------------------------------------------------------------------ calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have ``fn(*args, **kwargs)`` called in a queue-job.

        Returns
        -------
        concurrent.futures.Future
            With the value, or with what was raised and its remote traceback as the cause.

        Raises
        ------
        RuntimeError
            After `shutdown`.
        """
        with self._lock:
            self._check_open()
            future: Future[Any] = Future()
            self._calls.add(future)
            self._watch(future)
            self._pool._take_call(_Call(future), fn, args, kwargs)
        return future

    def _check_open(self) -> None:
        if _is_leaving:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        try:
            self._pool._check_running()
        except ValueError as error:
            raise RuntimeError(f"cannot schedule new futures: {self._pool!r} is closed") from error

    def _watch(self, future: Future[Any]) -> None:
        self._open.add(future)
        future.add_done_callback(self._open.discard)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Return an iterator over ``fn(*task) for task in zip(*iterables)``, in that order.

        Parameters
        ----------
        fn : callable
        *iterables : iterable
        timeout : float, optional
            Seconds from now; after them, waiting for a result raises TimeoutError.
        chunksize : int
            Tasks in a chunk at the least; with 1 the chunks are made to balance the load.
        buffersize : int, optional
            Take no more tasks from `iterables` than so many ahead of what was yielded. Where it is None all
            are taken at once, and become one map.

        Notes
        -----
        As with the executors of `concurrent.futures`, what is open is cancelled when the iterator ends before its last
        result: by what a task raised, by the time-out, by Ctrl-C, or because you leave the loop. What is done is kept.
        """
        if chunksize < 1:
            raise ValueError(f"chunksize must be at least 1, not {chunksize!r}")
        optional_int("buffersize", buffersize)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        if buffersize is not None:
            with self._lock:
                self._check_open()
            return self._map_ahead(fn, zip(*iterables), buffersize, deadline)
        results, is_over = IMapIterator(), Future[Any]()
        with self._lock:
            self._check_open()
            self._watch(is_over)
            try:
                sink = self._pool._starmap_into(
                    lambda n: _MapSink(results, n, is_over), fn, zip(*iterables), None if chunksize == 1 else chunksize
                )
            except BaseException:
                self._open.discard(is_over)
                raise
        return _in_time(results, deadline, sink)

    def _map_ahead(
        self, fn: Callable[..., Any], tasks: Iterator[Any], buffersize: int, deadline: float
    ) -> Iterator[Any]:
        ahead = collections.deque(self.submit(fn, *task) for task in itertools.islice(tasks, buffersize))
        try:
            while ahead:
                value = ahead.popleft().result(_seconds_to(deadline))
                ahead.extend(self.submit(fn, *task) for task in itertools.islice(tasks, 1))
                yield value
        finally:
            for future in ahead:
                future.cancel()

    # ------------------------------------------------------------------ the end

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls.

        Parameters
        ----------
        wait : bool
            Return only when all that was submitted is done.
        cancel_futures : bool
            Cancel what was not handed over yet. The rest goes on to its end: ``pool.terminate()`` ends that, too.
        """
        with self._lock:
            was_shut, self._is_shut = self._is_shut, True
        if cancel_futures:
            for future in list(self._calls):
                future.cancel()
        if self._owns_pool and not was_shut:
            self._pool.close()
        if wait:
            self._finish()
        elif self._owns_pool and not was_shut:
            threading.Thread(target=self._pool.join, name="pypoolparty-shutdown", daemon=True).start()

    def _finish(self) -> None:
        """Wait for all that was submitted."""
        wait(list(self._open))
        if self._owns_pool and self._is_shut:
            self._pool.join()

    def __del__(self) -> None:
        if not self._is_shut and self._owns_pool and not _is_leaving:
            self.shutdown(wait=False)  # what was submitted has its futures, and goes on


def _seconds_to(deadline: float) -> float | None:
    return None if deadline == float("inf") else max(0.0, deadline - time.monotonic())


def _in_time(results: IMapIterator, deadline: float, sink: _MapSink) -> Iterator[Any]:
    """Yield the results, and keep no reference to them; closed before the last, also by an exception, end the map."""
    try:
        while True:
            try:
                value = [results.next(_seconds_to(deadline))]
            except StopIteration:
                return
            except PoolTimeoutError:
                raise FutureTimeoutError from None
            yield value.pop()
    finally:
        sink.give_up()


def _finish_all() -> None:
    """At the interpreter's end: let be done what was submitted, before the pools are ended."""
    global _is_leaving
    _is_leaving = True
    for executor in list(_live):
        executor.shutdown()


def _finish_before_exit() -> None:
    """Have it done where the standard library's executors do it: later, threads can not be started any more."""
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(_finish_all)
    except RuntimeError:
        pass  # first used while the interpreter ends: then there is nothing to wait for


_finish_before_exit()
