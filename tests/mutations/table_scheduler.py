"""Mutations for the rows on the scheduler."""

from .mutation import Mutation

SECTION = "The scheduler"
DECIDE = "tests/unit/test_decide.py"
FOUND = "tests/chaos/test_found.py"
PROMISES = "tests/unit/test_promises.py"


def of(row: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests)


MUTATIONS = [
    of(
        "slurmctld or sge_qmaster is away for a while",
        "engine/_driver.py",
        "                return\n            self._pace(",
        "                jobs = []\n            self._pace(",
        f"{PROMISES}::test_query_that_fails_tells_nothing",
    ),
    of(
        "slurmctld or sge_qmaster is away for a while",
        "ledger.py",
        "        batch.unsent = sorted({*batch.unsent, *back})\n",
        "",
        f"{DECIDE}::test_refused_submission",
    ),
    of(
        "sbatch or qsub does not answer: the jobs may be in the queue, or not",
        "ledger.py",
        "        batch.n_live += sum(1 for k in batch.unsent if k in sent)\n",
        "        batch.n_live += len(sent)\n",
        f"{FOUND}::test_submitted_again_after_a_doubt",
    ),
    of(
        "sbatch or qsub does not answer: the jobs may be in the queue, or not",
        "batches.py",
        "            return []\n        words = ",
        "            pass\n        words = ",
        f"{DECIDE}::test_doubtful_submission_is_looked_up",
    ),
    of(
        "sbatch or qsub does not answer: the jobs may be in the queue, or not",
        "batches.py",
        "    found = [k for k in tasks_of(batch.doubted) if k in rows]\n",
        "    found: list[int] = []\n",
        f"{DECIDE}::test_doubtful_submission_is_found",
    ),
    of(
        "a part of the submission is refused",
        "ledger.py",
        "        batch.unsent = [k for k in batch.unsent if k not in sent]\n",
        "        batch.unsent = []\n",
        f"{FOUND}::test_sent_and_refused_in_part",
    ),
    of(
        "more tasks than an array may have",
        "decide.py",
        "        width = min(room, -(-(n + len(singles)) // workers), *array)\n",
        "        width = min(room, -(-(n + len(singles)) // workers))\n",
        f"{DECIDE}::test_shape_of_the_plan",
    ),
    of(
        "more tasks than an array may have",
        "decide.py",
        "    chunks = chunks[: min([MOST_ELEMENTS, *array])]\n",
        "",
        f"{DECIDE}::test_shape_of_the_plan",
    ),
]
