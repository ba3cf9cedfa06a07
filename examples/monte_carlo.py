"""Monte-Carlo with a seed of its own for each task: π from random points in a square.

    python examples/monte_carlo.py --pool local
    python examples/monte_carlo.py --pool slurm --tasks 200 --points 10000000

`numpy.random.SeedSequence.spawn` gives independent streams. They belong to the tasks, not to the workers: the
answer is the same on any pool, in any order, and also if a task had to be done again.
"""

import argparse
import math
import sys

import numpy

import pypoolparty


def count_inside(task):
    """Count the points of one task that fall into the quarter circle."""
    seed, n_points = task
    random = numpy.random.default_rng(seed)
    x, y = random.random((2, n_points))
    return int(numpy.count_nonzero(x * x + y * y < 1.0))


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Estimate π, reproducibly.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    parser.add_argument("--tasks", type=int, default=16)
    parser.add_argument("--points", type=int, default=200_000, help="for each task")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    seeds = numpy.random.SeedSequence(options.seed).spawn(options.tasks)
    tasks = [(seed, options.points) for seed in seeds]
    with pypoolparty.Pool(backend=None if options.pool == "auto" else options.pool) as pool:
        counts = pool.map(count_inside, tasks)

    n = options.tasks * options.points
    estimate = 4.0 * sum(counts) / n
    sigma = math.sqrt(math.pi * (4.0 - math.pi) / n)
    print(f"π = {estimate:.5f} ± {sigma:.5f} from {n:,} points in {options.tasks} tasks")

    is_reproducible = counts[-1] == count_inside(tasks[-1])
    is_right = abs(estimate - math.pi) < 5 * sigma
    print("OK" if is_reproducible and is_right else "WRONG")
    return 0 if is_reproducible and is_right else 1


if __name__ == "__main__":
    sys.exit(main())
