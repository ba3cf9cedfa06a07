"""Real schedulers as fixtures: up for the first test that asks for them, down at the end of the session."""

import contextlib
import getpass
import os
from collections.abc import Iterator
from typing import NoReturn, TypeVar

import pytest

from tests.real.daemons import DaemonsUnavailable
from tests.real.gridengine import GridEngine
from tests.real.guard import guarded
from tests.real.late_files import LateSlurm
from tests.real.slurm import SlurmCluster

LIMITS = (
    "PreemptType=preempt/partition_prio",
    "PreemptMode=CANCEL",
    "PartitionName=short Nodes=n1 MaxTime=1",
    "PartitionName=lean Nodes=n1 MaxMemPerNode=100",
    "PartitionName=low Nodes=n2 PriorityTier=1",
    "PartitionName=high Nodes=n2 PriorityTier=10",
)
Daemons = TypeVar("Daemons", SlurmCluster, LateSlurm, GridEngine)


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Four nodes, and no accounting, as on many sites."""
    with _up(SlurmCluster(tmp_path_factory.mktemp("slurm"))) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_with_accounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Four nodes, sacct answers, and there are limits of all kinds."""
    folder = tmp_path_factory.mktemp("slurm-accounting")
    with _up(SlurmCluster(folder, accounting=True, extra_conf=LIMITS)) as cluster:
        cluster.run("sacctmgr", "-i", "add", "qos", "few", "MaxSubmitJobsPerUser=3")
        cluster.run("sacctmgr", "-i", "add", "qos", "brief", "MaxWall=1", "Flags=DenyOnLimit")
        cluster.run("sacctmgr", "-i", "add", "account", "small", "GrpSubmitJobs=3")
        user = getpass.getuser()
        cluster.run("sacctmgr", "-i", "add", "user", user, "account=small")
        cluster.run("sacctmgr", "-i", "modify", "user", user, "set", "qos+=few,brief")
        yield cluster


@pytest.fixture(scope="session")
def slurm_small_arrays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Arrays have eleven elements at most and jobs are forgotten two seconds after their end."""
    folder = tmp_path_factory.mktemp("slurm-small-arrays")
    with _up(SlurmCluster(folder, max_array_size=11, min_job_age=2)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LateSlurm]:
    """Its nodes see the files in a folder of it late, as on NFS."""
    with _up(LateSlurm(tmp_path_factory.mktemp("slurm-late"))) as cluster:
        assert cluster.hides(cluster.late / "probe")
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
