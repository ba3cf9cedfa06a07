"""Random worlds, each drawn from its seed alone."""

import random

from pypoolparty.policy import Policy, Retry
from pypoolparty.states import Limits
from tests.unit.faults import CHANCES as FAULTS
from tests.unit.faults import NOT_TOO_OFTEN, Faults
from tests.unit.world import World

NO_LIMIT = float("inf")
CHANCES = (0.05, 0.2, 0.6, 0.9)


def draw_policy(rng):
    """Return what a pool may want."""
    return Policy(
        width=rng.choice([None, 1, 2, 4, 8]),
        is_elastic=rng.random() < 0.6,
        is_array=rng.random() < 0.6,
        chunksize=rng.choice([None, None, 3]),
        max_num_resubmissions=rng.choice([0, 1, 3]),
        retry=Retry(max_free_resubmissions=rng.choice([0, 2, 5])),
        grace=10.0,
        settle=1.0,
        limits=Limits(rng.choice([None, None, 3]), rng.choice([None, None, 4])),
    )


def draw_faults(rng):
    """Return what may go wrong: most of it never, some of it nearly always."""
    chances = {name: rng.choice(CHANCES) for name in FAULTS if rng.random() < 0.2}
    for name in NOT_TOO_OFTEN:
        chances[name] = min(0.6, chances.get(name, 0.0))
    return Faults(
        file_delay=rng.choice([0.0, 1.0, 8.0, 60.0]),
        skew=rng.choice([0.0, 0.0, 3600.0]),
        memory=rng.choice([0.0, 20.0, 300.0]),
        array_limit=rng.choice([NO_LIMIT, 1, 3]),
        job_limit=rng.choice([NO_LIMIT, NO_LIMIT, 1, 3]),
        **chances,
    )


def draw_world(seed, may_die=True):
    """Return a world for a seed."""
    rng = random.Random(seed)
    n = rng.choice([1, 2, 3, 5, 10, 30])
    policy = draw_policy(rng)
    dies_at = [rng.randrange(2, 80) for _ in range(rng.choice([0, 0, 0, 1, 2]))] if may_die else ()
    return World(n, policy, draw_faults(rng), seed, dies_at=dies_at)
