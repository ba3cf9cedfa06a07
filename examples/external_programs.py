"""A map of external programs: numbers are factored by `factor`, of the GNU coreutils.

    python examples/external_programs.py --pool local
    python examples/external_programs.py --pool slurm --numbers 5000

A task is the argument of one call, and a list of words, never a line for a shell. A program that fails raises
`CalledProcessError` in the main process, with its exit code; what it writes to stderr is kept in the work_dir.
"""

import argparse
import math
import subprocess
import sys

import pypoolparty


def factorise(number):
    """Return the prime factors, from the output ``15: 3 5``."""
    argv = ["factor", str(number)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return [int(word) for word in done.stdout.partition(":")[2].split()]


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Factor numbers by an external program.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    parser.add_argument("--numbers", type=int, default=100)
    options = parser.parse_args()

    first = 10**15
    numbers = range(first, first + options.numbers)
    with pypoolparty.Pool(backend=None if options.pool == "auto" else options.pool) as pool:
        factors = pool.map(factorise, numbers)
        try:
            pool.apply(factorise, ["minus one"])
        except subprocess.CalledProcessError as error:
            refused = error.returncode
    primes = [number for number, found in zip(numbers, factors, strict=True) if found == [number]]
    print(f"{len(primes)} primes in {options.numbers} numbers from {first:,} on; the first: {primes[:1]}")
    print(f"what is no number ends with exit code {refused}")

    is_right = refused == 1 and all(math.prod(found) == n for n, found in zip(numbers, factors, strict=True))
    print("OK" if is_right else "WRONG")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
