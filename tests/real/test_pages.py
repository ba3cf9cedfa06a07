"""Blocks of the documentation that need a real Slurm: what users of other libraries come from."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.helpers import wait_until
from tests.docs.blocks import ROOT, Block, blocks_of
from tests.needed import needed

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

BLOCKS = [block for block in blocks_of(ROOT / "docs" / "how-to" / "move.md") if "test_pages.py" in block.run_by]
# dask's workers are given this machine's loopback alone; its own default is the interface of the host's name.
OF_DASK = {"DASK_JOBQUEUE__SLURM__INTERFACE": "lo", "DASK_DISTRIBUTED__DASHBOARD__LINK": ""}


def name_of(block: Block) -> str:
    """Return the library that a block begins with."""
    return block.code.split()[1].partition(".")[0]


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_block_of_another_library(block: Block, slurm_cluster: Any, tmp_path: Path) -> None:
    """It does what the page has as its counterpart here."""
    needed("submitit", "dask_jobqueue", extra="peers")  # not imported: dask changes how exceptions are pickled
    script = tmp_path / "block.py"
    script.write_text(f"{block.code}\nassert [1, 2] == list(values), values\nprint('the block has run')\n")
    environment = {**os.environ, **slurm_cluster.environment, **OF_DASK}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert "the block has run" in done.stdout.splitlines(), f"{block.where}:\n{done.stdout}{done.stderr}"
    assert 0 == done.returncode, done.stderr
    wait_until(lambda: not slurm_cluster.queue(), lambda: f"an empty queue: {slurm_cluster.queue()}", 60)


def test_there_are_blocks() -> None:
    """Both libraries have one."""
    assert 2 == len(BLOCKS)
