"""The examples on a real Slurm."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.contract.helpers import wait_until
from tests.examples.programs import NEEDS, run_example

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_example(slurm_cluster: Any, name: str, tmp_path: Path) -> None:
    """It runs, finds its answer right, and leaves nothing in the queue."""
    run_example(name, "slurm", tmp_path, {**os.environ, **slurm_cluster.environment})
    wait_until(lambda: not slurm_cluster.queue(), lambda: f"an empty queue: {slurm_cluster.queue()}", 60)
