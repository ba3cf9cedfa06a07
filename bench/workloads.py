"""What the peers are given to do, and how long it takes in the ideal case."""

import functools
import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Rounds = list[Sequence[Any]]

MEGABYTE = 1_000_000
TINY_TASKS, TINY_ROUNDS, TINY_DATA = 8, 2, 1000


@dataclass(frozen=True)
class Workload:
    """Tasks of one kind.

    Attributes
    ----------
    name, title : str
    make_rounds : callable
        Gives the lists of tasks, one for each map in a row on the same pool.
    slots : int
        How many tasks run at a time on a cluster; `local_slots` on this machine, which has fewer cores.
    do : str
        Name of the function in `bench.functions`, or with its module.
    data : int
        So many bytes the function closes over.
    sleeps : bool
        Whether a task is the seconds that it takes; else it takes none.
    smaller : str, optional
        A workload like this one, but smaller: who does not finish that one is not asked for this one.
    """

    name: str
    title: str
    make_rounds: Callable[[], Rounds]
    slots: int = 16
    local_slots: int = 2
    do: str = "bench.functions.do_nothing"
    data: int = 0
    sleeps: bool = False
    smaller: str | None = None

    def rounds(self, is_tiny: bool = False) -> Rounds:
        """Return the tasks of each map; only a few of them to try things out."""
        rounds = self.make_rounds()
        if not is_tiny:
            return rounds
        rounds = [tasks[:TINY_TASKS] for tasks in rounds[:TINY_ROUNDS]]
        if self.do == "bench.functions.turn":
            rounds = [[task[: len(task) // TINY_DATA] for task in tasks] for tasks in rounds]
        return rounds

    def function(self, is_tiny: bool = False) -> Callable[[Any], Any]:
        """Return what is called with each task."""
        module, _, name = self.do.rpartition(".")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        if self.data:
            size = self.data // (TINY_DATA if is_tiny else 1)
            return functools.partial(function, bytes(range(256)) * (size // 256 + 1))
        return function

    def is_right(self, tasks: Sequence[Any], results: Sequence[Any]) -> bool:
        """Tell whether these are the results of these tasks."""
        if len(tasks) != len(results):
            return False
        if self.do == "bench.functions.turn":
            return all(task[::-1] == result for task, result in zip(tasks, results))
        return all(task == result for task, result in zip(tasks, results))

    def slots_on(self, system: str) -> int:
        """Return how many tasks run at a time."""
        return self.local_slots if system == "local" else self.slots

    def work(self, rounds: Rounds) -> float:
        """Return the core-seconds of all tasks."""
        return sum(sum(tasks) for tasks in rounds) if self.sleeps else 0.0

    def ideal(self, rounds: Rounds, slots: int) -> float:
        """Return the seconds that it takes when nothing but the tasks takes time."""
        return sum(max(sum(tasks) / slots, max(tasks)) for tasks in rounds) if self.sleeps else 0.0


def _naps(seconds: float, tasks: int, rounds: int = 1) -> Callable[[], Rounds]:
    """Give naps that differ in nothing but nanoseconds, as some peers answer equal tasks from a cache."""

    def make() -> Rounds:
        number = iter(range(tasks * rounds))
        return [[seconds + 1e-9 * next(number) for _ in range(tasks)] for _ in range(rounds)]

    return make


def _lognormal() -> Rounds:
    chance = random.Random(7)
    return [[chance.lognormvariate(-(1.2**2) / 2, 1.2) for _ in range(100)]]


def _large_tasks() -> Rounds:
    block = random.Random(7).randbytes(MEGABYTE)
    return [[bytes([number]) + block * 10 for number in range(40)]]


_NAP = "bench.functions.nap"

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("one", "one no-op", lambda: [[0]], slots=1, local_slots=1),
        Workload("500x10ms", "500 × 10 ms", _naps(0.01, 500), local_slots=16, do=_NAP, sleeps=True),
        Workload("64x1s", "64 × 1 s", _naps(1.0, 64), slots=32, local_slots=32, do=_NAP, sleeps=True),
        Workload("lognormal", "100 lognormal, mean 1 s", _lognormal, local_slots=16, do=_NAP, sleeps=True),
        Workload("10000x1ms", "10,000 × 1 ms", _naps(0.001, 10_000), local_slots=16, do=_NAP, sleeps=True),
        Workload("100000", "100,000 no-ops", lambda: [range(100_000)]),
        Workload("1000000", "1,000,000 no-ops", lambda: [range(1_000_000)], smaller="100000"),
        Workload("10MB", "40 tasks and results of 10 MB", _large_tasks, do="bench.functions.turn"),
        Workload("500MB", "8 tasks, func closes over 500 MB", lambda: [range(8)], slots=8,
                 do="bench.functions.pick", data=500 * MEGABYTE),
        Workload("slow-import", "64 × 0.1 s, module takes 2 s to import", _naps(0.1, 64), local_slots=16,
                 do="bench.slow_module.nap", sleeps=True),
        Workload("iterated", "100 maps of 32 × 10 ms", _naps(0.01, 32, rounds=100), slots=32, local_slots=32,
                 do=_NAP, sleeps=True),
    )
}  # fmt: skip
