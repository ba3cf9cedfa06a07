"""Find Grid Engine's other commands beside the ones that users name."""

from __future__ import annotations

import os

__all__ = ["find_qconf"]


def find_qconf(qsub_path: str) -> str:
    """Return the qconf that stands beside this qsub."""
    folder = os.path.dirname(qsub_path)
    return os.path.join(folder, "qconf") if folder else "qconf"
