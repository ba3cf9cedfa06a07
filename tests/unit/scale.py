"""A million tasks on ten thousand nodes, on paper: ``python -m tests.unit.scale [TASKS [WORKERS]]``."""

import json
import random
import resource
import sys
import time

from pypoolparty.policy import Policy
from tests.unit import laws
from tests.unit.faults import Faults
from tests.unit.world import World

MEAN_SECONDS = 10.0
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
    world = World(n, policy, faults, seed, slots=width, n_nodes=width, tick=1.0, culprits={n // 3})
    rng = random.Random(seed)
    world.duration = lambda itask: MEAN_SECONDS * rng.lognormvariate(-0.5, 1.0)
    return world


def run(n=1_000_000, width=10_000, seed=1):
    """Run it; return what it took."""
    began = time.process_time()
    world = make_world(n, width, seed).run(most_steps=50_000)
    laws.check_end(world)
    return {
        "tasks": n,
        "workers": width,
        "done": world.ledger.n_done,
        "lost": {str(itask): kind for itask, kind in laws.lost(world).items()},
        "begun": len(world.started),
        "makespan": round(world.now),
        "makespan_to_ideal": round(world.now / (n * MEAN_SECONDS / width), 2),
        "steps": world.n_steps,
        **world.counts,
        "faults": dict(world.fired),
        "cpu_seconds": round(time.process_time() - began, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
