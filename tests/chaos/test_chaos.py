"""Nothing is lost, doubled, wrong or left behind, whatever strikes: the short version of `python -m tests.chaos`."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos import report
from tests.chaos.faults import ANYWHERE, Fault
from tests.chaos.faults_gridengine import GRID_ENGINE, MASTER
from tests.chaos.faults_slurm import SLURM
from tests.chaos.series import Series
from tests.chaos.systems import System, open_lanes
from tests.real.daemons import DaemonsUnavailable
from tests.real.gridengine import GridEngine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

LONGEST = 5.0
SEED = 1
IS_CI = os.environ.get("CI") == "true"
FEW = ("kill-child", "kill-main", "terminate-main", "hold")


def chosen(faults: dict[str, Fault]) -> dict[str, Fault]:
    """Return the faults for a backend whose kin is struck by all of them."""
    return {name: fault for name, fault in faults.items() if name in FEW or name.startswith(("cancel-", "delete-"))}


def strike(backend: str, faults: dict[str, Fault], runs: int, lanes: list[System]) -> None:
    """Run so many scenarios, and more until each fault has struck; nothing may be lost."""
    series = Series(backend, faults, LONGEST, lambda done: print(report.told(done), flush=True))
    series.run([(SEED + k, "") for k in range(runs)], lanes)
    series.run_until_all_struck(SEED, lanes)
    print(report.table(series.reports))
    assert [] == [report.told(done) for done in series.reports if done.losses]
    assert [] == series.never_struck()


@pytest.fixture(scope="module")
def slurm_lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[System]]:
    """Three Slurms."""
    yield from _lanes("slurm", tmp_path_factory, 3)


@pytest.fixture(scope="module")
def local_lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[System]]:
    """Three folders, each with a small disk."""
    yield from _lanes("local", tmp_path_factory, 3)


@pytest.fixture(scope="module")
def grid_engine_lanes(tmp_path_factory: pytest.TempPathFactory, grid_engine: GridEngine) -> Iterator[list[System]]:
    """Three folders, one Grid Engine."""
    yield from _lanes("sge", tmp_path_factory, 3, grid_engine)


def _lanes(
    backend: str, factory: pytest.TempPathFactory, number: int, engine: GridEngine | None = None
) -> Iterator[list[System]]:
    try:
        with open_lanes(backend, factory.mktemp(f"chaos-{backend}"), number, engine) as lanes:
            yield lanes
    except DaemonsUnavailable as error:
        if IS_CI:
            raise
        pytest.skip(error.reason)


def test_local(local_lanes: list[System]) -> None:
    """On this machine."""
    strike("local", ANYWHERE, 6, local_lanes)


@pytest.mark.real
def test_slurm_array(slurm_lanes: list[System]) -> None:
    """On Slurm, by all that can strike there."""
    strike("slurm-array", SLURM, 14, slurm_lanes)


@pytest.mark.real
def test_slurm(slurm_lanes: list[System]) -> None:
    """On Slurm, with a job for each chunk."""
    strike("slurm", chosen(SLURM), 4, slurm_lanes)


@pytest.mark.real
def test_grid_engine_array(grid_engine_lanes: list[System]) -> None:
    """On Grid Engine; its master is stopped only where nobody else may need it."""
    strike("sge-array", {**GRID_ENGINE, **(MASTER if IS_CI else {})}, 8, grid_engine_lanes)


@pytest.mark.real
def test_grid_engine(grid_engine_lanes: list[System]) -> None:
    """On Grid Engine, with a job for each chunk."""
    strike("sge", chosen(GRID_ENGINE), 4, grid_engine_lanes)
