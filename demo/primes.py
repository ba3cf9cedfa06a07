"""The main job: count the primes below a limit, in pieces, on a pool, and check the answer.

    python demo/primes.py                                on this machine
    python demo/primes.py --pool slurm.array             on a Slurm cluster
    python demo/primes.py --pool multiprocessing         the same with the standard library
"""

import argparse
import importlib
import itertools
import sys
import time

# The number of primes below each limit (OEIS A000720).
KNOWN = {10**4: 1229, 10**5: 9592, 10**6: 78498, 2 * 10**6: 148933, 10**7: 664579}
POOLS = (
    "local",
    "slurm.array",
    "slurm",
    "sun_grid_engine.array",
    "sun_grid_engine",
    "multiprocessing",
)


def small_primes(limit):
    """Return the primes whose square is below the limit."""
    primes = []
    for n in range(2, int(limit**0.5) + 1):
        if all(n % p for p in primes):
            primes.append(n)
    return primes


def count_primes(piece):
    """Count the primes p with start <= p < stop, by trial division: later pieces take longer."""
    start, stop = piece
    primes = small_primes(stop)
    count = 0
    for n in range(max(start, 2), stop):
        for p in primes:
            if p * p > n:
                count += 1
                break
            if n % p == 0:
                break
        else:
            count += 1
    return count


def pieces_of(limit, number):
    """Cut the numbers below the limit into pieces."""
    cuts = [limit * k // number for k in range(number + 1)]
    return list(itertools.pairwise(cuts))


def make_pool(name):
    """Make the pool; this line is all that differs from one system to the other."""
    module = name if name == "multiprocessing" else f"pypoolparty.{name}"
    return importlib.import_module(module).Pool()


def main(argv=None):
    """Run the job; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Count primes on a pool, and check the count.")
    parser.add_argument("--limit", type=int, default=2_000_000, choices=sorted(KNOWN))
    parser.add_argument("--pieces", type=int, default=64)
    parser.add_argument("--pool", default="local", choices=POOLS)
    options = parser.parse_args(argv)

    print(f"counting the primes below {options.limit:,} in {options.pieces} pieces on {options.pool}.Pool")
    start = time.monotonic()
    with make_pool(options.pool) as pool:
        count = sum(pool.map(count_primes, pieces_of(options.limit, options.pieces), chunksize=1))
    print(f"{count:,} primes, in {time.monotonic() - start:.1f} s")

    if count != KNOWN[options.limit]:
        print(f"WRONG: there are {KNOWN[options.limit]:,}")
        return 1
    print("OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
