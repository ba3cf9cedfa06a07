"""Why a queue-job died: weigh what the scheduler, the accounting, and the raw stderr say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from .advice import sign_of_environment
from .states import Death, Job, JobState, Report

__all__ = ["DEATH_OF_STATE", "refine"]

DEATH_OF_STATE = {
    JobState.OUT_OF_MEMORY: Death.OUT_OF_MEMORY,
    JobState.TIME_LIMIT: Death.TIME_LIMIT,
    JobState.NODE_FAILED: Death.NODE_FAILED,
    JobState.PREEMPTED: Death.PREEMPTED,
    JobState.CANCELLED: Death.CANCELLED,
    JobState.FAILED: Death.CRASHED,
}

# What schedulers write into the stderr of the jobs that they kill.
_WORDS = (
    (re.compile(r"exceeded (?:job |step )?memory limit|oom[-_ ]kill|out[- ]of[- ]memory", re.I), Death.OUT_OF_MEMORY),
    (re.compile(r"DUE TO TIME LIMIT|exceeded .*(?:wall|run) ?time|h_rt", re.I), Death.TIME_LIMIT),
    (re.compile(r"DUE TO NODE FAILURE", re.I), Death.NODE_FAILED),
    (re.compile(r"DUE TO PREEMPTION", re.I), Death.PREEMPTED),
    (re.compile(r"\*\*\* (?:JOB|STEP) .*CANCELLED AT", re.I), Death.CANCELLED),
)  # fmt: skip

# The more a cause explains, the less it can be a mere consequence of another.
_WEIGHT = (
    Death.VANISHED,
    Death.CRASHED,
    Death.CANCELLED,
    Death.BAD_ENVIRONMENT,
    Death.PREEMPTED,
    Death.NODE_FAILED,
    Death.TIME_LIMIT,
    Death.OUT_OF_MEMORY,
    Death.REFUSED,
)


def refine(report: Report, accounts: Iterable[Job], stderr: str, has_greeted: bool = True) -> Report:
    """Return the report with the cause that explains most, and all evidence for it.

    Parameters
    ----------
    report : Report
        What the worker and the queries tell.
    accounts : iterable of Job
        What the accounting tells of this queue-job and its steps.
    stderr : str
        The end of the queue-job's raw stderr.
    has_greeted : bool
        Whether a worker of it has said hello.
    """
    deaths, evidence, node = [report.death], list(report.evidence), report.node
    for job in accounts:
        death = DEATH_OF_STATE.get(job.state)
        if death is not None:
            deaths.append(death)
            evidence.append(f"the accounting says {job.state.value} ({job.reason})")
            node = node or job.node
    for pattern, death in _WORDS:
        found = pattern.search(stderr)
        if found is not None:
            deaths.append(death)
            line = next(line for line in stderr.splitlines() if pattern.search(line))
            evidence.append(f"its raw stderr says: {line.strip()[:300]}")
            break
    worst = max(deaths, key=_WEIGHT.index)
    # Grid Engine forgets a job that could not begin as it forgets one that is done.
    sign = "" if has_greeted or worst not in (Death.VANISHED, Death.CRASHED) else sign_of_environment(stderr)
    if sign:
        worst = Death.BAD_ENVIRONMENT
        evidence.append(f"no worker said hello, and its raw stderr says: {sign[:300]}")
    tail = report.stderr_tail or stderr
    return replace(report, death=worst, node=node, evidence=tuple(dict.fromkeys(evidence)), stderr_tail=tail)
