"""What a task shall find on the node: the variables, the folder and the import path of the main process."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from typing import Any

__all__ = ["describe_environment", "exported_variables", "is_owned_by_scheduler"]

# Kept although their prefix is a scheduler's: without them its commands find no scheduler.
_KEPT = {
    "SLURM_CONF",
    "SLURM_CLUSTERS",
    "SGE_ROOT",
    "SGE_CELL",
    "SGE_CLUSTER_NAME",
    "SGE_QMASTER_PORT",
    "SGE_EXECD_PORT",
}
_PREFIXES = ("SLURM_", "SLURMD_", "SBATCH_", "PBS_", "SGE_", "PMI_", "PMIX_")
# Set on each node, or for each job, by the scheduler or the system.
_OWNED = {
    "ARC", "CUDA_VISIBLE_DEVICES", "ENVIRONMENT", "GPU_DEVICE_ORDINAL", "HOSTNAME", "JOB_ID", "JOB_NAME",
    "JOB_SCRIPT", "NHOSTS", "NQUEUES", "NSLOTS", "PE", "PE_HOSTFILE", "QUEUE", "REQUEST", "RESTARTED",
    "ROCR_VISIBLE_DEVICES", "TEMP", "TMP", "TMPDIR", "XDG_RUNTIME_DIR",
}  # fmt: skip


def is_owned_by_scheduler(name: str) -> bool:
    """Tell whether a variable means something only in the job or on the host where it was set."""
    return name not in _KEPT and (name in _OWNED or name.startswith(_PREFIXES))


def exported_variables(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this process that a task shall find, and `extra` on top."""
    kept = {name: value for name, value in os.environ.items() if not is_owned_by_scheduler(name)}
    return {**kept, **extra}


def describe_environment(extra: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of ``environment.json``."""
    # An empty entry means the current folder, and a worker's is the same only after it has changed to it.
    path = [os.path.abspath(entry) for entry in sys.path]
    return {
        "variables": exported_variables(extra),
        "cwd": os.getcwd(),
        "umask": _umask(),
        "sys_path": path,
        "user_path": [entry for entry in path if not _is_of_this_python(entry)],
        "prefix": sys.prefix,
        "version": sys.version,
    }


def _umask() -> int:
    """Return this process's umask, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _is_of_this_python(entry: str) -> bool:
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), site.getusersitepackages()}
    prefixes = tuple(os.path.join(prefix, "lib") for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix))
    return entry in own or entry.startswith(prefixes)
