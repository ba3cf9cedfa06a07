"""Results into files: pickle, JSON lines, CSV, or plain lines, by the ending of the name."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

import click

from ..payload import dumps

__all__ = ["ENDINGS", "check_output", "write_values"]


def check_output(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Refuse an output that could not be written, before anything is computed."""
    if path is None or path == "-":
        return path
    ending = os.path.splitext(path)[1]
    if ending not in ENDINGS:
        allowed = ", ".join(name for name in ENDINGS if name)
        raise click.BadParameter(f"must end in one of {allowed}; not {path!r}", context, parameter)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise click.BadParameter(f"there is no folder {folder!r}", context, parameter)
    if not os.access(folder, os.W_OK) or os.path.isdir(path):
        raise click.BadParameter(f"{path!r} can not be written", context, parameter)
    return path


def write_values(path: str, values: Sequence[Any]) -> None:
    """Write values in their order; those that are exceptions stand for tasks that failed.

    The file appears when it is whole.
    """
    write = ENDINGS["" if path == "-" else os.path.splitext(path)[1]]
    if path == "-":
        stream = sys.stdout.buffer
        write(stream, values)
        stream.flush()
        return
    part = f"{path}.part"
    with open(part, "wb") as stream:
        write(stream, values)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)


def _write_pickle(stream: IO[bytes], values: Sequence[Any]) -> None:
    """Write a list; an exception that can not be pickled is replaced by its text."""
    try:
        stream.write(dumps(list(values)))
    except Exception:
        stream.write(dumps([_picklable(value) for value in values]))


def _picklable(value: Any) -> Any:
    from ..errors import TaskRaised

    if isinstance(value, BaseException):
        try:
            pickle.loads(dumps(value))
        except Exception:
            return TaskRaised(f"{type(value).__name__}: {value}")
    return value


def _write_jsonl(stream: IO[bytes], values: Sequence[Any]) -> None:
    for itask, value in enumerate(values):
        row: dict[str, Any] = {"itask": itask}
        row |= {"error": _described(value)} if isinstance(value, BaseException) else {"value": value}
        stream.write(json.dumps(row, default=_plain, ensure_ascii=False).encode() + b"\n")


def _described(error: BaseException) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def _plain(value: Any) -> Any:
    """Return what JSON knows for what it does not: of numpy, dataclasses, sets; else the repr."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return repr(value)


def _write_csv(stream: IO[bytes], values: Sequence[Any]) -> None:
    """Write a row for each task: dicts give columns by their keys, tuples and lists by their places."""
    rows = [_columns(value) for value in values]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["itask", *names, "error"])
    for itask, (row, value) in enumerate(zip(rows, values)):
        error = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else ""
        writer.writerow([itask, *(row.get(name, "") for name in names), error])
    text.flush()
    text.detach()


def _columns(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseException):
        return {}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return {f"value_{k}": item for k, item in enumerate(value)}
    return {"value": value}


def _write_lines(stream: IO[bytes], values: Sequence[Any]) -> None:
    """Write a line for each task: a text as it is, all else as JSON; the line of one that failed is empty."""
    stream.writelines(line.encode() + b"\n" for line in _lines(values))


def _lines(values: Iterable[Any]) -> Iterator[str]:
    for itask, value in enumerate(values):
        if isinstance(value, BaseException):
            print(f"task {itask} failed: {type(value).__name__}: {value}", file=sys.stderr)
            yield ""
        else:
            yield value.replace("\n", " ") if isinstance(value, str) else json.dumps(value, default=_plain)


ENDINGS: dict[str, Callable[[IO[bytes], Sequence[Any]], None]] = {
    ".pickle": _write_pickle,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".txt": _write_lines,
    "": _write_lines,
}
