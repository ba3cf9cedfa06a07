"""The dummy of qstat: does one step of the queue, and then shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ._gridengine import clock, letters
from ._options import Answer, Refused, single_dash
from ._ranges import gridengine_text
from ._slurm import user_name
from ._state import FINAL, GRID_ENGINE, PENDING, Element, Job, State
from ._step import step
from ._store import Store

OPTIONS = {"xml": 0, "r": 0, "f": 0, "u": 1, "s": 1, "g": 1, "j": 1}
PRIORITY = "0.50000"
HEAD = (
    "job-ID  prior   name       user         state submit/start at     queue                          "
    "slots ja-task-ID \n" + "-" * 113 + "\n"
)
PLAIN_TIME, ISO_TIME = "%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S"
SCHEMA = "http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd"
_STATES = re.compile(r"(h[uosdja]|[prszha])*")


@dataclass(frozen=True)
class Row:
    """What is shown together: a running element, or those of a job that wait alike."""

    job: Job
    indices: Sequence[int]
    letters: str
    element: Element | None

    @property
    def is_running(self) -> bool:
        """Whether it belongs to a queue of a node."""
        return self.element is not None and self.element.has_runner

    @property
    def queue(self) -> str:
        """Queue and node, of what runs."""
        return f"{self.job.queue}@{self.element.node}" if self.element and self.is_running else ""

    @property
    def time(self) -> float:
        """The time of its start, or else of its submission."""
        return self.element.started if self.element and self.is_running else self.job.submitted

    @property
    def tasks(self) -> str:
        """The indices."""
        return gridengine_text(self.indices) if self.job.array else ""


@dataclass(frozen=True)
class Request:
    """What one call of qstat asks for."""

    options: dict[str, str]
    users: list[str]
    jobs: list[str]


def parse(words: Sequence[str]) -> Request:
    """Understand a command line."""
    given, rest, wrong = single_dash(words, OPTIONS)
    if wrong.startswith("?"):
        raise _usage(f'invalid option argument "{wrong[1:]}"')
    if wrong:
        raise _usage(f"ERROR! {wrong} option must have argument")
    if rest:
        raise _usage(f'invalid option argument "{rest[0]}"')
    options = {name: " ".join(values) for name, values in given}
    if not _STATES.fullmatch(options.get("s", "")):
        raise _usage("ERROR! wrong argument to -s option")
    if options.get("g", "d") not in ("c", "d", "t"):
        raise _usage("ERROR! wrong argument to -g option")
    users = [user for name, values in given if name == "u" for user in values[0].split(",")]
    return Request(options, users or [user_name()], options.get("j", "").split(",") if "j" in options else [])


def _usage(why: str) -> Refused:
    return Refused(why + "\n", out="SGE 8.1.9\nusage: qstat [options]\n")


def act(store: Store, state: State, request: Request) -> Answer:
    """Do one step, and print the queue."""
    gate = step(store, state)
    jobs = [job for job in state.jobs_of(GRID_ENGINE) if any(fnmatchcase(job.user, u) for u in request.users)]
    if request.jobs:
        answer = _details(request, jobs)
        return Answer(answer.out, answer.err, answer.code, gate.open)
    rows = [row for job in jobs for row in _rows(job, "g" in request.options)]
    rows = [row for row in rows if _is_wanted(row, request.options.get("s", "prs"))]
    running = [row for row in rows if row.is_running]
    waiting = [row for row in rows if not row.is_running]
    with_requests = "r" in request.options
    if "xml" in request.options:
        return Answer(_xml(running, waiting, with_requests), then=gate.open)
    if "f" in request.options:
        return Answer(_full(state, running, waiting), then=gate.open)
    text = "".join(_plain(row, with_requests) for row in [*running, *waiting])
    return Answer(HEAD + text if text else "", then=gate.open)


def _rows(job: Job, each: bool) -> list[Row]:
    rows = [
        Row(job, [element.index], letters(job, element.state), element)
        for element in sorted(job.elements, key=lambda element: element.index)
        if element.state not in FINAL
    ]
    groups = [[index] for index in job.waiting] if each else [job.waiting]
    return rows + [Row(job, group, letters(job, PENDING), None) for group in groups if group]


def _is_wanted(row: Row, states: str) -> bool:
    wanted = "prs" if "a" in states.replace("ha", "") else states
    if row.is_running:
        return "r" in wanted
    return "p" in wanted or ("h" in wanted and row.letters.startswith("h"))


# -- texts ---------------------------------------------------------------------------------------


def _start(row: Row) -> str:
    return (
        f"{row.job.number:7d} {PRIORITY} {row.job.name:10.10s} {row.job.user:12.12s} {row.letters:5.5s} "
        f"{clock(row.time, PLAIN_TIME)} "
    )


def _plain(row: Row, with_requests: bool) -> str:
    line = f"{_start(row)}{row.queue:30.30s} {row.job.cpus:5d} {row.tasks or ' ' * 7}\n"
    return line + _requests(row) if with_requests else line


def _requests(row: Row) -> str:
    job = row.job
    lines = [("Full jobname:", job.name)]
    if row.queue:
        lines.append(("Master Queue:", row.queue))
    if "pe" in job.options:
        lines.append(("Requested PE:", job.options["pe"]))
    if "l" in job.options:
        lines += [("Hard Resources:", f"{word} (0.000000)") for word in job.options["l"].split(",")]
    else:
        lines.append(("Hard Resources:", ""))
    lines += [("Soft Resources:", ""), ("Binding:", "NONE")]
    return "".join(f"       {name:17s} {value}\n" for name, value in lines)


def _full(state: State, running: Sequence[Row], waiting: Sequence[Row]) -> str:
    lines = ["queuename                      qtype resv/used/tot. load_avg arch          states\n"]
    slots = state.settings.slots
    for queue in (f"{queue}@{node}" for queue in state.settings.queues for node in state.settings.nodes):
        here = [row for row in running if row.queue == queue]
        lines.append("-" * 81 + "\n")
        lines.append(f"{queue:30s} BIP   {f'0/{len(here)}/{slots}':14s} 0.00     lx-amd64      \n")
        lines += [f"{_start(row)}{row.job.cpus:5d} {row.tasks or ' ' * 7}\n" for row in here]
    if waiting:
        middle = " - PENDING JOBS" * 5
        lines.append(f"\n{'#' * 76}\n{middle}\n{'#' * 76}\n")
        lines += [f"{_start(row)}{row.job.cpus:5d} {row.tasks or ' ' * 7}\n" for row in waiting]
    return "".join(lines)


def _escape(text: str) -> str:
    for letter, name in (("&", "&amp;"), ("<", "%lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
        text = text.replace(letter, name)  # the per cent sign is a fault of qstat 8.1.9
    return text


def _xml(running: Sequence[Row], waiting: Sequence[Row], with_requests: bool) -> str:
    lists = ["".join(_job_list(row, with_requests) for row in rows) for rows in (running, waiting)]
    return (
        f"<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"{SCHEMA}\">\n"
        f"  <queue_info>\n{lists[0]}  </queue_info>\n"
        f"  <job_info>\n{lists[1]}  </job_info>\n"
        "</job_info>\n"
    )


def _job_list(row: Row, with_requests: bool) -> str:
    values = [
        ("JB_job_number", str(row.job.number)),
        ("JAT_prio", PRIORITY),
        ("JB_name", row.job.name),
        ("JB_owner", row.job.user),
        ("state", row.letters),
        ("JAT_start_time" if row.is_running else "JB_submission_time", clock(row.time, ISO_TIME)),
        ("queue_name", row.queue),
        ("slots", str(row.job.cpus)),
    ]
    values += [("tasks", row.tasks)] if row.tasks else []
    values += [("full_job_name", row.job.name), ("binding", "NONE")] if with_requests else []
    lines = "".join(f"      <{name}>{_escape(value)}</{name}>\n" for name, value in values)
    state = "running" if row.is_running else "pending"
    return f'    <job_list state="{state}">\n{lines}    </job_list>\n'


def _details(request: Request, jobs: Sequence[Job]) -> Answer:
    """Answer ``-j``: all that is known of some jobs."""
    texts, missing = [], []
    for word in request.jobs:
        found = [job for job in jobs if str(job.number) == word or fnmatchcase(job.name, word)]
        texts += [_detail(job) for job in found]
        missing += [] if found else [word]
    if "xml" in request.options and missing:
        names = "".join(f"    <ST_name>{_escape(word)}</ST_name>\n" for word in missing)
        return Answer(f"<?xml version='1.0'?>\n<unknown_jobs >\n{names}</unknown_jobs>\n")
    if missing:
        words = "".join(word + "\n" for word in missing)
        return Answer("".join(texts), f"Following jobs do not exist: \n{words}", 1)
    return Answer("".join(texts))


def _detail(job: Job) -> str:
    lines = [
        ("job_number:", str(job.number)),
        ("submission_time:", clock(job.submitted, "%a %b %d %H:%M:%S %Y")),
        ("owner:", job.user),
        ("sge_o_workdir:", job.options["SGE_O_WORKDIR"]),
        ("cwd:", job.cwd),
        ("hard resource_list:", job.options.get("l", "")),
        ("job_name:", job.name),
        ("job_args:", ",".join(job.arguments)),
        ("job-array tasks:", job.array),
    ]
    lines += [
        (f"error reason{element.index or 1:11d}:     ", element.reason) for element in job.elements if element.reason
    ]
    return "=" * 62 + "\n" + "".join(f"{name:27s} {value}\n" for name, value in lines if value)
