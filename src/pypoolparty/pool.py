"""The face of all pools: `multiprocessing.Pool`'s methods, on the one engine."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, TypeVar

from . import arguments, leaving
from .engine import Driver, MapRun, Sink, restore
from .errors import PoolPartyError, WorkDirError
from .latch import Latch
from .new_run import NewRun, NotPicklable, mended_function
from .progress import tell, watch_over
from .reporting import read_report
from .results import (
    ApplyBatch,
    AsyncResult,
    IMapIterator,
    IMapUnorderedIterator,
    MapResult,
    TakesOutcome,
    WaveSink,
)
from .setting import Setting
from .work_dir import WorkDir, read_session

__all__ = ["BasePool"]

OnError = Literal["raise", "return"]
Callback = Callable[[Any], object] | None
Report = str | os.PathLike[str] | None
AnySink = TypeVar("AnySink", bound=Sink)

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"
MOMENT_SECONDS, LONGEST_MOMENT_SECONDS = 0.02, 0.5
FIRST_WAVE_SECONDS, LONGEST_WAVE_SECONDS = 0.5, 60.0
# Tasks of an `imap` that are taken from the iterable before their results are taken by whoever iterates.
MOST_AHEAD, LOOK_SECONDS = 1 << 17, 0.05


def _keep_silent(line: str) -> None:
    pass


class BasePool:
    """What all pools can do: the face of `multiprocessing.Pool`.

    Not to be made by itself; see `pypoolparty.slurm.array.Pool` and its kin.
    """

    _state = TERMINATE  # until all is set up

    def __init__(
        self,
        setting: Setting,
    ) -> None:
        say = tell if setting.verbose else _keep_silent
        announce = tell if setting.progress else say
        options = replace(setting.options, say=say, tell=tell, announce=announce)
        self._setting = replace(setting, options=options)
        most = setting.max_calls_per_minute
        self._driver = Driver(setting.scheduler, setting.polling_interval, say, max_calls_per_minute=most)
        self._lock = threading.Lock()
        self._pending: list[tuple[TakesOutcome, tuple[Any, ...]]] = []
        self._flusher: threading.Thread | None = None
        self._feeders: list[threading.Thread] = []
        # The user's thread may be interrupted at any instant, and shares no lock in Python with the others.
        self._hurry, self._no_more = Latch(), Latch()
        self._state = RUN
        leaving.live.add(self)
        leaving.exit_on_signals()

    def __repr__(self) -> str:
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        width = self._setting.policy.width
        return f"<{kind} state={self._state} num_simultaneously_running_tasks={width}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # ------------------------------------------------------------------ apply

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> Any:
        """Return ``func(*args, **kwds)``, called in a queue-job.

        Raises
        ------
        Exception
            What `func` raised, with the remote traceback as its cause.
        TaskLost
            If its queue-job died, again and again; a kind of it says why.
        """
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
    ) -> AsyncResult:
        """Call ``func(*args, **kwds)`` in a queue-job; many such calls in a moment become one array.

        Parameters
        ----------
        func : callable
            Anything that cloudpickle takes.
        args : iterable, optional
            Its positional arguments.
        kwds : mapping, optional
            Its arguments by name.
        callback, error_callback : callable, optional
            Called in the main process with the value, or the exception.

        Returns
        -------
        AsyncResult
        """
        self._check_running()
        result = AsyncResult(callback, error_callback, self._make_haste)
        self._take_call(result, func, tuple(args), dict(kwds or {}))
        return result

    def _take_call(
        self, result: TakesOutcome, func: Callable[..., Any], args: tuple[Any, ...], kwds: dict[str, Any]
    ) -> None:
        """Have a call made soon, together with those that come in the same moment."""
        with self._lock:
            self._pending.append((result, (func, args, kwds)))
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_soon, name="pypoolparty-apply", daemon=True)
                self._flusher.start()

    def _make_haste(self) -> None:
        """Wait for no more calls: somebody waits for a result."""
        self._hurry.set()

    def _flush_soon(self) -> None:
        """Wait while more calls come, then start them as one map."""
        deadline = time.monotonic() + LONGEST_MOMENT_SECONDS
        seen = 0
        while time.monotonic() < deadline and seen != len(self._pending):
            seen = len(self._pending)
            if self._hurry.wait(MOMENT_SECONDS):
                break
        self._hurry = Latch()
        with self._lock:
            pending, self._pending, self._flusher = self._pending, [], None
        pending = [(result, task) for result, task in pending if result._begins()]
        if not pending:
            return
        batch = ApplyBatch([result for result, _ in pending])
        try:
            run = NewRun(self._setting, self._driver, "apply", None)
            run.tasks.extend(task for _, task in pending)
            run.start(batch, None)
        except Exception as error:
            batch.fail(error)

    # ------------------------------------------------------------------ map

    def map(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        on_error: OnError = "raise",
        weights: Iterable[float] | None = None,
        report: Report = None,
    ) -> list[Any]:
        """Return ``[func(task) for task in iterable]``, computed in queue-jobs.

        Parameters
        ----------
        func : callable
            Anything that cloudpickle takes: also a lambda, a closure, a bound method.
        iterable : iterable
            The tasks.
        chunksize : int, optional
            Tasks in a chunk at the least; by default the chunks are made to balance the load.
        on_error : {"raise", "return"}
            What to do when tasks fail. All tasks are waited for in any case; then the exception of the first
            one is raised, or the exceptions are in the list at the places of their tasks.
        weights : iterable of float, optional
            How long each task will take, as far as it is known, in any unit: the longest are begun first.
        report : path, optional
            Of an HTML file to write at the end, also of a map that failed: what ran where, what it took and what
            went wrong. Needs ``pip install pypoolparty[report]``.

        Returns
        -------
        list
            As long as `iterable`, in its order.

        Raises
        ------
        Exception
            What the first of the failed tasks raised, with the remote traceback as its cause.
        TaskLost
            If that task's queue-job died, again and again; a kind of it says why.
        SubmissionRefused
            If the scheduler will never run what the pool asks for.
        WorkDirError
            If no work_dir can be made.
        """
        values: list[Any] = self.map_async(
            func, iterable, chunksize, on_error=on_error, weights=weights, report=report
        )._get_or_cancel()
        return values

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        on_error: OnError = "raise",
        weights: Iterable[float] | None = None,
        report: Report = None,
    ) -> MapResult:
        """Start a `map` and return its result object.

        Parameters
        ----------
        func, iterable, chunksize, on_error, weights, report
            As in `map`.
        callback, error_callback : callable, optional
            Called in the main process with the whole list, or with the exception that `map` would raise.

        Returns
        -------
        MapResult
        """
        return self._map_async("map", func, iterable, chunksize, callback, error_callback, on_error, weights, report)

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        on_error: OnError = "raise",
        weights: Iterable[float] | None = None,
        report: Report = None,
    ) -> list[Any]:
        """Return ``[func(*task) for task in iterable]``, computed in queue-jobs. See `map`."""
        values: list[Any] = self.starmap_async(
            func, iterable, chunksize, on_error=on_error, weights=weights, report=report
        )._get_or_cancel()
        return values

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        on_error: OnError = "raise",
        weights: Iterable[float] | None = None,
        report: Report = None,
    ) -> MapResult:
        """Start a `starmap` and return its result object."""
        return self._map_async(
            "starmap", func, iterable, chunksize, callback, error_callback, on_error, weights, report
        )

    def _map_async(
        self,
        call: str,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callback,
        error_callback: Callback,
        on_error: OnError,
        weights: Iterable[float] | None,
        report: Report = None,
    ) -> MapResult:
        self._check_running()
        if on_error not in ("raise", "return"):
            raise ValueError(f'on_error must be "raise" or "return", not {on_error!r}')
        chunksize = arguments.optional_int("chunksize", chunksize)
        at_end = read_report(report, tell)
        try:
            run = NewRun(self._setting, self._driver, call, func)
        except NotPicklable as error:
            result = MapResult(1, callback, error_callback)
            result.fail(error.error)
            return result
        run.take(iterable)
        try:
            weights = arguments.read_weights(weights, run.tasks.n)
        except BaseException:
            run.discard()
            raise
        result = MapResult(run.tasks.n, callback, error_callback, on_error == "return")
        run.start(result, chunksize, weights, at_end)
        return result

    # ------------------------------------------------------------------ imap

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> Iterator[Any]:
        """Return an iterator over the results, in the order of `iterable`, each as soon as it can be.

        So that memory is bounded, at most 131,072 tasks are ahead of whoever iterates; once the pool is closed,
        all are computed in any case.
        """
        return self._imap(IMapIterator(), func, iterable, chunksize)

    def imap_unordered(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> Iterator[Any]:
        """Return an iterator over the results, in the order in which they come."""
        return self._imap(IMapUnorderedIterator(), func, iterable, chunksize)

    def _imap(
        self,
        results: IMapIterator,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int,
    ) -> IMapIterator:
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        feeder = threading.Thread(
            target=self._feed,
            args=(results, func, iter(iterable), None if chunksize == 1 else chunksize),
            name="pypoolparty-imap",
            daemon=True,
        )
        self._feeders = [thread for thread in self._feeders if thread.is_alive()] + [feeder]
        feeder.start()
        return results

    def _feed(
        self, results: IMapIterator, func: Callable[[Any], Any], tasks: Iterator[Any], chunksize: int | None
    ) -> None:
        """Start a map for what the iterable yields within some time, then for what it yields within longer."""
        base, seconds = 0, FIRST_WAVE_SECONDS
        is_over = False
        while not is_over and self._state != TERMINATE:
            room = self._room_ahead(results, base)
            try:
                run = NewRun(self._setting, self._driver, "map", func)
            except Exception as error:
                failure = error.error if isinstance(error, NotPicklable) else error
                results._deliver(base, [(0, False, failure)])
                base += 1
                break
            is_over, error_of_iterable = run.take_for(tasks, seconds, chunksize or 1, room)
            n = run.tasks.n
            run.start(WaveSink(results, base, n), chunksize)
            base += n
            if error_of_iterable is not None:
                results._deliver(base, [(0, False, error_of_iterable)])
                base += 1
            seconds = min(2 * seconds, LONGEST_WAVE_SECONDS)
        results._set_length(base)

    def _room_ahead(self, results: IMapIterator, n_fed: int) -> int:
        """Wait until half of what may be ahead is taken, or the pool is closed; return how many tasks may be fed."""
        while self._state == RUN and n_fed - results._n_taken > MOST_AHEAD // 2:
            self._no_more.wait(LOOK_SECONDS)
        return max(MOST_AHEAD // 2, MOST_AHEAD - (n_fed - results._n_taken))

    def _starmap_into(
        self, make_sink: Callable[[int], AnySink], func: Callable[..., Any], tasks: Iterable[Any], chunksize: int | None
    ) -> AnySink:
        """Start a `starmap` whose outcomes go into a sink for so many tasks, which is returned."""
        self._check_running()
        try:
            run = NewRun(self._setting, self._driver, "starmap", func)
        except NotPicklable as error:
            sink = make_sink(1)
            sink.deliver([(0, False, error.error)])
            return sink
        run.take(tasks)
        sink = make_sink(run.tasks.n)
        run.start(sink, chunksize)
        return sink

    # ------------------------------------------------------------------ resume

    def resume(
        self,
        work_dir: str | os.PathLike[str],
        redo_raised: bool = False,
        on_error: OnError = "raise",
        func: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Go on with a map whose main process died or was interrupted, and return its list.

        Queue-jobs that are still in the queue are attached to again. What is lost is submitted again; what is
        finished is never computed again.

        Parameters
        ----------
        work_dir : path
            Of the map: the folder with ``session.json`` in it.
        redo_raised : bool
            Do the tasks again that raised an exception, too.
        on_error : {"raise", "return"}
            As in `map`.
        func : callable, optional
            In place of the map's own, for the tasks that are not finished: to mend a mistake in it.

        Raises
        ------
        NotAWorkDir, UnsafeWorkDir, WrongVersion
            If the folder can not be resumed.
        StillInUse
            If another main process works on it.
        """
        values: list[Any] = self.resume_async(work_dir, redo_raised, on_error, func)._get_or_cancel()
        return values

    def resume_async(
        self,
        work_dir: str | os.PathLike[str],
        redo_raised: bool = False,
        on_error: OnError = "raise",
        func: Callable[..., Any] | None = None,
    ) -> MapResult:
        """Start a `resume` and return its result object."""
        self._check_running()
        path = os.path.abspath(os.fspath(work_dir))
        session = read_session(path)
        opened = WorkDir.open(path)
        try:
            self._setting.scheduler.adopt(path)
            if func is not None:
                opened.replace_function(lambda old: mended_function(old, func))
            if redo_raised:
                opened.set_aside_exceptions()
            n, driver = session["n_tasks"], self._driver
            opened.open_reduced(n)
            ledger, deliveries = restore(opened, n, driver.clock())
        except BaseException as error:
            opened.abandon()
            if isinstance(error, OSError):
                raise WorkDirError(f"{path!r} can not be gone on with: {error}") from error
            raise
        result = MapResult(n, returns_errors=on_error == "return")
        result.work_dir = path
        setting = self._setting
        policy = replace(setting.policy, chunksize=session.get("chunksize") or setting.policy.chunksize)
        run = MapRun(opened, ledger, policy, setting.options.heard_here(), setting.scheduler, result, driver.clock)
        if setting.progress:
            run.watch = watch_over("resume", n, ledger.n_done, driver.clock())
        run.welcome_back(deliveries)
        driver.start(run)
        return result

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Take no more calls; what is under way goes on to its end."""
        if self._state == RUN:
            self._state = CLOSE
            self._hurry.set()
            self._no_more.set()

    def terminate(self) -> None:
        """End everything now: queue-jobs are cancelled, results that are not there yet raise."""
        self._end(PoolPartyError("the pool was terminated"), keep=False)

    def join(self) -> None:
        """Wait until all is over; the pool has to be closed or terminated before."""
        if self._state == RUN:
            raise ValueError("Pool is still running")
        for thread in (self._flusher, *self._feeders):
            if thread is not None and thread is not threading.current_thread():
                thread.join()
        self._driver.close()
        self._driver.join()
        self._setting.remove_empty_parent()

    def leave(self) -> None:
        """End everything because the interpreter ends; what is unfinished is kept, and can be resumed."""
        self._end(PoolPartyError("the interpreter ended"), keep=None)

    def _end(self, error: BaseException, keep: bool | None) -> None:
        """End everything, also if that is interrupted; interrupted once more, leave it as it is."""
        try:
            self._end_at_once(error, keep)
        except (KeyboardInterrupt, SystemExit):
            leaving.live.discard(self)
            tell("cancelling queue-jobs; interrupt once more to leave without")
            self._end_at_once(error, keep)
            raise
        leaving.live.discard(self)

    def _end_at_once(self, error: BaseException, keep: bool | None) -> None:
        self._state = TERMINATE
        self._hurry.set()
        self._no_more.set()
        for thread in (self._flusher, *self._feeders):
            if thread is not None and thread is not threading.current_thread():
                thread.join(timeout=1.0)
        self._driver.abort(error, keep)
        self._driver.close()
        self._driver.join()
        self._setting.remove_empty_parent()

    def __enter__(self) -> BasePool:
        self._check_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.terminate()
        else:
            self._end(PoolPartyError("the pool was terminated"), keep=None)

    def __del__(self) -> None:
        if self._state == RUN:
            warnings.warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._driver.abort(PoolPartyError("the pool was forgotten"), None)
            self._driver.close()
            leaving.wait_for(self._driver)  # it is to cancel what is in the queue, also if the program ends now

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")
