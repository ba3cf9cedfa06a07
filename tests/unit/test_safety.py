"""Nothing is read, let alone unpickled, that somebody else could have written."""

import functools
import json
import os
import pickle
import shutil

import pytest

import pypoolparty
from pypoolparty import worker
from pypoolparty.archive import Archive
from pypoolparty.errors import Damaged, NotAWorkDir, UnsafeWorkDir, WrongVersion
from pypoolparty.work_dir import FORMAT_VERSION, Record, WorkDir, _reduced
from tests.unit import functions
from tests.unit.jobs import QueueJob, records_of, returned, run
from tests.unit.maps import make_map, make_segments, submit

SOMEBODY = 4711
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trap(tmp_path):
    """Bytes that must not be unpickled; looks afterwards that they were not."""
    path = tmp_path / "sprung"
    yield pickle.dumps(Trap(path))
    assert not path.exists()


@pytest.fixture
def session(tmp_path, trap):
    """A work_dir of a map that has ended, whose results are a trap."""
    made = make_map(tmp_path / "s", functions.identity, [1, 2])
    path = tmp_path / "s" / "session.json"
    path.write_text(path.read_text().replace('"unit"', '"local","arguments":{}'))
    made.open_reduced(2)
    made.keep_record(Record(worker.RETURNED, 0, b"", trap, b"", b""), b"")
    made.sync([])
    made.close()
    return tmp_path / "s"


def give_away(path):
    """Let it be somebody else's."""
    os.lchown(path, SOMEBODY, SOMEBODY)


def swap_for_a_link(path):
    """Let the path be a symbolic link to what was there."""
    os.rename(path, f"{path}.real")
    os.symlink(f"{path}.real", path)


CHANGES = {
    "another's": (give_away, "belongs to user 4711"),
    "group-writable": (lambda path: os.chmod(path, 0o770), "can be written by others"),
    "world-writable": (lambda path: os.chmod(path, 0o702), "can be written by others"),
    "link": (swap_for_a_link, "is no work_dir"),
}


@only_root
@pytest.mark.parametrize("call", [pypoolparty.load, pypoolparty.resume, WorkDir.open], ids=lambda call: call.__name__)
@pytest.mark.parametrize("change", CHANGES)
def test_folder_that_is_not_ours_alone(session, change, call):
    """A work_dir of another user, writable by others, or reached through a link is refused; nothing is unpickled."""
    apply, words = CHANGES[change]
    apply(session)
    with pytest.raises((UnsafeWorkDir, NotAWorkDir), match=words):
        call(str(session))


@only_root
@pytest.mark.parametrize("name", ["session.json", "tasks.results.zip"])
@pytest.mark.parametrize("change", ["another's", "group-writable", "world-writable"])
def test_file_that_is_not_ours_alone(session, change, name):
    """The same holds for each file, in a folder that is in order."""
    apply, words = CHANGES[change]
    apply(session / name)
    with pytest.raises(UnsafeWorkDir, match=words):
        pypoolparty.load(session)


@pytest.mark.parametrize("name", ["session.json", "tasks.results.zip"])
def test_file_that_is_a_link(session, name):
    """A link in the place of a file is not followed."""
    swap_for_a_link(session / name)
    with pytest.raises(OSError, match="symbolic"):
        pypoolparty.load(session)


def test_archive_that_is_a_link(tmp_path):
    """An archive is not continued through a link: what it leads to stays as it is."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "some.zip").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        Archive(str(tmp_path / "some.zip"))
    assert b"precious" == (tmp_path / "precious").read_bytes()


@only_root
def test_swapped_between_check_and_open(session, monkeypatch):
    """Owner and mode are asked of the opened file: it helps nobody to swap the folder once it was looked at."""
    theirs = session.with_name("theirs")
    shutil.copytree(session, theirs)
    for base, _, names in os.walk(theirs):
        for path in (base, *(os.path.join(base, name) for name in names)):
            give_away(path)
    swapped = []
    open_checked = _reduced.open_checked

    def swap_and_open(path):
        os.rename(session, session.with_name("ours"))
        os.rename(theirs, session)
        swapped.append(path)
        return open_checked(path)

    monkeypatch.setattr(_reduced, "open_checked", swap_and_open)
    with pytest.raises(UnsafeWorkDir, match="belongs to user 4711"):
        pypoolparty.load(session)
    assert 1 == len(swapped)


def test_file_swapped_between_check_and_scan(session, monkeypatch):
    """Names and places of members are read from the file that was looked at, not from what has its name by then."""
    path = session / "tasks.results.zip"
    other = Archive(str(session / "other.zip"))
    other.add("000000001.pickle", b"theirs")
    other.close()
    open_checked = _reduced.open_checked

    def open_and_swap(name):
        fd = open_checked(name)
        os.rename(session / "other.zip", path)
        return fd

    monkeypatch.setattr(_reduced, "open_checked", open_and_swap)
    assert [0] == [itask for itask, _ in _reduced.read_reduced(str(path), "pickle")]
    assert not (session / "other.zip").exists()


@only_root
def test_segment_of_another(tmp_path):
    """A segment that somebody else has put into the spool is not read."""
    made = make_map(tmp_path / "s", abs, [1])
    segments = make_segments(made)
    segments.append(worker.RETURNED, 0)
    give_away(segments.path("new", 0))
    with pytest.raises(UnsafeWorkDir, match="belongs to user 4711"):
        made.collect(refresh=False)


READ_BY_WORKERS = ["", "session.json", "environment.json", "function.pickle", "tasks.zip", "tasks.index"]
READ_BY_WORKERS += ["submissions/0001/submission.json", "submissions/0001/chunks.json"]


@only_root
@pytest.mark.parametrize("change", ["another's", "world-writable", "link"])
@pytest.mark.parametrize("name", READ_BY_WORKERS)
def test_worker_refuses_what_is_not_ours(tmp_path, name, change):
    """A worker enters no environment, loads no function and does no task that others could have written."""
    mark = tmp_path / "done"
    work_dir = make_map(tmp_path / "s", os.mkdir, [str(mark)])
    submit(work_dir, 1)
    CHANGES[change][0](os.path.join(work_dir.path, name).rstrip("/"))
    job = QueueJob(work_dir)
    job.end()
    shutil.rmtree(tmp_path / "s.real", ignore_errors=True)
    assert not mark.exists()


def test_worker_does_what_is_ours(tmp_path):
    """The same map, as it is, is done."""
    work_dir = make_map(tmp_path / "s", os.mkdir, [str(tmp_path / "done")])
    submit(work_dir, 1)
    assert {0: None} == returned(run(work_dir))
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_files_of_a_worker_are_private(tmp_path, umask):
    """Whatever umask a task finds, what its worker writes into the work_dir is readable for us, and for us alone."""
    func = functools.partial(functions.fail_on, bad=[1], how="exit")
    before = os.umask(umask)
    try:
        work_dir = make_map(tmp_path / "s", func, range(3))
        submit(work_dir, 3)
    finally:
        os.umask(before)
    run(work_dir)
    modes = {}
    for base, _, names in os.walk(work_dir.path):
        modes.update({os.path.join(base, name): os.stat(os.path.join(base, name)).st_mode & 0o777 for name in names})
        assert 0o700 == os.stat(base).st_mode & 0o777, base
    assert any("/spool/new/" in path for path in modes)
    assert any("/claims/worker-" in path for path in modes)
    assert {**dict.fromkeys(modes, 0o600), work_dir.layout.job_script: 0o700} == modes


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, FORMAT_VERSION - 1, None, "1"])
@pytest.mark.parametrize("call", [pypoolparty.load, pypoolparty.resume], ids=lambda call: call.__name__)
def test_format_of_another_version(session, version, call):
    """It is told, and the work_dir stays as it is."""
    content = json.loads((session / "session.json").read_text())
    (session / "session.json").write_text(json.dumps({**content, "format_version": version}))
    before = sorted(os.listdir(session))
    with pytest.raises(WrongVersion, match=f"has format {version!r}; this version reads format {FORMAT_VERSION}"):
        call(session)
    assert before == sorted(os.listdir(session))


@pytest.mark.parametrize("call", [pypoolparty.load, pypoolparty.resume], ids=lambda call: call.__name__)
def test_what_is_no_work_dir(tmp_path, session, call):
    """A folder that is missing, or no work_dir, or broken, is told apart."""
    with pytest.raises(NotAWorkDir, match="No such file"):
        call(tmp_path / "missing")
    with pytest.raises(NotAWorkDir, match=r"session\.json"):
        call(session / "spool")
    for torn in ("", '{"format_ver', "[]", "\0" * 100):
        (session / "session.json").write_text(torn)
        with pytest.raises(Damaged, match=r"session\.json"):
            call(session)


def test_pool_that_is_not_known(session):
    """A work_dir of a kind of pool that this version does not have is not guessed at."""
    path = session / "session.json"
    path.write_text(path.read_text().replace('"local"', '"condor"'))
    with pytest.raises(NotAWorkDir, match="'condor'"):
        pypoolparty.resume(session)


def test_records_are_read_when_all_is_in_order(tmp_path):
    """The checks let through what is ours."""
    work_dir = make_map(tmp_path / "s", functions.identity, [3])
    submit(work_dir, 1)
    assert records_of(work_dir) == []
    assert {0: 3} == returned(run(work_dir))
