"""What stands around the engine in `tests.unit.world`: a work_dir without a disk, calls without threads, a sink."""

import copy
import errno
import json
from dataclasses import dataclass, field

from pypoolparty.errors import SchedulerError
from pypoolparty.events import from_line
from pypoolparty.work_dir import Layout, RecordKind, Segment

LATENCY, SLOW = 0.2, 100.0


class PaperWorkDir:
    """Takes the place of `WorkDir`; files of the nodes become visible late.

    Parameters
    ----------
    now : callable
        The world's time.
    has_room : callable
        Whether there is room on the disk.
    """

    nodes_of = staticmethod(lambda itasks: {})

    def __init__(self, now, has_room=lambda: True):
        self.now, self.has_room = now, has_room
        self.path = "/paper/q1"
        self.layout = Layout(self.path)
        self.asked_to_end = ""
        self.session = {}
        self.described = {}
        self.tables = {}
        self.claimed = {}
        self.taken = {}
        self.withdrawn = set()
        self.tmp = {}
        self.new = {}
        self.kept = {}
        self.lines, self.unlogged = [], []
        self.damage = {}
        self.ends = []

    # ------------------------------------------------------------------ for the workers

    def publish(self, name, delay=0.0, n_whole=None):
        """Rename a segment from tmp to new, where the driver sees it after a while; or only its first records."""
        if name in self.tmp:
            records = self.tmp.pop(name)
            self.damage[name] = 7 if n_whole is not None else 0
            self.new[name] = (self.now() + delay, records if n_whole is None else records[:n_whole])

    def claim(self, table, ichunk, worker):
        """Claim a chunk for a worker."""
        self.taken[table][ichunk] = 1
        self.claimed.setdefault(table, {})[ichunk] = worker

    def next_unclaimed(self, table, element):
        """Return the next chunk to claim: of the first round that is not all claimed, the own column first."""
        taken, width = self.taken[table], self.described[table]["width"]
        first = taken.find(0)
        if first < 0:
            return None
        begin = first - first % width
        ichunk = taken.find(0, begin + element % width, begin + width)
        return first if ichunk < 0 else ichunk

    # ------------------------------------------------------------------ for the engine

    def last_submission(self):
        """Return the highest number in use."""
        return max(self.tables, default=0)

    def write_submission(self, number, described, chunks):
        """Keep a submission."""
        assert number not in self.tables
        self._check_room()
        self.taken[number] = bytearray(len(chunks))
        self.described[number] = json.loads(json.dumps(described))
        self.tables[number] = json.loads(json.dumps(chunks))

    def withdraw_claims(self, number):
        """Send the workers of a table home."""
        self.withdrawn.add(number)

    def claims(self, number):
        """Return which worker has claimed each chunk of a table."""
        return self.claimed.get(number, {})

    def spool_has_changed(self):
        """Tell whether anything can be seen."""
        now = self.now()
        return any(seen_at <= now for seen_at, _ in self.new.values())

    def collect(self, refresh, most=1000):
        """Return the segments that can be seen."""
        now = self.now()
        names = sorted(name for name, (seen_at, _) in self.new.items() if seen_at <= now)
        return [Segment(name, list(self.new[name][1]), self.damage.get(name, 0)) for name in names[:most]]

    def rescue(self, worker_names):
        """Publish what dead workers were still writing."""
        for name in list(self.tmp):
            if name.rsplit(".", 2)[0] in worker_names:
                self.publish(name)

    def unfinished_workers(self, number, elements):
        """Return the workers of elements that have left a segment unpublished."""
        prefixes = tuple(f"{number:04d}-{element:06d}-" for element in elements)
        return sorted({name.rsplit(".", 2)[0] for name in self.tmp if name.startswith(prefixes)})

    def discard(self, segments):
        """Delete segments."""
        for segment in segments:
            del self.new[segment.name]

    def keep_record(self, record, stderr):
        """Keep an outcome."""
        assert record.itask not in self.kept, f"task {record.itask} has two outcomes"
        self.kept[record.itask] = record

    def read_reduced(self, name):
        """Yield what was kept."""
        kind = RecordKind.RETURNED if name == "results" else RecordKind.RAISED
        for itask, record in self.kept.items():
            if record.kind == kind:
                yield itask, record.value

    def log(self, line, durable=False):
        """Keep a line of the journal, as it stands on disk; without room it waits, unless it must not."""
        self.unlogged.append(json.loads(json.dumps(line)))
        if self.has_room():
            self.lines += self.unlogged
            self.unlogged.clear()
        elif durable:
            self.unlogged.pop()
            self._check_room()

    def _check_room(self):
        if not self.has_room():
            raise OSError(errno.ENOSPC, "no room on paper")

    def journal(self):
        """Return the lines of the journal."""
        return copy.deepcopy(self.lines)

    def events(self):
        """Return the events of the journal."""
        return [event for event in map(from_line, self.journal()) if event is not None]

    def chunks(self, number):
        """Return a chunk table."""
        return self.tables[number]

    def raw_stderr(self, label, most=4096):
        """Return nothing: a queue-job of this world writes nothing."""
        return ""

    def sync(self, rows):
        """Make durable, which paper is where there is room."""
        self._check_room()

    def beat(self):
        """Show that the driver is alive."""

    def complete(self):
        """Note that all outcomes are there."""

    has_stderr = False

    def close(self):
        """Note the end."""
        self.ends.append("closed")

    def abandon(self):
        """Note the end."""
        self.ends.append("abandoned")

    def remove(self):
        """Note the end."""
        self.ends.append("removed")


class Calls:
    """Calls to the scheduler, one after the other, each taking its time."""

    def __init__(self, world):
        self.world, self.free_at, self.done, self.is_dead = world, 0.0, [], False

    def start(self, function, on_done):
        """Call it later."""
        longest = SLOW if self.world.happens("slow") and self.world.fire("slow call") else LATENCY
        self.free_at = max(self.free_at, self.world.now) + longest * self.world.rng.random()
        self.world.at(self.free_at - self.world.now, lambda: self._call(function, on_done))

    def _call(self, function, on_done):
        if self.is_dead:
            return
        try:
            self.done.append((on_done, function(), None))
        except SchedulerError as error:
            self.done.append((on_done, None, error))

    def settle(self):
        """Hand over what has ended."""
        done, self.done = self.done, []
        for on_done, result, error in done:
            on_done(result, error)
        return bool(done)


@dataclass
class Outcomes:
    """A sink that takes each outcome once."""

    found: dict = field(default_factory=dict)
    failure: BaseException | None = None
    work_dir: str = ""
    asked_to_end: BaseException | None = None

    def deliver(self, outcomes):
        """Take outcomes."""
        for itask, success, value in outcomes:
            assert itask not in self.found, f"task {itask} is delivered twice"
            self.found[itask] = value if success else (type(value).__name__, value)

    def fail(self, error):
        """Take a failure of the whole map."""
        self.failure = error
