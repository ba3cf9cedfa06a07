"""The dummy of sbatch: understands its command line, and appends a pending job to the queue."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ._command import hang
from ._faults import lost_reply, note_submission
from ._options import Answer, Getopt, Refused, Takes
from ._ranges import parse_slurm
from ._slurm import check_clusters, expand_hosts, user_name
from ._state import SLURM, Job, State
from ._store import Store

_VALUE = """account array begin chdir clusters comment constraint cpus-per-task error exclude export gpus gres
job-name kill-on-invalid-dep mem mem-per-cpu nodes ntasks open-mode output partition qos signal time wrap"""
_NOTHING = "hold no-requeue parsable requeue"
OPTIONS = {
    **dict.fromkeys(_VALUE.split(), Takes.VALUE),
    **dict.fromkeys(_NOTHING.split(), Takes.NOTHING),
    "exclusive": Takes.MAYBE,
    "nice": Takes.MAYBE,
}
LETTERS = {
    "A": "account",
    "C": "constraint",
    "D": "chdir",
    "H": "hold",
    "J": "job-name",
    "M": "clusters",
    "N": "nodes",
    "a": "array",
    "b": "begin",
    "c": "cpus-per-task",
    "e": "error",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "t": "time",
    "x": "exclude",
}
GETOPT = Getopt("sbatch", OPTIONS, LETTERS, code=255, permute=False)

_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|infinite|unlimited|-1", re.IGNORECASE)
_FORMS = {
    "time": _TIME,
    "mem": re.compile(r"\d+[KMGT]?B?", re.IGNORECASE),
    "mem-per-cpu": re.compile(r"\d+[KMGT]?B?", re.IGNORECASE),
    "open-mode": re.compile("append|truncate|a|t"),
    "kill-on-invalid-dep": re.compile("yes|no"),
    "begin": re.compile(r"now(\+\d+\w*)?|today|tomorrow|midnight|noon|\d[\d:/.T-]*( ?[AP]M)?", re.IGNORECASE),
    "signal": re.compile(r"([BR]+:)?(SIG)?\w*?[A-Z\d]\d*(@\d+)?"),
}
_NOT_A_SCRIPT = """sbatch: error: This does not look like a batch script.  The first
sbatch: error: line must start with #! followed by the path to an interpreter.
sbatch: error: For instance: #!/bin/sh
"""
LONGEST_NAME = 1024
_PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Request:
    """What one call of sbatch asks for."""

    options: dict[str, str]
    name: str
    script: bytes
    arguments: list[str]
    environment: dict[str, str]
    cwd: str


# -- understanding -------------------------------------------------------------------------------


def parse(words: Sequence[str]) -> Request:
    """Understand a command line, and the ``#SBATCH`` lines of the script that it names."""
    given, rest = GETOPT.parse(words)
    options = dict(given)
    _check(options)
    script, name = _read_script(options, rest)
    inside, _ = GETOPT.parse(_words_in(script))
    _check(dict(inside))
    options = {**dict(inside), **options}
    options["submit-dir"] = os.getcwd()
    cwd = os.path.join(os.getcwd(), options.get("chdir", ""))
    environment = _environment(options.get("export", "ALL"))
    return Request(options, options.get("job-name", name), script, rest[1:], environment, cwd.rstrip("/") or "/")


def _check(options: dict[str, str]) -> None:
    """Refuse values that have not the form that they should have."""
    for name, form in _FORMS.items():
        if name in options and not form.fullmatch(options[name]):
            raise Refused(f"sbatch: error: Invalid --{name} specification\n", 255)
    if "nodes" in options and not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)?", options["nodes"]):
        raise Refused(f'sbatch: error: "{options["nodes"]}" is not a valid node count\n', 255)
    for name in ("cpus-per-task", "ntasks"):
        if name in options and not re.fullmatch(r"[1-9]\d*", options[name]):
            raise Refused(f'sbatch: error: Invalid numeric value "{options[name]}" for --{name}.\n')


def _read_script(options: dict[str, str], rest: Sequence[str]) -> tuple[bytes, str]:
    """Return the script, and the name that a job gets from it."""
    if "wrap" in options:
        return b"#!/bin/sh\n# This script was created by sbatch --wrap.\n\n" + os.fsencode(options["wrap"]), "wrap"
    if not rest:
        script = sys.stdin.buffer.read()
        name = "sbatch"
    else:
        name = os.path.basename(rest[0])
        try:
            with open(rest[0], "rb") as file:
                script = file.read()
        except OSError:
            raise Refused(f"sbatch: error: Unable to open file {rest[0]}\n") from None
    if not script.startswith(b"#!"):
        raise Refused(_NOT_A_SCRIPT)
    return script, name


def _words_in(script: bytes) -> list[str]:
    """Return the words of the ``#SBATCH`` lines, which end where the first command begins."""
    words: list[str] = []
    for line in script.splitlines()[1:]:
        if line.startswith(b"#SBATCH"):
            words += shlex.split(os.fsdecode(line[len(b"#SBATCH") :]), comments=True)
        elif line.strip() and not line.lstrip().startswith(b"#"):
            break
    return words


def _environment(export: str) -> dict[str, str]:
    """Return the variables that the job shall have of ours."""
    names = export.split(",")
    everything = dict(os.environ)
    environment = everything
    if "ALL" not in names:
        keep = {"HOME", "LOGNAME", "SHELL", "USER"} if names in (["NONE"], ["NIL"]) else set(names)
        environment = {key: value for key, value in everything.items() if key in keep or key.startswith("SLURM_")}
        environment.setdefault("PATH", _PLAIN_PATH)
    given = dict(name.split("=", 1) for name in names if "=" in name)
    return {**environment, **given}


# -- acting --------------------------------------------------------------------------------------


def act(store: Store, state: State, request: Request) -> Answer:
    """Append the job to the queue."""
    indices, throttle = _array(state, request.options.get("array", ""))
    check_clusters("sbatch", request.options.get("clusters", ""), state)
    queue = _partition(state, request.options.get("partition", ""))
    excluded = _excluded(state, request.options.get("exclude", ""))
    _check_room(state, len(indices))
    if len(request.name) > LONGEST_NAME:
        raise _refused("Pathname of a file, directory or other parameter too long")
    job = _job(state, request, indices)
    job.throttle, job.queue, job.excluded = throttle, queue, excluded
    store.keep(job.number, request.script, request.environment)
    job.faults = note_submission(state.faults, job.name, indices)
    state.jobs.append(job)
    fault = lost_reply(state.faults, job.name, indices)
    then = partial(_lose_reply, store, fault.seconds) if fault else None
    return Answer(_reply(request.options, job.number), then=then)


def _job(state: State, request: Request, indices: list[int]) -> Job:
    options = request.options
    array = options.get("array", "").partition("%")[0]
    return Job(
        number=state.new_number(),
        manager=SLURM,
        name=request.name,
        user=user_name(),
        cwd=request.cwd,
        arguments=request.arguments,
        array=array,
        waiting=indices,
        held="hold" in options,
        cpus=int(options.get("cpus-per-task", 1)) * int(options.get("ntasks", 1)),
        submitted=time.time(),
        stdout=options.get("output") or ("slurm-%A_%a.out" if array else "slurm-%j.out"),
        stderr=options.get("error", ""),
        options=options,
    )


def _refused(why: str, before: str = "") -> Refused:
    return Refused(f"{before}sbatch: error: Batch job submission failed: {why}\n")


def _array(state: State, text: str) -> tuple[list[int], int]:
    if not text:
        return [0], 0
    read = parse_slurm(text)
    if read is None or read[0][-1] >= state.settings.max_array_size:
        raise _refused("Invalid job array specification")
    return read


def _partition(state: State, names: str) -> str:
    known = state.settings.partitions
    for name in names.split(",") if names else ():
        if name not in known:
            unknown = f"sbatch: error: invalid partition specified: {name}\n"
            raise _refused("Invalid partition name specified", unknown)
    return names or known[0]


def _excluded(state: State, text: str) -> list[str]:
    nodes = state.settings.nodes
    excluded = expand_hosts(text) if text else []
    if any(name not in nodes for name in excluded):
        raise _refused("Invalid node name specified")
    if set(excluded) >= set(nodes):
        raise _refused("Requested node configuration is not available")
    return excluded


def _check_room(state: State, wanted: int) -> None:
    most = state.settings.max_submit_jobs
    if most is not None and sum(job.in_queue for job in state.jobs_of(SLURM)) + wanted > most:
        raise _refused(
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            "sbatch: error: QOSMaxSubmitJobPerUserLimit\n",
        )


def _reply(options: dict[str, str], number: int) -> str:
    cluster = options.get("clusters", "")
    if "parsable" in options:
        return f"{number};{cluster}\n" if cluster else f"{number}\n"
    return f"Submitted batch job {number}{f' on cluster {cluster}' if cluster else ''}\n"


def _lose_reply(store: Store, seconds: float) -> None:
    hang(store, seconds)
    raise _refused("Socket timed out on send/recv operation")
