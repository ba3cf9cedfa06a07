"""The reduced outcome of a map: ``tasks.results.zip`` and its kin, and ``tasks.stats.csv``.

While tasks are few, or large, each has a member ``<itask>.<suffix>``. Where they are many and small, a
member ``block-<number>.<suffix>s`` holds those that came together: the number of tasks, then itask and
size of each, all little-endian 64 bit integers, then the data.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Collection, Iterator, Sequence
from zlib import crc32

from ..archive import Archive, Member, open_private, read_member, scan
from ..worker import write_all
from ._safety import open_checked

FEW_TASKS = 10_000
LARGE = 1 << 16
STATS_HEADER = b"itask,start,stop,cpu_seconds,max_rss_kib,host,queue_job,attempt\n"


class Reduced:
    """One of the archives; made on disk when there is something to put in it."""

    def __init__(self, path: str, suffix: str, in_blocks: bool) -> None:
        self.path, self.suffix, self.in_blocks = path, suffix, in_blocks
        self.is_empty = not os.path.exists(path)
        self._archive: Archive | None = None if self.is_empty else Archive(path)
        self._block: list[tuple[int, bytes]] = []
        self._number = 0

    def add(self, itask: int, data: bytes) -> None:
        """Add what belongs to a task."""
        self.is_empty = False
        if self.in_blocks and len(data) < LARGE:
            self._block.append((itask, data))
            return
        self._opened().add(f"{itask:09d}.{self.suffix}", data)

    def _opened(self) -> Archive:
        if self._archive is None:
            self._archive = Archive(self.path)
        return self._archive

    def sync(self) -> None:
        """Make durable what was added."""
        if self._block:
            block, self._block = self._block, []
            numbers = array("Q", [len(block)])
            for itask, data in block:
                numbers.append(itask)
                numbers.append(len(data))
            stamp = f"{os.getpid():x}-{self._number:06d}"
            self._number += 1
            blobs = b"".join([data for _, data in block])
            self._opened().add(f"block-{stamp}.{self.suffix}s", numbers.tobytes(), blobs)
        if self._archive is not None:
            self._archive.sync()

    def close(self) -> None:
        """Make it an ordinary zip."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def abandon(self) -> None:
        """Let go of the file as it is."""
        if self._archive is not None:
            self._archive.abandon()
            self._archive = None


def read_reduced(path: str, suffix: str) -> Iterator[tuple[int, bytes]]:
    """Yield itask and data of all intact members with this suffix."""
    if not os.path.exists(path):
        return
    with os.fdopen(open_checked(path), "rb") as stream:
        for member in scan(stream.fileno()):
            stem, _, ending = member.name.rpartition(".")
            if not member.is_intact or ending.rstrip("s") != suffix.rstrip("s"):
                continue
            data = read_member(stream.fileno(), member)
            if stem.isdigit():
                yield int(stem), data
            else:
                yield from _unpack_block(data)


def tasks_in(path: str, suffix: str) -> Iterator[Sequence[int]]:
    """Yield the itasks of all members with this suffix, without reading what belongs to them."""
    for fd, member in _members(path, suffix):
        stem = member.name.rpartition(".")[0]
        yield [int(stem)] if stem.isdigit() else _numbers_of_block(fd, member)[::2]


def find_in(path: str, suffix: str, itask: int) -> bytes | None:
    """Return what belongs to one task; None if there is nothing, or it is damaged."""
    for fd, member in _members(path, suffix):
        stem = member.name.rpartition(".")[0]
        if stem.isdigit():
            if int(stem) == itask:
                return _whole(fd, member)
        elif itask in _numbers_of_block(fd, member)[::2]:
            data = _whole(fd, member)
            return None if data is None else dict(_unpack_block(data))[itask]
    return None


def _members(path: str, suffix: str) -> Iterator[tuple[int, Member]]:
    if not os.path.exists(path):
        return
    with os.fdopen(open_checked(path), "rb") as stream:
        for member in scan(stream.fileno(), checks_data=False):
            if member.name.rpartition(".")[2].rstrip("s") == suffix:
                yield stream.fileno(), member


def _numbers_of_block(fd: int, member: Member) -> array[int]:
    """Return itask and size of all that is in a block, one after the other."""
    (n,) = struct.unpack("<Q", os.pread(fd, 8, member.offset))
    numbers = array("Q")
    numbers.frombytes(os.pread(fd, 16 * n, member.offset + 8))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _whole(fd: int, member: Member) -> bytes | None:
    data = read_member(fd, member)
    return data if crc32(data) == member.crc else None


def _unpack_block(data: bytes) -> Iterator[tuple[int, bytes]]:
    (n,) = struct.unpack_from("<Q", data)
    numbers = struct.unpack_from(f"<{2 * n}Q", data, 8)
    position = 8 + 16 * n
    for k in range(n):
        itask, size = numbers[2 * k], numbers[2 * k + 1]
        yield itask, data[position : position + size]
        position += size


def rows_of(path: str, itasks: Collection[int]) -> Iterator[list[str]]:
    """Yield the rows of ``tasks.stats.csv`` of some tasks: strings, in the order of its header."""
    if not itasks:
        return
    wanted = {b"%d" % itask for itask in itasks}
    try:
        stream = open(path, "rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if line.partition(b",")[0] in wanted and line.endswith(b"\n"):
                yield line.decode(errors="replace").rstrip("\n").split(",")


class Stats:
    """Appends rows to ``tasks.stats.csv``."""

    def __init__(self, path: str) -> None:
        self._fd = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        if not os.fstat(self._fd).st_size:
            os.write(self._fd, STATS_HEADER)

    def append(self, rows: list[bytes]) -> None:
        """Append whole rows."""
        if not rows:
            return
        size = os.fstat(self._fd).st_size
        try:
            write_all(self._fd, [b"".join(rows)])
        except OSError:
            os.ftruncate(self._fd, size)  # nothing is half written, and it may be repeated
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
