"""The conversation with a scheduler: what the engine asks for, and how commands answer it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from .command import Completed, run
from .environment import is_owned_by_scheduler
from .errors import CommandFailed, CommandTimedOut, SchedulerError, UnreadableOutput
from .states import Job, Limits, Refusal, Submission

__all__ = ["CommandScheduler", "Dialect", "Receipt", "Scheduler", "Target", "command_environment"]


ACCOUNTING_SECONDS = 10.0
_FILTERS = ("SQUEUE_", "SCANCEL_", "SACCT_")


@dataclass(frozen=True)
class Receipt:
    """What became of a submission.

    Attributes
    ----------
    jobs : tuple of (int, str)
        Element (-1: the whole array) and job id of what was accepted.
    missing : tuple of int
        The elements that were not.
    refusal : Refusal or None
        Why not; None with `missing` elements: there was no answer, they may have been accepted.
    words : str
        The scheduler's own.
    suspected : Refusal
        Without an answer: why not, if it turns out that they were not accepted.
    was_called : bool
        Whether the scheduler was called at all: workers that wait need no call.
    """

    jobs: tuple[tuple[int, str], ...]
    missing: tuple[int, ...] = ()
    refusal: Refusal | None = None
    words: str = ""
    suspected: Refusal = Refusal.LATER
    was_called: bool = True


@dataclass(frozen=True)
class Target:
    """What to cancel: a whole job, or some elements of an array."""

    job_id: str
    elements: tuple[int, ...] | None = None


class Scheduler(Protocol):
    """All that the engine wants of a workload manager."""

    @property
    def name(self) -> str:
        """The name for people."""

    def limits(self) -> Limits:
        """Return how much it takes from us."""

    def submit(self, submission: Submission) -> Receipt:
        """Submit queue-jobs; what goes wrong is in the receipt."""

    def query(self, names: Sequence[str]) -> list[Job]:
        """Return the rows of all queue-jobs with these names; raises `SchedulerError` if it can not tell."""

    def cancel(self, targets: Sequence[Target]) -> bool:
        """Cancel queue-jobs; those that are gone already are fine. Return whether the scheduler was called."""

    def label(self, submission: int, element: int) -> str:
        """Return the stem of the names of a queue-job's raw output in ``workers``."""

    def post_mortem(self, job_ids: Sequence[str]) -> list[Job]:
        """Return what the accounting knows of jobs that are over; nothing if there is none, or it fails."""

    def adopt(self, work_dir: str) -> None:
        """Prepare to go on with a map whose main process is gone."""

    def close(self) -> None:
        """Let go of what is held."""


class Dialect(Protocol):
    """One scheduler's language: argv out, text in. Pure."""

    name: str

    def submit_argv(self, submission: Submission) -> list[str]:
        """Return the command that submits an array, or (one element) a job of its own."""

    def needed_commands(self) -> list[str]:
        """Return the commands without which nothing should be submitted."""

    def parse_submit(self, text: str) -> str:
        """Return the job id; raises ValueError."""

    def refusal(self, completed: Completed) -> Refusal | None:
        """Return why a submission failed; None: it may have been accepted all the same."""

    def query_argv(self, names: Sequence[str]) -> list[str]:
        """Return the command that asks for the state of all jobs with these names."""

    def parse_query(self, text: str) -> list[Job]:
        """Return the jobs; raises ValueError if the text is not whole."""

    def cancel_argv(self, targets: Sequence[Target]) -> list[str]:
        """Return the command that cancels all of these."""

    def is_gone(self, completed: Completed) -> bool:
        """Tell whether a query or cancellation failed only because the jobs have left the queue."""

    def accounting_argv(self, job_ids: Sequence[str]) -> list[str]:
        """Return the command that asks the accounting for jobs that are over."""

    def parse_accounting(self, text: str) -> list[Job]:
        """Return what it says of each element; raises ValueError."""

    def limits_argv(self) -> list[str]:
        """Return the command that tells the limits."""

    def parse_limits(self, text: str) -> Limits:
        """Return the limits."""

    def label(self, submission: int, element: int, is_array: bool) -> str:
        """Return the stem of the names of a queue-job's raw output."""


def command_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for commands of a scheduler.

    What a surrounding job has set is left out, for it would be passed on as options. The user's own
    ``SBATCH_*`` defaults stay, but for those that change what the command does or prints. Those of the commands
    that ask and cancel go: they would hide our jobs.
    """
    changing = {"SBATCH_WAIT", "SBATCH_ARRAY_INX", "SBATCH_DEBUG", "SBATCH_REQUEUE", "SBATCH_EXPORT"}
    site = {"ENVIRONMENT", "HOSTNAME", "TEMP", "TMP", "TMPDIR", "XDG_RUNTIME_DIR"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not is_owned_by_scheduler(name) or name in site or (name.startswith("SBATCH_") and name not in changing)
    }
    for name in [name for name in kept if name.startswith(_FILTERS)]:
        del kept[name]
    return {**kept, **extra}


@dataclass
class CommandScheduler:
    """A scheduler that is talked to by its commands.

    Parameters
    ----------
    dialect : Dialect
    timeout : float
        Seconds that one command may take.
    is_array : bool
        Whether elements are submitted as one array or as jobs of their own.
    environment : mapping
        Set for the commands, on top of this process's.
    """

    dialect: Dialect
    timeout: float
    is_array: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    run: Callable[[Sequence[str], float, Mapping[str, str] | None], Completed] = run

    @property
    def name(self) -> str:
        """The name for people."""
        return self.dialect.name

    def _run(self, argv: Sequence[str]) -> Completed:
        return self.run(argv, self.timeout, command_environment(self.environment))

    def limits(self) -> Limits:
        """Ask for the limits; what can not be learned is left to be met."""
        try:
            completed = self._run(self.dialect.limits_argv()).raise_for_returncode()
            return self.dialect.parse_limits(completed.stdout)
        except (SchedulerError, ValueError):
            return Limits()

    def submit(self, submission: Submission) -> Receipt:
        """Submit the array in one call, or the jobs one by one until one is not taken."""
        lacking = [path for path in self.dialect.needed_commands() if shutil.which(path) is None]
        if lacking:
            words = f"no such command: {', '.join(lacking)}"
            return Receipt((), submission.elements, Refusal.NEVER, words)
        if self.is_array:
            return self._submit_once(submission, -1)
        jobs: list[tuple[int, str]] = []
        for position, element in enumerate(submission.elements):
            one = replace(submission, elements=(element,))
            receipt = self._submit_once(one, element)
            jobs += receipt.jobs
            if receipt.missing:
                return replace(receipt, jobs=tuple(jobs), missing=submission.elements[position:])
        return Receipt(tuple(jobs))

    def _submit_once(self, submission: Submission, number: int) -> Receipt:
        elements = submission.elements
        try:
            completed = self._run(self.dialect.submit_argv(submission))
        except CommandTimedOut as error:
            said = Completed(tuple(error.argv), -9, "", error.stderr)
            suspected = self.dialect.refusal(said) or Refusal.LATER
            return Receipt((), elements, None, " ".join([str(error), error.stderr.strip()]).strip(), suspected)
        except CommandFailed as error:
            return Receipt((), elements, Refusal.NEVER, str(error))
        try:  # whatever the exit code: who tells a number has a job
            return Receipt(((number, self.dialect.parse_submit(completed.stdout)),))
        except ValueError:
            pass
        if not completed.returncode:
            return Receipt((), elements, None, str(UnreadableOutput(completed.argv, completed.stdout)))
        failed = CommandFailed(completed.argv, completed.returncode, completed.stdout, completed.stderr)
        # One that was killed had no time to say what it had done.
        refusal = None if completed.returncode < 0 else self.dialect.refusal(completed)
        return Receipt((), elements, refusal, str(failed))

    def query(self, names: Sequence[str]) -> list[Job]:
        """Ask once for all of `names`."""
        completed = self._run(self.dialect.query_argv(names))
        if completed.returncode:
            if self.dialect.is_gone(completed):
                return []
            completed.raise_for_returncode()
        try:
            jobs = self.dialect.parse_query(completed.stdout)
        except ValueError as error:
            raise UnreadableOutput(completed.argv, completed.stdout) from error
        return jobs

    def cancel(self, targets: Sequence[Target]) -> bool:
        """Cancel in one call."""
        completed = self._run(self.dialect.cancel_argv(targets))
        if completed.returncode and not self.dialect.is_gone(completed):
            completed.raise_for_returncode()
        return True

    def post_mortem(self, job_ids: Sequence[str]) -> list[Job]:
        """Ask the accounting; many sites have none, and where it is, it may be slow, late or down."""
        argv = self.dialect.accounting_argv(job_ids)
        try:
            completed = self.run(argv, min(self.timeout, ACCOUNTING_SECONDS), command_environment(self.environment))
            return self.dialect.parse_accounting(completed.stdout) if not completed.returncode else []
        except (SchedulerError, ValueError):
            return []

    def label(self, submission: int, element: int) -> str:
        """Return the stem of the names of a queue-job's raw output."""
        return self.dialect.label(submission, element, self.is_array)

    def adopt(self, work_dir: str) -> None:
        """Nothing to do: the scheduler has its jobs still."""

    def close(self) -> None:
        """Nothing is held."""
