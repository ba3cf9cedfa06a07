"""The face of all pools: `multiprocessing.Pool`'s methods, on the one engine."""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import FrameType, TracebackType
from typing import Any, Literal

from . import arguments
from .engine import Driver, MapRun, Options, Sink, restore
from .environment import describe_environment
from .errors import PoolPartyError, WorkDirError
from .ledger import Ledger
from .payload import dump_function
from .policy import Policy, Retry
from .results import (
    ApplyBatch,
    AsyncResult,
    IMapIterator,
    IMapUnorderedIterator,
    MapResult,
    WaveSink,
)
from .scheduler import Scheduler
from .states import Resources
from .work_dir import NewMap, TasksWriter, WorkDir, make_session_id, read_session

__all__ = ["BasePool", "Setting", "make_setting"]

OnError = Literal["raise", "return"]
Callback = Callable[[Any], object] | None

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"
MOMENT_SECONDS, LONGEST_MOMENT_SECONDS = 0.02, 0.5
FIRST_WAVE_SECONDS, LONGEST_WAVE_SECONDS = 0.5, 60.0


@dataclass(frozen=True)
class Setting:
    """What a pool hands to the common face.

    Attributes
    ----------
    kind : str
        The pool's name in ``session.json``.
    scheduler : Scheduler
    policy : Policy
    options : Options
    parent : str
        The folder in which each map makes its work_dir.
    is_default_parent : bool
        Whether the folder was our idea; then it is removed when it is empty.
    polling_interval : float
    verbose : bool
    setup : sequence of str
    env : mapping
    arguments : mapping
        Of the pool's constructor, for `resume`; without those that are in the work_dir already.
    """

    kind: str
    scheduler: Scheduler
    policy: Policy
    options: Options
    parent: str
    is_default_parent: bool
    polling_interval: float
    verbose: bool = False
    setup: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


def make_setting(
    kind: str,
    scheduler: Scheduler,
    *,
    width: int | None,
    is_array: bool,
    is_elastic: bool,
    python_path: str | None,
    polling_interval: float,
    work_dir: str | os.PathLike[str] | None,
    default_parent: str,
    keep_work_dir: bool,
    verbose: bool,
    max_num_resubmissions: int,
    retry: Retry | None,
    resources: Resources,
    setup: Iterable[str],
    env: Mapping[str, str] | None,
    num_chunks: int | None = None,
    enforce_mem: bool = False,
    own: Mapping[str, Any],
) -> Setting:
    """Check what all pools share, and put it together; `own` are the arguments of this kind of pool alone."""
    interval = arguments.positive_number("polling_interval", polling_interval)
    retry = Retry() if retry is None else retry
    if not isinstance(retry, Retry):
        raise TypeError(f"retry must be a pypoolparty.Retry, not {retry!r}")
    if retry.max_num_resubmissions is not None:
        max_num_resubmissions = retry.max_num_resubmissions
    policy = Policy(
        width=width,
        is_elastic=is_elastic,
        is_array=is_array,
        num_chunks=arguments.optional_int("num_chunks", num_chunks),
        max_num_resubmissions=arguments.positive_int("max_num_resubmissions", max_num_resubmissions, least=0),
        grace=2 * interval,
        settle=min(1.0, interval / 2),
        retry=retry,
        mem=resources.mem,
        time=resources.time,
    )
    lines = arguments.read_lines("setup", setup)
    options = Options(
        python_path=sys.executable if python_path is None else os.fspath(python_path),
        resources=resources,
        keep_work_dir=bool(keep_work_dir),
        enforce_mem=enforce_mem,
        interpreter="/bin/bash" if lines else "/bin/sh",
    )
    if work_dir is not None and not isinstance(work_dir, (str, os.PathLike)):
        raise TypeError(f"work_dir must be the path of a folder, not {work_dir!r}")
    parent = default_parent if work_dir is None else os.fspath(work_dir)
    return Setting(
        kind,
        scheduler,
        policy,
        options,
        os.path.abspath(parent),
        work_dir is None and kind != "local",
        interval,
        bool(verbose),
        lines,
        arguments.read_environment(env),
        {
            "num_simultaneously_running_tasks": width,
            "python_path": options.python_path,
            "polling_interval": interval,
            "keep_work_dir": options.keep_work_dir,
            "verbose": bool(verbose),
            "max_num_resubmissions": policy.max_num_resubmissions,
            **{name: value for name, value in asdict(resources).items() if value not in (None, ())},
            **own,
        },
    )


_live: weakref.WeakSet[BasePool] = weakref.WeakSet()


@atexit.register
def _terminate_all() -> None:
    """Leave no queue-job behind when the interpreter ends."""
    for pool in list(_live):
        pool._end(PoolPartyError("the interpreter ended"), keep=None)


def _exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the interpreter in order, unless the program has its own mind about them."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _tell(line: str) -> None:
    print(f"[pypoolparty] {line}", file=sys.stderr, flush=True)


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
        initializer: Callable[..., Any] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> None:
        self._initargs = arguments.check_initializer(initializer, initargs)
        self._initializer = initializer
        self._maxtasksperchild = arguments.read_maxtasksperchild(maxtasksperchild)
        say = _tell if setting.verbose else _keep_silent
        self._setting = replace(setting, options=replace(setting.options, say=say, tell=_tell))
        self._driver = Driver(setting.scheduler, setting.polling_interval, say)
        self._lock = threading.Lock()
        self._pending: list[tuple[AsyncResult, tuple[Any, ...]]] = []
        self._flusher: threading.Thread | None = None
        self._feeders: list[threading.Thread] = []
        self._hurry = threading.Event()
        self._state = RUN
        _live.add(self)
        _exit_on_signals()

    def __repr__(self) -> str:
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        width = self._setting.policy.width
        return f"<{kind} state={self._state} num_simultaneously_running_tasks={width}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # ------------------------------------------------------------------ apply

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> Any:
        """Return ``func(*args, **kwds)``, called in a queue-job."""
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
        args : iterable, optional
        kwds : mapping, optional
        callback, error_callback : callable, optional
            Called in the main process with the value, or the exception.

        Returns
        -------
        AsyncResult
        """
        self._check_running()
        result = AsyncResult(callback, error_callback, self._hurry.set)
        with self._lock:
            self._pending.append((result, (func, tuple(args), dict(kwds or {}))))
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_soon, name="pypoolparty-apply", daemon=True)
                self._flusher.start()
        return result

    def _flush_soon(self) -> None:
        """Wait while more calls come, then start them as one map."""
        deadline = time.monotonic() + LONGEST_MOMENT_SECONDS
        seen = 0
        while time.monotonic() < deadline and seen != len(self._pending):
            seen = len(self._pending)
            if self._hurry.wait(MOMENT_SECONDS):
                break
        self._hurry.clear()
        with self._lock:
            pending, self._pending, self._flusher = self._pending, [], None
        batch = ApplyBatch([result for result, _ in pending])
        try:
            run = _NewRun(self, "apply", None)
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

        Returns
        -------
        list
            As long as `iterable`, in its order.
        """
        values: list[Any] = self.map_async(func, iterable, chunksize, on_error=on_error).get()
        return values

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        on_error: OnError = "raise",
    ) -> MapResult:
        """Start a `map` and return its result object."""
        return self._map_async("map", func, iterable, chunksize, callback, error_callback, on_error)

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        on_error: OnError = "raise",
    ) -> list[Any]:
        """Return ``[func(*task) for task in iterable]``, computed in queue-jobs. See `map`."""
        values: list[Any] = self.starmap_async(func, iterable, chunksize, on_error=on_error).get()
        return values

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        on_error: OnError = "raise",
    ) -> MapResult:
        """Start a `starmap` and return its result object."""
        return self._map_async("starmap", func, iterable, chunksize, callback, error_callback, on_error)

    def _map_async(
        self,
        call: str,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callback,
        error_callback: Callback,
        on_error: OnError,
    ) -> MapResult:
        self._check_running()
        if on_error not in ("raise", "return"):
            raise ValueError(f'on_error must be "raise" or "return", not {on_error!r}')
        chunksize = arguments.optional_int("chunksize", chunksize)
        try:
            run = _NewRun(self, call, func)
        except _NotPicklable as error:
            result = MapResult(1, callback, error_callback)
            result.fail(error.error)
            return result
        run.take(iterable)
        result = MapResult(run.tasks.n, callback, error_callback, on_error == "return")
        run.start(result, chunksize)
        return result

    # ------------------------------------------------------------------ imap

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> Iterator[Any]:
        """Return an iterator over the results, in the order of `iterable`, each as soon as it can be."""
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
            try:
                run = _NewRun(self, "map", func)
            except Exception as error:
                failure = error.error if isinstance(error, _NotPicklable) else error
                results._deliver(base, [(0, False, failure)])
                base += 1
                break
            is_over, error_of_iterable = run.take_for(tasks, seconds, chunksize or 1)
            n = run.tasks.n
            run.start(WaveSink(results, base, n), chunksize)
            base += n
            if error_of_iterable is not None:
                results._deliver(base, [(0, False, error_of_iterable)])
                base += 1
            seconds = min(2 * seconds, LONGEST_WAVE_SECONDS)
        results._set_length(base)

    # ------------------------------------------------------------------ resume

    def resume(
        self,
        work_dir: str | os.PathLike[str],
        redo_raised: bool = False,
        on_error: OnError = "raise",
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

        Raises
        ------
        NotAWorkDir, UnsafeWorkDir, WrongVersion
            If the folder can not be resumed.
        StillInUse
            If another main process works on it.
        """
        values: list[Any] = self.resume_async(work_dir, redo_raised, on_error).get()
        return values

    def resume_async(
        self,
        work_dir: str | os.PathLike[str],
        redo_raised: bool = False,
        on_error: OnError = "raise",
    ) -> MapResult:
        """Start a `resume` and return its result object."""
        self._check_running()
        path = os.path.abspath(os.fspath(work_dir))
        session = read_session(path)
        opened = WorkDir.open(path)
        try:
            self._setting.scheduler.adopt(path)
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
        setting.options.say(f"resuming {path}: {ledger.n_done} of {n} tasks are done")
        run = MapRun(opened, ledger, setting.policy, setting.options, setting.scheduler, result, driver.clock)
        run.welcome_back(deliveries)
        driver.start(run)
        return result

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Take no more calls; what is under way goes on to its end."""
        if self._state == RUN:
            self._state = CLOSE
            self._hurry.set()

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
        self._remove_parent()

    def _end(self, error: BaseException, keep: bool | None) -> None:
        self._state = TERMINATE
        _live.discard(self)
        self._hurry.set()
        for thread in (self._flusher, *self._feeders):
            if thread is not None and thread is not threading.current_thread():
                thread.join(timeout=1.0)
        self._driver.abort(error, keep)
        self._driver.close()
        try:
            self._driver.join()
        except KeyboardInterrupt:
            _tell("cancelling queue-jobs; interrupt once more to leave without")
            self._driver.join()
        self._remove_parent()

    def _remove_parent(self) -> None:
        """Remove the folder of the work_dirs if it was our idea and nothing was kept in it."""
        if self._setting.is_default_parent:
            try:
                os.rmdir(self._setting.parent)
            except OSError:
                pass

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

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")


class _NotPicklable(Exception):
    """The function can not be pickled, and why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _NewRun:
    """A map in the making: the work_dir is there, and tasks are being written to it."""

    def __init__(self, pool: BasePool, call: str, func: Callable[..., Any] | None) -> None:
        self.pool, self.call = pool, call
        setting = pool._setting
        try:
            self.function = dump_function(func, pool._initializer, pool._initargs)
        except Exception as error:
            raise _NotPicklable(error) from error
        self.work_dir = WorkDir.create(os.path.join(setting.parent, make_session_id()))
        self.tasks: TasksWriter = self.work_dir.tasks_writer()

    def take(self, iterable: Iterable[Any]) -> None:
        """Write all tasks; nothing stays behind if the iterable fails."""
        try:
            self.tasks.extend(iterable)
        except BaseException:
            self.discard()
            raise

    def take_for(self, tasks: Iterator[Any], seconds: float, chunksize: int) -> tuple[bool, BaseException | None]:
        """Write tasks for some time; return whether the iterator is over, and what it raised.

        As in `multiprocessing`, a chunk in which the iterator raises is not run.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                chunk = list(itertools.islice(tasks, chunksize))
            except Exception as error:
                return True, error
            if not chunk:
                return True, None
            self.tasks.extend(chunk)
        return False, None

    def discard(self) -> None:
        """Undo."""
        self.tasks.abandon()
        self.work_dir.remove()
        self.pool._remove_parent()

    def start(self, sink: Sink, chunksize: int | None) -> None:
        """Hand the map to the engine."""
        n = self.tasks.n
        if not n:
            return self.discard()
        pool, setting = self.pool, self.pool._setting
        try:
            self.tasks.close()
            self._write_rest(n)
        except BaseException:
            self.work_dir.remove()
            raise
        sink.work_dir = self.work_dir.path  # type: ignore[attr-defined]
        ledger = Ledger(n)
        policy = replace(setting.policy, chunksize=chunksize or setting.policy.chunksize)
        driver = pool._driver
        run = MapRun(self.work_dir, ledger, policy, setting.options, setting.scheduler, sink, driver.clock)
        if self.tasks.failed:
            run.refuse_tasks(self.tasks.failed)
        setting.options.say(f"{n} tasks in {self.work_dir.path}")
        driver.start(run)
        return None

    def _write_rest(self, n: int) -> None:
        setting = self.pool._setting
        session = {
            "pool": setting.kind,
            "python": ".".join(str(number) for number in sys.version_info[:3]),
            "n_tasks": n,
            "call": self.call,
            "maxtasksperchild": self.pool._maxtasksperchild,
            "created": time.time(),
            "arguments": dict(setting.arguments),
        }
        self.work_dir.write_new_map(NewMap(self.function, describe_environment(setting.env), setting.setup, session))
        self.work_dir.open_reduced(n)
