"""The dummy of qdel: removes jobs, and kills those that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from ._cancel import Ending, ask_to_end, drop_waiting, forget, wait_and_settle
from ._options import Answer, Refused
from ._ranges import gridengine_text, parse_gridengine
from ._slurm import user_name
from ._state import COMPLETING, GRID_ENGINE, Job, State
from ._step import purge
from ._store import Store


@dataclass(frozen=True)
class Asked:
    """One job that is asked for: its number or a pattern of its name, and perhaps some of its tasks."""

    job: str
    tasks: tuple[int, ...] | None

    def means(self, job: Job) -> bool:
        """Whether that job is meant."""
        return str(job.number) == self.job if self.job.isdigit() else fnmatchcase(job.name, self.job)


@dataclass(frozen=True)
class Request:
    """What one call of qdel asks for."""

    asked: list[Asked]
    users: list[str]
    force: bool


def parse(words: Sequence[str]) -> Request:
    """Understand a command line: words that are no options of qdel are names of jobs."""
    asked: list[Asked] = []
    users: list[str] = []
    force = False
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "-f":
            force = True
        elif word in ("-u", "-t") and not left:
            raise _usage(f"ERROR! {word} option must have argument")
        elif word == "-u":
            users += left.pop(0).split(",")
        elif word == "-t":
            tasks = _tasks(left.pop(0))
            asked = [Asked(one.job, tasks if one.tasks is None else one.tasks) for one in asked]
        else:
            asked += [_asked(part) for part in word.split(",")]
    if not asked and not users:
        raise _usage("ERROR! no option argument")
    return Request(asked, users, force)


def _usage(why: str) -> Refused:
    return Refused(why + "\n", out="SGE 8.1.9\nusage: qdel [options] job_task_list\n")


def _asked(word: str) -> Asked:
    number, dot, tasks = word.partition(".")
    return Asked(number, _tasks(tasks)) if dot and number.isdigit() else Asked(word, None)


def _tasks(text: str) -> tuple[int, ...]:
    tasks = parse_gridengine(text)
    if tasks is None:
        raise _usage(f'ERROR! invalid task range "{text}"')
    return tuple(tasks)


def act(store: Store, state: State, request: Request) -> Answer:
    """Remove the jobs, and tell for each what becomes of it."""
    out: list[str] = []
    ending: list[Ending] = []
    failed = False
    jobs = state.jobs_of(GRID_ENGINE)
    for asked in request.asked or [Asked("*", None)]:
        found = [job for job in jobs if asked.means(job) and (not request.users or job.user in request.users)]
        if not found:
            failed = True
            out.append(_nothing(request, asked))
        for job in found:
            lines, its_ending, missing = _delete(store, state, job, asked.tasks, request.force)
            out += lines
            ending += its_ending
            failed = failed or missing
    then = partial(wait_and_settle, store, ending, 10.0) if ending else None
    purge(store, state)
    return Answer("".join(line + "\n" for line in out), code=int(failed), then=then)


def _nothing(request: Request, asked: Asked) -> str:
    if not request.asked:
        return f"There is no job registered for the following users: {','.join(request.users)}"
    if asked.job.isdigit():
        return f'denied: job "{asked.job}" does not exist'
    return f"The job {asked.job} of user(s) {user_name()} does not exist"


def _delete(
    store: Store, state: State, job: Job, tasks: Sequence[int] | None, force: bool
) -> tuple[list[str], list[Ending], bool]:
    """Delete some tasks of a job, or all; return what to say, which runners end, and whether some are missing."""
    whole = tasks is None
    user = user_name()
    lines, ending = [], []
    here = {*job.waiting, *(element.index for element in job.elements)}
    missing = [] if tasks is None or not job.array else [task for task in tasks if task not in here]
    wanted = here if tasks is None or not job.array else here & set(tasks)
    for element in [element for element in job.elements if element.index in wanted]:
        if element.state == COMPLETING and not force:
            lines.append(f"job {job.number} is already in deletion")
            wanted.discard(element.index)
        elif element.has_runner:
            asked = ask_to_end(store, state, job, element)
            ending += [asked] if asked else []
            what = f"job-array task {job.number}.{element.index}" if job.array else f"job {job.number}"
            lines.append(
                f"{user} forced the deletion of {what}" if force else f"{user} has registered the {what} for deletion"
            )
            wanted.discard(element.index)
        else:
            forget(state, job, element)
    for index in [index for index in job.waiting if index in wanted]:
        drop_waiting(state, job, index)
    if wanted:
        lines.append(f"{user} has deleted {_what(job, sorted(wanted), whole)}")
    lines += [f'job "{job.number}" task "{task}" does not exist' for task in missing]
    return lines, ending, bool(missing)


def _what(job: Job, tasks: Sequence[int], whole: bool) -> str:
    if whole or not job.array:
        return f"job {job.number}"
    if len(tasks) == 1:
        return f"job-array task {job.number}.{tasks[0]}"
    return f"job-array tasks {gridengine_text(tasks)} of job {job.number}"
