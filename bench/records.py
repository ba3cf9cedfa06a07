"""Records of measurements: one line of JSON each, appended as they come, so that a run can be gone on with."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

STATUSES = ("ok", "capped", "refused", "failed")


@dataclass(frozen=True)
class Record:
    """One measurement.

    Attributes
    ----------
    kind : {"run", "strace", "micro", "scale"}
    system, peer, workload : str
        A micro measurement has its name as its workload.
    repeat : int
    status : {"ok", "capped", "refused", "failed"}
    values : mapping
        All that was measured; seconds and bytes.
    """

    kind: str
    system: str
    peer: str
    workload: str
    repeat: int
    status: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What is measured once."""
        return (self.kind, self.system, self.peer, self.workload, self.repeat)

    @property
    def wall(self) -> float | None:
        """Seconds from the call to the list, where there is one."""
        return self.values.get("wall") if self.status == "ok" else None


def append(path: str, record: Record) -> None:
    """Append one line, which is on the disk when this returns; a torn line of a run that died is ended first."""
    line = json.dumps(vars(record), ensure_ascii=False) + "\n"
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            line = line if stream.read(1) == b"\n" else "\n" + line
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())


def read(path: str) -> Iterator[Record]:
    """Read the records; a line that a dying run left torn is passed over."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                yield Record(**json.loads(line))
            except (ValueError, TypeError):
                continue


def read_all(paths: Iterable[str]) -> list[Record]:
    """Read several files."""
    return [record for path in paths for record in read(path)]
