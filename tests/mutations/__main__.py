"""Run mutations by hand: ``python -m tests.mutations [--only TEXT]``."""

import argparse
import sys
import time

from .mutation import Mutation
from .runner import copied_source, passes, run_mutated, run_tests
from .tables import MUTATIONS


def failing(mutations: list[Mutation]) -> set[str]:
    """Return the tests that fail without any mutation, too: they prove nothing."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    with copied_source() as folder:
        outcomes = run_tests(folder, tests, seconds=300) if tests else {}
    return {test for test in tests if not passes(test, outcomes)}


def main() -> int:
    """Run those that are asked for; 1 if any survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="only mutations with this text in their row, file or tests")
    only = parser.parse_args().only
    chosen = [m for m in MUTATIONS if only in " ".join((m.section, m.name, *m.tests))]
    broken, n_survived = failing(chosen), 0
    for mutation in chosen:
        start = time.monotonic()
        verdict = run_mutated(mutation)
        words = [verdict.words, *(f"{test}: fails in any case" for test in mutation.tests if test in broken)]
        is_killed = verdict.is_killed and not broken.intersection(mutation.tests)
        n_survived += not is_killed
        word, seconds = "killed" if is_killed else "SURVIVED", time.monotonic() - start
        line = f"{mutation.section}: {mutation.name} → {word} in {seconds:.1f} s"
        print(": ".join([line, *filter(None, words)]), flush=True)
    return 1 if n_survived or not chosen else 0


sys.exit(main())
