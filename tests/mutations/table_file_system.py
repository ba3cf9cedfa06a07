"""Mutations for the rows on the file system."""

from .mutation import TEST_SECONDS, Mutation

SECTION = "The file system"
DEATHS = "tests/unit/test_worker_deaths.py"
DECIDE = "tests/unit/test_decide.py"
FOUND = "tests/chaos/test_found.py"
ARCHIVE = "tests/unit/test_archive.py"
PROMISES = "tests/unit/test_promises.py"


def of(row: str, file: str, old: str, new: str, *tests: str, seconds: int = TEST_SECONDS) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests, seconds)


AWAY = (
    "                if error.errno not in (errno.ENOSPC, errno.EDQUOT):\n                    raise\n                if"
)

MUTATIONS = [
    of(
        "the disk of the work_dir is full",
        "worker.py",
        "    while True:\n        try:\n            return call()\n",
        "    while True:\n        return call()\n        try:\n            pass\n",
        f"{FOUND}::test_claims_wait_for_room",
    ),
    of(
        "the disk of the work_dir is full",
        "engine/_trouble.py",
        "        if error.errno in DISK_FULL:\n",
        "        if False:\n",
        f"{FOUND}::test_disk_full_when_the_scheduler_answers",
    ),
    of(
        "the disk of the work_dir is full",
        "archive.py",
        "        except OSError:\n            os.ftruncate(self._fd, self._end)\n            raise\n",
        "        except OSError:\n            raise\n",
        f"{ARCHIVE}::test_full_disk[small_limit-1]",
    ),
    of(
        "the disk of the work_dir is full",
        "worker.py",
        "                    os.ftruncate(self.fd, start)\n            time",
        "                    os.ftruncate(self.fd, start)\n                raise\n            time",
        f"{PROMISES}::test_record_waits_for_room",
    ),
    of(
        "it is full when a map is resumed",
        "work_dir/_work_dir.py",
        '            raise WorkDirError(f"{path!r} can not be gone on with: {error}") from error\n',
        "            raise\n",
        f"{FOUND}::test_resume_on_a_full_disk",
    ),
    of(
        "files of a node appear late, as on NFS",
        "decide.py",
        "    if not never_ran and now - element.suspect_since < policy.grace:\n        return None\n",
        "",
        f"{DECIDE}::test_state_of_a_silent_queue_job",
    ),
    of(
        "files of a node appear late, as on NFS",
        "batches.py",
        "        return all(self.merged.get(slot, 0) >= n for slot, n in self.goodbye.segments.items())\n",
        "        return True\n",
        f"{DECIDE}::test_goodbye_is_believed_when_all_segments_are_there",
    ),
    of(
        "a segment in the spool is torn or damaged",
        "work_dir/_spool.py",
        " or crc32(data[position + 8 : stop]) != crc:\n",
        ":\n",
        "tests/unit/test_spool.py::test_bit_flip_at_every_byte",
    ),
    of(
        "a segment in the spool is torn or damaged",
        "engine/_run.py",
        "            if isinstance(event, Merged) and event.damage:\n",
        "            if False:\n",
        f"{PROMISES}::test_damaged_segment_is_told_and_done_again",
    ),
    of(
        "an archive is torn or damaged while nobody works on it",
        "archive.py",
        "_member_at(fd, position, end, checks_data) or _next_member(fd, position + 1, end, checks_data)",
        "_member_at(fd, position, end, checks_data)",
        f"{ARCHIVE}::test_bit_flip_anywhere_gives_no_wrong_data",
    ),
    of(
        "an archive is torn or damaged while nobody works on it",
        "archive.py",
        "is_intact = found == crc or",
        "is_intact = True or",
        f"{ARCHIVE}::test_bit_flip_anywhere_gives_no_wrong_data",
    ),
    of(
        "a task is damaged in `tasks.zip`",
        "worker.py",
        "pickled if len(pickled) == size and crc32(pickled) == crc else None",
        "pickled",
        f"{DEATHS}::test_task_that_is_damaged_on_disk",
    ),
    of(
        "a task is damaged in `tasks.zip`",
        "decide.py",
        '    death = Death.BAD_ENVIRONMENT if goodbye.reason == "not loaded" else Death.CRASHED\n',
        "    death = Death.BAD_ENVIRONMENT\n",
        f"{PROMISES}::test_worker_that_found_damage",
    ),
    of(
        "the file system has no hard links, or loses the answer of one",
        "worker.py",
        "            return self._claim_without_links(path)\n",
        "            raise\n",
        "tests/unit/test_claims.py::test_each_chunk_is_claimed_once[no links]",
    ),
    of(
        "the file system has no hard links, or loses the answer of one",
        "worker.py",
        "            return os.stat(path).st_ino == os.stat(self.identity).st_ino\n",
        "            return False\n",
        "tests/unit/test_claims.py::test_lost_answer_of_a_link",
    ),
    of(
        "the work_dir is removed while a worker runs",
        "worker.py",
        AWAY,
        AWAY.replace("raise", "pass"),
        f"{DEATHS}::test_work_dir_is_removed",
        seconds=6,
    ),
]
