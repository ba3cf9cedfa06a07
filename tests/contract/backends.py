"""The backends that the contract runs on, and how to make a pool on each of them."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path

SLURM = ("sbatch", "squeue", "scancel")
GRID_ENGINE = ("qsub", "qstat", "qdel")


@dataclass(frozen=True)
class Backend:
    """One kind of pool on one kind of system.

    Attributes
    ----------
    pool : str
        Dotted name of the pool's class.
    dummies : tuple of str
        The scheduler's commands that `pypoolparty.testing` stands in for.
    cluster : str
        The fixture that brings up the real scheduler.
    processes : int
        How many tasks at a time, where the body does not say.
    """

    name: str
    pool: str
    dummies: tuple[str, ...] = ()
    cluster: str = ""
    processes: int = 4
    polling_interval: float = 0.2

    @property
    def is_reference(self) -> bool:
        """Whether this is what all others are compared with."""
        return self.name == "multiprocessing"

    @property
    def has_scheduler(self) -> bool:
        """Whether queue-jobs do the work."""
        return bool(self.cluster or self.dummies)

    @property
    def is_late(self) -> bool:
        """Whether files of a node appear late in the work_dir, as on NFS."""
        return self.name.endswith("-late")

    @property
    def is_array(self) -> bool:
        """Whether a map's queue-jobs are the elements of one array."""
        return self.pool.endswith(".array.Pool")

    def chunksize_for_many(self, n):
        """Return the chunksize for a map of `n` tiny tasks: None, where the pool knows best."""
        is_per_chunk = self.pool.endswith(("slurm.Pool", "sun_grid_engine.Pool"))
        return -(-n // 8) if is_per_chunk else None

    def pool_class(self):
        """Import the pool's class."""
        module, _, name = self.pool.rpartition(".")
        return getattr(importlib.import_module(module), name)

    def options(self, work_dir, paths, given):
        """Return the arguments for one pool: the body's own, and what this backend needs."""
        if self.is_reference:
            return {"processes": self.processes, **given}
        options = {"work_dir": str(work_dir), "polling_interval": self.polling_interval, **paths}
        if "processes" not in given:
            options["num_simultaneously_running_tasks"] = self.processes
        return {**options, **given}


def _backends():
    slurm, sge = "pypoolparty.slurm", "pypoolparty.sun_grid_engine"
    yield Backend("multiprocessing", "multiprocessing.Pool")
    yield Backend("local", "pypoolparty.local.Pool", processes=2)
    yield Backend("dummy-slurm-array", f"{slurm}.array.Pool", dummies=SLURM)
    yield Backend("dummy-slurm", f"{slurm}.Pool", dummies=SLURM)
    yield Backend("dummy-sge-array", f"{sge}.array.Pool", dummies=GRID_ENGINE)
    yield Backend("dummy-sge", f"{sge}.Pool", dummies=GRID_ENGINE)
    yield Backend("slurm-array", f"{slurm}.array.Pool", cluster="slurm_cluster", polling_interval=0.5)
    yield Backend("slurm", f"{slurm}.Pool", cluster="slurm_cluster", polling_interval=0.5)
    yield Backend("slurm-array-late", f"{slurm}.array.Pool", cluster="slurm_late", polling_interval=0.5)
    yield Backend("slurm-late", f"{slurm}.Pool", cluster="slurm_late", polling_interval=0.5)
    yield Backend("sge-array", f"{sge}.array.Pool", cluster="grid_engine", polling_interval=0.5)
    yield Backend("sge", f"{sge}.Pool", cluster="grid_engine", polling_interval=0.5)


BACKENDS = {backend.name: backend for backend in _backends()}

# Which backends a body runs on by its mark. A map on a real scheduler takes a second or two, so not
# everything runs everywhere: what all pools share is the engine, and Slurm's arrays show that all of it works.
# A late file system is the same to both of Slurm's pools: `slurm-late` runs only where it is asked for.
EVERYWHERE = tuple(name for name in BACKENDS if name != "slurm-late")
MOST = ("multiprocessing", "local", "dummy-slurm-array", "dummy-sge-array", "slurm-array")
HEAVY = ("multiprocessing", "local", "dummy-slurm-array", "slurm-array", "slurm-array-late", "sge-array")


def as_json(backend, options):
    """Write down a pool for a program of its own to make (see `main_script`)."""
    return json.dumps({"pool": backend.pool, "options": options}, default=lambda value: str(Path(value)))
