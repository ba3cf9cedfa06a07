"""The dummy of squeue: does one step of the queue, and then shows it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ._options import Answer, Getopt, Refused, Takes
from ._ranges import shorten, slurm_text
from ._slurm import STATES, Asked, check_clusters, parse_asked, user_name
from ._state import CANCELLED, COMPLETED, FINAL, PENDING, SLURM, Element, Job, State
from ._step import step
from ._store import Store

OPTIONS = {
    **dict.fromkeys(["clusters", "format", "jobs", "name", "partition", "states", "user"], Takes.VALUE),
    **dict.fromkeys(["array", "me", "noheader"], Takes.NOTHING),
    "jobs": Takes.MAYBE,
}
LETTERS = {
    "M": "clusters",
    "h": "noheader",
    "j": "jobs",
    "n": "name",
    "o": "format",
    "p": "partition",
    "r": "array",
    "t": "states",
    "u": "user",
}
GETOPT = Getopt("squeue", OPTIONS, LETTERS, code=1, permute=True)
DEFAULT_FORMAT = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
FIRST_PRIORITY = 4294901760


@dataclass(frozen=True)
class Row:
    """One line: an element, or all those of a job that wait alike."""

    job: Job
    indices: Sequence[int]
    state: str
    reason: str
    element: Element | None
    bitstr: str

    @property
    def priority(self) -> int:
        """Zero is what will never run."""
        stuck = self.element is not None and self.state == PENDING
        return 0 if stuck or self.job.held else FIRST_PRIORITY - self.job.number

    @property
    def task_id(self) -> str:
        """The index, or the indices with the throttle."""
        if not self.job.array:
            return "N/A"
        if self.element is not None:
            return str(self.indices[0])
        size = int(self.bitstr) if self.bitstr.isdigit() else 64
        limit = f"%{self.job.throttle}" if self.job.throttle else ""
        return shorten(slurm_text(self.indices), size) + limit

    @property
    def job_id(self) -> str:
        """``12``, ``12_3`` or ``12_[4-9]``; without SLURM_BITSTR_LEN, squeue itself cuts off after 31 bytes."""
        if not self.job.array:
            return str(self.job.number)
        if self.element is not None or len(self.indices) == 1:
            return f"{self.job.number}_{self.indices[0]}"
        text = f"{self.job.number}_[{self.task_id}]"
        return text if self.bitstr else text[:31]

    @property
    def node(self) -> str:
        """Where it runs or ran."""
        return self.element.node if self.element else ""

    @property
    def why(self) -> str:
        """The reason of what waits or failed, else the node."""
        ran = self.element is not None and self.element.started > 0
        if self.state in FINAL - {COMPLETED, CANCELLED} or (not ran and self.state != CANCELLED):
            return f"({self.reason})"
        return self.node

    @property
    def elapsed(self) -> str:
        """How long it has been running."""
        if self.element is None or not self.element.started:
            return "0:00"
        seconds = int((self.element.ended or time.time()) - self.element.started)
        days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
        if days:
            return f"{days}-{hours:02d}:{minutes:02d}:{seconds % 60:02d}"
        return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


FIELDS: dict[str, tuple[str, Callable[[Row], object]]] = {
    "A": ("JOBID", lambda row: row.element.own_number if row.element else row.job.number),
    "C": ("CPUS", lambda row: row.job.cpus),
    "D": ("NODES", lambda row: 1),
    "F": ("ARRAY_JOB_ID", lambda row: row.job.number),
    "K": ("ARRAY_TASK_ID", lambda row: row.task_id),
    "M": ("TIME", lambda row: row.elapsed),
    "N": ("NODELIST", lambda row: row.node),
    "P": ("PARTITION", lambda row: row.job.queue),
    "Q": ("PRIORITY", lambda row: row.priority),
    "R": ("NODELIST(REASON)", lambda row: row.why),
    "T": ("STATE", lambda row: row.state),
    "Z": ("WORK_DIR", lambda row: row.job.cwd),
    "i": ("JOBID", lambda row: row.job_id),
    "j": ("NAME", lambda row: row.job.name),
    "r": ("REASON", lambda row: row.reason or "None"),
    "t": ("ST", lambda row: STATES.get(row.state, row.state[:2])),
    "u": ("USER", lambda row: row.job.user),
}


@dataclass(frozen=True)
class Request:
    """What one call of squeue asks for; None is everything."""

    asked: list[Asked] | None
    states: frozenset[str] | None
    options: dict[str, str]
    bitstr: str


# -- understanding -------------------------------------------------------------------------------


def parse(words: Sequence[str]) -> Request:
    """Understand a command line."""
    given, rest = GETOPT.parse(words)
    options = dict(given)
    if rest and options.get("jobs") == "":
        options["jobs"] = rest.pop(0)
    if rest:
        raise Refused(f"squeue: error: Unrecognized option: {rest[0]}\n")
    asked = parse_asked(options["jobs"]) if options.get("jobs") else None
    if isinstance(asked, str):
        raise Refused(f"squeue: error: Invalid job id: {asked}\n")
    for letter in _letters(options.get("format", DEFAULT_FORMAT)):
        if letter not in FIELDS:
            raise Refused(f"squeue: error: Invalid job format specification: {letter}\n")
    states = _states(options.get("states", ""))
    return Request(asked, states, options, os.environ.get("SLURM_BITSTR_LEN", ""))


def _letters(text: str) -> list[str]:
    return re.findall(r"%\.?\d*(.)", text, re.DOTALL)


def _states(text: str) -> frozenset[str] | None:
    if text.lower() == "all":
        return None
    if not text:
        return frozenset(STATES) - FINAL
    long = {short: word for word, short in STATES.items()}
    chosen = []
    for word in text.split(","):
        state = long.get(word.upper(), word.upper())
        if state not in STATES:
            known = ",".join(STATES)
            raise Refused(
                f"squeue: error: Invalid job state specified: {word}\n"
                f"squeue: error: Valid job states include: {known}\n\n"
            )
        chosen.append(state)
    return frozenset(chosen)


# -- acting --------------------------------------------------------------------------------------


def act(store: Store, state: State, request: Request) -> Answer:
    """Do one step, and print the queue."""
    options = request.options
    check_clusters("squeue", options.get("clusters", ""), state)
    gate = step(store, state)
    jobs = state.jobs_of(SLURM)
    if request.asked and len(request.asked) == 1 and not _any_known(request.asked[0], jobs):
        return Answer(err="slurm_load_jobs error: Invalid job id specified\n", code=1, then=gate.open)
    rows = [row for job in jobs if _is_wanted(options, job) for row in _rows(request, job, state)]
    rows.sort(key=lambda row: STATES.get(row.state, row.state))
    layout = options.get("format", DEFAULT_FORMAT)
    lines = [_line(layout, lambda letter, row=row: FIELDS[letter][1](row)) for row in rows]  # type: ignore[misc]
    if "noheader" not in options:
        lines.insert(0, _line(layout, lambda letter: FIELDS[letter][0]))
        if "clusters" in options:
            lines.insert(0, f"CLUSTER: {state.settings.cluster}\n")
    return Answer("".join(lines), then=gate.open)


def _any_known(asked: Asked, jobs: Sequence[Job]) -> bool:
    """Whether there still is a job of that number; which elements are asked for does not matter."""
    numbers = {job.number for job in jobs} | {element.own_number for job in jobs for element in job.elements}
    return asked.number in numbers


def _is_wanted(options: dict[str, str], job: Job) -> bool:
    users = options["user"].split(",") if "user" in options else [job.user]
    return (
        ("me" not in options or job.user == user_name())
        and (job.user in users or str(os.getuid()) in users)
        and (not options.get("name") or job.name in options["name"].split(","))
        and (not options.get("partition") or job.queue in options["partition"].split(","))
    )


def _rows(request: Request, job: Job, state: State) -> list[Row]:
    """Return the rows of one job: one for all that wait, one for all that never ran, one for each other."""

    def wanted(index: int, number: int, its_state: str) -> bool:
        asked = request.asked
        return (request.states is None or its_state in request.states or its_state not in STATES) and (
            asked is None or any(one.means(job, index, number) for one in asked)
        )

    waiting = [index for index in job.waiting if wanted(index, job.number, PENDING)]
    groups = [(waiting, PENDING, _reason(job, state))] if waiting else []
    never_ran: list[Element] = []
    rows = []
    for element in sorted(job.elements, key=lambda element: element.index):
        if not wanted(element.index, element.own_number, element.state):
            continue
        if element.state == CANCELLED and not element.started:
            never_ran.append(element)
        else:
            rows.append(Row(job, [element.index], element.state, element.reason, element, request.bitstr))
    if never_ran:
        groups.append(([element.index for element in never_ran], CANCELLED, never_ran[0].reason))
    for indices, its_state, reason in groups:
        parts = [[index] for index in indices] if "array" in request.options else [indices]
        rows += [Row(job, part, its_state, reason, None, request.bitstr) for part in parts]
    return rows


def _reason(job: Job, state: State) -> str:
    """Return why a job waits."""
    if job.held:
        return "JobHeldUser"
    if job.throttle and job.running >= job.throttle:
        return "JobArrayTaskLimit"
    first = next(other for other in state.jobs_of(SLURM) if other.waiting and not other.held)
    return "Resources" if first is job else "Priority"


def _line(layout: str, value: Callable[[str], object]) -> str:
    def fill(match: re.Match[str]) -> str:
        right, width, letter = match.groups()
        text = str(value(letter))
        if not width:
            return text
        size = int(width)
        return (text.rjust(size) if right else text.ljust(size))[:size]

    return re.sub(r"%(\.?)(\d*)(.)", fill, layout, flags=re.DOTALL) + "\n"
