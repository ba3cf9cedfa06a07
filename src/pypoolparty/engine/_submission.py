"""From a plan to what is written to disk, journalled, and handed to the scheduler. Pure."""

from __future__ import annotations

from typing import Any

from ..chunks import tasks_of
from ..decide import CORES_OF_A_NODE, Plan
from ..events import Planned
from ..ledger import Batch
from ..policy import Policy
from ..states import Submission
from ..work_dir import WorkDir, escape_for_job_script
from ._options import Options

__all__ = ["describe", "planned", "submission_of", "throttle_of"]

FILES_PER_SECOND = 50.0
LEAST_FLUSH_SECONDS = 0.1


def _tables(action: Plan, number: int) -> list[int]:
    """Return the chunk tables that the workers go through: the submission's own first, if it has one."""
    return [number, *action.tables] if action.chunks else list(action.tables)


def describe(action: Plan, number: int, policy: Policy, options: Options) -> dict[str, Any]:
    """Return the content of ``submission.json``: what a worker is told.

    The flush interval grows with the number of workers, so that the spool sees no more than a bounded rate of files.
    """
    width = workers = action.elements * (policy.workers_per_job or CORES_OF_A_NODE)
    if not action.is_elastic and policy.width:
        workers = min(workers, policy.width)
    described = {
        "elastic": action.is_elastic,
        "width": max(1, width),
        "tables": [f"{table:04d}" for table in _tables(action, number)],
        "flush_interval": max(LEAST_FLUSH_SECONDS, workers / FILES_PER_SECOND),
        "time_limit": policy.time_at(action.time_level),
        "cpus": options.resources.cpus,
        "workers_per_job": policy.workers_per_job,
        "enforce_mem": policy.mem_at(action.mem_level) if options.enforce_mem else None,
    }
    if options.linger:
        described["linger"] = dict(zip(("room", "seconds"), options.linger))
    return described


def planned(action: Plan, number: int, session_id: str) -> Planned:
    """Return the event of a submission that was written to disk."""
    return Planned(
        number,
        f"{session_id}-{number:04d}",
        action.elements,
        action.is_elastic,
        _tables(action, number),
        sum(len(tasks_of(chunk)) for chunk in action.chunks),
        list(action.chunks),
        (action.mem_level, action.time_level),
    )


def submission_of(
    batch: Batch, elements: tuple[int, ...], work_dir: WorkDir, policy: Policy, options: Options
) -> Submission:
    """Return what the scheduler is asked to run."""
    return Submission(
        name=batch.name,
        is_array=policy.is_array,
        script=work_dir.layout.job_script,
        script_args=(options.python_path, escape_for_job_script(work_dir.path), f"{batch.number:04d}"),
        work_dir=work_dir.path,
        number=batch.number,
        elements=elements,
        resources=options.resources_at(policy.mem_at(batch.level[0]), policy.time_at(batch.level[1])),
        interpreter=options.interpreter,
    )


def throttle_of(batch: Batch, policy: Policy, live: int) -> int | None:
    """Return how many elements of an array may run at a time, where each ends after its own chunk."""
    if batch.is_elastic or not policy.is_array or not policy.width:
        return None
    return max(1, policy.width - live)
