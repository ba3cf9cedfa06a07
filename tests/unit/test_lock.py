"""One main process at a time works on a work_dir."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from pypoolparty.errors import StillInUse
from pypoolparty.work_dir import WorkDir
from pypoolparty.work_dir._lock import STALE_SECONDS, DriverLock
from tests.unit.maps import make_map


@pytest.fixture
def path(tmp_path):
    """Path of a lock that is not there yet."""
    return str(tmp_path / "driver.lock")


def refuse_links(source, target):
    """Be a file system without hard links."""
    raise PermissionError(errno.EPERM, "Operation not permitted", source, None, target)


@pytest.fixture(params=["links", "no links"], autouse=True)
def has_links(request, monkeypatch):
    """Lock by links, and without: not all file systems have them."""
    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse_links)


def write_lock(path, age=0.0, **changed):
    """Write the lock of another process."""
    content = {"host": os.uname().nodename, "pid": 1, "started": "never", "token": "another", **changed}
    with open(path, "w") as stream:
        json.dump(content, stream)
    os.utime(path, (time.time() - age,) * 2)


def token_in(path):
    """Return whose lock it is."""
    with open(path) as stream:
        return json.load(stream)["token"]


def test_second_driver_is_refused(tmp_path):
    """It is told who has the work_dir: host and pid; when that one has ended, it is let in."""
    first = make_map(tmp_path / "s", abs, [1])
    with pytest.raises(StillInUse, match=f"process {os.getpid()} on host '{os.uname().nodename}'"):
        WorkDir.open(first.path)
    first.abandon()
    WorkDir.open(first.path).abandon()
    assert not os.path.exists(first.layout.lock)


def test_what_a_lock_leaves(path):
    """While it is held there is one file, for its owner's eyes; afterwards none."""
    lock = DriverLock(path)
    lock.acquire()
    assert ["driver.lock"] == os.listdir(os.path.dirname(path))
    assert 0o600 == os.stat(path).st_mode & 0o777
    lock.release()
    assert [] == os.listdir(os.path.dirname(path))


def test_lock_of_a_process_that_was_killed(path):
    """It is taken over at once, on the same host."""
    code = "import sys; from pypoolparty.work_dir._lock import DriverLock; DriverLock(sys.argv[1]).acquire()"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    before = token_in(path)
    DriverLock(path).acquire()
    assert before != token_in(path)
    assert ["driver.lock"] == os.listdir(os.path.dirname(path))


@pytest.mark.parametrize("pid", [os.getpid, os.getppid])
def test_lock_whose_process_number_is_another_ones_now(path, pid):
    """A pid that lives, but was started at another time, is not the driver."""
    write_lock(path, pid=pid())
    lock = DriverLock(path)
    lock.acquire()
    assert lock._token == token_in(path)


@pytest.mark.parametrize(("age", "is_refused"), [(0, True), (STALE_SECONDS - 20, True), (STALE_SECONDS + 20, False)])
def test_lock_of_another_host(path, age, is_refused):
    """Whether its process lives can not be seen: it does while it touches the file, and not two minutes later."""
    write_lock(path, age, host="elsewhere", pid=4711)
    if is_refused:
        with pytest.raises(StillInUse, match="process 4711 on host 'elsewhere'"):
            DriverLock(path).acquire()
        assert "another" == token_in(path)
    else:
        DriverLock(path).acquire()
        assert "another" != token_in(path)
    assert ["driver.lock"] == os.listdir(os.path.dirname(path))


def test_driver_touches_its_lock(path):
    """So that other hosts see that it lives."""
    lock = DriverLock(path)
    lock.acquire()
    os.utime(path, (0, 0))
    lock.beat()
    assert time.time() - 60 < os.stat(path).st_mtime


@pytest.mark.parametrize(("age", "is_refused"), [(0, True), (STALE_SECONDS + 20, False)])
def test_lock_that_this_process_could_not_remove(path, age, is_refused):
    """A driver of one's own process is alive while it touches the file, too."""
    DriverLock(path).acquire()
    os.utime(path, (time.time() - age,) * 2)
    if is_refused:
        with pytest.raises(StillInUse, match=f"process {os.getpid()} "):
            DriverLock(path).acquire()
    else:
        DriverLock(path).acquire()


@pytest.mark.parametrize(("age", "is_refused"), [(0, True), (STALE_SECONDS + 20, False)])
def test_torn_lock(path, age, is_refused):
    """One without content is of somebody who just takes it; after a while, of nobody."""
    with open(path, "w"):
        os.utime(path, (time.time() - age,) * 2)
    if is_refused:
        with pytest.raises(StillInUse, match="just takes it"):
            DriverLock(path).acquire()
    else:
        DriverLock(path).acquire()
        assert token_in(path)


def test_another_one_takes_the_dead_lock_first(path, monkeypatch):
    """Who comes second to a dead driver's lock does not take the first one's away."""
    write_lock(path)
    faster = DriverLock(path)
    rename = os.rename

    def rename_late(source, target):
        monkeypatch.setattr(os, "rename", rename)
        faster.acquire()
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_late)
    with pytest.raises(StillInUse):
        DriverLock(path).acquire()
    assert faster._token == token_in(path)
    assert ["driver.lock"] == os.listdir(os.path.dirname(path))


def try_to_acquire(path, barrier, pipe):
    """Tell whether the lock was got, and keep it until told to end."""
    barrier.wait()
    try:
        DriverLock(path).acquire()
        pipe.send(True)
    except StillInUse:
        pipe.send(False)
    pipe.recv()


def test_many_want_a_dead_lock(path):
    """Exactly one of eight gets it."""
    write_lock(path)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(8)
    pipes, processes = [], []
    for _ in range(8):
        mine, its = context.Pipe()
        processes.append(context.Process(target=try_to_acquire, args=(path, barrier, its)))
        processes[-1].start()
        pipes.append(mine)
    assert [False] * 7 + [True] == sorted(pipe.recv() for pipe in pipes)
    for pipe, process in zip(pipes, processes):
        pipe.send(None)
        process.join()


def test_release_of_a_lock_that_was_taken_over(path):
    """Only one's own lock is removed."""
    lock = DriverLock(path)
    lock.acquire()
    write_lock(path)
    lock.release()
    assert "another" == token_in(path)


def test_no_room_for_the_lock(path, monkeypatch):
    """A lock that can not be written is not left behind, neither whole nor torn."""

    def refuse(fd, parts):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, "writev", refuse)
    with pytest.raises(OSError, match="No space"):
        DriverLock(path).acquire()
    assert [] == os.listdir(os.path.dirname(path))
