"""A first look at the speed of a pool: a few maps, each some times, with the median of their wall times.

python -m tests.real up slurm          # prints the line to export
python bench/quick.py slurm.array --repeats 5
"""

import argparse
import operator
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import pypoolparty


def nap(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def do_nothing(number: int) -> int:
    """Return the task."""
    return number


# Name: function, tasks, queue-jobs at a time, seconds in the ideal case.
WORKLOADS: dict[str, tuple[Callable[[Any], Any], Sequence[Any], int, float]] = {
    "one no-op": (do_nothing, [0], 1, 0.0),
    "500 x 10 ms": (nap, [0.01] * 500, 16, 500 * 0.01 / 16),
    "64 x 1 s": (nap, [1.0] * 64, 32, 2.0),
    "100,000 no-ops": (do_nothing, range(100_000), 16, 0.0),
}


def measure(name: str, backend: str, folder: str) -> float:
    """Return the wall time in seconds from the call to the list of results, which is checked."""
    function, tasks, width, _ = WORKLOADS[name]
    make_pool = operator.attrgetter(f"{backend}.Pool")(pypoolparty)
    with make_pool(width, work_dir=folder) as pool:
        begin = time.perf_counter()
        results = pool.map(function, tasks)
        wall = time.perf_counter() - begin
        assert list(tasks) == results
        pool.close()
        pool.join()
    return wall


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", help="local, slurm.array, sun_grid_engine.array, …")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print(f"| {asked.backend} | median s | min … max | ideal |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
        for name, (_, _, _, ideal) in WORKLOADS.items():
            walls = [measure(name, asked.backend, folder) for _ in range(asked.repeats)]
            spread = f"{min(walls):.2f} … {max(walls):.2f}"
            print(f"| {name} | {statistics.median(walls):.2f} | {spread} | {ideal:.2f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak memory of the main process: {peak} MB")


if __name__ == "__main__":
    main()
