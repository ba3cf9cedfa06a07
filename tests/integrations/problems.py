"""The small problems that other libraries solve on our pools."""

import os

import numpy as np


def log_probability(x):
    """Return the logarithm of a normal density of width 1 around 3."""
    return -0.5 * float(np.sum((np.asarray(x) - 3.0) ** 2))


def log_likelihood(x):
    """Return the same, as samplers of evidence name it."""
    return log_probability(x)


def prior_of(unit):
    """Return a place between -10 and 10 for each of some numbers between 0 and 1."""
    return 20.0 * np.asarray(unit) - 10.0


def distance(x):
    """Return a function of which the minimum is 0, at (1, 2)."""
    return float((x[0] - 1.0) ** 2 + (x[1] - 2.0) ** 2)


def pid_of(number):
    """Return in which process this runs."""
    return os.getpid()


def invert(number):
    """Return 1 / number."""
    return 1 / number


def nested(number):
    """Return what a `joblib.Parallel` inside of a task gives, and by which backend."""
    import joblib

    parallel = joblib.Parallel(n_jobs=2)
    values = parallel(joblib.delayed(abs)(-k) for k in range(number))
    pids = parallel(joblib.delayed(pid_of)(k) for k in range(3))
    return values, set(pids) == {os.getpid()}
