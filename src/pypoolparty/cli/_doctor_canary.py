"""The doctor's canary: a map of a few tasks, that measures, and whose death tells what is wrong."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..failures import FailureGroup, failures_of
from ..map_state import state_of
from ..pool import BasePool
from ..results import MapResult
from ..work_dir import Look
from ._finding import Finding, Weight

__all__ = ["Canary", "fly"]

N_TASKS = 3
LOOK_SECONDS = 0.02
LATE_SECONDS = 5.0


@dataclass
class Canary:
    """What came of the map.

    Attributes
    ----------
    seconds : float
        From its submission to its last result.
    queue_seconds : float or None
        Until the first task began, by the clock of the node.
    visible_seconds : float or None
        From the moment that a node had written a file to that when it was seen here, at the most.
    nodes : list of dict
        Host, python and packages of each node.
    cause, words, command : str
        What it died of, and what to do.
    """

    seconds: float = 0.0
    queue_seconds: float | None = None
    visible_seconds: float | None = None
    nodes: list[dict[str, Any]] = field(default_factory=list)
    cause: str = ""
    words: str = ""
    command: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**vars(self), "nodes": [{**node, "packages": len(node["packages"])} for node in self.nodes]}

    def findings(self) -> Iterator[Finding]:
        """Tell what is fine, and what is not."""
        if self.cause:
            yield Finding(Weight.PROBLEM, "canary", self.words, self.command)
            return
        hosts = ", ".join(sorted({node["host"] for node in self.nodes}))
        yield Finding(Weight.FINE, "canary", f"{N_TASKS} tasks ran on {hosts} within {self.seconds:.1f} s")
        if self.queue_seconds is not None:
            yield Finding(Weight.FINE, "queue", f"the first task began after {self.queue_seconds:.1f} s")
        if self.visible_seconds is not None:
            weight = Weight.NOTE if self.visible_seconds > LATE_SECONDS else Weight.FINE
            words = f"a node's file was seen here after {self.visible_seconds:.1f} s at the most"
            yield Finding(weight, "file visibility", words)
        for node in self.nodes[:1]:
            yield from _compared(node)


def _compared(node: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare python and packages of a node with those here."""
    here = _describe_python()
    if node["python"].split(".")[:2] != here["python"].split(".")[:2]:
        words = f"{node['python']} on {node['host']}, {here['python']} here: pickled functions may not load"
        yield Finding(Weight.PROBLEM, "python", words, f"pypoolparty doctor --set python_path={sys.executable}")
    else:
        yield Finding(Weight.FINE, "python", f"{node['python']} on {node['host']}, {here['python']} here")
    there = node["packages"]
    differing = [
        f"{name} ({version} here, {there.get(name, 'none')} there)"
        for name, version in sorted(here["packages"].items())
        if there.get(name) != version
    ]
    if differing:
        words = f"{len(differing)} differ: {', '.join(differing[:5])}{', …' * (len(differing) > 5)}"
        yield Finding(Weight.NOTE, "packages", words, f"pypoolparty doctor --set python_path={sys.executable}")
    else:
        yield Finding(Weight.FINE, "packages", f"the same {len(here['packages'])} there as here")


def _describe_python() -> dict[str, Any]:
    """Return the python and its packages; runs on the node, too."""
    import importlib.metadata
    import os
    import sys

    names = [(found.metadata["Name"], found.version) for found in importlib.metadata.distributions()]
    packages = {str(name).lower(): version for name, version in names if name}
    python = ".".join(str(number) for number in sys.version_info[:3])
    return {"host": os.uname().nodename, "python": python, "executable": sys.executable, "packages": packages}


def _by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy that is pickled by value: this package need not be on the nodes."""
    import types

    copy = types.FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    copy.__module__ = "__main__"
    return copy


def _task(described: tuple[str, int, Callable[[], dict[str, Any]]]) -> dict[str, Any]:
    """Run on the node: leave a file, and tell what is there."""
    import os
    import time

    folder, number, describe = described
    began = time.time()
    with open(os.path.join(folder, f".part-{number}"), "w") as stream:
        stream.write("x")
    os.rename(os.path.join(folder, f".part-{number}"), os.path.join(folder, f"file-{number}"))
    return {**describe(), "began": began, "written": time.time()}


def fly(make_pool: Callable[[], BasePool], parent: str, timeout: float) -> Canary:
    """Run the map; nothing stays behind.

    Parameters
    ----------
    make_pool : callable
        Makes a pool whose work_dirs are in `parent`.
    parent : str
    timeout : float
        Seconds; then its queue-jobs are cancelled.
    """
    folder = os.path.join(parent, f"doctor-{uuid.uuid4().hex[:10]}")
    os.makedirs(folder, mode=0o700)
    work_dir = ""
    try:
        pool = make_pool()
        with pool:
            began = time.time()
            tasks = [(folder, k, _by_value(_describe_python)) for k in range(N_TASKS)]
            result = pool.map_async(_by_value(_task), tasks, on_error="return")
            work_dir = result.work_dir
            seen = _wait(result, folder, timeout)
            canary = _judged(result, work_dir, began, seen) if result.ready() else _overdue(work_dir, timeout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if work_dir:
            shutil.rmtree(work_dir, ignore_errors=True)
    return canary


def _wait(result: MapResult, folder: str, timeout: float) -> dict[str, float]:
    """Wait for the map, and note when each file is seen."""
    seen: dict[str, float] = {}
    deadline = time.monotonic() + timeout
    while not (result.ready() and len(seen) >= N_TASKS) and time.monotonic() < deadline:
        for name in os.listdir(folder):
            if not name.startswith("."):
                seen.setdefault(name, time.time())
        if result.ready() and any(isinstance(value, BaseException) for value in result.get()):
            break
        time.sleep(LOOK_SECONDS)
    return seen


def _judged(result: MapResult, work_dir: str, began: float, seen: Mapping[str, float]) -> Canary:
    values = result.get()
    seconds = time.time() - began
    if any(isinstance(value, BaseException) for value in values):
        [group, *_] = failures_of(work_dir)
        return _dead(group, Look(work_dir), seconds)
    written = {f"file-{k}": value["written"] for k, value in enumerate(values)}
    late = [max(0.0, seen[name] - written[name]) for name in written if name in seen]
    return Canary(
        seconds=seconds,
        queue_seconds=max(0.0, min(value["began"] for value in values) - began),
        visible_seconds=max(late) if late else None,
        nodes=values,
    )


def _overdue(work_dir: str, timeout: float) -> Canary:
    state = state_of(work_dir)
    words = f"it did not end within {timeout:g} s: {state.running_jobs} queue-jobs ran, {state.pending_jobs} waited"
    words += f"; the scheduler says: {state.warning}" if state.warning else ""
    return Canary(timeout, cause="Overdue", words=words, command=f"pypoolparty doctor --timeout {10 * timeout:g}")


def _dead(group: FailureGroup, look: Look, seconds: float) -> Canary:
    """Tell from the raw output what the canary died of."""
    raw = "\n".join(look.raw_output(name) for name in look.raw_outputs() if name.endswith(".stderr"))
    said = f"{raw}\n{group.stderr_tail}\n{group.message}"
    python = str(look.session["arguments"]["python_path"])
    where = f" on {', '.join(group.nodes)}" if group.nodes else " on the node"
    other_folder = "pypoolparty doctor --work-dir /a/folder/that/all/nodes/see"
    if group.cause == "SubmissionRefused":
        words, command = f"the scheduler refuses: {group.message}", "pypoolparty doctor --set partition=NAME"
        return Canary(seconds, cause="Refused", words=words, command=command)
    held = [words for words in group.evidence if words.startswith("the scheduler says")]
    if held and not raw.strip() and not group.nodes:
        words = f"its queue-jobs never ran: {held[0]}"
        return Canary(seconds, cause="Held", words=words, command="pypoolparty doctor --set partition=NAME")
    if re.search(re.escape(python) + r".*(not found|No such file|[Pp]ermission denied)", said):
        words = f"python_path={python} can not be run{where}"
        return Canary(seconds, cause="NoPython", words=words, command="pypoolparty doctor --set python_path=python3")
    if "No module named 'script'" in said or re.search(r"script\.py.*No such file", said) or not raw.strip():
        words = f"the work_dir {os.path.dirname(look.path)} is not visible{where}"
        return Canary(seconds, cause="NotVisible", words=words, command=other_folder)
    last = [line.strip() for line in said.splitlines() if line.strip()]
    words = f"{group.message}; the last that it said: {last[-1] if last else 'nothing'}"
    return Canary(
        seconds, cause=group.cause, words=words, command="pypoolparty doctor --set setup='[\"module load …\"]'"
    )
