"""A scan over a parameter, and a plot of it: where the logistic map is chaotic.

    python examples/parameter_scan.py --pool local --output scan.png
    python examples/parameter_scan.py --pool slurm --values 2000 --output scan.png

The tasks are the values of the parameter; `map` keeps their order, so that its list is the other axis of the plot.
"""

import argparse
import math
import sys

import numpy

import pypoolparty

STEPS = 10_000


def lyapunov_exponent(r):
    """Return how fast neighbours part under x → r x (1 - x); above zero they part, which is chaos."""
    x, total = 0.3, 0.0
    for _ in range(1000):
        x = r * x * (1.0 - x)
    for _ in range(STEPS):
        x = r * x * (1.0 - x)
        total += math.log(max(abs(r * (1.0 - 2.0 * x)), 1e-300))
    return total / STEPS


def plot(values, exponents, path):
    """Draw the scan into a file; no window is needed, as on a login node."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    axes.axhline(0.0, color="grey", linewidth=0.8)
    axes.plot(values, exponents, linewidth=0.8)
    axes.set(xlabel="r", ylabel="Lyapunov exponent", ylim=(-2.0, 1.0), title="Logistic map")
    figure.savefig(path, dpi=150)


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Scan the parameter of the logistic map.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    parser.add_argument("--values", type=int, default=200)
    parser.add_argument("--output", default="scan.png")
    options = parser.parse_args()

    values = numpy.linspace(2.8, 4.0, options.values)
    with pypoolparty.Pool(backend=None if options.pool == "auto" else options.pool) as pool:
        exponents = pool.map(lyapunov_exponent, values)
    plot(values, exponents, options.output)
    print(f"{options.output}: {sum(exponent > 0 for exponent in exponents)} of {options.values} values are chaotic")

    # At r = 4 the exponent is log 2, and at the first value there is a stable point.
    is_right = abs(exponents[-1] - math.log(2.0)) < 0.02 and exponents[0] < 0
    print("OK" if is_right else "WRONG")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
