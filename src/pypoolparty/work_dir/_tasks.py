"""Write ``tasks.zip``: the pickled tasks, and the index by which a worker finds one of a million."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from typing import Any

from ..archive import Archive, open_private
from ..payload import dumps
from ..worker import INDEX_ROW

SINGLE_TASKS = 10_000  # so many tasks have a member each; more share members
BLOCK_TASKS = 1_000
BLOCK_BYTES = 1 << 20


class TasksWriter:
    """Takes tasks one by one and never holds more than a block of them.

    A task that can not be pickled keeps its place: its error is in `failed`.
    """

    def __init__(self, tasks_path: str, index_path: str) -> None:
        self.n = 0
        self.failed: dict[int, Exception] = {}
        self._archive = Archive(tasks_path, repeats=False)
        fd = open_private(index_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._index = open(fd, "wb", buffering=1 << 20)
        self._block: list[bytes] = []
        self._block_bytes = 0

    def extend(self, tasks: Iterable[Any]) -> None:
        """Append all `tasks`; an exception of the iterable itself passes through."""
        for task in tasks:
            self.append(task)

    def append(self, task: Any) -> None:
        """Append one task."""
        try:
            data = dumps(task)
        except Exception as error:
            self.failed[self.n] = error
            data = b""
        self._block.append(data)
        self._block_bytes += len(data)
        self.n += 1
        if self.n <= SINGLE_TASKS or len(self._block) >= BLOCK_TASKS or self._block_bytes > BLOCK_BYTES:
            self._write_block()

    def _write_block(self) -> None:
        block, stop = self._block, self.n
        if not block:
            return
        first = stop - len(block)
        name = f"{first:09d}.pickle" if len(block) == 1 else f"{first:09d}-{stop - 1:09d}.pickles"
        offset = self._archive.add(name, *block)
        rows = bytearray()
        for data in block:
            rows += INDEX_ROW.pack(offset, len(data), zlib.crc32(data))
            offset += len(data)
        self._index.write(rows)
        self._block, self._block_bytes = [], 0

    def close(self) -> None:
        """Write what is left and make the archive an ordinary zip."""
        self._write_block()
        self._index.close()
        self._archive.close()

    def abandon(self) -> None:
        """Let go of the files."""
        self._index.close()
        self._archive.abandon()
