"""Exceptions out of reports: what a user is told of a lost task."""

from __future__ import annotations

import signal

from . import errors
from .advice import after_loss, diagnosis
from .states import Death, Report

__all__ = ["error_of"]

_WHAT = {
    Death.OUT_OF_MEMORY: "was killed for using more memory than it had asked for",
    Death.TIME_LIMIT: "ran into the time limit of its queue-job",
    Death.NODE_FAILED: "was on a node that failed",
    Death.PREEMPTED: "had to make room for others",
    Death.CANCELLED: "was cancelled by somebody else",
    Death.CRASHED: "crashed",
    Death.BAD_ENVIRONMENT: "found no environment on the node in which it can run",
    Death.VANISHED: "vanished with its queue-job",
}


def error_of(
    report: Report, itask: int, attempts: int, work_dir: str, mem: int | None = None, time: float | None = None
) -> errors.PoolPartyError:
    """Return the exception for a task that is lost.

    Parameters
    ----------
    report : Report
        Of its last death.
    itask, attempts : int
    work_dir : str
    mem, time : int or None, float or None
        What its queue-job had asked for, in bytes and seconds.
    """
    following = [f"  next: {command}" for command in after_loss(report, work_dir, itask, mem, time)]
    if report.death is Death.REFUSED:
        return errors.SubmissionRefused("\n".join(["; ".join(report.evidence), *following]))
    kind: type[errors.TaskLost] = getattr(errors, report.death.value)
    where = f" on {report.node}" if report.node else ""
    tries = f" (attempt {attempts})" if attempts > 1 else ""
    lines = [f"task {itask} {_WHAT[report.death]}{_how(report)}{where}{tries}"]
    meaning = diagnosis(report)
    if meaning:
        lines.append(f"  most likely: {meaning}")
    if report.death is Death.OUT_OF_MEMORY and report.max_rss:
        asked = f", {mem / 2**20:,.0f} MiB were asked for" if mem else ""
        lines.append(f"  its peak: {report.max_rss / 2**10:,.0f} MiB{asked}")
    if report.death is Death.TIME_LIMIT and time:
        lines.append(f"  its limit: {time:g} s")
    lines += [f"  evidence: {words}" for words in report.evidence]
    if report.stderr_tail.strip():
        lines.append("  the last of its stderr: " + report.stderr_tail.strip()[-1000:])
    lines += [f"  work_dir: {work_dir}", *following]
    error = kind("\n".join(lines), itask, attempts, work_dir)
    error.node, error.evidence, error.stderr_tail = report.node, report.evidence, report.stderr_tail
    return error


def _how(report: Report) -> str:
    if report.signal:
        try:
            name = signal.Signals(report.signal).name
        except ValueError:
            name = "unknown"
        return f" by signal {report.signal} ({name})"
    return f" with exit code {report.exit_code}" if report.exit_code else ""
