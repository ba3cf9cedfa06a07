"""What the bodies of the contract share."""

import os
import time
import zipfile
from pathlib import Path


def wait_until(condition, message="it", timeout=30):
    """Wait until the condition holds and return what it says; fail with the message (or what it returns)."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {message() if callable(message) else message}")
        time.sleep(0.02)


def end(pool):
    """Let the work end, and the pool."""
    pool.close()
    pool.join()


def open_gate(folder):
    """Let the tasks go on that wait in `functions.leave_mark_and_wait`."""
    Path(folder, "gate").touch()


def number_of_marks(folder, prefix):
    """Count the files that tasks have left."""
    return sum(name.startswith(prefix) for name in os.listdir(folder))


def sessions_in(folder):
    """Return the work_dirs of all maps below a folder."""
    return sorted(path.parent for path in Path(folder).rglob("session.json"))


def one_session_in(folder):
    """Return the work_dir of the only map below a folder."""
    sessions = sessions_in(folder)
    assert len(sessions) == 1, sessions
    return sessions[0]


def texts_in(archive):
    """Return the content of each member of a zip file, as text."""
    with zipfile.ZipFile(archive) as opened:
        return [opened.read(name).decode(errors="replace") for name in opened.namelist()]


def text_of_task(session, stream, itask):
    """Return what a task has written, from ``tasks.stdout.zip`` or ``tasks.stderr.zip``."""
    with zipfile.ZipFile(session / f"tasks.{stream}.zip") as opened:
        [name] = [name for name in opened.namelist() if name.startswith(f"{itask:09d}.")]
        return opened.read(name).decode()


def processes_about(folder):
    """Return the command lines of all other processes that name a folder."""
    needle = os.fsencode(str(folder))
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            words = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            continue
        if needle in words:
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found


def files_in(folder):
    """Count the files and folders below a folder, while others make and remove some."""
    return sum(len(folders) + len(names) for _, folders, names in os.walk(folder))
