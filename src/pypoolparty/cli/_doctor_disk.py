"""The doctor's look at the folder for the work_dirs: of what kind its file system is, and what it can do."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from ._finding import Finding, Weight
from ._show import byte_size

__all__ = ["Disk", "examine_disk"]

LEAST_FREE = 1 << 30
LARGEST_SKEW = 5.0
# What the nodes do not see, or each sees its own.
_OF_THIS_HOST = {"tmpfs", "ramfs", "overlay"}
_OF_NETWORKS = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "9p", "afs"}


@dataclass(frozen=True)
class Disk:
    """What was found out about a folder."""

    folder: str
    file_system: str
    mounted_at: str
    free_bytes: int
    hard_links: bool
    exclusive_create: bool
    skew: float
    error: str = ""

    @property
    def is_shared(self) -> bool | None:
        """Whether other hosts see it; None: that can not be told from here."""
        if self.file_system in _OF_NETWORKS:
            return True
        return False if self.file_system in _OF_THIS_HOST else None

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {**vars(self), "is_shared": self.is_shared}

    def findings(self, has_scheduler: bool) -> Iterator[Finding]:
        """Tell what is fine, and what is not."""
        other = "pypoolparty doctor --work-dir /a/folder/that/all/nodes/see"
        if self.error:
            yield Finding(Weight.PROBLEM, "work_dir", f"{self.folder}: {self.error}", other)
            return
        words = f"{self.folder} is {self.file_system} (mounted at {self.mounted_at}), {byte_size(self.free_bytes)} free"
        if has_scheduler and self.is_shared is False:
            yield Finding(Weight.NOTE, "work_dir", f"{words}; of this kind, other hosts seldom see it", other)
        else:
            yield Finding(Weight.FINE, "work_dir", words)
        if self.free_bytes < LEAST_FREE:
            yield Finding(Weight.PROBLEM, "free space", f"only {byte_size(self.free_bytes)}", "pypoolparty clean")
        if not self.exclusive_create:
            yield Finding(Weight.PROBLEM, "exclusive create", "it does not fail for a file that is there", other)
        if not self.hard_links:
            yield Finding(Weight.NOTE, "hard links", "there are none: chunks are claimed by exclusive create instead")
        if abs(self.skew) > LARGEST_SKEW:
            words = f"its clock is {abs(self.skew):.0f} s {'ahead of' if self.skew > 0 else 'behind'} this host's"
            yield Finding(Weight.NOTE, "clocks", words, "chronyc tracking   # ask who runs the cluster")


def examine_disk(folder: str) -> Disk:
    """Try what maps will do in a folder; nothing stays behind."""
    parent = os.path.abspath(folder)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    mounted_at, kind = _mount_of(os.path.realpath(parent))
    found = os.statvfs(parent)
    free = found.f_bavail * found.f_frsize
    own = os.path.join(parent, f".pypoolparty-doctor-{uuid.uuid4().hex[:10]}")
    try:
        os.mkdir(own, 0o700)
    except OSError as error:
        return Disk(folder, kind, mounted_at, free, False, False, 0.0, f"can not be written: {error.strerror}")
    try:
        return Disk(folder, kind, mounted_at, free, *_tried(own))
    except OSError as error:
        return Disk(folder, kind, mounted_at, free, False, False, 0.0, str(error))
    finally:
        for name in os.listdir(own):
            os.unlink(os.path.join(own, name))
        os.rmdir(own)


def _tried(folder: str) -> tuple[bool, bool, float]:
    """Return whether there are hard links and exclusive creation, and how far the clocks are apart."""
    path, link = os.path.join(folder, "file"), os.path.join(folder, "link")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    before = time.time()
    fd = os.open(path, flags, 0o600)
    os.write(fd, b"x")
    written = os.fstat(fd).st_mtime
    os.close(fd)
    after = time.time()
    skew = max(0.0, written - after) + min(0.0, written - before + 0.05)  # kernels stamp by a coarse clock
    try:
        os.close(os.open(path, flags, 0o600))
        is_exclusive = False
    except FileExistsError:
        is_exclusive = True
    try:
        os.link(path, link)
        has_links = os.stat(path).st_nlink == 2
    except OSError:
        has_links = False
    return has_links, is_exclusive, skew


def _mount_of(path: str) -> tuple[str, str]:
    """Return where the file system of a path is mounted, and its kind."""
    best = ("/", "unknown")
    try:
        with open("/proc/self/mountinfo") as stream:
            for line in stream:
                before, _, behind = line.partition(" - ")
                point = before.split()[4].encode().decode("unicode_escape")
                is_around = path == point or path.startswith(point.rstrip("/") + "/")
                if is_around and len(point) >= len(best[0]):
                    best = (point, behind.split()[0])
    except OSError:
        pass
    return best
