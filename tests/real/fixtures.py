"""Real schedulers as fixtures: up for the first test that asks for them, down at the end of the session."""

import contextlib
import os
from collections.abc import Iterator
from typing import NoReturn, TypeVar

import pytest

from tests.real.daemons import DaemonsUnavailable
from tests.real.gridengine import GridEngine
from tests.real.guard import guarded
from tests.real.slurm import SlurmCluster

Daemons = TypeVar("Daemons", SlurmCluster, GridEngine)


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Four nodes, and no accounting, as on many sites."""
    with _up(SlurmCluster(tmp_path_factory.mktemp("slurm"))) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_with_accounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Four nodes, sacct answers, and limits by QOS are enforced."""
    with _up(SlurmCluster(tmp_path_factory.mktemp("slurm-accounting"), accounting=True)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_small_arrays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Arrays have eleven elements at most and jobs are forgotten two seconds after their end."""
    folder = tmp_path_factory.mktemp("slurm-small-arrays")
    with _up(SlurmCluster(folder, max_array_size=11, min_job_age=2)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def grid_engine() -> Iterator[GridEngine]:
    """One host with sixteen slots; a Grid Engine that somebody has up is used and stays up."""
    with _up(GridEngine()) as engine:
        yield engine


@contextlib.contextmanager
def _up(daemons: Daemons) -> Iterator[Daemons]:
    """Bring up and down; a guard does the latter when this process is killed."""
    with guarded(daemons):
        try:
            daemons.up()
        except DaemonsUnavailable as error:
            _unavailable(error.reason)
        try:
            yield daemons
        finally:
            daemons.down()


def _unavailable(reason: str) -> NoReturn:
    """Skip on somebody's laptop, but fail in CI, where a skipped test would go unnoticed for ever."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
