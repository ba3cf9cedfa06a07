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
        self.skew = self.faults.skew * (int(job.node[1:]) % 3 - 1)
        if self.skew:
            world.fire("clock skew")
        began = max(0, int(world.now + self.skew))
        self.name = f"{job.number:04d}-{job.element:06d}-{job.node}-{world.next_number()}-{began:x}"
        self.sequences = {"0": 0, "s": 0}
        self.is_open = False
        self.number_done = 0
        self.interval = self.disk.described[job.number]["flush_interval"] if world.tick else None
        self.flushed = world.now
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
            name = f"{self.name}.{slot}.{self.sequences[slot]:06d}"
            self.disk.publish(name, self._delay(), self._n_whole(name))
            self.sequences[slot] += 1
            self.is_open = self.is_open and slot == "s"

    def _delay(self):
        """Return how long a file needs to be seen: it may be late, or wait until there is room."""
        world = self.world
        if world.has_room() and world.happens("no_room"):
            world.no_room_until = world.now + 120.0 * self.rng.random()
        delay = self.rng.random() * self.faults.file_delay
        if delay > world.policy.grace:
            world.fire("file later than the grace")
        elif delay > 1.0:
            world.fire("late file")
        if not world.has_room():
            world.fire("full disk: workers")
        return delay + max(0.0, world.no_room_until - world.now)

    def _n_whole(self, name):
        """Return how many records of a segment are whole; None: all."""
        if self.world.happens("damaged"):
            self.world.fire("damaged segment")
            return self.rng.randrange(len(self.disk.tmp[name]))
        return None

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
        raises = self.world.happens("task_raises") and self.world.fire("task raises")
        value = exception_of(itask) if raises else pickle.dumps(("value of", itask))
        stat = b"%d,%.0f\n" % (itask, self.world.now + self.skew)
        self.append("0", RecordKind.RAISED if raises else RecordKind.RETURNED, itask, value, stat)
        if self._is_time_to_flush():
            self.publish()

    def _is_time_to_flush(self):
        if self.interval is None:
            return self.rng.random() < 0.5
        if self.world.now - self.flushed < self.interval:
            return False
        self.flushed = self.world.now
        return True

    # ------------------------------------------------------------------ work

    def work(self):
        """Yield how long each step takes; end when the worker has left; raise `Died`."""
        yield self.rng.random()
        self.say_hello()
        if self.world.happens("not_loaded"):
            self.world.fire("environment can not be loaded")
            self.append("0", RecordKind.DIED, -1, pickle.dumps({"traceback": "no such module"}))
            return self.say_goodbye("not loaded")
        described = self.disk.described[self.job.number]
        for name in described["tables"]:
            table = int(name)
            while (ichunk := self.claim(table, described["elastic"])) is not None:
                for position, itask in enumerate(tasks_of(self.disk.tables[table][ichunk])):
                    self.position = (table, ichunk, position)
                    if self.number_done and self.world.happens("out_of_time"):
                        self.world.fire("leaves before its time limit")
                        return self.say_goodbye("out of time")
                    yield self.world.duration(itask)
                    self.run(itask)
                self.position = (table, ichunk, position + 1)
        return self.say_goodbye("exhausted")

    def run(self, itask):
        """Do a task, and maybe not survive it."""
        self.world.started.append((itask, self.world.now))
        self.number_done += 1
        if self.world.happens("job_dies"):
            raise Died
        if self.world.happens("task_crashes") or itask in self.world.culprits:
            self.world.fire("task crashes")
            said = {"signal": 11, "exit_code": 0, "max_rss": 1, "oom": False, "host": self.job.node}
            self.publish()
            return self.append("s", RecordKind.DIED, itask, pickle.dumps(said))
        return self.record(itask)

    def claim(self, table, is_elastic):
        """Claim the next chunk that is unclaimed, or the own one."""
        if table in self.disk.withdrawn:
            return None
        element = self.job.element
        if is_elastic:
            ichunk = self.disk.next_unclaimed(table, element)
        else:
            ichunk = element if self.disk.taken[table][element : element + 1] == b"\0" else None
        if ichunk is not None:
            self.disk.claim(table, ichunk, f"{self.name}.0")
        return ichunk

    def may_still_run(self, itask):
        """Tell whether a task is ahead of this worker in the chunk that it has at hand."""
        table, ichunk, position = self.position
        return bool(table) and itask in list(tasks_of(self.disk.tables[table][ichunk]))[position:]
