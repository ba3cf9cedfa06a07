"""Segments: what a worker has written is read back, up to the byte where it died."""

import os
import threading

import pytest

from pypoolparty import worker
from pypoolparty.work_dir import Record, RecordKind, WorkDir
from pypoolparty.work_dir._spool import read_segment
from tests.unit.maps import make_segments, wait_until

RECORDS = [
    Record(RecordKind.HELLO, 0, b"", b'{"worker":"w"}', b"", b""),
    Record(RecordKind.RETURNED, 0, b"0,1,2,3\n", b"value", b"", b""),
    Record(RecordKind.RETURNED, 10**6, b"", b"", b"", b""),
    Record(RecordKind.RAISED, 7, b"7,1,2,3\n", b"error", b"out", b"err"),
    Record(RecordKind.RETURNED, 8, b"", b"", b"out only", b""),
    Record(RecordKind.RETURNED, 9, b"", b"", b"", b"err only"),
    Record(RecordKind.DIED, -1, b"", b"nothing ran", b"", b"Killed"),
    Record(RecordKind.GOODBYE, 0, b"", b"{}", b"", b""),
]


@pytest.fixture
def work_dir(tmp_path):
    """An empty work_dir."""
    return WorkDir.create(str(tmp_path / "session"))


def append(segments, record):
    """Append a record as the worker does: about no task is all bits set."""
    segments.append(record.kind, record.itask & (2**64 - 1), *record[2:])


@pytest.fixture
def segment(work_dir):
    """Path of a published segment with all `RECORDS` in it."""
    segments = make_segments(work_dir, interval=1e9)
    for record in RECORDS:
        append(segments, record)
    segments.publish()
    [name] = os.listdir(work_dir.layout.spool_new)
    return os.path.join(work_dir.layout.spool_new, name)


def ends_of(path):
    """Return where each record ends."""
    size = worker.RECORD.size
    ends = [0]
    for record in RECORDS:
        ends.append(ends[-1] + size + sum(len(part) for part in record[2:]))
    assert os.path.getsize(path) == ends[-1]
    return ends[1:]


def test_round_trip(segment):
    """All kinds of records come back, in order, none damaged."""
    found = read_segment(segment)
    assert RECORDS == found.records
    assert 0 == found.damage


def test_segment_tells_who_wrote_it(segment):
    """The name has the worker, its slot, the submission and the element."""
    found = read_segment(segment)
    assert "0001-000000-node-7-1f" == found.worker
    assert "0" == found.slot
    assert (1, 0) == found.element


def test_truncated_at_every_byte(segment):
    """Only whole records are given, and what is torn is counted."""
    ends = ends_of(segment)
    with open(segment, "rb") as stream:
        whole = stream.read()
    for cut in range(len(whole) + 1):
        with open(segment, "wb") as stream:
            stream.write(whole[:cut])
        n = sum(end <= cut for end in ends)
        found = read_segment(segment)
        assert RECORDS[:n] == found.records
        assert cut - ([0, *ends][n]) == found.damage


def test_bit_flip_at_every_byte(segment):
    """A damaged record, and what stands behind it, is never given; what stands before it is."""
    ends = ends_of(segment)
    with open(segment, "rb") as stream:
        whole = stream.read()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        with open(segment, "wb") as stream:
            stream.write(damaged)
        n = sum(end <= position for end in ends)
        found = read_segment(segment)
        assert RECORDS[:n] == found.records
        assert len(whole) - [0, *ends][n] == found.damage


def test_nothing_is_published_before_its_time(work_dir):
    """Records stand in spool/tmp until the interval is over; then the file appears in spool/new at once."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, RECORDS[1])
    append(segments, RECORDS[2])
    assert [] == os.listdir(work_dir.layout.spool_new)
    assert ["0001-000000-node-7-1f.0.000000"] == os.listdir(work_dir.layout.spool_tmp)
    segments.opened -= 2e9
    append(segments, RECORDS[3])
    assert [] == os.listdir(work_dir.layout.spool_tmp)
    [found] = work_dir.collect(refresh=False)
    assert RECORDS[1:4] == found.records


def test_names_are_never_used_again(work_dir):
    """Each segment of a slot has the next number."""
    segments = make_segments(work_dir)
    for record in RECORDS[:3]:
        append(segments, record)
    names = sorted(os.listdir(work_dir.layout.spool_new))
    assert [f"0001-000000-node-7-1f.0.{k:06d}" for k in range(3)] == names


def test_publishing_nothing_makes_no_file(work_dir):
    """Without records there is no segment, and no number is used."""
    segments = make_segments(work_dir)
    segments.publish()
    segments.publish()
    append(segments, RECORDS[0])
    assert ["0001-000000-node-7-1f.0.000000"] == os.listdir(work_dir.layout.spool_new)


def test_short_tasks_before_a_long_one_are_published(work_dir):
    """A thread publishes what is old while the main one is busy with a long task."""
    segments = make_segments(work_dir, interval=0.05)
    segments.has_publisher = False
    append(segments, RECORDS[1])
    wait_until(lambda: os.listdir(work_dir.layout.spool_new), "the publisher")
    [found] = work_dir.collect(refresh=False)
    assert RECORDS[1:2] == found.records


def test_supervisor_rescues_what_a_child_left(work_dir):
    """What a dead child was still writing is published, and the next child goes on with the next number."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, RECORDS[1])
    slot = segments.slot
    rescuer = make_segments(work_dir, interval=0.0)
    rescuer.slot = slot
    rescuer.rescue()
    assert 1 == slot[worker.SEQUENCE]
    append(rescuer, RECORDS[2])
    names = sorted(os.listdir(work_dir.layout.spool_new))
    assert ["0001-000000-node-7-1f.0.000000", "0001-000000-node-7-1f.0.000001"] == names


@pytest.mark.parametrize("is_renamed", [True, False])
def test_rescue_after_a_death_while_publishing(work_dir, is_renamed):
    """A child that died between counting its segment and renaming it has published it exactly once."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, RECORDS[1])
    segments.slot[worker.SEQUENCE] = 1
    if is_renamed:
        os.rename(segments.path("tmp", 0), segments.path("new", 0))
    segments.rescue()
    assert ["0001-000000-node-7-1f.0.000000"] == os.listdir(work_dir.layout.spool_new)
    assert 1 == segments.slot[worker.SEQUENCE]


def test_driver_rescues_what_a_dead_job_left(work_dir):
    """What the workers of an element were still writing is found by its name, and published; others' is not."""
    for element, pid in ((3, 1), (3, 2), (30, 1)):
        append(make_segments(work_dir, interval=1e9, element=element, pid=pid), RECORDS[1])
    names = work_dir.unfinished_workers(1, [3])
    assert ["0001-000003-node-1-1f", "0001-000003-node-2-1f"] == names
    work_dir.rescue(names[:1])
    assert ["0001-000003-node-1-1f.0.000000"] == os.listdir(work_dir.layout.spool_new)
    work_dir.rescue(names[1:])
    assert [] == work_dir.unfinished_workers(1, [3])
    assert ["0001-000030-node-1-1f"] == work_dir.unfinished_workers(1, [30])
    work_dir.rescue([])
    assert 1 == len(os.listdir(work_dir.layout.spool_tmp))


def test_result_waits_for_room_on_the_disk(small_file_system, monkeypatch):
    """On a full disk a record is not lost and not torn: its worker waits until there is room."""
    folder, make_room = small_file_system
    work_dir = WorkDir.create(str(folder / "session"))
    segments = make_segments(work_dir, interval=1e9)
    append(segments, RECORDS[1])
    size = os.path.getsize(segments.path("tmp", 0))
    large = Record(RecordKind.RETURNED, 5, b"", b"x" * 300_000, b"", b"")
    taken_back, truncate = threading.Event(), os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda *args: (truncate(*args), taken_back.set()))
    waiting = threading.Thread(target=append, args=(segments, large), daemon=True)
    waiting.start()
    assert taken_back.wait(20)
    assert size == os.path.getsize(segments.path("tmp", 0))
    make_room()
    waiting.join()
    segments.publish()
    [found] = work_dir.collect(refresh=False)
    assert [RECORDS[1], large] == found.records
