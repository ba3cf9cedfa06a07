"""The work_dir: its folders and files, how it is watched, and how it goes."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from pypoolparty import worker
from pypoolparty.errors import WorkDirError
from pypoolparty.payload import dumps
from pypoolparty.work_dir import FORMAT_VERSION, NewMap, Record, WorkDir, escape_for_job_script, make_session_id
from pypoolparty.work_dir._reduced import FEW_TASKS, LARGE, read_reduced
from tests.unit.maps import files_below, make_map, make_segments, submit, wait_until


@pytest.fixture
def work_dir(tmp_path):
    """An empty work_dir."""
    made = WorkDir.create(str(tmp_path / "session"))
    yield made
    made.abandon()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_layout(tmp_path, umask):
    """All files and folders have the public names, and are for their owner alone, whatever the umask."""
    before = os.umask(umask)
    try:
        made = make_map(tmp_path / "s", abs, range(3))
        submit(made, 3, number=1)
        made.open_reduced(3)
        made.keep_record(Record(worker.RETURNED, 0, b"", b"v", b"o", b"e"), b"e")
        made.sync([b"row\n"])
        made.log({"event": "x"})
        made.close()
    finally:
        os.umask(before)
    assert [
        f"__pycache__/script.{sys.implementation.cache_tag}.pyc",
        "environment.json",
        "function.pickle",
        "job.sh",
        "lib.zip",
        "log.jsonl",
        "script.py",
        "session.json",
        "submissions/0001/chunks.json",
        "submissions/0001/submission.json",
        "tasks.index",
        "tasks.results.zip",
        "tasks.stats.csv",
        "tasks.stderr.zip",
        "tasks.stdout.zip",
        "tasks.zip",
    ] == files_below(made.path)
    modes = {}
    for base, _, names in os.walk(made.path):
        assert 0o700 == os.stat(base).st_mode & 0o777, base
        modes.update({name: os.stat(os.path.join(base, name)).st_mode & 0o777 for name in names})
    assert {**dict.fromkeys(modes, 0o600), "job.sh": 0o700} == modes


def test_what_a_new_map_writes(tmp_path):
    """The session names its format; the script is the worker, verbatim."""
    made = make_map(tmp_path / "s", abs, range(3))
    session = json.loads((tmp_path / "s" / "session.json").read_text())
    assert FORMAT_VERSION == session["format_version"]
    assert 3 == session["n_tasks"]
    with open(worker.__file__, "rb") as stream:
        assert stream.read() == (tmp_path / "s" / "script.py").read_bytes()
    assert "PATH" in json.loads((tmp_path / "s" / "environment.json").read_text())["variables"]
    with zipfile.ZipFile(made.layout.library) as library:
        assert "cloudpickle/__init__.py" in library.namelist()


def test_an_existing_folder_is_not_taken(work_dir):
    """A work_dir is always a new folder; what is there already stays as it is."""
    before = files_below(work_dir.path)
    with pytest.raises(WorkDirError, match="no work_dir can be made"):
        WorkDir.create(work_dir.path)
    assert os.path.isdir(work_dir.layout.spool_new)
    assert before == files_below(work_dir.path)


def test_folder_that_can_not_be_made(tmp_path):
    """A parent that is a file is told, and nothing is left behind."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WorkDirError, match="file"):
        WorkDir.create(str(tmp_path / "file" / "session"))
    assert ["file"] == os.listdir(tmp_path)


def test_session_ids_are_unique():
    """Two maps never have one name, also in one second; it may stand in a job's name."""
    names = [make_session_id() for _ in range(1000)]
    assert 1000 == len(set(names))
    assert all(name.replace("-", "").isalnum() for name in names)


@pytest.mark.parametrize("name", ["plain", "a b", "a'; echo foo", 'a"b', "a\nb", "a\n", "50%", "a\\b", "$HOME", "雪 Ω"])
def test_job_script_finds_its_work_dir(tmp_path, name):
    """The script that is submitted starts the worker of any work_dir, and the setup does not see its arguments."""
    made = WorkDir.create(str(tmp_path / name))
    function = dumps((None, None, ()))
    made.write_new_map(NewMap(function, {}, ('echo "setup sees $# arguments"', "true $1 $2"), {}))
    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\nshift 2\nprintf "%s|" "$@"\n')  # without -c and its program
    echo.chmod(0o755)
    argv = ["/bin/bash", made.layout.job_script, str(echo), escape_for_job_script(made.path), "0001", "17"]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert f"setup sees 0 arguments\n{made.path}/script.py|{made.path}|0001|17|" == out


def test_collect_leaves_no_probe(work_dir):
    """Making a network file system look again leaves no file behind, and is never taken for a segment."""
    make_segments(work_dir).append(worker.RETURNED, 3, b"stat", b"value")
    [segment] = work_dir.collect(refresh=True)
    assert [Record(worker.RETURNED, 3, b"stat", b"value", b"", b"")] == segment.records
    assert [segment.name] == os.listdir(work_dir.layout.spool_new)


def test_another_ones_probe_is_no_segment(work_dir):
    """What a reader that is being killed leaves is not read as a segment."""
    with open(os.path.join(work_dir.layout.spool_new, ".probe-1-1"), "wb"):
        pass
    assert [] == work_dir.collect(refresh=False)


def test_collect_takes_so_many_at_most(work_dir):
    """What is too much for one time is left for the next."""
    segments = make_segments(work_dir)
    for itask in range(5):
        segments.append(worker.RETURNED, itask)
    first = work_dir.collect(refresh=False, most=2)
    assert [0, 1] == [record.itask for segment in first for record in segment.records]
    work_dir.discard(first)
    assert [2, 3, 4] == [s.records[0].itask for s in work_dir.collect(refresh=False)]


def test_spool_tells_of_new_files(work_dir):
    """A file that came is always told of, however soon after the last look; later there is silence."""
    for itask in range(20):
        make_segments(work_dir, pid=itask).append(worker.RETURNED, itask)
        assert work_dir.spool_has_changed()
        work_dir.discard(work_dir.collect(refresh=False))
    wait_until(lambda: not work_dir.spool_has_changed(), "silence")
    make_segments(work_dir).append(worker.RETURNED, 0)
    assert work_dir.spool_has_changed()


def test_remove_while_files_are_made(work_dir):
    """Removing works though a late worker goes on making files for a while."""
    is_over = threading.Event()

    def make_files():
        number = 0
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            number += 1
            try:
                with open(os.path.join(work_dir.layout.spool_new, f"late-{number}"), "wb"):
                    pass
            except FileNotFoundError:
                break
        is_over.set()

    thread = threading.Thread(target=make_files)
    thread.start()
    wait_until(lambda: os.listdir(work_dir.layout.spool_new), "the first late file")
    work_dir.remove()
    assert not os.path.exists(work_dir.path)
    thread.join()
    assert is_over.is_set()


def test_remove_what_is_not_there(work_dir):
    """Removing twice is no error."""
    work_dir.remove()
    work_dir.remove()


def test_log_is_one_line_for_each(work_dir):
    """Lines are JSON, in pure ASCII, with a time, also when a process goes on with another's log."""
    work_dir.log({"event": "A", "words": "naïve\nlines"}, durable=True)
    again = WorkDir(work_dir.path)
    again.log({"event": "B"})
    again.abandon()
    with open(work_dir.layout.log, encoding="ascii") as stream:
        lines = [json.loads(line) for line in stream]
    assert [("A", "naïve\nlines"), ("B", None)] == [(line["event"], line.get("words")) for line in lines]
    assert all(abs(time.time() - line["time"]) < 60 for line in lines)


def test_raw_stderr_is_the_end_of_it(work_dir):
    """Of a long stderr the end is told; a missing one is empty."""
    with open(os.path.join(work_dir.layout.workers, "0001-3.stderr"), "wb") as stream:
        stream.write(b"x" * 10_000 + b"the \xff end")
    assert "x" * 5 + "the \ufffd end" == work_dir.raw_stderr("0001-3", most=14)
    assert "" == work_dir.raw_stderr("0001-4")


DESCRIBED = dumps({"traceback": "Traceback: boom\n"})


@pytest.mark.parametrize("n", [3, FEW_TASKS, FEW_TASKS + 1])
def test_reduced_outcome_is_read_back(work_dir, n):
    """Results, output and exceptions come back, one member for each task or in blocks, over several syncs."""
    work_dir.open_reduced(n)
    large = b"L" * LARGE
    for base in (0, 10):
        work_dir.keep_record(Record(worker.RETURNED, base, b"", b"value %d" % base, b"out", b""), b"")
        work_dir.keep_record(Record(worker.RETURNED, base + 1, b"", large, b"", b""), b"err")
        work_dir.keep_record(Record(worker.RAISED, base + 2, b"", DESCRIBED, b"", b""), b"")
        work_dir.sync([])
    work_dir.close()
    results = {0: b"value 0", 1: large, 10: b"value 10", 11: large}
    assert results == dict(read_reduced(work_dir.layout.reduced("results"), "pickle"))
    assert {0: b"out", 10: b"out"} == dict(read_reduced(work_dir.layout.reduced("stdout"), "txt"))
    assert {1: b"err", 11: b"err"} == dict(read_reduced(work_dir.layout.reduced("stderr"), "txt"))
    exceptions = work_dir.layout.reduced("exceptions")
    assert {2: DESCRIBED, 12: DESCRIBED} == dict(read_reduced(exceptions, "pickle"))
    assert {2: b"Traceback: boom\n", 12: b"Traceback: boom\n"} == dict(read_reduced(exceptions, "txt"))


def test_many_small_tasks_are_few_members(work_dir):
    """So many members as syncs, not as tasks."""
    work_dir.open_reduced(FEW_TASKS + 1)
    for itask in range(1000):
        work_dir.keep_record(Record(worker.RETURNED, itask, b"", b"v", b"", b""), b"")
    work_dir.sync([])
    work_dir.close()
    with zipfile.ZipFile(work_dir.layout.reduced("results")) as opened:
        assert 1 == len(opened.namelist())
    assert dict.fromkeys(range(1000), b"v") == dict(read_reduced(work_dir.layout.reduced("results"), "pickle"))


@pytest.mark.parametrize("n", [3, FEW_TASKS + 1])
def test_reduced_outcome_survives_the_driver(work_dir, n):
    """What was synced is there after a death, and another driver goes on with the same archives."""
    work_dir.open_reduced(n)
    work_dir.keep_record(Record(worker.RETURNED, 0, b"", b"kept", b"", b""), b"")
    work_dir.sync([b"0,1,2,3,4,h,q,1\n"])
    work_dir.keep_record(Record(worker.RETURNED, 1, b"", b"lost", b"", b""), b"")
    work_dir.abandon()
    again = WorkDir(work_dir.path)
    again.open_reduced(n)
    again.keep_record(Record(worker.RETURNED, 2, b"", b"new", b"", b""), b"")
    again.sync([b"2,1,2,3,4,h,q,1\n"])
    again.close()
    assert {0: b"kept", 2: b"new"} == dict(read_reduced(work_dir.layout.reduced("results"), "pickle"))
    with open(work_dir.layout.stats, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [("0", "1"), ("2", "1")] == [(row["itask"], row["attempt"]) for row in rows]


def test_archives_appear_when_there_is_something_to_keep(work_dir):
    """A map without output has no archives of it."""
    work_dir.open_reduced(3)
    work_dir.sync([])
    assert not work_dir.has_stderr
    work_dir.close()
    assert [] == list(read_reduced(work_dir.layout.reduced("stdout"), "txt"))
    assert ["tasks.stats.csv"] == files_below(work_dir.path)
