"""What the schedulers write down: requests that were answered, and jobs with their cores and times."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

# What the daemons of the nodes, and this bench itself, ask of the controller.
_NOT_CLIENTS = re.compile(
    r"MESSAGE_|REQUEST_(STATS_INFO|COMPLETE_BATCH_SCRIPT|COMPLETE_PROLOG|STEP_COMPLETE|NODE_REG|CONFIG|"
    r"RECONFIGURE|CONTROL_STATUS|PERSIST)"
)
# Lines of the controller's log: a job has its cores, or gives them back. "JobId=7" or, in an array, "JobId=5_2(7)".
_NUMBER = r"JobId=(?:\d+_\d+\()?(\d+)"
_BEGUN = re.compile(rf"^\[([\d:.T-]+)\] sched(?:/backfill)?: (?:Allocate|_start_job: Started) {_NUMBER}", re.MULTILINE)
_OVER = re.compile(rf"^\[([\d:.T-]+)\] _job_complete: {_NUMBER}\)? done", re.MULTILINE)


class Job(NamedTuple):
    """One queue-job that ended."""

    cores: int
    seconds: float


def requests_by_kind(sdiag: str) -> dict[str, int]:
    """Read how many requests of each kind a Slurm controller answered, from the text of sdiag."""
    _, _, rest = sdiag.partition("by message type")
    by_kind, _, _ = rest.partition("Remote Procedure Call statistics by user")
    return {kind: int(n) for kind, n in re.findall(r"(\w+)\s*\(\s*\d+\)\s*count:(\d+)", by_kind)}


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what came since, by kind."""
    grown = {kind: n - before.get(kind, 0) for kind, n in after.items()}
    return {kind: n for kind, n in sorted(grown.items()) if n}


def of_clients(requests: dict[str, int]) -> int:
    """Sum up what the commands of users asked; sbatch, squeue, scancel, srun and their kin."""
    return sum(n for kind, n in requests.items() if not _NOT_CLIENTS.match(kind))


def slurm_jobs(completions: str, log: str = "") -> list[Job]:
    """Read jobs from the text of Slurm's jobcomp/filetxt.

    Its times are cut to whole seconds, for all jobs of an array alike; the controller's log has milliseconds, and
    goes before where it has both ends of a job.
    """
    begun, over = ({number: stamp for stamp, number in found.findall(log)} for found in (_BEGUN, _OVER))
    jobs = []
    for line in completions.splitlines():
        row = dict(word.split("=", 1) for word in line.split() if "=" in word)
        try:
            stamps = [row["StartTime"], row["EndTime"]]
            if row["JobId"] in begun and row["JobId"] in over:
                stamps = [begun[row["JobId"]], over[row["JobId"]]]
            begin, end = map(datetime.fromisoformat, stamps)
            jobs.append(Job(int(row["ProcCnt"]), max(0.0, (end - begin).total_seconds())))
        except (KeyError, ValueError):
            jobs.append(Job(0, 0.0))  # cancelled before it began: "Unknown"
    return jobs


def grid_engine_jobs(accounting: str) -> list[Job]:
    """Read jobs from the text of Grid Engine's accounting file: see accounting(5)."""
    jobs = []
    for line in accounting.splitlines():
        row = line.split(":")
        if not line.startswith("#") and len(row) > 34:
            begin, end = float(row[9]), float(row[10])
            scale = 1000 if begin > 1e11 else 1  # some versions write milliseconds
            jobs.append(Job(int(row[34]), max(0.0, end - begin) / scale if begin else 0.0))
    return jobs


def held(jobs: Iterable[Job]) -> float:
    """Return the core-seconds that were held."""
    return sum(job.cores * job.seconds for job in jobs)
