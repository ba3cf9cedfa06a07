"""A map in the making: from a function and an iterable to a work_dir that the engine can drive."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .engine import Driver, MapRun, Sink
from .environment import describe_environment
from .errors import WorkDirError
from .ledger import Ledger
from .payload import dump_function, loads
from .progress import watch_over
from .setting import Setting
from .work_dir import NewMap, TasksWriter, WorkDir, make_session_id

__all__ = ["NewRun", "NotPicklable", "mended_function"]


class NotPicklable(Exception):
    """The function can not be pickled, and why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class NewRun:
    """A map in the making: the work_dir is there, and tasks are being written to it."""

    def __init__(self, setting: Setting, driver: Driver, call: str, func: Callable[..., Any] | None) -> None:
        self.setting, self.driver, self.call = setting, driver, call
        name = getattr(func, "__name__", "")
        self.title = f"{call} {name}" if isinstance(name, str) and name.isidentifier() else call
        self.function_name = _name_of(func)
        try:
            self.function = dump_function(func, setting.initializer, setting.initargs)
        except Exception as error:
            raise NotPicklable(error) from error
        self.work_dir = WorkDir.create(os.path.join(setting.parent, make_session_id()))
        self.tasks: TasksWriter = self.work_dir.tasks_writer()

    def take(self, iterable: Iterable[Any]) -> None:
        """Write all tasks; nothing stays behind if the iterable fails."""
        try:
            self.tasks.extend(iterable)
        except BaseException:
            self.discard()
            raise

    def take_for(
        self, tasks: Iterator[Any], seconds: float, chunksize: int, most: int
    ) -> tuple[bool, BaseException | None]:
        """Write about `most` tasks at the most, for some time; return whether the iterator is over, and what it raised.

        As in `multiprocessing`, a chunk in which the iterator raises is not run.
        """
        deadline = time.monotonic() + seconds
        while self.tasks.n < most and time.monotonic() < deadline:
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
        self.setting.remove_empty_parent()

    def start(
        self,
        sink: Sink,
        chunksize: int | None,
        weights: Sequence[float] | None = None,
        at_end: Callable[[str], bool] | None = None,
    ) -> None:
        """Hand the map to the engine; `at_end` is called with the work_dir when all tasks have an outcome."""
        n = self.tasks.n
        if not n:
            return self.discard()
        setting, driver = self.setting, self.driver
        try:
            self.tasks.close()
            self._write_rest(n, chunksize)
        except BaseException:
            self.work_dir.remove()
            raise
        sink.work_dir = self.work_dir.path
        ledger = Ledger(n)
        policy = replace(setting.policy, chunksize=chunksize or setting.policy.chunksize, weights=weights)
        options = setting.options.heard_here()
        run = MapRun(self.work_dir, ledger, policy, options, setting.scheduler, sink, driver.clock)
        run.at_end = at_end
        if self.tasks.failed:
            run.refuse_tasks(self.tasks.failed)
        if setting.progress:
            run.watch = watch_over(self.title, n, ledger.n_done, driver.clock())
        driver.start(run)
        return None

    def _write_rest(self, n: int, chunksize: int | None) -> None:
        setting = self.setting
        session = {
            "pool": setting.kind,
            "python": ".".join(str(number) for number in sys.version_info[:3]),
            "n_tasks": n,
            "call": self.call,
            "function": self.function_name,
            "chunksize": chunksize,
            "maxtasksperchild": setting.maxtasksperchild,
            "created": time.time(),
            "arguments": dict(setting.arguments),
        }
        self.work_dir.write_new_map(NewMap(self.function, describe_environment(setting.env), setting.setup, session))
        self.work_dir.open_reduced(n)


def _name_of(func: Callable[..., Any] | None) -> str:
    """Return ``MODULE:NAME``, or ``FILE.py:NAME`` of what the script itself defines; empty for what has no name."""
    module, name = getattr(func, "__module__", None), getattr(func, "__qualname__", "")
    if not module or not name or "<" in name:
        return ""
    if module != "__main__":
        return f"{module}:{name}"
    file = getattr(sys.modules["__main__"], "__file__", None)
    return f"{os.path.abspath(file)}:{name}" if file else ""


def mended_function(old: bytes, func: Callable[..., Any]) -> bytes:
    """Return what takes the place of a map's pickled function: `func`, with the initializer as it was."""
    if not callable(func):
        raise TypeError(f"func must be callable, not {func!r}")
    try:
        was, initializer, initargs = loads(old)
    except Exception as error:
        raise WorkDirError(
            f"the map's function can not be replaced, as its initializer can not be read: {error}"
        ) from error
    if was is None:
        raise ValueError(
            "func= can not be given for a work_dir of `apply`: each of its calls has a function of its own"
        )
    return dump_function(func, initializer, initargs)
