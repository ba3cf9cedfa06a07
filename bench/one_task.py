"""The job script of those who have no library: one task from a file, its result into a file."""

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any


def write_tasks(place: str, func: Callable[[Any], Any], tasks: Sequence[Any]) -> None:
    """Write a file for the function and one for each task."""
    for name in ("tasks", "parts", "results"):
        os.makedirs(os.path.join(place, name))
    with open(os.path.join(place, "function"), "wb") as stream:
        pickle.dump(func, stream)
    for number, task in enumerate(tasks):
        with open(os.path.join(place, "tasks", str(number)), "wb") as stream:
            pickle.dump(task, stream)


def run_task(place: str, number: int) -> None:
    """Do one task; its result appears at once and whole."""
    with open(os.path.join(place, "function"), "rb") as stream:
        func = pickle.load(stream)
    with open(os.path.join(place, "tasks", str(number)), "rb") as stream:
        task = pickle.load(stream)
    part = os.path.join(place, "parts", str(number))
    with open(part, "wb") as stream:
        pickle.dump(func(task), stream)
    os.rename(part, os.path.join(place, "results", str(number)))


def read_results(place: str, n: int) -> list[Any]:
    """Read the results, in order."""
    results = []
    for number in range(n):
        with open(os.path.join(place, "results", str(number)), "rb") as stream:
            results.append(pickle.load(stream))
    return results


def _number() -> int:
    if len(sys.argv) > 2:
        return int(sys.argv[2])
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        return int(os.environ["SLURM_ARRAY_TASK_ID"])
    return int(os.environ["SGE_TASK_ID"]) - 1


if __name__ == "__main__":
    run_task(sys.argv[1], _number())
