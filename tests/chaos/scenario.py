"""One random map and the faults that are to strike it, all of it drawn from one number."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.tasks import Task

BACKENDS = {
    "local": "pypoolparty.local.Pool",
    "slurm-array": "pypoolparty.slurm.array.Pool",
    "slurm": "pypoolparty.slurm.Pool",
    "sge-array": "pypoolparty.sun_grid_engine.array.Pool",
    "sge": "pypoolparty.sun_grid_engine.Pool",
}
MOST_QUEUE_JOBS = 24  # where each chunk has one of its own: a scheduler starts about ten in a second
MAX_NUM_RESUBMISSIONS = 10


@dataclass(frozen=True)
class Plan:
    """A fault, and when it is to strike: seconds after the main process was started."""

    fault: str
    at: float


@dataclass(frozen=True)
class Scenario:
    """All that is decided before the main process is started.

    Attributes
    ----------
    call : str
        The method of the pool.
    options : dict
        Arguments of the pool.
    place : str
        On which file system the work_dir is: ``plain``, ``disk`` (small) or ``late`` (caches like NFS).
    """

    backend: str
    seed: int
    call: str
    n: int
    chunksize: int | None
    options: dict[str, Any]
    durations: tuple[float, ...]
    faults: tuple[Plan, ...]
    place: str = "plain"
    errors: dict[int, str] = field(default_factory=dict)

    def tasks(self, marks: str) -> list[Task]:
        """Return the inputs of the map."""
        draw = random.Random(f"tasks {self.seed}")
        writes_stderr = draw.random() < 0.3
        tasks = []
        for itask, seconds in enumerate(self.durations):
            size = int(10 ** draw.uniform(0, 4.5))
            out = int(10 ** draw.uniform(0, 4)) if draw.random() < 0.3 else 0
            err = int(10 ** draw.uniform(0, 3)) if writes_stderr and draw.random() < 0.2 else 0
            tasks.append(Task(marks, self.seed, itask, seconds, size, out, err, self.errors.get(itask, "")))
        return tasks

    @property
    def pool(self) -> str:
        """Dotted name of the pool's class."""
        return BACKENDS[self.backend]

    @property
    def kinds(self) -> list[str]:
        """The names of the faults."""
        return [plan.fault for plan in self.faults]


def draw_scenario(backend: str, seed: int, kinds: Sequence[str], *, only: str = "", longest: float = 12.0) -> Scenario:
    """Return the scenario of a seed.

    Parameters
    ----------
    backend : str
    seed : int
    kinds : sequence of str
        The faults to choose from; the first one goes round with the seed, so that none is forgotten.
    only : str
        This fault and no other.
    longest : float
        Seconds that the map takes at the most if nothing strikes it.
    """
    draw = random.Random(f"{backend} {seed}")
    width = draw.randint(2, 8)
    seconds = draw.uniform(0.35 * longest, longest)
    n = round(10 ** draw.uniform(1, 2.6))
    chosen = _choose(draw, seed, list(kinds), only)
    width = 8 if "hold" in chosen else width  # some have to wait in the queue
    mean = min(0.5, seconds * width / n)
    durations = tuple(round(min(1.0, draw.uniform(0, 2 * mean)), 3) for _ in range(n))
    horizon = 2.0 + 0.8 * sum(durations) / width
    plans = tuple(Plan(name, round(draw.uniform(0.2, horizon), 2)) for name in chosen)
    options: dict[str, Any] = {
        "num_simultaneously_running_tasks": width,
        "polling_interval": round(draw.uniform(0.3, 1.0), 2),
        "keep_work_dir": draw.random() < 0.5,
        "max_num_resubmissions": MAX_NUM_RESUBMISSIONS,
        "maxtasksperchild": draw.choice([None, None, 3, 20]),
    }
    chunksize = draw.choice([None, None, 2, 5])
    if backend in ("local", "slurm-array", "sge-array"):
        options["elastic"] = draw.random() < 0.8
    if not options.get("elastic", False):
        chunksize = max(chunksize or 1, -(-n // MOST_QUEUE_JOBS))
    call = draw.choice(["map", "map", "starmap", "imap_unordered"])
    errors = {i: draw.choice(["ValueError", "KeyError", "ChaosError"]) for i in range(n) if draw.random() < 0.02}
    errors = errors if draw.random() < 0.4 else {}
    return Scenario(backend, seed, call, n, chunksize, options, durations, plans, _place(chosen), errors)


def _choose(draw: random.Random, seed: int, kinds: list[str], only: str) -> list[str]:
    """Return one to three faults that go together."""
    if only:
        return [only]
    chosen = [kinds[seed % len(kinds)]]
    for name in draw.sample(kinds, draw.randint(0, 2)):
        if name not in chosen and not {name, *chosen} >= {"fill-disk", "late-files"}:
            chosen.append(name)
    return chosen


def _place(chosen: list[str]) -> str:
    if "fill-disk" in chosen:
        return "disk"
    return "late" if "late-files" in chosen else "plain"
