"""The file system has a bad moment: nothing is lost, nothing is torn, and what can not be mended is told."""

import errno
import os

import pytest

from pypoolparty import worker
from pypoolparty.archive import Archive
from pypoolparty.engine._trouble import UNREADABLE_SECONDS, Trouble
from pypoolparty.errors import WorkDirError
from pypoolparty.work_dir import Record, WorkDir, _work_dir
from tests.unit.maps import make_segments
from tests.unit.test_archive import read_by_scan, read_with_zipfile

FULL = [errno.ENOSPC, errno.EDQUOT]


class LosingSync:
    """A network file system that is full: it takes all, says so at the sync alone, and has lost what it took."""

    def __init__(self, monkeypatch, number, most, call="fsync"):
        self.number, self.most, self.refusals = number, most, 0
        self._synced, self._call = {}, getattr(os, call)
        monkeypatch.setattr(os, call, self)

    def __call__(self, fd):
        inode = os.fstat(fd).st_ino
        size = os.fstat(fd).st_size
        if self.refusals < self.most:
            self.refusals += 1
            lost_from = self._synced.get(inode, 0)
            writable = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
            os.pwrite(writable, bytes(size - lost_from), lost_from)
            os.close(writable)
            if self._call is os.close:
                self._call(fd)
            raise OSError(self.number, os.strerror(self.number))
        self._synced[inode] = size
        self._call(fd)


@pytest.fixture
def work_dir(tmp_path):
    """An empty work_dir."""
    made = WorkDir.create(str(tmp_path / "session"))
    yield made
    made.abandon()


def append(segments, *itasks):
    """Append the results of tasks."""
    for itask in itasks:
        segments.append(worker.RETURNED, itask, b"", b"value")


def collected(work_dir):
    """Merge what is in the spool; return the tasks of each segment."""
    segments = work_dir.collect(refresh=False)
    work_dir.discard(segments)
    return [[record.itask for record in segment.records] for segment in segments]


@pytest.fixture
def quick(monkeypatch):
    """Have workers try again soon."""
    monkeypatch.setattr(worker, "FLUSH_RETRY_SECONDS", 0.01)


# ---------------------------------------------------------------------- only the sync tells


@pytest.mark.parametrize("number", FULL)
def test_archive_whose_sync_fails(tmp_path, monkeypatch, number):
    """What was added since the last sync is written again: a second sync alone would succeed and keep nothing."""
    path = str(tmp_path / "some.zip")
    archive = Archive(path)
    archive.add("first", b"1")
    archive.sync()
    size = os.path.getsize(path)
    archive.add("second", b"22")
    archive.add("large", b"3" * (1 << 21))
    archive.add("third", b"333")
    with monkeypatch.context() as patched:
        sync = LosingSync(patched, number, most=2)
        sync._synced[os.stat(path).st_ino] = size
        for _ in range(2):
            with pytest.raises(OSError, match=os.strerror(number)):
                archive.sync()
            assert size == os.path.getsize(path)
        archive.add("fourth", b"4444")
        archive.sync()
        assert 2 == sync.refusals
    archive.abandon()
    content = {"first": b"1", "second": b"22", "large": b"3" * (1 << 21), "third": b"333", "fourth": b"4444"}
    assert content == read_by_scan(path)


def test_archive_whose_last_sync_fails(tmp_path, monkeypatch):
    """A close whose sync fails can be repeated, and the archive is whole."""
    path = str(tmp_path / "some.zip")
    archive = Archive(path)
    archive.add("first", b"1")
    with monkeypatch.context() as patched:
        sync = LosingSync(patched, errno.ENOSPC, most=2)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                archive.close()
        archive.close()
        assert 2 == sync.refusals
    assert {"first": b"1"} == read_with_zipfile(path)


@pytest.mark.parametrize("number", FULL)
def test_outcome_whose_sync_fails(work_dir, monkeypatch, number):
    """An outcome is durable when `sync` returns, however often it had to be called."""
    work_dir.open_reduced(3)
    work_dir.keep_record(Record(worker.RETURNED, 1, b"", b"value", b"out", b""), b"")
    sync = LosingSync(monkeypatch, number, most=2)
    for _ in range(2):
        with pytest.raises(OSError, match=os.strerror(number)):
            work_dir.sync([b"row\n"])
    work_dir.sync([b"row\n"])
    assert 2 == sync.refusals
    assert {1: b"value"} == dict(work_dir.read_reduced("results"))
    assert {1: b"out"} == dict(work_dir.read_reduced("stdout"))


@pytest.mark.parametrize("number", FULL)
def test_journal_whose_sync_fails(work_dir, monkeypatch, number):
    """An intent that is not durable is not in the journal at all; whoever tries again writes it once."""
    work_dir.log({"event": "A"}, durable=True)
    with monkeypatch.context() as patched:
        sync = LosingSync(patched, number, most=1)
        sync._synced[os.stat(work_dir.layout.log).st_ino] = os.path.getsize(work_dir.layout.log)
        with pytest.raises(OSError, match=os.strerror(number)):
            work_dir.log({"event": "B"}, durable=True)
        assert 1 == sync.refusals
    assert ["A"] == [line["event"] for line in work_dir.journal()]
    work_dir.log({"event": "B"}, durable=True)
    assert ["A", "B"] == [line["event"] for line in work_dir.journal()]


@pytest.mark.parametrize("number", FULL)
@pytest.mark.parametrize("call", ["fsync", "close"])
def test_segment_whose_sync_fails(work_dir, monkeypatch, quick, number, call):
    """A worker's records are written again until the sync succeeds, then they are published, each once."""
    segments = make_segments(work_dir, interval=1e9)
    for itask in range(3):
        segments.append(worker.RETURNED, itask, b"", b"value %d" % itask)
    with monkeypatch.context() as patched:
        sync = LosingSync(patched, number, most=2, call=call)
        segments.publish()
        assert 2 == sync.refusals
    segments.append(worker.RETURNED, 3, b"", b"value 3")
    segments.publish()
    assert [] == os.listdir(work_dir.layout.spool_tmp)
    found = work_dir.collect(refresh=False)
    assert [0, 0] == [segment.damage for segment in found]
    records = [record for segment in found for record in segment.records]
    assert [(itask, b"value %d" % itask) for itask in range(4)] == [(r.itask, r.value) for r in records]


@pytest.mark.parametrize("kind", [worker.HELLO, worker.GOODBYE, worker.DIED])
def test_word_of_a_supervisor_whose_sync_fails(work_dir, monkeypatch, quick, kind):
    """What is about no task is written again as well."""
    segments = make_segments(work_dir)
    sync = LosingSync(monkeypatch, errno.ENOSPC, most=1)
    segments.append(kind, 0, b"", b"{}")
    assert 1 == sync.refusals
    [found] = work_dir.collect(refresh=False)
    assert ([kind], 0) == ([record.kind for record in found.records], found.damage)


# ---------------------------------------------------------------------- reading and removing


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_segment_that_can_not_be_read_for_a_moment(work_dir, monkeypatch, number):
    """The others are merged meanwhile, and it is, when it can be read."""
    segments = make_segments(work_dir)
    append(segments, 0, 1, 2)
    read, refused = _work_dir.read_segment, []

    def read_or_refuse(path):
        if path.endswith("1"):
            refused.append(path)
            raise OSError(number, os.strerror(number), path)
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(_work_dir, "read_segment", read_or_refuse)
        assert [[0], [2]] == collected(work_dir)
    assert 1 == len(refused)
    assert [[1]] == collected(work_dir)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOENT])
def test_segment_that_can_not_be_removed(work_dir, monkeypatch, number):
    """It is not merged a second time, and a file server that has lost its answer does no harm."""
    append(make_segments(work_dir), 0)

    def refuse(path):
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        assert [[0]] == collected(work_dir)
    if number == errno.ENOENT:
        return
    append(make_segments(work_dir, pid=8), 1)
    assert [[1]] == collected(work_dir)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOSPC])
def test_journal_that_can_not_be_written_for_a_moment(work_dir, monkeypatch, number):
    """A line that is no intent waits, and comes with the next one."""

    def refuse(fd, parts):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", refuse)
        work_dir.log({"event": "A"})
    assert [] == list(work_dir.journal())
    work_dir.log({"event": "B"})
    assert ["A", "B"] == [line["event"] for line in work_dir.journal()]


def test_trouble(tmp_path):
    """For room it is waited for ever; for an answer, two minutes; the user is told once each time."""
    told = []
    full, stale = OSError(errno.EDQUOT, "Quota"), OSError(errno.ESTALE, "Stale")
    trouble = Trouble(str(tmp_path), told.append)
    assert [True] * 3 == [trouble.may_pass(full, now) for now in (0, 10, 1e6)]
    assert 1e6 < trouble.until < 1e6 + 10
    trouble.end()
    assert [True, True, False] == [trouble.may_pass(stale, now) for now in (0, 100, UNREADABLE_SECONDS + 1)]
    trouble.end()
    assert trouble.may_pass(stale, UNREADABLE_SECONDS + 1)
    assert ["no room", "does not answer", "does not answer"] == [
        next(words for words in ("no room", "does not answer") if words in line) for line in told
    ]
    others = (OSError(errno.EROFS, "Read-only"), OSError(errno.EACCES, "Permission"), ValueError())
    assert [False] * 3 == [trouble.may_pass(error, 0) for error in others]


def test_trouble_of_a_folder_that_is_gone(tmp_path):
    """It is not waited for what will not come again."""
    trouble = Trouble(str(tmp_path / "gone"), print)
    stale = OSError(errno.ESTALE, "Stale")
    assert not trouble.may_pass(stale, 0)
    explained = trouble.explain(stale)
    assert (WorkDirError, stale) == (type(explained), explained.__cause__)
    assert "was deleted under the running map" in str(explained)
