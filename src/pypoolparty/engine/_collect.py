"""From segments in the spool to outcomes that are durable and delivered."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .. import payload
from ..advice import function_to_mend, note_on_raise
from ..events import Event, Greeted, Left, Merged, TaskDied
from ..ledger import Ledger
from ..policy import Policy
from ..states import Death, Outcome, Report
from ..work_dir import Record, RecordKind, Segment, WorkDir

__all__ = ["Harvest", "harvest", "returned", "told_exception", "without_noise"]

Delivery = tuple[int, bool, Any]

# What schedulers and shells write into the stderr of jobs that are fine.
_NOISE = re.compile(
    rb"^(slurmstepd: (info|error: \*\*\* (JOB|STEP) \d+\S* .*CANCELLED).*"
    rb"|srun: (job \d+ .*|Job .* step creation .*)"
    rb"|stdin: is not a tty|mesg: (ttyname failed|cannot open /dev/tty).*"
    rb"|Warning: no access to tty.*|Thus no job control in this shell\.?"
    rb"|.*warning: setlocale: .*|bash: cannot set terminal process group.*"
    rb"|bash: no job control in this shell)\s*$"
)


def without_noise(stderr: bytes) -> bytes:
    """Return `stderr` without lines that tell nothing of the task."""
    if not stderr:
        return stderr
    return b"".join(line for line in stderr.splitlines(keepends=True) if not _NOISE.match(line))


@dataclass
class Harvest:
    """What was found in some segments."""

    deliveries: list[Delivery] = field(default_factory=list)
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)


def harvest(segments: Iterable[Segment], ledger: Ledger, work_dir: WorkDir, policy: Policy) -> Harvest:
    """Put the records of `segments` into the archives (not yet durable) and say what follows from them.

    Tasks that have an outcome already are left out: the first wins.
    """
    found = Harvest()
    taken: set[int] = set()
    for segment in segments:
        counts = [0, 0, 0]
        for record in segment.records:
            if record.kind > RecordKind.RAISED:
                found.events.append(_event_of(record, segment))
            elif record.itask in taken or ledger.outcomes[record.itask]:
                counts[2] += 1
            elif record.kind == RecordKind.RAISED and (again := _retried(record, segment, ledger, work_dir, policy)):
                found.events.append(again)
            else:
                taken.add(record.itask)
                counts[record.kind] += 1
                _keep(record, found, ledger, work_dir)
        found.events.append(Merged(segment.name, counts[0], counts[1], counts[2], segment.damage))
    return found


def _keep(record: Record, found: Harvest, ledger: Ledger, work_dir: WorkDir) -> None:
    itask = record.itask
    attempt = ledger.attempts.get(itask, 0) + 1
    work_dir.keep_record(record, without_noise(record.err))
    found.rows.append(record.stat[:-1] + b",%d\n" % attempt)
    if record.kind == RecordKind.RETURNED:
        found.outcomes.append((itask, Outcome.RETURNED))
        found.deliveries.append(returned(itask, record.value, work_dir))
    else:
        found.outcomes.append((itask, Outcome.RAISED))
        raised = told_exception(record.value, itask, _node_of(record), work_dir)
        found.deliveries.append((itask, False, raised))


def returned(itask: int, data: bytes, work_dir: WorkDir) -> Delivery:
    """Load what a task has returned; if that fails, this is its exception."""
    try:
        return itask, True, payload.loads(data)
    except Exception as error:
        path = work_dir.path
        payload.add_note(error, f"the value of task {itask} can not be loaded here; its bytes are kept in {path!r}")
        return itask, False, error


def told_exception(data: bytes, itask: int, node: str, work_dir: WorkDir) -> BaseException:
    """Rebuild the exception that a task raised, with a note of where that was, and of what to do."""
    error = payload.load_exception(data, itask, work_dir.path)
    function = function_to_mend(work_dir.session)
    payload.add_note(error, note_on_raise(error, itask, node, work_dir.path, function))
    return error


def _node_of(record: Record) -> str:
    fields = record.stat.decode(errors="replace").split(",")
    return fields[5] if len(fields) > 5 else ""


def _retried(record: Record, segment: Segment, ledger: Ledger, work_dir: WorkDir, policy: Policy) -> TaskDied | None:
    """Return the event of an exception that is no final answer."""
    kinds = policy.retry.retry_exceptions
    if not kinds or ledger.attempts.get(record.itask, 0) >= policy.max_num_resubmissions:
        return None
    error = payload.load_exception(record.value, record.itask, work_dir.path)
    if not isinstance(error, kinds):
        return None
    words = f"it raised {error!r}, and such exceptions are to be retried"
    return TaskDied(record.itask, segment.worker, Report(Death.CRASHED, evidence=(words,)))


def _event_of(record: Record, segment: Segment) -> Event:
    if record.kind == RecordKind.DIED:
        return TaskDied(record.itask, segment.worker, _report_of(record))
    said = json.loads(record.value)
    if record.kind == RecordKind.HELLO:
        return Greeted(said["worker"], said["host"], said["job"])
    return Left(said["worker"], said["reason"], said["signal"], said["segments"])


def _report_of(record: Record) -> Report:
    """Return what a supervisor, or a child that could not begin, tells of a death."""
    said = pickle.loads(record.value)
    tail = without_noise(record.err)[-4096:].decode(errors="replace")
    if "traceback" in said:
        evidence = "the worker could not load the function or run the initializer"
        node, words = said.get("host", ""), tail + said["traceback"]
        return Report(Death.BAD_ENVIRONMENT, node, evidence=(evidence,), stderr_tail=words)
    death = Death.OUT_OF_MEMORY if said["oom"] else Death.CRASHED
    evidence = "its supervisor saw its process die"
    if said["oom"]:
        evidence += ", and the kernel count an out-of-memory kill in its cgroup"
    return Report(death, said["host"], said["signal"], said["exit_code"], said["max_rss"], (evidence,), tail)
