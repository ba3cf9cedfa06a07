"""Mutations for the rows on bad moments of the file system."""

from .mutation import TEST_SECONDS, Mutation

SECTION = "The file system"
BAD_DISK = "tests/unit/test_bad_disk.py"
MOUNTS = "tests/unit/test_bad_mounts.py"
TAKEN = "tests/unit/test_taken_for_dead.py"
GOING_ON = "tests/unit/test_going_on.py"
NO_ROOM = "only fsync or close tells that the disk is full, and what was written before is lost, as on NFS"


def of(row: str, file: str, old: str, new: str, *tests: str, seconds: int = TEST_SECONDS) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests, seconds)


MUTATIONS = [
    of(
        NO_ROOM,
        "archive.py",
        "            self._buffer = bytearray().join(self._unsynced)\n",
        "            self._buffer = bytearray()\n",
        f"{BAD_DISK}::test_archive_whose_sync_fails",
        f"{BAD_DISK}::test_outcome_whose_sync_fails",
    ),
    of(
        NO_ROOM,
        "work_dir/_work_dir.py",
        "            if durable:\n                os.fsync(self._log)\n        except OSError as error:\n",
        "        except OSError as error:\n",
        f"{BAD_DISK}::test_journal_whose_sync_fails",
    ),
    of(
        NO_ROOM,
        "worker.py",
        "        fd = written_anew(path, records)\n",
        "        fd = written_anew(path, [])\n",
        f"{BAD_DISK}::test_segment_whose_sync_fails[fsync-28]",
        f"{MOUNTS}::test_only_the_sync_tells_of_a_full_disk",
    ),
    of(
        "the disk is full, and the user gives up",
        "engine/_run.py",
        "        if not self._is_aborted and self._trouble.may_pass(",
        "        if self._trouble.may_pass(",
        f"{MOUNTS}::test_interrupted_while_the_disk_is_full",
    ),
    of(
        "there is no room for the tasks when a map begins",
        "new_run.py",
        "        except BaseException:\n            self.discard()\n            raise\n",
        "        except BaseException:\n            raise\n",
        f"{MOUNTS}::test_no_room_for_the_tasks",
    ),
    of(
        "the node's own disk is full",
        "worker.py",
        "            if found.f_bavail * found.f_frsize >= LARGEST_CAPTURE:\n",
        "            if True:\n",
        f"{MOUNTS}::test_full_disk_of_the_node",
    ),
    of(
        "a segment can not be read for a moment (EIO, ESTALE)",
        "work_dir/_work_dir.py",
        "                    raise\n                continue  # for now",
        "                    raise\n                raise  # for now",
        f"{BAD_DISK}::test_segment_that_can_not_be_read_for_a_moment",
    ),
    of(
        "a segment can not be removed, or the answer to that is lost",
        "work_dir/_work_dir.py",
        "                self._discarded.add(segment.name)  # lest it be merged again\n",
        "",
        f"{BAD_DISK}::test_segment_that_can_not_be_removed[5]",
    ),
    of(
        "a segment can not be removed, or the answer to that is lost",
        "work_dir/_work_dir.py",
        "                continue  # a file server may have done it and lost the answer\n",
        "                raise\n",
        f"{BAD_DISK}::test_segment_that_can_not_be_removed[2]",
    ),
    of(
        "the folder itself does not answer for a moment (EIO, ESTALE)",
        "engine/_trouble.py",
        "        elif error.errno in UNREADABLE and not _is_gone(self.path) and now - since < UNREADABLE_SECONDS:\n",
        "        elif False:\n",
        f"{BAD_DISK}::test_trouble",
    ),
    of(
        "the folder itself does not answer for a moment (EIO, ESTALE)",
        "work_dir/_work_dir.py",
        "            if durable or error.errno not in (*DISK_FULL, *UNREADABLE):\n",
        "            if durable or error.errno not in DISK_FULL:\n",
        f"{BAD_DISK}::test_journal_that_can_not_be_written_for_a_moment[5]",
    ),
    of(
        "a worker is called dead, its open segment is taken, and it lives on",
        "worker.py",
        "            return not self._write_again([record for record in records if record[0] <= RAISED])\n",
        "            return True\n",
        f"{TAKEN}::test_worker_that_was_taken_for_dead",
    ),
    of(
        "a worker is called dead, its open segment is taken, and it lives on",
        "worker.py",
        "[record for record in records if record[0] <= RAISED]",
        "records",
        f"{TAKEN}::test_death_is_not_told_again",
    ),
    of(
        "a worker is called dead, its open segment is taken, and it lives on",
        "work_dir/_work_dir.py",
        "                    continue  # published just now, by one who is not dead\n",
        "                    raise\n",
        f"{TAKEN}::test_segment_that_is_published_while_it_is_rescued",
    ),
    of(
        "a bit flips in the header or the name of an archive's member",
        "archive.py",
        "    if _CHECK.unpack(rest[-_CHECK.size :]) != "
        "(_CHECK_ID, 4, _header_crc(position, raw + rest[: -_CHECK.size])):\n",
        "    if False:\n",
        f"{GOING_ON}::test_flip_in_an_archive_never_moves_a_result[name]",
    ),
    of(
        "the work_dir is removed while its map runs",
        "engine/_trouble.py",
        "        if isinstance(error, FileNotFoundError) or _is_gone(self.path):\n",
        "        if False:\n",
        f"{MOUNTS}::test_work_dir_is_deleted_under_the_map",
        f"{MOUNTS}::test_work_dir_is_deleted_under_an_array",
    ),
    of(
        "the work_dir is removed while its map runs",
        "engine/_run.py",
        "            self._cancel([b for b in self.ledger.batches.values() if b.n_live], None)\n",
        "            pass\n",
        f"{MOUNTS}::test_work_dir_is_deleted_under_the_map",
        seconds=40,
    ),
    of(
        "the file system is read-only",
        "work_dir/_work_dir.py",
        '            raise WorkDirError(f"no work_dir can be made in {os.path.dirname(path)!r}: {error}") from error\n',
        "            raise\n",
        f"{MOUNTS}::test_read_only_before_the_map",
    ),
    of(
        "it becomes read-only in the middle",
        "engine/_trouble.py",
        "        elif isinstance(error, OSError):\n",
        "        elif False:\n",
        f"{MOUNTS}::test_read_only_in_the_middle",
    ),
    of(
        "no file system of the map has hard links",
        "work_dir/_lock.py",
        "        except OSError:\n            with open(mine",
        "        except OSError:\n            raise\n            with open(mine",
        f"{MOUNTS}::test_map_without_hard_links",
    ),
    of(
        "no file system of the map has hard links",
        "worker.py",
        "            return self._claim_without_links(path)\n",
        "            raise\n",
        f"{MOUNTS}::test_map_without_hard_links",
    ),
]
