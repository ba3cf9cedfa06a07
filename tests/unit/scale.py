"""A million tasks on ten thousand nodes, on paper: ``python -m tests.unit.scale [TASKS [WORKERS [--no-faults]]]``.

The engine is the real one; scheduler, queue-jobs and disk are those of `tests.unit.world`. Prints what it took,
and the rates that the shared file system and the scheduler would see.
"""

import argparse
import json
import random
import resource
import time
from collections import Counter

from pypoolparty.policy import Policy
from tests.unit import laws
from tests.unit.faults import Faults
from tests.unit.world import World

MEAN_SECONDS = 10.0
WINDOW_SECONDS = 10.0  # over which the highest rates are taken
NO_FAULTS = Faults()
FAULTS = Faults(
    task_raises=1e-5,
    task_crashes=1e-5,
    job_dies=3e-5,
    node_dies=0.02,
    out_of_time=1e-5,
    goodbye_is_missing=0.3,
    requeued=0.1,
    held=2e-4,
    suspended=2e-5,
    odd_state=1e-4,
    hides=1e-4,
    query_fails=0.05,
    away=0.01,
    slow=0.05,
    cancel_fails=0.2,
    refused=0.2,
    doubted=0.1,
    damaged=2e-4,
    no_room=2e-4,
    file_delay=15.0,
    skew=3600.0,
    memory=60.0,
)


def make_world(n, width, seed, faults=FAULTS):
    """Return a world with so many tasks and nodes, the longest tasks a hundred times as long as most."""
    policy = Policy(width=width, max_num_resubmissions=10)
    culprits = () if faults is NO_FAULTS else {n // 3}
    world = World(n, policy, faults, seed, slots=width, n_nodes=width, tick=1.0, culprits=culprits)
    rng = random.Random(seed)
    world.duration = lambda itask: MEAN_SECONDS * rng.lognormvariate(-0.5, 1.0)
    return world


class Rates:
    """How often something is done: how many times in each window of a world's time."""

    def __init__(self, world, *functions):
        self.world, self.windows = world, Counter()
        for owner, name in functions:
            self._count(owner, name)

    def _count(self, owner, name):
        function = getattr(owner, name)

        def counted(*arguments, **options):
            self.windows[self.world.now // WINDOW_SECONDS] += 1
            return function(*arguments, **options)

        setattr(owner, name, counted)

    def told(self, unit_seconds=1.0):
        """Return all, the mean and the highest rate."""
        n = sum(self.windows.values())
        highest = max(self.windows.values(), default=0)
        return {
            "number": n,
            "mean": round(n / self.world.closed_at * unit_seconds, 2),
            "highest": round(highest / WINDOW_SECONDS * unit_seconds, 2),
        }


def run(n=1_000_000, width=10_000, seed=1, faults=FAULTS):
    """Run it; return what it took."""
    began = time.process_time()
    world = make_world(n, width, seed, faults)
    claims = Rates(world, (world.disk, "claim"))
    files = Rates(world, (world.disk, "publish"))
    calls = Rates(world, (world, "submit"), (world, "query"), (world, "cancel"))
    world.run(most_steps=50_000)
    laws.check_end(world)
    return {
        "tasks": n,
        "workers": width,
        "done": world.ledger.n_done,
        "lost": {str(itask): kind for itask, kind in laws.lost(world).items()},
        "begun": len(world.started),
        "makespan": round(world.closed_at),
        "makespan_to_ideal": round(world.closed_at / (n * MEAN_SECONDS / width), 2),
        "steps": world.n_steps,
        **world.counts,
        "claims_per_second": claims.told(),
        "files_per_second": files.told(),
        "calls_per_minute": calls.told(60.0),
        "faults": dict(world.fired),
        "cpu_seconds": round(time.process_time() - began, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main():
    """Run what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=int, nargs="?", default=1_000_000)
    parser.add_argument("workers", type=int, nargs="?", default=10_000)
    parser.add_argument("--no-faults", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(run(asked.tasks, asked.workers, faults=NO_FAULTS if asked.no_faults else FAULTS), indent=1))


if __name__ == "__main__":
    main()
