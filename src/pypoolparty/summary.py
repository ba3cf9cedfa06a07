"""What is in a work_dir now, for people: read only, also while its map runs."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import payload
from .chunks import tasks_of
from .events import GaveUp, from_line
from .states import Report
from .verdict import error_of
from .work_dir import RecordKind, WorkDir, read_session

__all__ = ["Snapshot", "load"]


@dataclass(frozen=True)
class Snapshot:
    """The content of a work_dir at one moment.

    Attributes
    ----------
    work_dir : str
        Absolute path.
    n_tasks : int
        Length of the map's iterable.
    results : dict of int
        The values that tasks have returned, by itask.
    exceptions : dict of int
        What tasks have raised, or why they are lost, by itask.
    stdout, stderr : dict of int
        What tasks have written, where they have.
    statistics : list of dict
        A row for each outcome, in the order in which they came: ``itask``; ``start``, ``stop`` (seconds since 1970 by
        the clock of the node); ``cpu_seconds`` (user and system); ``max_rss_kib`` (the peak of the resident memory
        of the worker process so far, in KiB); ``host``; ``queue_job``; ``attempt`` (from 1 on). Source: the worker's
        own records, by getrusage; no accounting is asked.
    session : dict
        The content of ``session.json``.
    """

    work_dir: str
    n_tasks: int
    results: Mapping[int, Any]
    exceptions: Mapping[int, BaseException]
    stdout: Mapping[int, str]
    stderr: Mapping[int, str]
    statistics: list[dict[str, Any]]
    session: Mapping[str, Any]

    @property
    def missing(self) -> list[int]:
        """The tasks that have neither returned nor raised nor are lost."""
        done = {*self.results, *self.exceptions}
        return [itask for itask in range(self.n_tasks) if itask not in done]

    def as_list(self, default: Any = None) -> list[Any]:
        """Return what `map` would: values, exceptions in their places, and `default` where there is nothing yet."""
        merged = {**self.exceptions, **self.results}
        return [merged.get(itask, default) for itask in range(self.n_tasks)]


def load(work_dir: str | os.PathLike[str]) -> Snapshot:
    """Read what is in a work_dir now, without touching the scheduler; also while its map runs.

    Parameters
    ----------
    work_dir : path
        The folder with ``session.json`` in it.

    Returns
    -------
    Snapshot

    Raises
    ------
    NotAWorkDir
        If the folder has no ``session.json``, or is not there.
    UnsafeWorkDir
        If it or a file in it belongs to somebody else, or others may write to it.
    WrongVersion
        If it has a format that this version can not read.
    """
    path = os.path.abspath(os.fspath(work_dir))
    session = read_session(path)
    opened = WorkDir(path)
    results: dict[int, Any] = {}
    exceptions: dict[int, BaseException] = {}
    texts = {"stdout": _texts(opened, "stdout"), "stderr": _texts(opened, "stderr")}
    for kind, itask, data in _outcomes(opened, texts):
        if itask in results or itask in exceptions:
            continue
        if kind == RecordKind.RETURNED:
            try:
                results[itask] = payload.loads(data)
            except Exception as error:  # for instance a class that is not there any more
                exceptions[itask] = error
        else:
            exceptions[itask] = payload.load_exception(data, itask, path)
    asked = session.get("arguments", {})
    for itask, report in _given_up(opened):
        if itask not in results and itask not in exceptions:
            exceptions[itask] = error_of(report, itask, 1, path, asked.get("mem"), asked.get("time"))
    statistics = list(_statistics(opened.layout.stats))
    return Snapshot(
        path, session["n_tasks"], results, exceptions, texts["stdout"], texts["stderr"], statistics, session
    )


def _texts(opened: WorkDir, name: str) -> dict[int, str]:
    return {itask: data.decode(errors="replace") for itask, data in opened.read_reduced(name)}


def _outcomes(opened: WorkDir, texts: dict[str, dict[int, str]]) -> Iterator[tuple[int, int, bytes]]:
    """Yield kind, itask and data of all outcomes: first the archived, then those that are still in the spool."""
    spooled = opened.collect(refresh=False, most=1 << 30)  # before the archives: nothing falls in between
    for itask, data in opened.read_reduced("results"):
        yield RecordKind.RETURNED, itask, data
    for itask, data in opened.read_reduced("exceptions"):
        yield RecordKind.RAISED, itask, data
    for segment in spooled:
        for record in segment.records:
            if record.kind <= RecordKind.RAISED:
                for name, written in (("stdout", record.out), ("stderr", record.err)):
                    if written:
                        texts[name].setdefault(record.itask, written.decode(errors="replace"))
                yield record.kind, record.itask, record.value


def _given_up(opened: WorkDir) -> Iterator[tuple[int, Report]]:
    if not os.path.exists(opened.layout.log):
        return
    lost: dict[int, Report] = {}
    for line in opened.journal():
        event = from_line(line)
        if line.get("event") == "Resumed":
            lost.clear()
        elif isinstance(event, GaveUp):
            lost.update((itask, event.report) for itask in tasks_of(event.tasks))
    yield from lost.items()


def _statistics(path: str) -> Iterator[dict[str, Any]]:
    try:
        with open(path, newline="") as stream:
            for row in csv.DictReader(stream):
                if row["attempt"] is None:
                    continue  # the last one is being written
                yield {
                    "itask": int(row["itask"]),
                    "start": float(row["start"]),
                    "stop": float(row["stop"]),
                    "cpu_seconds": float(row["cpu_seconds"]),
                    "max_rss_kib": int(row["max_rss_kib"]),
                    "host": row["host"],
                    "queue_job": row["queue_job"],
                    "attempt": int(row["attempt"]),
                }
    except FileNotFoundError:
        return
