"""The pools on which other libraries are tried: this machine, the dummies of Slurm, multiprocessing as the control."""

import multiprocessing

import pytest

import pypoolparty
from pypoolparty.testing import Dummies


@pytest.fixture(params=["multiprocessing", "local", "dummy-slurm"])
def pool(request, tmp_path):
    """Return a pool that is ended after the test."""
    if request.param == "multiprocessing":
        with multiprocessing.Pool(2) as made:
            yield made
    elif request.param == "local":
        with pypoolparty.local.Pool(2, work_dir=tmp_path / "work") as made:
            yield made
    else:
        with Dummies(tmp_path / "dummies") as dummies, pool_on(dummies, tmp_path) as made:
            yield made


def pool_on(dummies, tmp_path, **given):
    """Return a pool on the dummies of Slurm."""
    paths = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
    return pypoolparty.slurm.array.Pool(2, work_dir=tmp_path / "work", polling_interval=0.2, **paths, **given)


@pytest.fixture(params=["local", "dummy-slurm"])
def own_pool(request, tmp_path):
    """Return a pool of ours that is ended after the test."""
    if request.param == "local":
        with pypoolparty.local.Pool(2, work_dir=tmp_path / "work") as made:
            yield made
    else:
        with Dummies(tmp_path / "dummies") as dummies, pool_on(dummies, tmp_path) as made:
            yield made
