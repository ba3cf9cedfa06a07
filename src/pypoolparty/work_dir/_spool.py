"""Read the segments that workers publish."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

from .. import worker
from ._safety import open_checked


class RecordKind(IntEnum):
    """What a record tells."""

    RETURNED = worker.RETURNED
    RAISED = worker.RAISED
    DIED = worker.DIED
    HELLO = worker.HELLO
    GOODBYE = worker.GOODBYE


class Record(NamedTuple):
    """One record of a segment; `itask` is -1 where it is about no task."""

    kind: int
    itask: int
    stat: bytes
    value: bytes
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Segment:
    """One file of records, and who wrote it.

    Attributes
    ----------
    name : str
        ``<submission>-<element>-<host>-<pid>-<time>.<slot>.<sequence>``
    records : list of Record
    damage : int
        Bytes at the end that are no whole record.
    """

    name: str
    records: list[Record]
    damage: int

    @property
    def worker(self) -> str:
        """Name of the queue-job's worker."""
        return self.name.rsplit(".", 2)[0]

    @property
    def slot(self) -> str:
        """Name of the worker's slot."""
        return self.name.rsplit(".", 2)[1]

    @property
    def element(self) -> tuple[int, int]:
        """The submission's number and the element in it."""
        return element_of(self.name)


def element_of(worker_name: str) -> tuple[int, int]:
    """Return the submission's number and the element in it."""
    submission, element, _ = worker_name.split("-", 2)
    return int(submission), int(element)


def read_segment(path: str) -> Segment:
    """Read a segment up to its first record that is not whole."""
    with os.fdopen(open_checked(path), "rb") as stream:
        data = stream.read()
    records, end = [], 0
    for record, stop in _records(data):
        records.append(record)
        end = stop
    return Segment(os.path.basename(path), records, len(data) - end)


def _records(data: bytes) -> Iterator[tuple[Record, int]]:
    head, size = worker.RECORD, worker.RECORD.size
    position, end = 0, len(data)
    none = 2**64 - 1
    while position + size <= end:
        magic, crc, kind, itask, n_stat, n_value, n_out, n_err = head.unpack_from(data, position)
        stop = position + size + n_stat + n_value + n_out + n_err
        if magic != worker.MAGIC or stop > end or crc32(data[position + 8 : stop]) != crc:
            return
        begin = position + size
        stat = data[begin : begin + n_stat]
        begin += n_stat
        value = data[begin : begin + n_value]
        begin += n_value
        out, err = (data[begin : begin + n_out], data[stop - n_err : stop]) if n_out or n_err else (b"", b"")
        yield Record(kind, -1 if itask == none else itask, stat, value, out, err), stop
        position = stop
