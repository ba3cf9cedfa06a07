"""The processes of the jobs of one Slurm, found by what they have open and in their environment."""

from fnmatch import fnmatch
from pathlib import Path

from tests.real.daemons import environment_of, is_alive, open_files, parent_of, pids, program_of
from tests.real.slurm_conf import Layout


def stepds(at: Layout, node: str = "*") -> list[int]:
    """List the slurmstepds of one node or of all: each has the log of its node open."""
    log = f"{at.log}/slurmd-{node}.log"
    found = [pid for pid in pids() if _is_stepd(pid) and any(fnmatch(path, log) for path in open_files(pid))]
    # A stepd's child that is about to become the job's script looks like a stepd for a moment.
    return [pid for pid in found if parent_of(pid) not in found and is_alive(pid)]


def job_processes(at: Layout) -> list[int]:
    """List the processes that the jobs of this cluster started."""
    return [pid for pid in pids() if is_alive(pid) and _is_job(environment_of(pid), at)]


def _is_stepd(pid: int) -> bool:
    """Tell it by the program, slurmstepd or (Debian) slurmstepd-wlm; it overwrites its command line."""
    return Path(program_of(pid)).name.startswith("slurmstepd")


def _is_job(environment: dict[str, str], at: Layout) -> bool:
    return "SLURM_JOB_ID" in environment and environment.get("SLURM_CONF") == str(at.conf)
