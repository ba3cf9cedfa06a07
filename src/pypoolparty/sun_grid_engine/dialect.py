"""Grid Engine's language. Manuals: qsub(1), qstat(1), qdel(1), sge_conf(5)."""

from __future__ import annotations

import getpass
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..chunks import runs_of
from ..command import Completed
from ..scheduler import Target
from ..states import Job, JobState, Limits, Refusal, Submission

__all__ = ["GridEngineDialect"]

_NEVER = (
    "unknown queue",
    "unknown resource",
    "unknown option",
    "invalid option",
    "Unknown option",
    "does not exist",
    "is not a valid object name",
    "wrong format",
    "invalid task range",
    "no suitable queues",
    "is not defined",
    "has no permission",
    "no access",
    "Unknown queue",
    "requested queue",
    "error opening",
    "can't resolve hostname",
    "is not a memory value",
    "is not a time value",
    "is an invalid task id",
    "Numerical value invalid",
    "parallel environment",
    "wrong number of",
    "ERROR! ",
)
_JOB_LIMIT = (
    "max_u_jobs",
    "maximum allowed jobs per user",
    "more jobs than",
    "job rejected: there are",
    "per user",
)
_ARRAY_SIZE = ("max_aj_tasks", "array job tasks", "submit a job with more than")
_LATER = (
    "unable to contact qmaster",
    "can't connect",
    "commlib",
    "unable to send",
)
# The request was sent when this is said: it may be done all the same.
_DOUBTFUL = ("got no response", "timeout")
_GONE = ("does not exist", "has already been deleted", "is already in deletion", "already in deletion")


@dataclass(frozen=True)
class GridEngineDialect:
    """Writes Grid Engine's commands and reads their answers.

    Attributes
    ----------
    qsub, qstat, qdel, qconf, qacct : str
        Paths of the commands.
    error_state_indicator : str
        A job whose state contains this will not run.
    parallel_environment : str
        What is asked for with ``-pe`` when a queue-job wants more than one core.
    """

    qsub: str = "qsub"
    qstat: str = "qstat"
    qdel: str = "qdel"
    qconf: str = "qconf"
    qacct: str = "qacct"
    error_state_indicator: str = "E"
    parallel_environment: str = "smp"

    name = "Grid Engine"

    def submit_argv(self, submission: Submission) -> list[str]:
        """Return the qsub of an array, or of a job of its own. Elements count from 0, Grid Engine's tasks from 1."""
        elements, is_array = submission.elements, submission.is_array
        name = submission.name if is_array else f"{submission.name}-{elements[0]}"
        stem = f"{submission.number:04d}-" + ("$TASK_ID" if is_array else str(elements[0]))
        argv = [self.qsub, "-terse", "-S", submission.interpreter, "-C", "", "-r", "n", "-N", name]
        if is_array:
            argv += ["-t", f"{elements[0] + 1}-{elements[-1] + 1}"]
            argv += ["-tc", str(submission.throttle)] if submission.throttle else []
        argv += _folders(submission.work_dir, stem)
        argv += self._resources(submission)
        argv += submission.resources.submit_args
        argv += [submission.script, *submission.script_args]
        return argv if is_array else [*argv, str(elements[0])]

    def _resources(self, submission: Submission) -> Iterator[str]:
        asked = submission.resources
        cpus = asked.cpus or 1
        if cpus > 1:
            yield from ("-pe", self.parallel_environment, str(cpus))
        if asked.time is not None:
            yield from ("-l", f"h_rt={asked.time}")
        if asked.mem is not None:
            # Per slot, for Grid Engine multiplies it by the slots.
            yield from ("-l", f"h_vmem={-(-asked.mem // cpus // 1024)}K")
        if asked.gpus:
            yield from ("-l", f"gpu={asked.gpus}")
        if asked.partition:
            yield from ("-q", asked.partition)
        if asked.account:
            yield from ("-A", asked.account)
        if asked.qos:
            yield from ("-P", asked.qos)
        if submission.excluded_nodes:
            yield from ("-l", "h=!(" + "|".join(submission.excluded_nodes) + ")")

    def needed_commands(self) -> list[str]:
        """Return what is needed to submit, to watch, and to cancel."""
        return [self.qsub, self.qstat, self.qdel]

    def parse_submit(self, text: str) -> str:
        """Return the job id of ``7`` or ``7.1-10:1``: the last such line, for sites print banners."""
        for line in reversed(text.splitlines()):
            found = re.fullmatch(r"(\d+)(\.\d+-\d+:\d+)?", line.strip())
            if found:
                return found[1]
        raise ValueError(f"no job id in {text!r}")

    def refusal(self, completed: Completed) -> Refusal | None:
        """Return why qsub failed, by its words; None: it may have done it all the same."""
        words = (completed.stderr + completed.stdout).lower()
        if not words.strip() or any(phrase in words for phrase in _DOUBTFUL):
            return None
        for refusal, known in (
            (Refusal.ARRAY_SIZE, _ARRAY_SIZE),
            (Refusal.JOB_LIMIT, _JOB_LIMIT),
            (Refusal.LATER, _LATER),
            (Refusal.NEVER, _NEVER),
        ):
            if any(phrase.lower() in words for phrase in known):
                return refusal
        return Refusal.UNKNOWN

    def query_argv(self, names: Sequence[str]) -> list[str]:
        """Return the qstat for all jobs of this user: it can not ask for names."""
        return [self.qstat, "-xml", "-u", getpass.getuser()]

    def parse_query(self, text: str) -> list[Job]:
        """Return a job for each element in the queue."""
        start = max(0, text.find("<?xml"))  # sites print banners before it, and after it
        try:
            root = ElementTree.fromstring(_repaired(text[start : text.rfind(">") + 1]))
        except ElementTree.ParseError as error:
            raise ValueError(f"not the XML of qstat: {error}") from error
        jobs: list[Job] = []
        for row in root.iter("job_list"):
            job_id = row.findtext("JB_job_number", "").strip()
            if not job_id:
                raise ValueError("a job without a number")
            state = self._state_of(row.findtext("state", "").strip())
            host = row.findtext("queue_name", "").partition("@")[2].strip()
            name = row.findtext("JB_name", "").strip()
            text_state = row.findtext("state", "").strip()
            jobs += [
                Job(job_id, element, name, state, text_state, host)
                for element in _elements(row.findtext("tasks", "").strip())
            ]
        return jobs

    def _state_of(self, state: str) -> JobState:
        # A hold does nothing to a job that runs already.
        is_held = "h" in state and "q" in state
        if self.error_state_indicator in state or is_held:
            return JobState.ERROR
        if "d" in state:
            return JobState.COMPLETING
        if any(letter in state for letter in "sST"):
            return JobState.SUSPENDED
        if "r" in state or "t" in state:
            return JobState.RUNNING
        return JobState.PENDING if "q" in state or "w" in state else JobState.UNKNOWN

    def cancel_argv(self, targets: Sequence[Target]) -> list[str]:
        """Return one qdel for all targets."""
        return [self.qdel, *(word for target in targets for word in _target_words(target))]

    def is_gone(self, completed: Completed) -> bool:
        """Tell whether all that was asked for has left the queue."""
        lines = [line for line in (completed.stdout + completed.stderr).splitlines() if line.strip()]
        known = (*_GONE, "has registered", "has deleted")
        return bool(lines) and all(any(phrase in line for phrase in known) for line in lines)

    def accounting_argv(self, job_ids: Sequence[str]) -> list[str]:
        """Return the qacct for the first of these jobs: it takes one, and reads the whole file for it."""
        return [self.qacct, "-j", job_ids[0]]

    def parse_accounting(self, text: str) -> list[Job]:
        """Return a job for each block between lines of equal signs."""
        jobs: list[Job] = []
        for block in re.split(r"^=+\s*$", text, flags=re.MULTILINE):
            rows = dict(re.findall(r"^(\w+)[ \t]+(.*?)[ \t]*$", block, re.MULTILINE))
            if not rows.get("jobnumber", "").isdigit():
                continue
            task = rows.get("taskid", "")
            reason = f"failed {rows.get('failed', '')}, exit_status {rows.get('exit_status', '')}"
            jobs.append(
                Job(
                    rows["jobnumber"],
                    int(task) - 1 if task.isdigit() else None,
                    rows.get("jobname", ""),
                    _state_of_account(rows.get("failed", ""), rows.get("exit_status", "")),
                    reason,
                    rows.get("hostname", ""),
                )
            )
        return jobs

    def limits_argv(self) -> list[str]:
        """Return the qconf that prints the global configuration."""
        return [self.qconf, "-sconf"]

    def parse_limits(self, text: str) -> Limits:
        """Return the limits; 0 is none."""
        found = {name: int(value) for name, value in re.findall(r"^(max_\w+)\s+(\d+)\s*$", text, re.MULTILINE)}
        return Limits(array_size=found.get("max_aj_tasks") or None, jobs=found.get("max_u_jobs") or None)

    def label(self, submission: int, element: int, is_array: bool) -> str:
        """Return the stem of the raw output's names."""
        return f"{submission:04d}-{element + 1 if is_array else element}"


def _state_of_account(failed: str, exit_status: str) -> JobState:
    """Return the state that qacct's ``failed`` and ``exit_status`` amount to."""
    if "h_rt" in failed or "h_cpu" in failed:
        return JobState.TIME_LIMIT
    if "deleted" in failed or "by user" in failed:
        return JobState.CANCELLED
    code = failed.split(" ")[0]
    if code in ("0", "") and exit_status.split(" ")[0] in ("0", ""):
        return JobState.COMPLETED
    return JobState.FAILED


def _folders(work_dir: str, stem: str) -> list[str]:
    """Return where the job runs and where its raw output goes.

    In these paths ``$`` begins a variable (doubled: itself), what stands before a colon is a host, a comma
    begins another path and a newline ends all. What can not be written gets no raw output.
    """
    if "\n" in work_dir or ("," in work_dir and "$" in work_dir):
        return ["-wd", "/", "-o", "/dev/null", "-e", "/dev/null"]
    if "," in work_dir:
        return ["-wd", work_dir, "-o", f"workers/{stem}.stdout", "-e", f"workers/{stem}.stderr"]
    escaped = work_dir.replace("$", "$$")
    output = ":" + os.path.join(escaped, "workers", stem)
    return ["-wd", escaped, "-o", f"{output}.stdout", "-e", f"{output}.stderr"]


def _elements(tasks: str) -> list[int | None]:
    """Return the elements of ``3``, ``4-9:1``, ``1,5-7:2``; [None] for a job that is no array."""
    elements: list[int | None] = []
    for part in tasks.split(",") if tasks else ():
        found = re.fullmatch(r"(\d+)(?:-(\d+):(\d+))?", part.strip())
        if found is None:
            raise ValueError(f"not a list of tasks: {tasks!r}")
        first = int(found[1])
        elements += [task - 1 for task in range(first, int(found[2] or first) + 1, int(found[3] or 1))]
    return elements or [None]


def _target_words(target: Target) -> list[str]:
    if target.elements is None:
        return [target.job_id]
    runs = runs_of(target.elements)
    return [f"{target.job_id}.{runs[k] + 1}-{runs[k + 1]}:1" for k in range(0, len(runs), 2)]


def _repaired(text: str) -> str:
    """Undo a fault of qstat 8.1.9, which writes ``%lt;`` for ``<``."""
    return text.replace("%lt;", "&lt;")
