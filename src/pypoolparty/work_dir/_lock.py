"""One driver at a time: a lock with host, pid and heartbeat in the work_dir."""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass
from typing import Any

from ..archive import open_private
from ..errors import StillInUse
from ..worker import write_all

BEAT_SECONDS = 15.0
STALE_SECONDS = 120.0


@dataclass(frozen=True)
class Holder:
    """Who has the lock of a work_dir.

    Attributes
    ----------
    host : str
    pid : int
        0 if it is just being taken.
    beaten : float
        The time of its last heartbeat, in seconds since 1970 by the clock of the file system.
    is_alive : bool
        Whether it still is: by its process on this host, by its heartbeat on another.
    """

    host: str
    pid: int
    beaten: float
    is_alive: bool


def holder_of(path: str) -> Holder | None:
    """Return who has a lock; None if nobody has. Nothing is written for it."""
    found = _read(path)
    if found is None:
        return None
    return Holder(found["host"], found["pid"], found["beaten"], _is_alive(found, time.time()))


class DriverLock:
    """Says whose work_dir it is.

    The lock is a file that appears with its content (by link, which fails if it is there). A driver on the same
    host is alive if its process is; one on another host is, while the file's time keeps moving. So is one of this
    very process, which may have been unable to remove its lock.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._token = uuid.uuid4().hex
        self._beaten = 0.0

    def acquire(self) -> None:
        """Take the lock, also from a dead driver.

        Raises
        ------
        StillInUse
            With host and pid of the one who has it.
        """
        mine = f"{self.path}.{self._token}"
        content = {"host": os.uname().nodename, "pid": os.getpid(), "started": _started(os.getpid())}
        fd = open_private(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            try:
                os.write(fd, json.dumps({**content, "token": self._token}).encode())
                now = os.fstat(fd).st_mtime  # by the clock of the file system, as the heartbeat is
            finally:
                os.close(fd)
            self._link(mine, now)
        finally:
            os.unlink(mine)

    def _link(self, mine: str, now: float) -> None:
        for _ in range(5):
            try:
                return self._appear(mine)
            except FileExistsError:
                pass
            holder = _read(self.path)
            if holder is None:
                continue  # released in between
            if _is_alive(holder, now):
                who = (
                    f"process {holder['pid']} on host {holder['host']!r}" if holder["pid"] else "one who just takes it"
                )
                raise StillInUse(
                    f"the work_dir {os.path.dirname(self.path)!r} is in use by {who}; "
                    "let it end, or end it, and try again"
                )
            self._take_away(holder, f"{mine}.dead")
        raise StillInUse(f"the lock {self.path!r} can not be had: others keep taking it")

    def _take_away(self, dead: dict[str, Any], aside: str) -> None:
        """Take a dead driver's lock away: the one rename that succeeds does it, and all then try to link anew."""
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        taken = _read(aside)
        if taken is not None and taken["token"] != dead["token"]:
            os.rename(aside, self.path)  # another one was faster, and lives: give it back
        else:
            os.unlink(aside)

    def _appear(self, mine: str) -> None:
        """Let the lock appear with its content; where there are no hard links, an instant before it."""
        try:
            os.link(mine, self.path)
        except FileExistsError:
            raise
        except OSError:
            with open(mine, "rb") as stream:
                content = stream.read()
            fd = open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_all(fd, [content])
            except BaseException:
                os.unlink(self.path)
                raise
            finally:
                os.close(fd)

    def beat(self) -> None:
        """Show that this driver is alive; cheap to call often."""
        if time.monotonic() - self._beaten > BEAT_SECONDS:
            self._beaten = time.monotonic()
            os.utime(self.path)

    def release(self) -> None:
        """Give the lock back, if it still is ours."""
        holder = _read(self.path)
        if holder is not None and holder["token"] == self._token:
            os.unlink(self.path)


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as stream:
            content, beaten = stream.read(), os.fstat(stream.fileno()).st_mtime
    except FileNotFoundError:
        return None
    try:
        holder = json.loads(content)
    except ValueError:  # it has its content a moment later, or never
        holder = {"host": "", "pid": 0, "started": "", "token": ""}
    return {**holder, "beaten": beaten}


def _is_alive(holder: dict[str, Any], now: float) -> bool:
    if holder["host"] == os.uname().nodename:
        lives = bool(holder["started"]) and _started(holder["pid"]) == holder["started"]
        if not lives or holder["pid"] != os.getpid():
            return lives
    return bool(now - holder["beaten"] < STALE_SECONDS)


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since boot, with the boot's id; empty if it is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        with open("/proc/sys/kernel/random/boot_id") as stream:
            boot = stream.read().strip()
    except OSError:
        return ""
    if fields[0] in (b"Z", b"X"):
        return ""  # dead, and only not yet waited for
    return f"{boot}-{fields[19].decode()}"
