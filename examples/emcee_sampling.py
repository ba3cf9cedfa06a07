"""emcee with `pool=`: a straight line is fitted to points with errors.

    python examples/emcee_sampling.py --pool local
    python examples/emcee_sampling.py --pool slurm --steps 500

A sampler maps twice in each step, again and again. On a cluster each map would wait in the queue; with `linger`
the queue-jobs of the first stay for the next ones. Each map begins in fresh processes, which import emcee and so
scipy, for about a second: spread a likelihood only if one call takes longer. This one takes microseconds, and two
steps sample nothing: it shows how it is done.
"""

import argparse
import sys

import emcee
import numpy

import pypoolparty

WALKERS, TRUTH = 16, (0.8, 2.0)


def log_probability(parameters, x, y, sigma):
    """Return the logarithm of the likelihood; the prior is flat."""
    slope, offset = parameters
    return -0.5 * numpy.sum(((y - slope * x - offset) / sigma) ** 2)


def make_data():
    """Return points on a line, with errors."""
    random = numpy.random.default_rng(7)
    x = numpy.linspace(0.0, 10.0, 50)
    return x, TRUTH[0] * x + TRUTH[1] + random.normal(0.0, 0.5, x.size), 0.5


def sample(pool, data, steps):
    """Return the chain; the same seed gives the same chain."""
    sampler = emcee.EnsembleSampler(WALKERS, 2, log_probability, args=data, pool=pool)
    random = numpy.random.default_rng(3)
    start = numpy.array(TRUTH) + random.normal(0.0, 0.05, (WALKERS, 2))
    state = numpy.random.RandomState(5).get_state()
    sampler.run_mcmc(emcee.State(start, random_state=state), steps)
    return sampler.get_chain(flat=True)


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Sample a posterior with emcee.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()

    backend = pypoolparty.available_backend() if options.pool == "auto" else options.pool
    kept = {} if backend == "local" else {"linger": 60, "polling_interval": 1.0}
    data = make_data()
    with pypoolparty.Pool(2, backend=backend, **kept) as pool:
        chain = sample(pool, data, options.steps)
    mean, spread = chain.mean(axis=0), chain.std(axis=0)
    for name, true, value, error in zip(("slope", "offset"), TRUTH, mean, spread, strict=True):
        print(f"{name:6} = {value:.3f} ± {error:.3f}, true is {true}")

    # Number by number what comes without a pool.
    is_right = numpy.array_equal(chain, sample(None, data, options.steps))
    print("OK" if is_right else "WRONG")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
