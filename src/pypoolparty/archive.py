"""A zip file that only grows, and survives the death of its writer.

Members are stored, not compressed, and each local header carries name, sizes and CRC. So an
archive whose writer died before the central directory was written is still readable: `scan` walks
the local headers, and `Archive` opened on it cuts a torn tail off and goes on behind it.
An extra field in each local header has the CRC of the header and of its place in the file: damage in
one member is told from the others, and what looks like a header within somebody's data is none.
Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3.7 (local header), 4.3.12, 4.3.14 to 16 (directory).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Archive", "Member", "open_private", "read_member", "scan"]

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_LARGE = struct.Struct("<HHQQ")
_CHECK = struct.Struct("<HHI")  # an extra field of our own: id, size, CRC of the header and its place

_CHECK_ID = 0x5050
_MAGIC = b"PK\3\4"

_DOS_DATE = (2026 - 1980) << 9 | 1 << 5 | 1  # fixed, so that equal content gives equal bytes
_UTF8 = 0x0800
_MAX32 = 0xFFFFFFFF
_BUFFER = 1 << 20
_READ = 4 << 20


def open_private(path: str, flags: int) -> int:
    """Open a file that is readable and writable for its owner alone, whatever the umask."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if flags & os.O_CREAT:
        os.fchmod(fd, 0o600)
    return fd


@dataclass(frozen=True)
class Member:
    """One member: where its data and its header begin, how long they are, and whether their CRC is right."""

    name: str
    offset: int
    size: int
    crc: int
    header: int
    is_intact: bool = True


class Archive:
    """The one writer of a zip file.

    Parameters
    ----------
    path : str
        Made if absent (mode 0600). An existing one is continued behind its last whole member;
        its central directory, if any, is cut off until `close`.
    repeats : bool
        Whether a `sync` that fails may be repeated: what was added since the last one is held in memory until then.

    Notes
    -----
    The central directory names what is intact, and of members with one name only the last.
    """

    def __init__(self, path: str, repeats: bool = True) -> None:
        self.path, self.repeats = path, repeats
        self._fd = open_private(path, os.O_RDWR | os.O_CREAT)
        self._directory: dict[bytes, bytes] = {}
        self._end = 0
        self._buffer = bytearray()
        self._unsynced: list[bytearray] = []
        if os.fstat(self._fd).st_size:
            self._continue()

    def _continue(self) -> None:
        for member in scan(self._fd):
            if member.is_intact:
                self._enter(member.name.encode(), member.crc, member.size, member.header)
            self._end = member.offset + member.size
        os.ftruncate(self._fd, self._end)

    def add(self, name: str, *parts: bytes | memoryview) -> int:
        """Append one member made of `parts` and return the offset of its data."""
        size = sum(len(part) for part in parts)
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        encoded = name.encode()
        header = self._end + len(self._buffer)
        self._buffer += _local_header(encoded, crc, size, header)
        offset = self._end + len(self._buffer)
        for part in parts:
            self._buffer += part
        self._enter(encoded, crc, size, header)
        if len(self._buffer) > _BUFFER:
            self.flush()
        return offset

    def _enter(self, name: bytes, crc: int, size: int, header: int) -> None:
        """Add a row to the central directory."""
        large = size >= _MAX32 or header >= _MAX32
        extra = _LARGE.pack(1, 24, size, size) + struct.pack("<Q", header) if large else b""
        size32, header32 = (_MAX32, _MAX32) if large else (size, header)
        version = 45 if large else 20
        row = _CENTRAL.pack(
            b"PK\1\2", 3 << 8 | version, version, _UTF8, 0, 0, _DOS_DATE, crc, size32, size32,
            len(name), len(extra), 0, 0, 0, 0o600 << 16, header32,
        )  # fmt: skip
        self._directory[name] = row + name + extra

    def flush(self) -> None:
        """Hand to the system what was added. On an error nothing is half written, and it may be repeated."""
        done = 0
        try:
            view = memoryview(self._buffer)
            with view:
                while done < len(view):
                    done += os.pwrite(self._fd, view[done : done + (64 << 20)], self._end + done)
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end += done
        if self.repeats:
            self._unsynced.append(self._buffer)
        self._buffer = bytearray()

    def sync(self) -> None:
        """Make durable what was added. On an error nothing of it is there, and it may be repeated."""
        self.flush()
        try:
            os.fsync(self._fd)
        except OSError:
            # A network file system may tell only now that there is no room, and forget what it had taken.
            self._buffer = bytearray().join(self._unsynced)
            self._unsynced.clear()
            self._end -= len(self._buffer)
            os.ftruncate(self._fd, self._end)
            raise
        self._unsynced.clear()

    def close(self) -> None:
        """Write the central directory, which makes it an ordinary zip for everyone."""
        self.sync()
        directory = b"".join(self._directory.values())
        view = memoryview(directory + _end_records(len(self._directory), len(directory), self._end))
        done = 0
        while done < len(view):
            done += os.pwrite(self._fd, view[done:], self._end + done)
        os.fsync(self._fd)
        os.close(self._fd)

    def abandon(self) -> None:
        """Let go of the file as it is."""
        os.close(self._fd)


def scan(source: str | int, checks_data: bool = True) -> Iterator[Member]:
    """Walk the local headers of an archive (its path, or the open file), with or without a central directory.

    Parameters
    ----------
    source : str or int
    checks_data : bool
        Whether to read all data and compare their CRC; where only names and sizes matter, that is not worth it.

    Yields
    ------
    Member
        Each whole member, in the order of the file. Where a header is torn or damaged, the next whole one is
        looked for. A member whose data are damaged has ``is_intact=False``; the last one is then left out.
    """
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC) if isinstance(source, str) else os.dup(source)
    try:
        end = os.fstat(fd).st_size
        position, damaged = 0, None
        while True:
            member = _member_at(fd, position, end, checks_data) or _next_member(fd, position + 1, end, checks_data)
            if member is None:
                break
            position = member.offset + member.size
            if damaged is not None:
                yield damaged
            damaged = None if member.is_intact else member
            if damaged is None:
                yield member
        if damaged is not None and os.pread(fd, 2, position) == b"PK":
            yield damaged
    finally:
        os.close(fd)


def read_member(fd: int, member: Member) -> bytes:
    """Return the data of a member from an open file."""
    return b"".join(_pieces(fd, member.offset, member.size))


def _next_member(fd: int, position: int, end: int, checks_data: bool) -> Member | None:
    """Return the first member that begins at `position` or behind it."""
    while position < end:
        piece = os.pread(fd, _READ, position)
        found = piece.find(_MAGIC)
        while found >= 0:
            member = _member_at(fd, position + found, end, checks_data)
            if member is not None:
                return member
            found = piece.find(_MAGIC, found + 1)
        position += max(1, len(piece) - len(_MAGIC) + 1)
    return None


def _member_at(fd: int, position: int, end: int, checks_data: bool) -> Member | None:
    """Return the member whose header begins at `position`; None if there is none, or not a whole one."""
    raw = os.pread(fd, _LOCAL.size, position)
    if len(raw) < _LOCAL.size or not raw.startswith(_MAGIC):
        return None
    crc, _, size, name_size, extra_size = _LOCAL.unpack(raw)[6:]
    rest = os.pread(fd, name_size + extra_size, position + _LOCAL.size)
    if extra_size not in (_CHECK.size, _LARGE.size + _CHECK.size) or len(rest) < name_size + extra_size:
        return None
    if _CHECK.unpack(rest[-_CHECK.size :]) != (_CHECK_ID, 4, _header_crc(position, raw + rest[: -_CHECK.size])):
        return None
    if extra_size > _CHECK.size:
        size = _LARGE.unpack(rest[name_size : -_CHECK.size])[2]
    offset = position + _LOCAL.size + name_size + extra_size
    if offset + size > end:
        return None
    found = 0
    for piece in _pieces(fd, offset, size) if checks_data else ():
        found = zlib.crc32(piece, found)
    is_intact = found == crc or not checks_data
    return Member(rest[:name_size].decode(), offset, size, crc, position, is_intact)


def _pieces(fd: int, offset: int, size: int) -> Iterator[bytes]:
    stop = offset + size
    while offset < stop:
        piece = os.pread(fd, min(_READ, stop - offset), offset)
        if not piece:
            return
        yield piece
        offset += len(piece)


def _local_header(name: bytes, crc: int, size: int, position: int) -> bytes:
    large = _LARGE.pack(1, 16, size, size) if size >= _MAX32 else b""
    size32, version = (_MAX32, 45) if large else (size, 20)
    n_extra = len(large) + _CHECK.size
    fixed = _LOCAL.pack(_MAGIC, version, _UTF8, 0, 0, _DOS_DATE, crc, size32, size32, len(name), n_extra)
    checked = fixed + name + large
    return checked + _CHECK.pack(_CHECK_ID, 4, _header_crc(position, checked))


def _header_crc(position: int, header: bytes) -> int:
    return zlib.crc32(header, zlib.crc32(position.to_bytes(8, "little")))


def _end_records(count: int, size: int, offset: int) -> bytes:
    end = _END.pack(b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), min(size, _MAX32), min(offset, _MAX32), 0)
    if count < 0xFFFF and offset + size < _MAX32:
        return end
    large = _END64.pack(b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, count, count, size, offset)
    return large + _LOCATOR64.pack(b"PK\6\7", 0, offset + size, 1) + end
