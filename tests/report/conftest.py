"""Work_dirs that reports are made of."""

import pytest

import pypoolparty
from pypoolparty.testing import Dummies


@pytest.fixture
def run_local(tmp_path):
    """Return a function that runs a map on this machine and returns its work_dir."""

    def run(func, tasks, width=2, **options):
        options = {"keep_work_dir": True, "polling_interval": 0.1, **options}
        with pypoolparty.local.Pool(width, work_dir=tmp_path / "maps", **options) as pool:
            result = pool.map_async(func, tasks, on_error="return")
            result.get()
            pool.close()
            pool.join()
        return result.work_dir

    return run


@pytest.fixture
def run_slurm(tmp_path):
    """Return a function that runs a map on dummies of Slurm and returns its work_dir."""
    with Dummies(tmp_path / "dummies") as dummies:

        def run(func, tasks, width=2, **options):
            paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
            options = {"keep_work_dir": True, "polling_interval": 0.2, **paths, **options}
            with pypoolparty.slurm.array.Pool(width, work_dir=tmp_path / "maps", **options) as pool:
                result = pool.map_async(func, tasks, on_error="return")
                result.get()
                pool.close()
                pool.join()
            return result.work_dir

        yield run
