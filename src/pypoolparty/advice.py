"""What a failure most likely means, and the commands that lead on from it. Pure."""

from __future__ import annotations

import errno
import re
import shlex
from collections.abc import Mapping
from typing import Any

from .states import Death, Report

__all__ = [
    "after_loss",
    "after_raise",
    "diagnosis",
    "function_to_mend",
    "meaning_of_raise",
    "note_on_raise",
    "sign_of_environment",
]

_FOREIGN = re.compile(r"^the node has Python (\S+) \((.*)\), the main process has (\S+)$", re.MULTILINE)
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([^']+)'", re.MULTILINE)
# As dash and bash say it of the line in job.sh that starts the worker.
_NO_PYTHON = re.compile(r"(?:exec: )?(/\S+|\S*python\S*): (?:not found|No such file or directory|cannot execute)")
_UNSEEN = "the work_dir can not be seen on the node: work_dir= has to be a folder that all nodes see"
_LEAST_MIB = 512
# The same, as the first words of a queue-job: with the script, and the line in it.
_SIGNS = (
    re.compile(
        r"^\S+: (?:line )?\d+: (?:exec: )?\S+: (?:not found|No such file or directory|cannot execute|Perm).*$", re.M
    ),
    re.compile(r"^ModuleNotFoundError: No module named 'script'$", re.M),
    _FOREIGN,
)
_FOLDERS_OF_A_NODE = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/")


def diagnosis(report: Report) -> str:
    """Return in words what a death of this kind means most likely; empty where its type says all."""
    text = report.stderr_tail
    foreign = _FOREIGN.search(text)
    if report.death is not Death.BAD_ENVIRONMENT and not (foreign and report.death is Death.CRASHED):
        return ""
    module = _NO_MODULE.search(text)
    if module and module[1] == "script":  # the worker itself
        return _UNSEEN
    if foreign:
        return (
            f"the node has Python {foreign[1]} ({foreign[2]}), the main process {foreign[3]}: functions travel between "
            f"equal minor versions only; python_path= names the interpreter on the nodes"
        )
    if module:
        return _module_is_missing(module[1])
    python = _NO_PYTHON.search(text)
    if python:
        return f"the node has no {python[1]}: python_path= names an interpreter that is there on all nodes"
    if not text.strip() and any("no worker said hello" in words for words in report.evidence):
        return f"nothing was written where the worker should have begun; most often {_UNSEEN}"
    if not text.strip() and any("the scheduler says ERROR" in words for words in report.evidence):
        return f"the scheduler could not begin the queue-job; most often {_UNSEEN}"
    return ""


def sign_of_environment(stderr: str) -> str:
    """Return the line in the raw stderr of a queue-job without a worker that says why there is none; or nothing."""
    for sign in _SIGNS:
        found = sign.search(stderr)
        if found is not None:
            return found[0].strip()
    return ""


def meaning_of_raise(error: BaseException) -> str:
    """Return in words what it most likely means that a task has raised this; empty where its type says all."""
    if isinstance(error, MemoryError):
        return "the node gave it no more memory: ask for more with mem="
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _module_is_missing(error.name)
    if not isinstance(error, OSError):
        return ""
    path = error.filename if isinstance(error.filename, str) else ""
    where = f" of {path!r}" if path else ""
    if error.errno == errno.EDQUOT:
        return f"your quota on the file system{where} is used up"
    if error.errno == errno.ENOSPC:
        return f"the file system{where} is full"
    if error.errno == errno.ENOENT and path.startswith(_FOLDERS_OF_A_NODE):
        return (
            f"each node has a {path[: path.index('/', 1)]!r} of its own: put what tasks share on a shared file system"
        )
    return ""


def note_on_raise(error: BaseException, itask: int, node: str, work_dir: str, function: str = "") -> str:
    """Return what is to be told with an exception that a task has raised.

    Parameters
    ----------
    error : BaseException
    itask : int
    node : str
        Empty if it is not known.
    work_dir : str
    function : str
        As in `after_raise`.
    """
    lines = [f"task {itask} has raised this" + (f" on {node}" if node else "")]
    meaning = meaning_of_raise(error)
    if meaning:
        lines.append(f"  most likely: {meaning}")
    return "\n".join([*lines, *(f"  next: {command}" for command in after_raise(work_dir, itask, function))])


def function_to_mend(session: Mapping[str, Any]) -> str:
    """Return ``FILE.py:NAME`` of a map's function where it goes by value, and so has to be named when it is mended."""
    function = str(session.get("function", ""))
    return function if function.partition(":")[0].endswith(".py") else ""


def _module_is_missing(name: str) -> str:
    return (
        f"the module {name!r} is not there for the node's Python: install it, or make it so by setup=[...] or "
        f"python_path="
    )


def after_raise(work_dir: str, itask: int, function: str = "") -> tuple[str, ...]:
    """Return the commands to type when a task has raised.

    Parameters
    ----------
    work_dir : str
    itask : int
        An example.
    function : str
        ``FILE.py:NAME``, where the function goes by value, so that a mended one has to be named.
    """
    folder = shlex.quote(work_dir)
    mended = f" --func {shlex.quote(function)}" if function else ""
    return (
        f"pypoolparty logs {folder} {itask} --stderr",
        f"pypoolparty resume {folder} --redo-raised{mended}",
    )


def after_loss(report: Report, work_dir: str, itask: int, mem: int | None, time: float | None) -> tuple[str, ...]:
    """Return the commands to type when a task is lost.

    Parameters
    ----------
    report : Report
    work_dir : str
    itask : int
    mem : int or None
        Bytes that its queue-job had asked for.
    time : float or None
        Seconds that its queue-job had asked for.
    """
    folder = shlex.quote(work_dir)
    logs, resume = f"pypoolparty logs {folder} {itask} --stderr", f"pypoolparty resume {folder}"
    if report.death is Death.OUT_OF_MEMORY:
        return (f"{resume} --mem {_more_memory(report, mem)}",)
    if report.death is Death.TIME_LIMIT:
        return (f"{resume} --time {_more_time(time)}",)
    if report.death is Death.BAD_ENVIRONMENT:
        return ("pypoolparty doctor", logs, resume)
    if report.death is Death.REFUSED:
        return ("pypoolparty doctor --no-canary", f"{resume} --set partition=NAME")
    return (logs, resume) if report.death is Death.CRASHED else (resume,)


def _more_memory(report: Report, mem: int | None) -> str:
    """Return half as much again as was asked for, or used."""
    had = max(mem or 0, report.max_rss << 10, _LEAST_MIB << 20)
    return f"{-(-had * 3 // (2 << 20))}M"


def _more_time(time: float | None) -> str:
    """Return twice the time that was asked for, as ``hours:minutes:seconds``."""
    seconds = 2 * int(time or 3600)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
