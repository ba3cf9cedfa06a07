"""Slurm's language. Manuals: sbatch(1), squeue(1), scancel(1), scontrol(1)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..chunks import runs_of
from ..command import Completed
from ..scheduler import Target
from ..states import Job, JobState, Limits, Refusal, Submission

__all__ = ["SlurmDialect", "expand_elements", "format_elements"]

_STATES = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "RESV_DEL_HOLD": JobState.ERROR,
    "REQUEUE_HOLD": JobState.ERROR,
    "SPECIAL_EXIT": JobState.ERROR,
    "RUNNING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.COMPLETING,
    "COMPLETING": JobState.COMPLETING,
    "SUSPENDED": JobState.SUSPENDED,
    "STOPPED": JobState.SUSPENDED,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "REVOKED": JobState.CANCELLED,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "TIMEOUT": JobState.TIME_LIMIT,
    "DEADLINE": JobState.TIME_LIMIT,
    "NODE_FAIL": JobState.NODE_FAILED,
    "BOOT_FAIL": JobState.NODE_FAILED,
    "PREEMPTED": JobState.PREEMPTED,
}
# Whole reasons of a pending job that will not run as it is; all others are waits ("JOB REASON CODES").
_ERROR_REASONS = {
    "JobHeldUser",
    "JobHeldAdmin",
    "JobHoldMaxRequeue",
    "launch failed requeued held",
    "launch_failed_requeued_held",
    "job requeued in held state",
    "job_requeued_in_held_state",
    "DependencyNeverSatisfied",
}

# Whole reasons of a pending job that asks for what this cluster will never give.
_HOPELESS_REASON = re.compile(
    r"BadConstraints|PartitionConfig|PartitionTimeLimit|PartitionNodeLimit|InvalidAccount|InvalidQOS|AccountNotAllowed"
    r"|MaxMemPerLimit|QOSMin\w+|QOSNotAllowed|(?:QOS|Assoc)Max\w+Per(?:Job|Node)(?:Limit)?|(?:QOS|Assoc)(?:Max|Grp)Wall\w*"
)
# A QOS may refuse at once what others keep pending (DenyOnLimit).
_DENIED = re.compile(r"\b(?:QOS|Assoc)(?:Max\w+Per(?:Job|Node)|MaxWall|Min)\w*")

# The scheduler's words when it does not take a submission, and what they mean.
_NEVER = (
    "invalid partition",
    "Invalid account",
    "Invalid qos",
    "Invalid generic resource",
    "Invalid feature",
    "Invalid node name",
    "Invalid time limit",
    "Invalid --",
    "Job dependency problem",
    "reservation is invalid",
    "No cluster ",
    "Requested node configuration is not available",
    "More processors requested than permitted",
    "Memory required by task is not available",
    "Requested time limit is invalid",
    "Access/permission denied",
    "User's group not permitted",
    "unrecognized option",
    "invalid option",
    "invalid number",
    "Unable to open file",
    "Batch script is empty",
    "parameter too long",
    "This does not look like a batch script",
)
_JOB_LIMIT = (
    "MaxSubmitJob",
    "SubmitJobsLimit",
    "job submit limit",
    "Job count limit",
    "AssocMaxSubmit",
    "QOSMaxSubmit",
    "Slurm temporarily unable to accept job",  # MaxJobCount
)
# The request is on its way when this is said: it may be done all the same.
_DOUBTFUL = (
    "Socket timed out",
    "Connection timed out",
    "Slurm controller not responding",
    "Zero Bytes were transmitted",
    "Transport endpoint",
)
_LATER = (
    "Unable to contact slurm controller",
    "Unable to connect",
    "munge",
    "Connection refused",
    "Resource temporarily unavailable",
    "authentication",
    "in some slurmdb",
)
_GONE = ("Invalid job id", "Job/step already completing or completed", "already completing or completed")

_FORMAT = "%i|%j|%T|%Q|%N|%r"
# The header is where the answer begins: without it there is none, whatever else was printed.
_HEADER = "JOBID|NAME|STATE|PRIORITY|NODELIST|REASON"


@dataclass(frozen=True)
class SlurmDialect:
    """Writes Slurm's commands and reads their answers.

    Attributes
    ----------
    sbatch, squeue, scancel, scontrol, sacct : str
        Paths of the commands.
    clusters : str or None
        For federations: the clusters to talk to.
    """

    sbatch: str = "sbatch"
    squeue: str = "squeue"
    scancel: str = "scancel"
    scontrol: str = "scontrol"
    sacct: str = "sacct"
    clusters: str | None = None

    name = "Slurm"

    def _clusters(self) -> list[str]:
        return [f"--clusters={self.clusters}"] if self.clusters else []

    def submit_argv(self, submission: Submission) -> list[str]:
        """Return the sbatch of an array, or of a job of its own."""
        is_array = submission.is_array
        name = submission.name if is_array else f"{submission.name}-{submission.elements[0]}"
        stem = f"{submission.number:04d}-" + ("%a" if is_array else str(submission.elements[0]))
        argv = [self.sbatch, "--parsable", *self._clusters(), f"--job-name={name}"]
        if is_array:
            throttle = f"%{submission.throttle}" if submission.throttle else ""
            argv.append(f"--array={format_elements(submission.elements)}{throttle}")
        argv += [
            f"--chdir={submission.work_dir}",
            f"--output={_output(submission.work_dir, f'{stem}.stdout')}",
            f"--error={_output(submission.work_dir, f'{stem}.stderr')}",
            "--open-mode=append",
            "--no-requeue",
            "--ntasks=1",
        ]
        argv += self._resources(submission)
        argv += submission.resources.submit_args
        argv += [submission.script, *submission.script_args]
        return argv if is_array else [*argv, str(submission.elements[0])]

    def _resources(self, submission: Submission) -> Iterator[str]:
        asked = submission.resources
        if asked.whole_node:
            yield from ("--nodes=1", "--exclusive")
        if asked.time is not None:
            minutes, seconds = divmod(asked.time, 60)
            yield f"--time={minutes}:{seconds:02d}"
        if asked.mem is not None:
            yield f"--mem={-(-asked.mem // 1024)}K"
        for option, value in (
            ("cpus-per-task", asked.cpus),
            ("gpus", asked.gpus),
            ("partition", asked.partition),
            ("account", asked.account),
            ("qos", asked.qos),
            ("exclude", ",".join(submission.excluded_nodes)),
        ):
            if value:
                yield f"--{option}={value}"

    def needed_commands(self) -> list[str]:
        """Return what is needed to submit, to watch, and to cancel."""
        return [self.sbatch, self.squeue, self.scancel]

    def parse_submit(self, text: str) -> str:
        """Return the job id: sites print banners before it."""
        for line in reversed(text.splitlines()):
            found = re.fullmatch(r"(\d+)(;\S+)?", line.strip())
            if found:
                return found[1]
        raise ValueError(f"no job id in {text!r}")

    def refusal(self, completed: Completed) -> Refusal | None:
        """Return why sbatch failed, by its words; None: it may have done it all the same."""
        text = completed.stderr + completed.stdout
        if _DENIED.search(text):
            return Refusal.NEVER
        words = text.lower()
        for refusal, known in (
            (Refusal.ARRAY_SIZE, ("Invalid job array specification",)),
            (Refusal.JOB_LIMIT, _JOB_LIMIT),
            (Refusal.NEVER, _NEVER),
            (Refusal.LATER, _LATER),
        ):
            if any(phrase.lower() in words for phrase in known):
                return refusal
        is_doubtful = "error" not in words or any(phrase.lower() in words for phrase in _DOUBTFUL)
        return None if is_doubtful else Refusal.UNKNOWN

    def query_argv(self, names: Sequence[str]) -> list[str]:
        """Return the squeue for our jobs of these names, finished ones too while Slurm remembers them."""
        return [
            self.squeue,
            *self._clusters(),
            "--states=all",
            f"--user={os.getuid()}",
            f"--name={','.join(names)}",
            f"--format={_FORMAT}",
        ]

    def parse_query(self, text: str) -> list[Job]:
        """Return a job for each element; what sites print around the table is passed over."""
        jobs: list[Job] = []
        lines = [line.strip() for line in text.split("\n")]
        if _HEADER not in lines:
            raise ValueError(f"not a table of squeue: {text[:200]!r}")
        for line in lines[lines.index(_HEADER) + 1 :]:
            if line == _HEADER or ("|" not in line and not line[:1].isdigit()):
                continue  # of another cluster, or none of a row's beginning
            fields = line.split("|", 5)
            found = re.fullmatch(r"(\d+)(?:_(\d+|\[.*\]))?", fields[0])
            if len(fields) < 6 or found is None:
                raise ValueError(f"not a row of squeue: {line!r}")
            _, name, state, priority, node, reason = fields
            job_state = _state_of(state, priority, reason)
            elements = expand_elements(found[2]) if found[2] else [None]
            jobs += [Job(found[1], k, name, job_state, reason, node) for k in elements]
        return jobs

    def cancel_argv(self, targets: Sequence[Target]) -> list[str]:
        """Return one scancel for all targets."""
        words = [
            target.job_id if target.elements is None else f"{target.job_id}_[{format_elements(target.elements)}]"
            for target in targets
        ]
        return [self.scancel, *self._clusters(), *words]

    def is_gone(self, completed: Completed) -> bool:
        """Tell whether all that was asked for has left the queue."""
        lines = [line for line in completed.stderr.splitlines() if line.strip()]
        return bool(lines) and all(any(phrase in line for phrase in _GONE) for line in lines)

    def accounting_argv(self, job_ids: Sequence[str]) -> list[str]:
        """Return the sacct that tells of jobs and their steps; a step may know more than its job."""
        fields = "JobID,JobName,State,ExitCode,NodeList"
        return [
            self.sacct,
            *self._clusters(),
            "--noheader",
            "--parsable2",
            f"--format={fields}",
            f"--jobs={','.join(job_ids)}",
        ]

    def parse_accounting(self, text: str) -> list[Job]:
        """Return a row for each job and step that has an end."""
        jobs: list[Job] = []
        for line in text.splitlines():
            fields = line.split("|")
            found = re.fullmatch(r"(\d+)(?:_(\d+))?(?:\.\S+)?", fields[0])
            if len(fields) < 5 or found is None:
                continue  # of pending elements, or a banner
            state = _STATES.get(fields[2].split(" ")[0].rstrip("+"), JobState.UNKNOWN)
            if state.is_final:
                element = int(found[2]) if found[2] else None
                jobs.append(Job(found[1], element, fields[1], state, f"{fields[2]} {fields[3]}", fields[4]))
        return jobs

    def limits_argv(self) -> list[str]:
        """Return the scontrol that prints slurm.conf as it is in force."""
        return [self.scontrol, *self._clusters(), "show", "config"]

    def parse_limits(self, text: str) -> Limits:
        """Return the limits; indices go up to MaxArraySize - 1."""
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", text, re.MULTILINE)
        return Limits(array_size=max(1, int(found[1]) - 1)) if found else Limits()

    def label(self, submission: int, element: int, is_array: bool) -> str:
        """Return the stem of the raw output's names."""
        return f"{submission:04d}-{element}"


def _output(work_dir: str, name: str) -> str:
    """Return the path of a raw output with our own patterns in it, and none of the work_dir's.

    A backslash anywhere turns all patterns off: such a work_dir gets no raw output.
    """
    if "\\" in work_dir:
        return "/dev/null"
    return os.path.join(work_dir.replace("%", "%%"), "workers", name)


def _state_of(state: str, priority: str, reason: str) -> JobState:
    known = _STATES.get(state, JobState.UNKNOWN)
    if known is JobState.PENDING and (reason in _ERROR_REASONS or priority.strip() == "0"):
        return JobState.ERROR
    if known is JobState.PENDING and _HOPELESS_REASON.fullmatch(reason):
        return JobState.HOPELESS
    return known


def format_elements(elements: Sequence[int]) -> str:
    """Return ``0-3,7`` for 0, 1, 2, 3, 7."""
    runs = runs_of(elements)
    pairs = [(runs[k], runs[k + 1] - 1) for k in range(0, len(runs), 2)]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)


def expand_elements(text: str) -> list[int | None]:
    """Return the elements of ``3``, ``[3-9%2]``, ``[1,4-8:2]``.

    Raises
    ------
    ValueError
        Also for a list that squeue has shortened by an ellipsis.
    """
    elements: list[int | None] = []
    for part in text.strip("[]").split("%")[0].split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if found is None:
            raise ValueError(f"not a list of elements: {text!r}")
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        elements += range(first, last + 1, int(found[3] or 1))
    return elements
