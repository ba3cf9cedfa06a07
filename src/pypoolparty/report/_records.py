"""The rows of all tasks, in flat arrays: a map may have a million of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..work_dir import Look, RecordKind

__all__ = ["Records", "read_records"]


@dataclass
class Records:
    """What workers have noted of each task that returned or raised; a column for each quantity.

    Attributes
    ----------
    itask : array of int
    start, stop : array of float
        In seconds since 1970, by the clock of the node.
    cpu : array of float
        Seconds of CPU time.
    memory : array of float
        Largest resident memory of the process so far, in bytes.
    host, job : array of int
        Indices into `hosts` and `jobs`.
    attempt : array of int
    hosts, jobs : list of str
        Names; of a queue-job it is ``<submission>-<element>``.
    """

    itask: array[int] = field(default_factory=lambda: array("q"))
    start: array[float] = field(default_factory=lambda: array("d"))
    stop: array[float] = field(default_factory=lambda: array("d"))
    cpu: array[float] = field(default_factory=lambda: array("d"))
    memory: array[float] = field(default_factory=lambda: array("d"))
    host: array[int] = field(default_factory=lambda: array("i"))
    job: array[int] = field(default_factory=lambda: array("i"))
    attempt: array[int] = field(default_factory=lambda: array("i"))
    hosts: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.itask)

    @property
    def seconds(self) -> Iterator[float]:
        """How long each task ran."""
        return (stop - start for start, stop in zip(self.start, self.stop))

    def fill(self, rows: Iterable[Sequence[bytes]]) -> None:
        """Append rows of ``tasks.stats.csv``; those that are no such rows are left out."""
        hosts = {name.encode(): index for index, name in enumerate(self.hosts)}
        jobs = {name.encode(): index for index, name in enumerate(self.jobs)}
        for row in rows:
            try:
                itask, start, stop, cpu, rss, host, job, attempt = row
                numbers = int(itask), float(start), float(stop), float(cpu), int(rss) * 1024.0, int(attempt)
            except ValueError:
                continue
            if not math.isfinite(numbers[1] + numbers[2] + numbers[3]):
                continue
            self.itask.append(numbers[0])
            self.start.append(numbers[1])
            self.stop.append(max(numbers[1], numbers[2]))  # a clock may have been set back
            self.cpu.append(max(0.0, numbers[3]))
            self.memory.append(numbers[4])
            self.attempt.append(numbers[5])
            self.host.append(_index_of(host, hosts, self.hosts))
            self.job.append(_index_of(job, jobs, self.jobs))


def _index_of(name: bytes, known: dict[bytes, int], names: list[str]) -> int:
    index = known.get(name)
    if index is None:
        index = known[name] = len(names)
        names.append(name.decode(errors="replace"))
    return index


def read_records(look: Look) -> Records:
    """Read the rows of all tasks: those that are merged, and those that are still in the spool."""
    spooled = dict(_spooled(look))  # before the merged ones: nothing falls in between
    records = Records()
    records.fill(_without_spooled(look.all_rows(), spooled))
    records.fill(spooled.values())
    return records


def _spooled(look: Look) -> Iterator[tuple[tuple[bytes, bytes], list[bytes]]]:
    for segment in look.segments():
        for record in segment.records:
            if record.kind <= RecordKind.RAISED:
                row = [*record.stat.rstrip(b"\n").split(b","), b"1"]
                if len(row) > 1:
                    yield (row[0], row[1]), row


def _without_spooled(
    rows: Iterable[list[bytes]], spooled: dict[tuple[bytes, bytes], list[bytes]]
) -> Iterator[list[bytes]]:
    """Yield rows, and forget those of the spool that are among them: a segment is merged before it is deleted."""
    for row in rows:
        if spooled and len(row) > 1:
            spooled.pop((row[0], row[1]), None)
        yield row
