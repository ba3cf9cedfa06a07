"""A scheduler of this machine's own: worker processes, as many at a time as it has slots."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..scheduler import Receipt, Target
from ..states import Job, JobState, Limits, Submission

__all__ = ["LocalScheduler"]

KILL_WAIT = 2.0


@dataclass
class _LocalJob:
    """One queue-job on this machine."""

    submission: Submission
    element: int
    job_id: str
    process: subprocess.Popen[bytes] | None = None
    deadline: float = float("inf")
    is_out_of_time: bool = False
    is_cancelled: bool = False

    def state(self) -> JobState:
        """Return what a scheduler would say."""
        if self.is_cancelled:
            return JobState.CANCELLED
        if self.process is None:
            return JobState.PENDING
        code = self.process.returncode
        if code is None:
            return JobState.RUNNING
        if self.is_out_of_time:
            return JobState.TIME_LIMIT
        return JobState.FAILED if code else JobState.COMPLETED

    def reason(self) -> str:
        """Return how the process ended."""
        code = None if self.process is None else self.process.returncode
        if not code:
            return ""
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class LocalScheduler:
    """Runs queue-jobs as processes of this machine.

    All calls come from one thread at a time, so nothing is locked. Jobs that wait for a slot are started by
    the next call; the engine asks often.

    Parameters
    ----------
    slots : int
        How many may run at a time.
    clock : callable
        Seconds, only going forward.
    """

    slots: int
    clock: Callable[[], float] = time.monotonic
    _jobs: list[_LocalJob] = field(default_factory=list)
    _count: int = 0

    name = "this machine"

    def limits(self) -> Limits:
        """Return no limits."""
        return Limits()

    def submit(self, submission: Submission) -> Receipt:
        """Queue the elements, and start as many as there are slots for."""
        self._count += 1
        job_id = f"local-{os.getpid()}-{self._count}"
        self._jobs += [_LocalJob(submission, element, job_id) for element in submission.elements]
        self._advance()
        return Receipt(((-1, job_id),))

    def query(self, names: Sequence[str]) -> list[Job]:
        """Return the state of all jobs with these names."""
        self._advance()
        wanted = set(names)
        node = os.uname().nodename
        return [
            Job(job.job_id, job.element, job.submission.name, job.state(), job.reason(), node)
            for job in self._jobs
            if job.submission.name in wanted
        ]

    def cancel(self, targets: Sequence[Target]) -> bool:
        """End queued and running jobs."""
        running = []
        for job in self._jobs:
            if any(_is_target(job, target) for target in targets) and job.state() in _ALIVE:
                job.is_cancelled = True
                if job.process is not None:
                    running.append(job.process)
        _end(running)
        ended = {target.job_id for target in targets if target.elements is None}
        self._jobs = [job for job in self._jobs if job.job_id not in ended]
        self._advance()
        return True

    def label(self, submission: int, element: int) -> str:
        """Return the stem of the names of a queue-job's raw output."""
        return f"{submission:04d}-{element}"

    def post_mortem(self, job_ids: Sequence[str]) -> list[Job]:
        """Return nothing: queries tell all there is to know."""
        return []

    def adopt(self, work_dir: str) -> None:
        """End the workers that a dead main process left behind; what they have done is on disk."""
        script = os.path.join(work_dir, "script.py").encode()
        for pid in _processes_with(script):
            _end_orphan(pid, script)

    def close(self) -> None:
        """End all that still runs."""
        _end([job.process for job in self._jobs if job.process is not None])
        self._jobs = []

    def _advance(self) -> None:
        """Reap what has ended, end what is out of time, start what fits."""
        now, running = self.clock(), 0
        late: list[subprocess.Popen[bytes]] = []
        for job in self._jobs:
            if job.process is None or job.process.poll() is not None:
                continue
            if now > job.deadline:
                job.is_out_of_time = True
                late.append(job.process)
            else:
                running += 1
        _end(late)
        for job in self._jobs:
            if running >= self.slots:
                return
            if job.process is None and not job.is_cancelled:
                self._start(job)
                running += 1

    def _start(self, job: _LocalJob) -> None:
        submission = job.submission
        stem = os.path.join(submission.work_dir, "workers", self.label(submission.number, job.element))
        argv = [submission.interpreter, submission.script, *submission.script_args, str(job.element)]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        out, err = (os.open(f"{stem}.{name}", flags, 0o600) for name in ("stdout", "stderr"))
        try:
            # A session of its own: Ctrl-C in the terminal is for the main process, which then cancels.
            job.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        finally:
            os.close(out)
            os.close(err)
        if submission.resources.time is not None:
            job.deadline = self.clock() + submission.resources.time


_ALIVE = {JobState.PENDING, JobState.RUNNING}


def _is_target(job: _LocalJob, target: Target) -> bool:
    return job.job_id == target.job_id and (target.elements is None or job.element in target.elements)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End process groups: told first, then killed. The group outlives its leader while a task's child does."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + KILL_WAIT
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _has_argument(pid: int, argument: bytes) -> bool:
    """Tell whether a process lives and has an argument."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return argument in stream.read().split(b"\0")
    except OSError:
        return False


def _processes_with(argument: bytes) -> list[int]:
    """Return the processes of this machine that have an argument, the oldest first."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and _has_argument(int(name), argument))


def _end_orphan(pid: int, argument: bytes) -> None:
    """Tell a process to end, and kill it if it does not."""
    deadline = time.monotonic() + KILL_WAIT
    while _has_argument(pid, argument):
        late = time.monotonic() > deadline
        try:
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass
