"""Mutations for the rows on going on with a map, and on leaving one."""

from .mutation import TEST_SECONDS, Mutation

SECTION = "The main process"
GOING_ON = "tests/unit/test_going_on.py"
LOCK = "tests/unit/test_lock.py"
SAFETY = "tests/unit/test_safety.py"
LEAVING = "tests/unit/test_leaving_programs.py"
LATCH = "tests/unit/test_latch.py"


def of(row: str, file: str, old: str, new: str, *tests: str, seconds: int = TEST_SECONDS) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests, seconds)


MUTATIONS = [
    of(
        "it dies between writing, syncing and removing segments",
        "engine/_collect.py",
        "            elif record.itask in taken or ledger.outcomes[record.itask]:\n",
        "            elif False:\n",
        f"{GOING_ON}::test_resume_after_each_step[synced]",
    ),
    of(
        "it dies between writing, syncing and removing segments",
        "summary.py",
        "    spooled = opened.collect(refresh=False, most=1 << 30)",
        "    spooled = opened.collect(refresh=False, most=0)",
        f"{GOING_ON}::test_load_after_each_step[computed]",
    ),
    of(
        "a second main process wants the same work_dir",
        "work_dir/_lock.py",
        "            if _is_alive(holder, now):\n",
        "            if False:\n",
        f"{LOCK}::test_second_driver_is_refused",
        f"{GOING_ON}::test_resume_is_refused_while_the_map_runs",
    ),
    of(
        "the first is dead",
        "work_dir/_lock.py",
        '            self._take_away(holder, f"{mine}.dead")\n',
        "            pass\n",
        f"{LOCK}::test_lock_of_a_process_that_was_killed",
    ),
    of(
        "the first is dead",
        "work_dir/_lock.py",
        '        if taken is not None and taken["token"] != dead["token"]:\n',
        "        if False:\n",
        f"{LOCK}::test_another_one_takes_the_dead_lock_first",
    ),
    of(
        "the first is dead",
        "work_dir/_lock.py",
        '    return bool(now - holder["beaten"] < STALE_SECONDS)\n',
        "    return False\n",
        f"{LOCK}::test_lock_of_another_host[links-0-True]",
    ),
    of(
        "the first is dead",
        "work_dir/_lock.py",
        '_started(holder["pid"]) == holder["started"]\n',
        'bool(_started(holder["pid"]))\n',
        f"{LOCK}::test_lock_whose_process_number_is_another_ones_now",
    ),
    of(
        "the work_dir has the format of another version, or is none, or is broken",
        "work_dir/_safety.py",
        "    if version != FORMAT_VERSION:\n",
        "    if False:\n",
        f"{SAFETY}::test_format_of_another_version",
    ),
    of(
        "the work_dir has the format of another version, or is none, or is broken",
        "work_dir/_safety.py",
        "    if not isinstance(session, dict):\n",
        "    if False:\n",
        f"{SAFETY}::test_what_is_no_work_dir",
    ),
    of(
        "the work_dir has the format of another version, or is none, or is broken",
        "resuming.py",
        "    if kind not in POOL_CLASSES:\n",
        "    if False:\n",
        f"{SAFETY}::test_pool_that_is_not_known",
    ),
    of(
        "a result can not be rebuilt where it is loaded",
        "summary.py",
        "                exceptions[itask] = error\n",
        "                raise\n",
        f"{GOING_ON}::test_load_of_a_result_that_can_not_be_rebuilt",
    ),
    of(
        "SIGHUP: the terminal is closed",
        "leaving.py",
        "_SIGNALS = (signal.SIGTERM, signal.SIGHUP)\n",
        "_SIGNALS = (signal.SIGTERM,)\n",
        f"{LEAVING}::test_signal[waits-1-local]",
    ),
    of(
        "it ends, by itself or by an exception, while maps are under way, also those of a pool that it has forgotten",
        "pool.py",
        "            leaving.wait_for(self._driver)",
        "            pass",
        f"{LEAVING}::test_end_of_the_program[ends-0-True-local]",
        seconds=40,
    ),
    of(
        "Ctrl-C or SIGTERM comes a second time, at any instant",
        "engine/_driver.py",
        "            self._is_over.wait(timeout)\n",
        "            thread.join(timeout)\n",
        f"{LEAVING}::test_second_signal[0.01-2-local]",
    ),
    of(
        "Ctrl-C or SIGTERM comes a second time, at any instant",
        "pool.py",
        "            self._end_at_once(error, keep)\n            raise\n",
        "            raise\n",
        f"{LEAVING}::test_second_signal[0.01-2-local]",
        seconds=40,
    ),
    of(
        "Ctrl-C or SIGTERM comes a second time, at any instant",
        "results.py",
        "        self._event = Latch()\n",
        "        self._event = threading.Event()\n",
        f"{LATCH}::test_interrupted_at_any_instant[map]",
    ),
    of(
        "a worker is not told of the end of its map",
        "work_dir/_work_dir.py",
        '            os.rename(folder, f"{folder}.withdrawn")\n',
        "            pass\n",
        f"{LEAVING}::test_work_dir_that_is_marked_as_cancelled",
        f"{LEAVING}::test_aborted_map_marks_its_work_dir",
    ),
]
