"""What Slurm's three commands share: its words, its numbers of jobs, and how it starts a job."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._options import Refused
from ._ranges import parse_slurm
from ._run import Launch
from ._state import Element, Job, State
from ._store import Store

STATES = {
    "PENDING": "PD",
    "RUNNING": "R",
    "SUSPENDED": "S",
    "COMPLETED": "CD",
    "CANCELLED": "CA",
    "FAILED": "F",
    "TIMEOUT": "TO",
    "NODE_FAIL": "NF",
    "PREEMPTED": "PR",
    "BOOT_FAIL": "BF",
    "DEADLINE": "DL",
    "OUT_OF_MEMORY": "OOM",
    "COMPLETING": "CG",
    "CONFIGURING": "CF",
    "RESIZING": "RS",
    "RESV_DEL_HOLD": "RD",
    "REQUEUED": "RQ",
    "REQUEUE_FED": "RF",
    "REQUEUE_HOLD": "RH",
    "REVOKED": "RV",
    "SIGNALING": "SI",
    "SPECIAL_EXIT": "SE",
    "STAGE_OUT": "SO",
    "STOPPED": "ST",
}
"""All states: the long words and the short ones."""

NO_TASK_ID = 4294967294
"""What stands for the index of a job that is no array, where a number must stand."""


def user_name() -> str:
    """Return the name of the user who calls."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def check_clusters(program: str, clusters: str, state: State) -> None:
    """Refuse clusters that are not known."""
    for name in clusters.split(",") if clusters else ():
        if name not in (state.settings.cluster, "all"):
            raise Refused(
                f"{program}: error: No cluster '{name}' known by database.\n"
                f"{program}: error: '{name}' can't be reached now, or it is an invalid entry for --cluster.  "
                "Use 'sacctmgr list clusters' to see available clusters.\n"
            )


@dataclass(frozen=True)
class Asked:
    """One job that is asked for: ``12``, ``12_3`` or ``12_[3-5]``; no indices are all of it."""

    number: int
    indices: frozenset[int] | None

    def means(self, job: Job, index: int, own_number: int = 0) -> bool:
        """Whether that element of the job is meant."""
        if self.indices is not None:
            return bool(job.array) and self.number == job.number and index in self.indices
        return self.number in (job.number, own_number)


_ASKED = re.compile(r"(\d+)(?:_(?:(\d*)|\[([^\]]*)\]))?")


def parse_asked(text: str) -> list[Asked] | str:
    """Read a list of jobs; return the one that can not be understood, if there is one."""
    asked = []
    for word in re.split(r",(?![^\[]*\])", text):
        match = _ASKED.fullmatch(word)
        indices = match and (match[2] or match[3])
        read = parse_slurm(indices) if indices else None
        if not match or (indices and read is None):
            return word
        asked.append(Asked(int(match[1]), frozenset(read[0]) if read else None))
    return asked


def expand_hosts(text: str) -> list[str]:
    """Return the names in a list of hosts: ``n1,n[3-5]``."""
    names: list[str] = []
    for word in re.split(r",(?![^\[]*\])", text):
        start, bracket, rest = word.partition("[")
        numbers, _, end = rest.partition("]")
        read = parse_slurm(numbers) if bracket else None
        names += [f"{start}{number}{end}" for number in read[0]] if read else [word]
    return names


def file_name(pattern: str, job: Job, element: Element) -> str:
    """Fill in the pattern of an output file."""
    if "\\" in pattern:
        return pattern.replace("\\", "")
    values: Mapping[str, object] = {
        "A": job.number,
        "a": element.index if job.array else NO_TASK_ID,
        "j": element.own_number,
        "x": job.name,
        "u": job.user,
        "N": element.node,
        "n": 0,
        "t": 0,
        "s": "batch",
    }

    def fill(match: re.Match[str]) -> str:
        width, letter = match.groups()
        if letter == "%":
            return "%"
        if letter not in values:
            return match[0]
        return str(values[letter]).zfill(min(int(width or 0), 10))

    return re.sub(r"%(\d*)([%A-Za-z])", fill, pattern)


def prepare(store: Store, state: State, job: Job, element: Element) -> Launch:
    """Tell how to run the script of an element."""
    stdout = os.path.join(job.cwd, file_name(job.stdout, job, element))
    stderr = os.path.join(job.cwd, file_name(job.stderr, job, element)) if job.stderr else ""
    return Launch(
        argv=[os.path.join(store.spool(job.number), "script"), *job.arguments],
        environment={**store.environment(job.number), **_variables(state, job, element)},
        cwd=job.cwd if os.path.isdir(job.cwd) else "/tmp",
        stdout=stdout,
        stderr=stderr,
        append=job.options.get("open-mode", "").startswith("a"),
        kill_wait=state.settings.kill_wait,
        farewell=(
            f"slurmstepd-{element.node}: error: *** JOB {element.own_number} ON {element.node} "
            "CANCELLED AT {when} ***\n"
        ),
    )


def _variables(state: State, job: Job, element: Element) -> dict[str, str]:
    """Return what Slurm tells a job in its environment."""
    number, node = str(element.own_number), element.node
    return {
        "HOSTNAME": node,
        "SLURMD_NODENAME": node,
        "SLURM_CLUSTER_NAME": state.settings.cluster,
        "SLURM_CPUS_ON_NODE": str(job.cpus),
        "SLURM_JOBID": number,
        "SLURM_JOB_CPUS_PER_NODE": str(job.cpus),
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NAME": job.name,
        "SLURM_JOB_NODELIST": node,
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_PARTITION": job.queue,
        "SLURM_JOB_UID": str(os.getuid()),
        "SLURM_JOB_USER": job.user,
        "SLURM_LOCALID": "0",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": node,
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": job.options["submit-dir"],
        "SLURM_SUBMIT_HOST": os.uname().nodename,
        "SLURM_TASKS_PER_NODE": "1",
        **_optional_variables(job.options),
        **(_array_variables(job, element) if job.array else {}),
    }


def _optional_variables(options: Mapping[str, str]) -> dict[str, str]:
    given = {
        "SLURM_CPUS_PER_TASK": "cpus-per-task",
        "SLURM_NTASKS": "ntasks",
        "SLURM_NPROCS": "ntasks",
        "SLURM_JOB_ACCOUNT": "account",
        "SLURM_JOB_QOS": "qos",
    }
    return {variable: options[name] for variable, name in given.items() if name in options}


def _array_variables(job: Job, element: Element) -> dict[str, str]:
    read = parse_slurm(job.array)
    indices: Sequence[int] = read[0] if read else [element.index]
    return {
        "SLURM_ARRAY_JOB_ID": str(job.number),
        "SLURM_ARRAY_TASK_COUNT": str(len(indices)),
        "SLURM_ARRAY_TASK_ID": str(element.index),
        "SLURM_ARRAY_TASK_MAX": str(indices[-1]),
        "SLURM_ARRAY_TASK_MIN": str(indices[0]),
        "SLURM_ARRAY_TASK_STEP": str(indices[1] - indices[0] if len(indices) > 1 else 1),
    }
