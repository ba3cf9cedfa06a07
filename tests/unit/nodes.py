"""The workers of `tests.unit.world`: they claim, run, record and die as the real ones do, in no time at all."""

import json
import pickle

from pypoolparty.chunks import tasks_of
from pypoolparty.states import JobState
from pypoolparty.work_dir import Record, RecordKind

DEATHS = (
    JobState.FAILED,
    JobState.OUT_OF_MEMORY,
    JobState.TIME_LIMIT,
    JobState.NODE_FAILED,
    JobState.PREEMPTED,
    JobState.CANCELLED,
)


class Died(Exception):
    """The queue-job dies in the middle of a task."""


def exception_of(itask):
    """Return what a worker writes of a task that raised."""
    error = pickle.dumps(ValueError(itask))
    return pickle.dumps({"type": "ValueError", "message": "", "traceback": "", "pickle": error, "parts": None})


class Worker:
    """The worker of one run of a queue-job."""

    def __init__(self, world, job):
        self.world, self.job, self.disk = world, job, world.disk
        self.faults, self.rng = world.faults, world.rng
        self.name = f"{job.number:04d}-{job.element:06d}-{job.node}-{world.next_number()}-0"
        self.sequences = {"0": 0, "s": 0}
        self.is_open = False
        self.number_done = 0
        self.position = (0, 0, 0)
        self.steps = self.work()

    # ------------------------------------------------------------------ records

    def append(self, slot, kind, itask=0, value=b"", stat=b""):
        """Append a record to the open segment of a slot."""
        name = f"{self.name}.{slot}.{self.sequences[slot]:06d}"
        self.disk.tmp.setdefault(name, []).append(Record(kind, itask, stat, value, b"", b""))
        self.is_open = self.is_open or slot == "0"
        if slot == "s":
            self.publish("s")

    def publish(self, slot="0"):
        """Publish the open segment of a slot; the driver sees it after a while."""
        if slot == "s" or self.is_open:
            delay = self.rng.random() * self.faults.file_delay
            self.disk.publish(f"{self.name}.{slot}.{self.sequences[slot]:06d}", delay)
            self.sequences[slot] += 1
            self.is_open = self.is_open and slot == "s"

    def say_hello(self):
        """Tell who works where."""
        self.append("s", RecordKind.HELLO, value=self._said())

    def say_goodbye(self, reason, signal=0):
        """Publish all, and tell how much there is."""
        self.publish()
        segments = {**self.sequences, "s": self.sequences["s"] + 1}
        self.append("s", RecordKind.GOODBYE, value=self._said(reason=reason, signal=signal, segments=segments))

    def _said(self, **more):
        return json.dumps({"worker": self.name, "host": self.job.node, "job": self.job.job_id, **more}).encode()

    def record(self, itask):
        """Write a task's outcome down."""
        raises = self.rng.random() < self.faults.task_raises
        value = exception_of(itask) if raises else pickle.dumps(("value of", itask))
        self.append("0", RecordKind.RAISED if raises else RecordKind.RETURNED, itask, value, b"x\n")
        if self.rng.random() < 0.5:
            self.publish()

    # ------------------------------------------------------------------ work

    def work(self):
        """Yield how long each step takes; end when the worker has left; raise `Died`."""
        yield self.rng.random()
        self.say_hello()
        if self.rng.random() < self.faults.not_loaded:
            self.append("0", RecordKind.DIED, -1, pickle.dumps({"traceback": "no such module"}))
            return self.say_goodbye("not loaded")
        described = self.disk.described[self.job.number]
        for name in described["tables"]:
            table = int(name)
            while (ichunk := self.claim(table, described["elastic"])) is not None:
                for position, itask in enumerate(tasks_of(self.disk.tables[table][ichunk])):
                    self.position = (table, ichunk, position)
                    if self.number_done and self.rng.random() < self.faults.out_of_time:
                        return self.say_goodbye("out of time")
                    yield self.rng.expovariate(1.0)
                    self.run(itask)
                self.position = (table, ichunk, position + 1)
        return self.say_goodbye("exhausted")

    def run(self, itask):
        """Do a task, and maybe not survive it."""
        self.world.started.append((itask, self.world.now))
        self.number_done += 1
        if self.rng.random() < self.faults.job_dies:
            raise Died
        if self.rng.random() < self.faults.task_crashes or itask in self.world.culprits:
            said = {"signal": 11, "exit_code": 0, "max_rss": 1, "oom": False, "host": self.job.node}
            self.publish()
            return self.append("s", RecordKind.DIED, itask, pickle.dumps(said))
        return self.record(itask)

    def claim(self, table, is_elastic):
        """Claim the next chunk that is unclaimed, or the own one."""
        if table in self.disk.withdrawn:
            return None
        n = len(self.disk.tables[table])
        order = [(self.job.element + k) % n for k in range(n)] if is_elastic else [self.job.element]
        for ichunk in order:
            if (
                ichunk < n
                and (table, ichunk) not in self.disk.claimed
                and self.disk.claim(table, ichunk, f"{self.name}.0")
            ):
                return ichunk
        return None

    def may_still_run(self, itask):
        """Tell whether a task is ahead of this worker in the chunk that it has at hand."""
        table, ichunk, position = self.position
        return bool(table) and itask in list(tasks_of(self.disk.tables[table][ichunk]))[position:]
