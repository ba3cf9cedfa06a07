"""Find Slurm's other commands beside the ones that users name."""

from __future__ import annotations

import os

__all__ = ["find_scontrol"]


def find_scontrol(sbatch_path: str) -> str:
    """Return the scontrol that stands beside this sbatch."""
    folder = os.path.dirname(sbatch_path)
    return os.path.join(folder, "scontrol") if folder else "scontrol"
