"""A worker that was taken for dead, and lives: what it does meanwhile is not lost."""

import errno
import os
import pickle

import pytest

from pypoolparty import worker
from pypoolparty.work_dir import RecordKind, WorkDir
from tests.unit.maps import make_segments
from tests.unit.test_bad_disk import append, collected


@pytest.fixture
def work_dir(tmp_path):
    """An empty work_dir."""
    made = WorkDir.create(str(tmp_path / "session"))
    yield made
    made.abandon()


def test_worker_that_was_taken_for_dead(work_dir):
    """What it records into a segment that the driver has taken, and read, and removed, comes again."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, 0, 1)
    work_dir.rescue(work_dir.unfinished_workers(1, [0]))
    assert [[0, 1]] == collected(work_dir)
    append(segments, 2)
    segments.publish()
    assert [[0, 1, 2]] == collected(work_dir)
    append(segments, 3)
    segments.publish()
    assert [[3]] == collected(work_dir)
    assert 3 == segments.slot[worker.SEQUENCE]
    assert [] == os.listdir(work_dir.layout.spool_tmp)


def test_death_is_not_told_again(work_dir):
    """Words that are about no outcome would count twice, and are not repeated."""
    segments = make_segments(work_dir, interval=1e9)
    segments.append(worker.DIED, 0, b"", pickle.dumps({}))
    append(segments, 1)
    work_dir.rescue(work_dir.unfinished_workers(1, [0]))
    segments.publish()
    kinds = [record.kind for segment in work_dir.collect(refresh=False) for record in segment.records]
    assert [RecordKind.DIED, RecordKind.RETURNED, RecordKind.RETURNED] == kinds


def test_taken_away_again_and_again(work_dir, monkeypatch):
    """There is an end to writing again."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, 0)
    tries = []

    def refuse(source, target):
        tries.append(source)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", source)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(FileNotFoundError, match="taken away"):
        segments.publish()
    assert worker.PUBLISH_TRIES == len(set(tries))


def test_large_results_are_published_before_their_time(work_dir):
    """What a worker holds in memory until it is published is bounded."""
    segments = make_segments(work_dir, interval=1e9)
    segments.append(worker.RETURNED, 0, b"", bytes(worker.LARGEST_UNPUBLISHED // 2))
    assert [] == os.listdir(work_dir.layout.spool_new)
    segments.append(worker.RETURNED, 1, b"", bytes(worker.LARGEST_UNPUBLISHED // 2))
    assert [] == segments.unpublished
    assert [[0, 1]] == collected(work_dir)


def test_segment_that_is_published_while_it_is_rescued(work_dir, monkeypatch):
    """Who is called dead and publishes in that moment does not harm the map."""
    segments = make_segments(work_dir, interval=1e9)
    append(segments, 0)
    names, listdir = work_dir.unfinished_workers(1, [0]), os.listdir

    def list_and_publish(folder):
        found = listdir(folder)
        segments.publish()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", list_and_publish)
        work_dir.rescue(names)
    assert [[0]] == collected(work_dir)
