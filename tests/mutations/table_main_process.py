"""Mutations for the rows on the main process."""

from .mutation import Mutation

SECTION = "The main process"
FOUND = "tests/chaos/test_found.py"
COMMANDS = "tests/cli/test_going_on.py"
PROGRAMS = "tests/unit/test_main_process.py"
RESULTS = "tests/unit/test_results.py"
CONTRACT = "tests/contract/test_beyond_faults.py"


def of(row: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests)


DOOMED = "[b for b in batches if b.n_live or (self.ledger.is_disturbed and b.job_ids)]"

MUTATIONS = [
    of(
        "`kill -9`, at any instant",
        "work_dir/_look.py",
        "    except FileNotFoundError:\n        return\n    with os.fdopen(fd",
        "    except FileNotFoundError:\n        raise\n    with os.fdopen(fd",
        f"{FOUND}::test_killed_before_the_first_event",
    ),
    of(
        "`kill -9`, at any instant",
        "engine/_restore.py",
        "        if ledger.record(itask, Outcome.RETURNED):\n",
        "        if False:\n",
        f"{PROGRAMS}::test_finished_tasks_are_not_computed_again",
    ),
    of(
        "`kill -9`, at any instant",
        "engine/_restore.py",
        "            ledger.apply(event, now)\n",
        "            pass\n",
        f"{PROGRAMS}::test_resumed_map_attaches_to_its_queue_jobs",
    ),
    of(
        "it is resumed",
        "pool.py",
        'chunksize=session.get("chunksize") or setting.policy.chunksize)',
        "chunksize=setting.policy.chunksize)",
        f"{FOUND}::test_resumed_with_its_chunksize",
    ),
    of(
        "killed between sbatch and its answer",
        "ledger.py",
        "            elif batch.in_flight is not None:\n                unknown = ",
        "            elif False:\n                unknown = ",
        f"{PROGRAMS}::test_submission_that_hung_in_the_air_is_looked_for",
    ),
    of(
        "SIGTERM",
        "leaving.py",
        "            signal.signal(number, _exit)\n",
        "            pass\n",
        f"{PROGRAMS}::test_program_that_is_told_to_end[15]",
    ),
    of(
        "SIGTERM",
        "pool.py",
        "keep=None)\n\n    def _end",
        "keep=False)\n\n    def _end",
        f"{PROGRAMS}::test_program_that_is_told_to_end[15]",
    ),
    of(
        "Ctrl-C",
        "leaving.py",
        "        pool.leave()\n",
        "        pass\n",
        f"{PROGRAMS}::test_program_that_is_told_to_end[2]",
    ),
    of(
        "Ctrl-C",
        "engine/_run.py",
        "            keep = keep or self._has_failures or self.work_dir.has_stderr\n",
        "            keep = keep or self.work_dir.has_stderr\n",
        f"{PROGRAMS}::test_program_that_is_told_to_end[2]",
    ),
    of(
        "an exception in the main program",
        "pool.py",
        '            self._end(PoolPartyError("the pool was terminated"), keep=None)\n',
        "            pass\n",
        f"{PROGRAMS}::test_exception_in_the_main_program",
    ),
    of(
        "killed while it appends to an archive",
        "archive.py",
        "        os.ftruncate(self._fd, self._end)\n\n    def add",
        "        self._end = os.fstat(self._fd).st_size\n\n    def add",
        "tests/unit/test_archive.py::test_crash_at_every_byte",
    ),
    *(
        of(row, "engine/_run.py", DOOMED, "[]", f"{PROGRAMS}::test_aborted_map_leaves_nothing_in_the_queue")
        for row in ("SIGTERM", "Ctrl-C", "an exception in the main program")
    ),
    of(
        "you end its map from elsewhere, by `pypoolparty cancel`",
        "engine/_run.py",
        "        elif self.work_dir.asked_to_end and self._finishing_since is None:\n",
        "        elif False:\n",
        f"{COMMANDS}::test_cancel_of_a_live_map",
    ),
    of(
        "you end its map from elsewhere, by `pypoolparty cancel`",
        "work_dir/_work_dir.py",
        "        work_dir._take_requests(os.listdir(work_dir.layout.spool_new))\n",
        "",
        f"{COMMANDS}::test_cancel_is_not_seen_by_the_next_main_process",
    ),
    of(
        "you end the map of a dead one",
        "cli/_cancelling.py",
        "            scheduler.cancel([Target(job_id) for job_id in job_ids])\n",
        "            pass\n",
        f"{COMMANDS}::test_cancel_of_a_dead_map_in_the_queue[slurm.array]",
    ),
    of(
        "it does not react to that",
        "cli/_cancelling.py",
        "        look.take_back(asking)\n    return False\n",
        "        look.take_back(asking)\n    return True\n",
        f"{COMMANDS}::test_cancel_of_a_main_process_that_does_not_react",
    ),
    of(
        "Ctrl-C in a `map`, and the program goes on, as a notebook does",
        "results.py",
        "            self.cancel()\n            raise\n",
        "            raise\n",
        f"{RESULTS}::test_interrupted_while_waiting_for_a_map",
    ),
    of(
        "you end one map of several, by `result.cancel()`",
        "engine/_run.py",
        "        if self.sink.asked_to_end is not None:\n",
        "        if False:\n",
        f"{CONTRACT}::test_cancelled_map[local]",
    ),
]
