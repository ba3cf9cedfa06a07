"""What Grid Engine's three commands share: how it starts a job, and its texts."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Mapping

from ._ranges import parse_gridengine
from ._run import Launch
from ._state import COMPLETING, PENDING, RUNNING, Element, Job, State
from ._store import Store

LETTERS = {PENDING: "qw", RUNNING: "r", COMPLETING: "dr"}


def letters(job: Job, state: str) -> str:
    """Return the letters that qstat shows for a state."""
    if state == PENDING and job.held:
        return "hqw"
    return LETTERS.get(state, state)


def clock(seconds: float, form: str) -> str:
    """Write a time in this place's clock."""
    return time.strftime(form, time.localtime(seconds))


def prepare(store: Store, state: State, job: Job, element: Element) -> Launch:
    """Tell how to run an element."""
    variables = _variables(state, job, element)
    stdout = _output(job.stdout, "o", job, element, variables)
    stderr = "" if job.options.get("j", "n") == "y" else _output(job.stderr, "e", job, element, variables)
    return Launch(
        argv=_argv(store, job),
        environment={
            **store.environment(job.number),
            **variables,
            "SGE_STDOUT_PATH": stdout,
            "SGE_STDERR_PATH": stderr or stdout,
        },
        cwd=job.cwd,
        stdout=stdout,
        stderr=stderr,
        append=True,
        kill_wait=0.0,
    )


def _argv(store: Store, job: Job) -> list[str]:
    """Return what is run: the shell with the script, whose first line does not matter, or a command."""
    shell = job.options.get("S", "/bin/sh")
    if job.options.get("b", "n") != "y":
        return [shell, os.path.join(store.spool(job.number), "script"), *job.arguments]
    if job.options.get("shell", "y") == "y":
        return [shell, "-c", shlex.join(job.arguments)]
    import shutil  # takes its time, and few need it

    return [shutil.which(job.arguments[0]) or job.arguments[0], *job.arguments[1:]]


def expand(pattern: str, values: Mapping[str, str]) -> str:
    """Fill in the pseudo variables of a path, those that are known; a doubled ``$`` is one."""

    def fill(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else values.get(match[1], match[0])

    return re.sub(r"\$(\$|HOME|USER|JOB_ID|JOB_NAME|HOSTNAME|TASK_ID)", fill, pattern)


def _output(pattern: str, kind: str, job: Job, element: Element, variables: Mapping[str, str]) -> str:
    """Return the path of an output file."""
    task = f".{element.index}" if job.array else ""
    default = f"{job.name}.{kind}{job.number}{task}"
    values = {**variables, "TASK_ID": str(element.index), "USER": job.user, "HOME": os.path.expanduser("~")}

    path = expand(pattern, values)
    path = os.path.join(job.cwd, path)
    return os.path.join(path, default) if os.path.isdir(path) else path


def _variables(state: State, job: Job, element: Element) -> dict[str, str]:
    """Return what Grid Engine tells a job in its environment."""
    indices = parse_gridengine(job.array) if job.array else None
    step = str(indices[1] - indices[0] if indices and len(indices) > 1 else 1)
    return {
        "ENVIRONMENT": "BATCH",
        "HOSTNAME": element.node,
        "JOB_ID": str(job.number),
        "JOB_NAME": job.name,
        "NHOSTS": "1",
        "NQUEUES": "1",
        "NSLOTS": str(job.cpus),
        "QUEUE": job.queue,
        "REQNAME": job.name,
        "REQUEST": job.name,
        "RESTARTED": "1" if job.restarts else "0",
        "SGE_CELL": "default",
        "SGE_CWD_PATH": job.cwd,
        "SGE_STDIN_PATH": "/dev/null",
        "SGE_TASK_FIRST": str(indices[0]) if indices else "undefined",
        "SGE_TASK_ID": str(element.index) if indices else "undefined",
        "SGE_TASK_LAST": str(indices[-1]) if indices else "undefined",
        "SGE_TASK_STEPSIZE": step if indices else "undefined",
        **{key: value for key, value in job.options.items() if key.startswith("SGE_O_")},
        **({"PE": job.options["pe"].split()[0]} if "pe" in job.options else {}),
    }
