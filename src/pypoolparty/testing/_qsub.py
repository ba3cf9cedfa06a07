"""The dummy of qsub: understands its command line, and appends a pending job to the queue."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from ._command import NO_SEND, hang
from ._faults import lost_reply, note_submission
from ._gridengine import expand
from ._options import Answer, Refused, single_dash
from ._ranges import parse_gridengine
from ._resources import check_resources, excluded_hosts
from ._slurm import user_name
from ._state import GRID_ENGINE, Job, State
from ._store import Store

OPTIONS = {
    **dict.fromkeys(("A", "C", "N", "P", "S", "b", "e", "j", "l", "o", "p", "q"), 1),
    **dict.fromkeys(("r", "shell", "t", "tc", "v", "w", "wd"), 1),
    **dict.fromkeys(("V", "cwd", "h", "hard", "soft", "terse"), 0),
    "pe": 2,
}
KEPT = ("HOME", "LANG", "LOGNAME", "SHELL", "TERM", "USER")
PLAIN_PATH = "/usr/local/bin:/bin:/usr/bin"
_FORBIDDEN = {
    "\n": "Return",
    "\t": "Tab",
    "\r": "Carriage return",
    "/": "Slash ('/')",
    ":": "Colon (':')",
    "@": "At ('@')",
    "\\": "Backslash ('\\')",
    "*": "Asterisk ('*')",
    "?": "Questionmark ('?')",
}


@dataclass(frozen=True)
class Request:
    """What one call of qsub asks for."""

    options: dict[str, str]
    name: str
    script: bytes
    arguments: list[str]
    environment: dict[str, str]
    cwd: str


# -- understanding -------------------------------------------------------------------------------


def parse(words: Sequence[str]) -> Request:
    """Understand a command line, and the ``#$`` lines of the script that it names."""
    options, rest = _read_options(words)
    if options.get("b") == "y":
        if not rest:
            raise Refused("qsub: command required for a binary job\n")
        script, arguments = b"", rest
    else:
        script, arguments = _read_script(rest), rest[1:]
        inside, _ = _read_options(_words_in(script, options.get("C", "#$")))
        options = {**inside, **options}
    name = options.get("N", os.path.basename(rest[0]) if rest else "STDIN")
    home = os.path.expanduser("~")
    wanted = expand(options.get("wd", ""), {"HOME": home, "USER": user_name()})
    cwd = os.path.join(os.getcwd(), wanted) if {"wd", "cwd"} & set(options) else home
    options |= {
        "SGE_O_HOME": home,
        "SGE_O_HOST": os.uname().nodename,
        "SGE_O_PATH": os.environ.get("PATH", ""),
        "SGE_O_SHELL": os.environ.get("SHELL", "/bin/sh"),
        "SGE_O_WORKDIR": os.getcwd(),
    }
    return Request(options, name, script, arguments, _environment(options), cwd.rstrip("/") or "/")


def _read_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options and the rest; several -l or -v are one."""
    given, rest, wrong = single_dash(words, OPTIONS)
    if wrong.startswith("?"):
        raise Refused(f'qsub: invalid option argument "{wrong[1:]}"\n', 2)
    if wrong:
        raise Refused(f"qsub: {wrong} option must have argument\n", 2)
    options: dict[str, str] = {}
    for name, values in given:
        value = " ".join(values)
        together = name in ("l", "v") and name in options
        options[name] = f"{options[name]},{value}" if together else value
    _check(options)
    return options, rest


def _check(options: Mapping[str, str]) -> None:
    """Refuse values that have not the form that they should have."""
    for name in ("j", "b", "r", "shell"):
        if options.get(name, "y") not in ("y", "n", "yes", "no"):
            raise Refused(f'qsub: invalid option argument "-{name} {options[name]}"\n', 7)
    if options.get("w", "n") not in ("e", "w", "n", "v", "p"):
        raise Refused(f'qsub: invalid option argument "-w {options["w"]}"\n', 7)
    if "/" in options.get("N", ""):
        raise Refused("qsub: argument to -N option must not contain / \n", 2)
    if "t" in options and parse_gridengine(options["t"]) is None:
        if re.fullmatch(r"\d+-\d+:0", options["t"]):
            raise Refused("qsub: Negative or zero step in range is not allowed\n", 7)
        raise _no_number(options["t"])
    if not options.get("tc", "0").isdigit():
        what = f'invalid task concurrency number "{options["tc"]}"'
        raise Refused(f"qsub: {what}. Must be an integer greater or equal to 0.\n", 7)
    if not re.fullmatch(r"-?\d+", options.get("p", "0")):
        what = f'invalid priority "{options["p"]}"'
        raise Refused(f"qsub: {what}.  Must be an integer from -1023 to 1024\n", 7)
    if "pe" in options and not options["pe"].split(" ")[-1].isdigit():
        raise _no_number(options["pe"].split(" ")[-1])


def _no_number(text: str) -> Refused:
    return Refused(
        f'qsub: Numerical value invalid!\nThe initial portion of string "{text}" contains no decimal number\n', 7
    )


def _read_script(rest: Sequence[str]) -> bytes:
    if not rest:
        script = sys.stdin.buffer.read()
        if not script:
            raise Refused("Unable to read script file because of error: no input read from stdin\n", 4)
        return script
    try:
        with open(rest[0], "rb") as file:
            return file.read()
    except OSError as error:
        why = f"error opening {rest[0]}: {error.strerror}"
        raise Refused(f"Unable to read script file because of error: {why}\n", 14) from None


def _words_in(script: bytes, prefix: str) -> list[str]:
    """Return the words of the ``#$`` lines, which may stand anywhere in a script; no prefix, no such lines."""
    words: list[str] = []
    for line in script.decode(errors="surrogateescape").splitlines():
        if prefix and line.startswith(prefix):
            words += shlex.split(line.removeprefix(prefix), comments=True)
    return words


def _environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the job shall have of ours: few, unless asked for."""
    if "V" in options:
        environment = dict(os.environ)
    else:
        environment = {key: os.environ[key] for key in KEPT if key in os.environ}
        environment["PATH"] = PLAIN_PATH
    for word in options["v"].split(",") if "v" in options else ():
        key, equals, value = word.partition("=")
        environment[key] = value if equals else os.environ.get(key, "")
    return environment


# -- acting --------------------------------------------------------------------------------------


def act(store: Store, state: State, request: Request) -> Answer:
    """Append the job to the queue."""
    options = request.options
    _check_name(request.name)
    indices = _indices(state, options.get("t", ""))
    _check_queue(state, options)
    check_resources(options.get("l", ""), state.settings.nodes)
    most = state.settings.max_submit_jobs
    count = len(state.jobs_of(GRID_ENGINE))
    if most is not None and count >= most:
        why = f"Only {most} jobs are allowed per user (current job count: {count})"
        raise _rejected(f"job rejected: {why}.", 25)
    job = _job(state, request, indices)
    state.next_number += 1
    store.keep(job.number, request.script, request.environment)
    job.faults = note_submission(state.faults, job.name, indices)
    state.jobs.append(job)
    fault = lost_reply(state.faults, job.name, indices)
    then = partial(_lose_reply, store, fault.seconds) if fault else None
    return Answer(_reply(options, job), then=then)


def _rejected(why: str, code: int = 1) -> Refused:
    return Refused(f"Unable to run job: {why}\nExiting.\n", code)


def _check_name(name: str) -> None:
    if not name:
        raise _rejected("job rejected cause there is no job_name in the request")
    for letter, word in _FORBIDDEN.items():
        if letter in name:
            raise _rejected(f"{word} not allowed in objectname")
    if name[0].isdigit():
        raise _rejected(f'denied: "{name}" is not a valid object name (cannot start with a digit)')
    if name.upper() in ("ALL", "NONE", "TEMPLATE"):
        raise _rejected(f'Keyword ("{name.upper()}") not allowed as objectname')
    if " " in name or not name.isascii():
        raise _rejected("Error reading answer list from qmaster")


def _indices(state: State, text: str) -> list[int]:
    indices = parse_gridengine(text) if text else None
    if indices is None:
        return [0]
    if indices[0] == 0:
        raise _rejected("job rejected: 0 is an invalid task id")
    if len(indices) > state.settings.max_aj_tasks:
        most = state.settings.max_aj_tasks
        raise _rejected(f"job rejected: you tried to submit a job with more than {most} tasks")
    return indices


def _check_queue(state: State, options: Mapping[str, str]) -> None:
    for name in options["q"].split(",") if "q" in options else ():
        if not any(fnmatchcase(queue, name.partition("@")[0]) for queue in state.settings.queues):
            raise _rejected(f'Job was rejected because job requests unknown queue "{name}"')
    environment = options.get("pe", "").partition(" ")[0]
    if environment and environment not in state.settings.parallel_environments:
        raise _rejected(f'job rejected: the requested parallel environment "{environment}" does not exist')


def _job(state: State, request: Request, indices: list[int]) -> Job:
    options = request.options
    first, last = indices[0], indices[-1]
    by = indices[1] - first if len(indices) > 1 else 1
    return Job(
        number=state.next_number,
        manager=GRID_ENGINE,
        name=request.name,
        user=user_name(),
        cwd=request.cwd,
        arguments=request.arguments,
        array=f"{first}-{last}:{by}" if "t" in options else "",
        waiting=indices,
        throttle=int(options.get("tc", 0)),
        held="h" in options,
        cpus=int(options["pe"].split(" ")[-1]) if "pe" in options else 1,
        queue=_queue(state, options.get("q", "*")),
        excluded=excluded_hosts(options.get("l", ""), state.settings.nodes),
        submitted=time.time(),
        stdout=_path(state, options.get("o", "")),
        stderr=_path(state, options.get("e", "")),
        options=options,
    )


def _queue(state: State, wanted: str) -> str:
    patterns = [name.partition("@")[0] for name in wanted.split(",")]
    return next(queue for queue in state.settings.queues if any(fnmatchcase(queue, pattern) for pattern in patterns))


def _path(state: State, text: str) -> str:
    """Return the path in ``[host]:path,...``: commas and colons can not be part of it."""
    paths: dict[str, str] = {}
    for part in text.split(","):
        before, colon, after = part.partition(":")
        host, path = (before, after) if colon else ("", part)
        if host and host not in (*state.settings.nodes, "localhost"):
            raise _rejected(f'can\'t resolve hostname "{host}"')
        if host in paths:
            raise _rejected("ERROR! two files are specified for the same host")
        paths[host] = path
    return paths.get("", next(iter(paths.values())))


def _reply(options: Mapping[str, str], job: Job) -> str:
    if "terse" in options:
        return f"{job.number}.{job.array}\n" if job.array else f"{job.number}\n"
    if job.array:
        return f'Your job-array {job.number}.{job.array} ("{job.name}") has been submitted\n'
    return f'Your job {job.number} ("{job.name}") has been submitted\n'


def _lose_reply(store: Store, seconds: float) -> None:
    hang(store, seconds)
    raise _rejected(NO_SEND)
