"""Whole maps on file systems that have no room, no hard links, no mercy; on real mounts, so most of it is root's."""

import errno
import functools
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

import pypoolparty
from pypoolparty.errors import WorkDirError
from pypoolparty.testing import Dummies
from tests.unit import functions
from tests.unit.maps import is_running, wait_until

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


@pytest.fixture
def mounted(tmp_path):
    """A folder with a small file system of its own."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def bound(tmp_path):
    """A folder, and a function that makes it read-only, or not any more: by a mount, for modes do not bind root."""
    folder, aside = tmp_path / "bound", tmp_path / "aside"
    folder.mkdir()
    aside.mkdir()

    def make_read_only(is_read_only):
        if is_read_only:
            # First where nobody writes: a mount through which a file is open for writing can not be made read-only.
            subprocess.run(["mount", "--bind", folder, aside], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", aside], check=True)
            subprocess.run(["mount", "--bind", aside, folder], check=True)
            subprocess.run(["umount", aside], check=True)
        elif str(folder) in Path("/proc/mounts").read_text():
            subprocess.run(["umount", "--lazy", folder], check=True)

    yield folder, make_read_only
    make_read_only(False)


def delete(folder):
    """Delete a folder in which others still make files."""
    deadline = time.monotonic() + 20
    while folder.exists():
        assert time.monotonic() < deadline
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_pool(tmp_path):
    """Makes local pools; ends them."""
    pools = []

    def make(work_dir=tmp_path / "work", **given):
        pools.append(pypoolparty.local.Pool(2, work_dir=work_dir, polling_interval=0.2, **given))
        return pools[-1]

    yield make
    for pool in pools:
        pool.terminate()
        pool.join()


def waiting(tmp_path, n, waiting):
    """Return a function of which some tasks wait for a file named ``go`` in tmp_path."""
    return functools.partial(functions.wait_for, str(tmp_path), waiting=waiting)


def pid_of_task(tmp_path, itask):
    """Wait until a task has begun; return its process."""
    path = tmp_path / f"at-{itask}"
    wait_until(path.exists, f"task {itask}")
    return int(path.read_text())


def customise(tmp_path, *lines):
    """Return variables with which each python of a queue-job does these lines at its start."""
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "sitecustomize.py").write_text("\n".join(["import errno, os", *lines, ""]))
    return {"PYTHONPATH": str(tmp_path / "custom")}


@only_root
def test_read_only_before_the_map(bound, make_pool):
    """It is told at once, with the path and the reason, and nothing is left behind."""
    folder, make_read_only = bound
    make_read_only(True)
    with pytest.raises(WorkDirError, match="Read-only file system") as caught:
        make_pool(folder / "work").map(abs, [-1])
    assert str(folder) in str(caught.value)
    assert [] == os.listdir(folder)


@only_root
def test_read_only_in_the_middle(bound, make_pool, tmp_path):
    """The map ends with the reason and how to go on, its queue-jobs are ended; mended, it is gone on with."""
    folder, make_read_only = bound
    pool = make_pool(folder / "work")
    result = pool.map_async(waiting(tmp_path, 4, [2, 3]), range(4), chunksize=1)
    pids = [pid_of_task(tmp_path, itask) for itask in (2, 3)]
    make_read_only(True)
    with pytest.raises(WorkDirError, match="Read-only file system") as caught:
        result.get(30)
    assert f"pypoolparty.resume('{result.work_dir}')" in str(caught.value)
    wait_until(lambda: not any(map(is_running, pids)), "the end of the queue-jobs")
    make_read_only(False)
    os.utime(os.path.join(result.work_dir, "driver.lock"), (0, 0))  # it could not be removed; it ages
    (tmp_path / "go").touch()
    assert list(range(4)) == pypoolparty.resume(result.work_dir)


def test_work_dir_is_deleted_under_the_map(make_pool, tmp_path):
    """It is told so, its queue-jobs are ended, and nobody waits for ever; the pool serves on."""
    pool = make_pool()
    result = pool.map_async(waiting(tmp_path, 4, [2, 3]), range(4), chunksize=1)
    pids = [pid_of_task(tmp_path, itask) for itask in (2, 3)]
    delete(Path(result.work_dir))
    with pytest.raises(WorkDirError, match="deleted under the running map") as caught:
        result.get(30)
    assert result.work_dir in str(caught.value)
    wait_until(lambda: not any(map(is_running, pids)), "the end of the queue-jobs")
    assert [1] == pool.map(abs, [-1])


def test_work_dir_is_deleted_under_an_array(tmp_path):
    """What is in the scheduler's queue is cancelled as well, though the journal is gone."""
    with Dummies(tmp_path / "dummies") as dummies:
        paths = {f"{name}_path": str(dummies.path(name)) for name in ("sbatch", "squeue", "scancel")}
        pool = pypoolparty.slurm.array.Pool(2, work_dir=tmp_path / "work", polling_interval=0.2, **paths)
        result = pool.map_async(waiting(tmp_path, 4, [2, 3]), range(4), chunksize=1)
        pids = [pid_of_task(tmp_path, itask) for itask in (2, 3)]
        wait_until(dummies.queue, "the queue")
        delete(Path(result.work_dir))
        with pytest.raises(WorkDirError, match="deleted under the running map"):
            result.get(30)
        wait_until(lambda: not dummies.queue(), "the end of the queue-jobs")
        pool.terminate()
        pool.join()
    assert not any(map(is_running, pids))


def test_map_without_hard_links(make_pool, tmp_path, monkeypatch):
    """Where the file system has none, neither the main process nor the workers need them."""
    refusals = []

    def refuse(source, target):
        refusals.append(target)
        raise PermissionError(errno.EPERM, "Operation not permitted", source, None, target)

    monkeypatch.setattr(os, "link", refuse)
    env = customise(
        tmp_path,
        "def refuse(source, target):",
        f"    open({str(tmp_path / 'refused')!r}, 'a').close()",
        "    raise PermissionError(errno.EPERM, 'Operation not permitted')",
        "os.link = refuse",
    )
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert list(range(10)) == make_pool().map(abs, range(0, -10, -1), chunksize=1)
    assert refusals
    assert (tmp_path / "refused").exists()


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT"])
def test_only_the_sync_tells_of_a_full_disk(make_pool, tmp_path, monkeypatch, number):
    """Workers write again what may be lost; no task is done twice, none is accused."""
    env = customise(
        tmp_path,
        "sync, refused = os.fsync, []",
        "def refuse_first(fd):",
        "    if refused: return sync(fd)",
        "    refused.append(fd)",
        f"    open({str(tmp_path / 'refused')!r}, 'a').close()",
        "    os.ftruncate(fd, 0)  # what was taken is lost",
        f"    raise OSError(errno.{number}, 'No room')",
        "os.fsync = refuse_first",
    )
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    pool = make_pool(max_num_resubmissions=0, keep_work_dir=True)
    result = pool.map_async(functions.pid_of, range(6), chunksize=1)
    assert list(range(6)) == [task for task, _ in result.get(60)]
    assert (tmp_path / "refused").exists()
    assert [1] * 6 == [row["attempt"] for row in pypoolparty.load(result.work_dir).statistics]


@only_root
def test_full_disk_of_the_node(small_file_system, make_pool, monkeypatch):
    """Where there is no room for what tasks write, it is kept elsewhere; the tasks do not notice."""
    folder, _ = small_file_system
    monkeypatch.setenv("TMPDIR", str(folder))
    result = make_pool(keep_work_dir=True).map_async(functions.write_much, [300_000])
    assert [300_000] == result.get(60)
    assert {0: "x" * 300_000} == pypoolparty.load(result.work_dir).stdout


@only_root
@pytest.mark.parametrize("tasks", [["x" * 20_000_000], ["x" * 1000] * 20_000])
def test_no_room_for_the_tasks(mounted, make_pool, tasks):
    """It is told at once, and nothing is left behind."""
    pool = make_pool(mounted / "work")
    with pytest.raises(OSError, match="No space left"):
        pool.map(len, tasks)
    assert [] == os.listdir(mounted / "work")
    assert [1] == pool.map(abs, [-1])


@only_root
def test_interrupted_while_the_disk_is_full(mounted, make_pool, tmp_path, capfd):
    """Who gives up while the map waits for room does not have to wait with it, and can go on later."""
    pool = make_pool(mounted / "work")
    result = pool.map_async(waiting(tmp_path, 300, [299]), range(300), chunksize=1)
    pid = pid_of_task(tmp_path, 299)
    wait_until(lambda: len(pypoolparty.load(result.work_dir).results) == 299, "the other results")
    filler = mounted / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(10 << 20))
    leaving = threading.Thread(target=pool.leave, daemon=True)
    leaving.start()
    leaving.join(10)  # the directories of the archives would take more room than there is
    waits_for_ever = leaving.is_alive()
    filler.unlink()
    assert not waits_for_ever
    assert f"to go on: pypoolparty.resume('{result.work_dir}')" in capfd.readouterr().err
    assert not is_running(pid)
    (tmp_path / "go").touch()
    assert list(range(300)) == pypoolparty.resume(result.work_dir)
