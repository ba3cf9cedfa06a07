"""The dummies of Slurm and Grid Engine with a clock: their queue moves although nobody looks at it."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from pypoolparty.testing import Dummies

PARTITIONS = ("main", "gpu", "long", "short")
TICK_SECONDS = 0.2


@contextlib.contextmanager
def ticking_dummies(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment in which programs find ``sbatch`` and its kin.

    The dummies do a step at each look, and pools with their default settings look every five seconds.
    """
    over = threading.Event()
    with Dummies(folder, slots=4, partitions=PARTITIONS) as dummies:
        looks = [[dummies.path(command)] for command in ("squeue", "qstat")]

        def tick() -> None:
            while not over.wait(TICK_SECONDS):
                if dummies.queue():
                    for argv in looks:
                        subprocess.run(argv, capture_output=True, timeout=60)

        clock = threading.Thread(target=tick, name="clock", daemon=True)
        clock.start()
        try:
            yield {**os.environ, **dummies.environment}
        finally:
            over.set()
            clock.join()
        left = dummies.queue()
    assert not left, f"queue-jobs are left: {left}"
