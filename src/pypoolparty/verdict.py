"""Exceptions out of reports: what a user is told of a lost task."""

from __future__ import annotations

import signal

from . import errors
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


def error_of(report: Report, itask: int, attempts: int, work_dir: str) -> errors.PoolPartyError:
    """Return the exception for a task that is lost.

    Parameters
    ----------
    report : Report
        Of its last death.
    itask, attempts : int
    work_dir : str
    """
    if report.death is Death.REFUSED:
        return errors.SubmissionRefused("; ".join(report.evidence))
    kind: type[errors.TaskLost] = getattr(errors, report.death.value)
    where = f" on {report.node}" if report.node else ""
    tries = f" (attempt {attempts})" if attempts > 1 else ""
    lines = [f"task {itask} {_WHAT[report.death]}{_how(report)}{where}{tries}"]
    lines += [f"  evidence: {words}" for words in report.evidence]
    if report.stderr_tail.strip():
        lines.append("  the last of its stderr: " + report.stderr_tail.strip()[-1000:])
    lines.append(f"  work_dir: {work_dir}")
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
