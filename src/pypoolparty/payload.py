"""Bytes to and from functions, tasks, values and exceptions."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import pickle
from collections.abc import Callable
from multiprocessing.pool import RemoteTraceback  # type: ignore[attr-defined]
from types import CodeType
from typing import Any

from . import worker
from .errors import TaskExited, TaskRaised

__all__ = [
    "add_note",
    "dump_exception",
    "dump_function",
    "dumps",
    "library_zip",
    "load_exception",
    "loads",
    "text_of_exception",
]

PROTOCOL = 5


def dumps(value: Any) -> bytes:
    """Pickle with the standard library where that is enough, else with cloudpickle.

    Plain pickle refers to what ``__main__`` defines by name, which means nothing on a node.
    """
    try:
        data = pickle.dumps(value, PROTOCOL)
        if b"__main__" not in data:
            return data
    except Exception:
        pass
    stream = io.BytesIO()
    _pickler()(stream, PROTOCOL).dump(value)
    return stream.getvalue()


@functools.lru_cache(maxsize=1)
def _pickler() -> Any:
    """Return cloudpickle's pickler, which is to keep the names of files: a traceback shows its lines by them."""
    import cloudpickle

    reduce_code = cloudpickle.Pickler.dispatch_table.get(CodeType)

    def keep_file_name(code: CodeType) -> tuple[Any, ...]:
        kind, arguments = reduce_code(code)
        return kind, tuple(
            code.co_filename if isinstance(value, str) and value == "<dynamic-code>" else value for value in arguments
        )

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        dispatch_table = cloudpickle.Pickler.dispatch_table
        if reduce_code is not None:
            dispatch_table = {**dispatch_table, CodeType: keep_file_name}

    return Pickler


loads = pickle.loads


def dump_function(
    func: Callable[..., Any] | None,
    initializer: Callable[..., Any] | None,
    initargs: tuple[Any, ...],
) -> bytes:
    """Pickle what a worker loads once: func (None: each task brings its own) and the initializer."""
    return dumps((func, initializer, initargs))


class _Describer(worker.Pickler):
    """Describes exceptions as the workers do, with the pickler of this process."""

    def __init__(self) -> None:
        pass  # there is no queue-job

    def dumps(self, value: Any) -> bytes:
        """Pickle as this module does."""
        return dumps(value)


def dump_exception(error: BaseException) -> bytes:
    """Return what `load_exception` takes: for what was raised in this process, not in a task."""
    return _Describer().dump_exception(error)


def load_exception(data: bytes, itask: int, work_dir: str) -> BaseException:
    """Rebuild the exception that a task raised, with the remote traceback as its cause."""
    described = pickle.loads(data)
    error = _rebuild(described)
    if isinstance(error, SystemExit):
        code = error.code
        error = TaskExited(f"task {itask} called sys.exit({code!r})", itask, 1, work_dir)
    elif error is None:
        message = f"{described['type']}: {described['message']}"
        error = TaskRaised(message, itask, 1, work_dir)
    cause = RemoteTraceback(f'\n"""\n{described["traceback"]}"""')
    # Also of an exception that lets nobody set anything on it, such as a frozen dataclass.
    BaseException.__setattr__(error, "__cause__", cause)
    return error


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception; where Python has none (before 3.11), to the remote traceback that is its cause."""
    if hasattr(error, "add_note"):
        # Also to one that lets nobody set anything on it, such as a frozen dataclass.
        BaseException.__setattr__(error, "__notes__", [*getattr(error, "__notes__", ()), note])
    elif isinstance(error.__cause__, RemoteTraceback):
        error.__cause__.tb += f"\n{note}"


def _rebuild(described: dict[str, Any]) -> BaseException | None:
    try:
        error = pickle.loads(described["pickle"])
        if isinstance(error, BaseException):
            return error
    except Exception:
        pass
    try:
        # Exceptions whose __init__ takes other arguments than it hands on can not be called anew.
        kind, args, attributes = pickle.loads(described["parts"])
        error = kind.__new__(kind, *args)
        BaseException.__setattr__(error, "args", args)
        error.__dict__.update(attributes)
    except Exception:
        return None
    return error if isinstance(error, BaseException) else None


def text_of_exception(data: bytes) -> str:
    """Return the remote traceback as text for people."""
    text: str = pickle.loads(data)["traceback"]
    return text


@functools.lru_cache(maxsize=1)
def library_zip() -> bytes:
    """Return a zip with cloudpickle in it, so that the node's python needs nothing installed."""
    import zipfile

    spec = importlib.util.find_spec("cloudpickle")
    assert spec is not None
    assert spec.origin is not None
    folder = os.path.dirname(spec.origin)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as library:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                library.write(path, f"cloudpickle/{name}")
                compiled = _compiled(path)
                if compiled:
                    library.writestr(f"cloudpickle/{name}c", compiled)
    return stream.getvalue()


def _compiled(path: str) -> bytes:
    """Return the bytecode of a module; another version of python falls back to the source."""
    target = importlib.util.cache_from_source(path)
    try:
        with open(target, "rb") as stream:
            data = stream.read()
    except OSError:
        return b""
    # Marked as "unchecked hash" (PEP 552), for the modification time is another one in the zip.
    unchecked = (1).to_bytes(4, "little") + importlib.util.source_hash(_read(path))
    return data[:4] + unchecked + data[16:]


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
