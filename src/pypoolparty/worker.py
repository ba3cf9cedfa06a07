"""The program on the node: claims chunks of tasks in a work_dir and works them off.

Copied verbatim to ``work_dir/script.py`` and started there as
``python script.py WORK_DIR SUBMISSION [ELEMENT]``. It imports the standard library only, and of
that little, for its start is paid once for every queue-job: where there is a C module below one
written in Python, it is taken by itself (json, pickle and signal would bring re and enum).

Two processes share the job. The *supervisor* stays small and never runs code of the user; it
forks a *child* for each of its slots, and when a child dies it reports which task killed it and
why, and goes on with the next task in a fresh child. The two talk through a shared page of
integers (`Slot`). What is done goes into segments: append-only files of records in ``spool/tmp``,
published by a rename into ``spool/new``.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from _thread import allocate_lock, start_new_thread
from mmap import mmap
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from zlib import crc32

TYPE_CHECKING = False  # the real one is in a module that would have to be imported
if not TYPE_CHECKING and sys.implementation.name == "cpython":
    import _pickle as pickle
    import _signal as signal
    from _json import encode_basestring_ascii, make_scanner
    from _struct import Struct
else:
    import pickle
    import signal
    from json.decoder import JSONDecoder
    from json.encoder import encode_basestring_ascii
    from struct import Struct

    def make_scanner(context: JsonOptions) -> Callable[[str, int], tuple[Any, int]]:
        return JSONDecoder().raw_decode


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, ModuleType
    from typing import Any

# One record: magic, CRC of all that follows it, kind, itask, and the sizes of the four parts.
RECORD = Struct("<4sIIQIQQQ")
RECORD_BODY = Struct("<IQIQQQ")
MAGIC = b"PPR1"
RETURNED, RAISED, DIED, HELLO, GOODBYE = range(5)

# One row of tasks.index: offset and size of the pickle in tasks.zip, and its CRC.
INDEX_ROW = Struct("<QQQ")

# The shared page of a slot: what the child is at, so that the supervisor knows it after a death.
TABLE, CHUNK, POSITION, TASK, SEQUENCE, SEGMENT_OPEN, REASON, MAX_RSS = range(8)
NONE = -1
EXHAUSTED, OUT_OF_TIME, WANTS_FRESH_PROCESS, NOT_LOADED, ORPHANED, DAMAGED, WITHDRAWN = range(1, 8)
REASONS = {
    EXHAUSTED: "exhausted",
    OUT_OF_TIME: "out of time",
    NOT_LOADED: "not loaded",
    ORPHANED: "orphaned",
    DAMAGED: "damaged",
    WITHDRAWN: "withdrawn",
}

LARGEST_READ = 4 << 20
LARGEST_RUN = 1024
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR2)
LARGEST_CAPTURE = 64 << 20
LARGEST_UNPUBLISHED = 16 << 20
PUBLISH_TRIES = 3
FLUSH_RETRY_SECONDS = 1.0
LONGEST_PROLOG_SECONDS = 300.0

# Who waits for the pool's next map: the size of the file that it is told in, and how often it looks there.
SEAT_SIZE = 8192
SHORTEST_LOOK, LONGEST_LOOK, LOOKS_PER_SECOND = 0.02, 0.1, 200.0
ORDER_SECONDS = 30.0


class Terminated(BaseException):
    """The queue-job was told to end by a signal."""


def write_all(fd: int, parts: Iterable[bytes]) -> None:
    """Write all `parts` to `fd`, however often the system takes only some of them."""
    views = [memoryview(part) for part in parts if len(part)]
    while views:
        written = os.writev(fd, views[:64])
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def written_anew(path: str, records: list[list[bytes]]) -> int:
    """Return a file that has these records and no others, when there is room for it."""
    fd: int = when_there_is_room(lambda: create(path, os.O_APPEND))

    def write() -> None:
        os.ftruncate(fd, 0)
        for parts in records:
            write_all(fd, parts)

    when_there_is_room(write)
    return fd


def when_there_is_room(call: Callable[[], Any]) -> Any:
    """Return what `call` returns; while the disk is full, try again and again."""
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        time.sleep(FLUSH_RETRY_SECONDS)


class JsonOptions:
    """What the scanner of json wants to be told: the defaults."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = float


def from_json(text: bytes) -> Any:
    """Return the value of an object in JSON, which is all that our files are; raises ValueError."""
    try:
        return make_scanner(JsonOptions())(text.decode(), 0)[0]
    except StopIteration:
        raise ValueError("this is no JSON") from None


def to_json(value: Any) -> str:
    """Return the JSON of what we write: texts, numbers, and dicts of them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_json(name)}: {to_json(one)}" for name, one in value.items()) + "}"
    return encode_basestring_ascii(value) if isinstance(value, str) else repr(value)


def read_json(path: str) -> Any:
    with os.fdopen(open_own(path), "rb") as stream:
        return from_json(stream.read())


def read_json_patiently(path: str, seconds: float = 20.0) -> Any:
    """Read a file that exists but may not be visible on this node yet."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            return read_json(path)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2.0)


def open_own(path: str) -> int:
    """Open a file for reading that only we may have written; looked at once it is open."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    refuse_foreign(path, os.fstat(fd))
    return fd


def refuse_foreign(path: str, found: os.stat_result) -> None:
    """Leave if somebody else could have written this: what is unpickled can do anything."""
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise SystemExit(f"pypoolparty: {path!r} is not ours alone (owner {found.st_uid}, mode {found.st_mode:o})")


def create(path: str, flags: int) -> int:
    """Make a file for its owner alone, whatever the umask."""
    fd = os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    return fd


class Withdrawn(Exception):
    """The main process has taken back its chunks."""


def make_durable(fd: int, path: str, records: list[list[bytes]]) -> None:
    """Sync and close a file with these records in it; where only that tells that the disk is full, write them again."""
    while True:
        try:
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not records:
                raise
        # What was taken before may be lost, though a second sync would succeed.
        time.sleep(FLUSH_RETRY_SECONDS)
        fd = written_anew(path, records)


class Segments:
    """The records of one slot, in files that appear in ``spool/new`` at a bounded rate."""

    def __init__(self, job: Job, slot_name: str, slot: memoryview[int], interval: float) -> None:
        self.job, self.slot_name, self.slot, self.interval = job, slot_name, slot, interval
        self.prefix = f"{job.worker}.{slot_name}."
        self.fd: int | None = None
        self.unpublished: list[tuple[int, list[bytes]]] = []
        self.size = 0
        self.opened = 0.0
        self.writing, self.publishing = allocate_lock(), allocate_lock()
        self.has_publisher = False

    def path(self, box: str, sequence: int) -> str:
        return os.path.join(self.job.work_dir, "spool", box, f"{self.prefix}{sequence:06d}")

    def append(
        self, kind: int, itask: int, stat: bytes = b"", value: bytes = b"", out: bytes = b"", err: bytes = b""
    ) -> None:
        """Append one record; it outlives this process from here on."""
        body = RECORD_BODY.pack(kind, itask, len(stat), len(value), len(out), len(err))
        crc = crc32(err, crc32(out, crc32(value, crc32(stat, crc32(body)))))
        parts = [MAGIC + crc.to_bytes(4, "little") + body, stat, value, out, err]
        with self.writing:
            self._write_patiently(parts)
            self.size += len(value) + len(out) + len(err)
            self.unpublished.append((kind, parts))
        age = time.monotonic() - self.opened
        if age >= self.interval or self.size >= LARGEST_UNPUBLISHED:
            self.publish()
        elif not self.has_publisher:
            self.has_publisher = True
            start_new_thread(self._publish_for_ever, ())

    def _write_patiently(self, parts: list[bytes]) -> None:
        """Wait for room when the disk is full: a result is worth waiting for."""
        while True:
            start = 0
            try:
                fd = self.fd if self.fd is not None else self._open()
                start = os.fstat(fd).st_size
                write_all(fd, parts)
                return
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                if self.fd is not None:
                    os.ftruncate(self.fd, start)
            time.sleep(FLUSH_RETRY_SECONDS)

    def _open(self) -> int:
        self.fd = fd = create(self.path("tmp", self.slot[SEQUENCE]), os.O_APPEND)
        self.opened = time.monotonic()
        self.slot[SEGMENT_OPEN] = 1
        return fd

    def publish(self) -> None:
        """Make what was appended so far visible in ``spool/new``."""
        with self.publishing:
            for _ in range(PUBLISH_TRIES):
                if self._publish_one():
                    return
        raise FileNotFoundError(errno.ENOENT, "segments are taken away again and again", self.path("tmp", 0))

    def _publish_one(self) -> bool:
        """Publish the open segment, if any; False if it was taken away and its records are in the next one."""
        with self.writing:
            fd, self.fd = self.fd, None
            if fd is None:
                return True
            records, self.unpublished, self.size = self.unpublished, [], 0
            sequence = self.slot[SEQUENCE]
            self.slot[SEQUENCE] = sequence + 1
            self.slot[SEGMENT_OPEN] = 0
        path = self.path("tmp", sequence)
        make_durable(fd, path, [parts for _, parts in records])
        try:
            os.rename(path, self.path("new", sequence))
        except FileNotFoundError:
            return not self._write_again([record for record in records if record[0] <= RAISED])
        return True

    def _write_again(self, records: list[tuple[int, list[bytes]]]) -> bool:
        """Put outcomes into the next segment, for theirs was taken away while it was being written.

        The main process does so when it takes this worker for dead; what it has read of them it will recognise.
        """
        with self.writing:
            for _, parts in records:
                self._write_patiently(parts)
            self.unpublished = records + self.unpublished
        return bool(records)

    def _publish_for_ever(self) -> None:
        """Publish while one long task follows many short ones."""
        while True:
            time.sleep(self.interval)
            try:
                if self.fd is not None and time.monotonic() - self.opened >= self.interval:
                    self.publish()
            except OSError:
                return  # the main thread meets the same error at its next record

    def rescue(self) -> None:
        """Publish what a dead child left in ``spool/tmp`` (called by the supervisor)."""
        for sequence in (self.slot[SEQUENCE] - 1, self.slot[SEQUENCE]):
            try:
                os.rename(self.path("tmp", sequence), self.path("new", sequence))
            except OSError:
                continue
            self.slot[SEQUENCE] = sequence + 1
        self.slot[SEGMENT_OPEN] = 0


class Table:
    """A chunk table, and the claims on its chunks."""

    def __init__(self, job: Job, name: str, slot: str = "0") -> None:
        self.folder = os.path.join(job.work_dir, "submissions", name)
        described = read_json(os.path.join(self.folder, "chunks.json"))
        self.chunks: list[list[int]] = described["chunks"]
        self.width: int = max(1, described["width"])
        self.identity = self._make_identity(f"{job.worker}.{slot}")
        self.column: int = (job.element * job.number_of_slots + int(slot)) % self.width
        self.taken = bytearray(len(self.chunks))
        self.position: int = self.column
        self.is_helping = False
        self._look_around()

    def _make_identity(self, name: str) -> str:
        """Make the file that every claim of this slot is a link of."""
        path = os.path.join(self.folder, "claims", f"worker-{name}")
        try:
            fd = when_there_is_room(lambda: create(path, os.O_EXCL))
        except FileExistsError:
            return path  # made by an earlier child of this slot
        except FileNotFoundError:
            raise Withdrawn from None
        try:
            when_there_is_room(lambda: os.pwrite(fd, name.encode(), 0))
        finally:
            os.close(fd)
        return path

    def _look_around(self) -> None:
        for name in os.listdir(os.path.join(self.folder, "claims")):
            if name.isdigit():
                self.taken[int(name)] = 1

    def tasks(self, ichunk: int) -> range | list[int]:
        """Return the itasks of a chunk, in order."""
        runs = self.chunks[ichunk]
        if len(runs) == 2:
            return range(runs[0], runs[1])
        return [i for k in range(0, len(runs), 2) for i in range(runs[k], runs[k + 1])]

    def claim_next(self) -> int | None:
        """Claim one more chunk: down the own column, then down that in which most is left. None at the end.

        A column has a chunk of each round. So workers meet only where one helps with another's column.
        """
        while True:
            ichunk = self._next_in_column()
            if ichunk is None:
                if not self._choose_column():
                    return None
            elif self.claim(ichunk):
                return ichunk
            elif self.is_helping:
                self._choose_column()
            else:
                self._look_around()

    def _next_in_column(self) -> int | None:
        while self.position < len(self.taken):
            ichunk = self.position
            self.position += self.width
            if not self.taken[ichunk]:
                return ichunk
        return None

    def _choose_column(self) -> bool:
        """Go to the column with most chunks left, of equals the next one; False if nothing is left."""
        self._look_around()
        most, chosen = 0, 0
        for step in range(self.width):
            column = (self.column + step) % self.width
            left = self.taken[column :: self.width].count(0)
            if left > most:
                most, chosen = left, column
        self.position, self.is_helping = chosen, True
        return most > 0

    def claim(self, ichunk: int) -> bool:
        """Claim this chunk; False if it is another's."""
        self.taken[ichunk] = 1
        path = os.path.join(self.folder, "claims", f"{ichunk:06d}")
        try:
            when_there_is_room(lambda: os.link(self.identity, path))
        except FileExistsError:
            # An NFS server may have done it and lost the answer: then the claim is ours after all.
            return os.stat(path).st_ino == os.stat(self.identity).st_ino
        except FileNotFoundError:
            raise Withdrawn from None
        except OSError as error:
            if error.errno == errno.ESTALE:
                raise
            return self._claim_without_links(path)
        return True

    def _claim_without_links(self, path: str) -> bool:
        try:
            fd = when_there_is_room(lambda: create(path, os.O_EXCL))
        except FileExistsError:
            return False
        with open(self.identity, "rb") as identity:
            name = identity.read()
        when_there_is_room(lambda: os.pwrite(fd, name, 0))
        os.close(fd)
        return True


class Tasks:
    """Random access to the pickled tasks in ``tasks.zip``."""

    def __init__(self, work_dir: str) -> None:
        self.archive = open_own(os.path.join(work_dir, "tasks.zip"))
        self.index = open_own(os.path.join(work_dir, "tasks.index"))

    def read(self, itasks: Iterable[int]) -> Iterator[bytes | None]:
        """Yield the pickle of each task (None if it is damaged), reading neighbours in one go."""
        itasks = list(itasks)
        k = 0
        while k < len(itasks):
            rows = self._rows(itasks, k)
            start = rows[0][0]
            data = self._pread(rows[-1][0] + rows[-1][1] - start, start)
            for offset, size, crc in rows:
                pickled = data[offset - start : offset - start + size]
                yield pickled if len(pickled) == size and crc32(pickled) == crc else None
            k += len(rows)

    def _rows(self, itasks: list[int], k: int) -> list[tuple[int, int, int]]:
        """Return the index rows from the k-th task on that are read together."""
        stop = k + 1
        while stop < len(itasks) and itasks[stop] == itasks[stop - 1] + 1 and stop - k < LARGEST_RUN:
            stop += 1
        size = INDEX_ROW.size
        raw = os.pread(self.index, (stop - k) * size, itasks[k] * size)
        rows = list(INDEX_ROW.iter_unpack(raw[: len(raw) - len(raw) % size])) or [(0, 0, 1)]
        end = rows[0][0] + LARGEST_READ
        together = [row for row in rows if row[0] + row[1] <= end]
        return together or rows[:1]

    def _pread(self, size: int, offset: int) -> bytes:
        data = os.pread(self.archive, size, offset)
        while len(data) < size:
            more = os.pread(self.archive, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data


class Capture:
    """Where a task's stdout or stderr goes: an unlinked file that a child's death leaves readable."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.fd = self._unlinked_file()

    @staticmethod
    def _unlinked_file() -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        for folder in (os.environ.get("TMPDIR"), "/tmp", "/dev/shm"):
            path = os.path.join(folder or "/tmp", f".pypoolparty-{os.getpid()}-{time.time_ns()}")
            try:
                fd = os.open(path, flags, 0o600)
                os.unlink(path)
            except OSError:
                continue
            found = os.fstatvfs(fd)
            if found.f_bavail * found.f_frsize >= LARGEST_CAPTURE:
                return fd
            os.close(fd)
        return os.memfd_create("pypoolparty")

    def begin(self) -> None:
        os.dup2(self.fd, self.number, inheritable=True)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        size = os.fstat(self.fd).st_size
        if not size:
            return b""
        if size <= LARGEST_CAPTURE:
            data = os.pread(self.fd, size, 0)
        else:
            half = LARGEST_CAPTURE // 2
            gap = f"\n[pypoolparty: {size - 2 * half} bytes are left out here]\n".encode()
            data = os.pread(self.fd, half, 0) + gap + os.pread(self.fd, half, size - half)
        os.ftruncate(self.fd, 0)
        return data


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: Any, pickler: Pickler) -> None:
        super().__init__(stream)
        self.pickler = pickler

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "cloudpickle":
            self.pickler.import_cloudpickle()
        return super().find_class(module, name)


class Pickler:
    """Bytes to and from objects; brings cloudpickle only where it is needed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cloudpickle: ModuleType | None = None

    def import_cloudpickle(self) -> ModuleType:
        if self.cloudpickle is None:
            library = os.path.join(self.job.work_dir, "lib.zip")
            if not self.job.same_python:
                sys.path.insert(0, library)
            try:
                import cloudpickle
            except ImportError:
                sys.path.append(library)
                import cloudpickle
            self.cloudpickle = cloudpickle
        return self.cloudpickle

    def load(self, stream: Any) -> Any:
        """Load from a file, of which there is no other copy in memory: a function may close over much."""
        return _Unpickler(stream, self).load()

    def loads(self, data: bytes) -> Any:
        if self.cloudpickle is None and b"cloudpickle" in data:
            self.import_cloudpickle()
        return pickle.loads(data)

    def dumps(self, value: Any) -> bytes:
        try:
            data = pickle.dumps(value, 5)
            if b"__main__" not in data:
                return data
        except Exception:
            pass
        pickled: bytes = self.import_cloudpickle().dumps(value, 5)
        return pickled

    def dump_result(self, value: Any) -> tuple[int, bytes]:
        """Return the kind and the bytes of a returned value."""
        try:
            return RETURNED, self.dumps(value)
        except Exception as error:
            from multiprocessing.pool import MaybeEncodingError  # type: ignore[attr-defined]

            return RAISED, self.dump_exception(MaybeEncodingError(error, value))

    def dump_exception(self, error: BaseException, **more: str) -> bytes:
        """Return the bytes of an exception: itself, what it can be rebuilt from, and texts; and what else is told."""
        import traceback

        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next  # the user's frames only
        lines = traceback.format_exception(type(error), error, trace)
        described = {
            "type": f"{type(error).__module__}.{type(error).__qualname__}",
            "message": _text_of(error),
            "traceback": "".join(lines),
            "pickle": self._try_dumps(error),
            "parts": self._try_dumps((type(error), error.args, vars(error))),
            **more,
        }
        if described["pickle"] is None and described["parts"] is None:
            described["pickle"] = self._stand_in(error)
        return pickle.dumps(described, 5)

    def _stand_in(self, error: BaseException) -> bytes:
        """Return the bytes of the error that tells why `error` itself can not be sent."""
        from multiprocessing.pool import MaybeEncodingError  # type: ignore[attr-defined]

        try:
            pickle.dumps(error, 5)
        except Exception as reason:
            return pickle.dumps(MaybeEncodingError(reason, error), 5)
        raise AssertionError("it can be pickled after all")

    def _try_dumps(self, value: Any) -> bytes | None:
        try:
            return self.dumps(value)
        except Exception:
            return None


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<its text can not be made>"


class Child:
    """Works off chunks in one process: claim, run, record, until nothing is unclaimed."""

    def __init__(
        self,
        job: Job,
        segments: Segments,
        slot: memoryview[int],
        captures: tuple[Capture, Capture],
        preloaded: tuple[Any, ...] | None,
    ) -> None:
        self.job, self.segments, self.slot, self.preloaded = job, segments, slot, preloaded
        self.out, self.err = captures
        self.pickler = Pickler(job)
        self.pid, self.parent = os.getpid(), os.getppid()
        self.number_done = 0
        self.longest = 0.0
        self.modules_seen = 0
        self.c_flush: Callable[[None], object] | None = None

    def run(self) -> int:
        """Work until there is a reason to leave; return it."""
        for ending in ENDING_SIGNALS:
            signal.signal(ending, signal.default_int_handler if ending == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        self.job.limit_memory()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self.out.begin()
        self.err.begin()
        try:
            self._load()
        except BaseException as error:
            self._flush_streams()
            value = self.pickler.dump_exception(error, host=self.job.node)
            err = other_python(self.job) + self.err.take()
            self.segments.append(DIED, NONE & (2**64 - 1), b"", value, self.out.take(), err)
            return NOT_LOADED
        try:
            for number, name in enumerate(self.job.tables):
                if self.slot[TABLE] > number:
                    continue
                reason = self._work_off(number, Table(self.job, name, self.segments.slot_name))
                if reason != EXHAUSTED:
                    return reason
        except Withdrawn:
            return WITHDRAWN
        return EXHAUSTED

    def _load(self) -> None:
        self.call, initializer, initargs = self.preloaded or load_function(self.job, self.pickler)
        if self.call is None:
            self.call = _apply
        elif self.job.session["call"] == "starmap":
            self.call = _starred(self.call)
        self.tasks = Tasks(self.job.work_dir)
        if initializer is not None:
            initializer(*initargs)

    def _work_off(self, number: int, table: Table) -> int:
        """Work off one table from where the slot stands."""
        slot = self.slot
        ichunk: int | None
        if slot[TABLE] == number and slot[CHUNK] >= 0:
            ichunk, position = slot[CHUNK], slot[POSITION]
        else:
            slot[TABLE], slot[CHUNK], slot[TASK] = number, NONE, NONE
            ichunk, position = self._claim(table), 0
        while ichunk is not None:
            slot[POSITION], slot[CHUNK] = position, ichunk
            reason = self._run_chunk(table.tasks(ichunk), position)
            if reason:
                return reason
            slot[CHUNK] = NONE
            ichunk, position = self._claim(table), 0
        return EXHAUSTED

    def _claim(self, table: Table) -> int | None:
        if self.job.elastic:
            return table.claim_next()
        mine = self.job.element
        if mine >= len(table.chunks) or table.taken[mine]:
            return None
        return mine if table.claim(mine) else None

    def _run_chunk(self, itasks: range | list[int], position: int) -> int | None:
        """Run the tasks of a chunk from `position` on; return a reason to leave, or None."""
        slot = self.slot
        itasks = itasks[position:]
        for itask, pickled in zip(itasks, self.tasks.read(itasks)):
            reason = self._reason_to_leave()
            if reason:
                return reason
            slot[TASK] = itask
            if pickled is None:
                return DAMAGED
            self._run_task(itask, pickled)
            slot[POSITION] += 1
            slot[TASK] = NONE
            self.number_done += 1
        return None

    def _reason_to_leave(self) -> int | None:
        if os.getppid() != self.parent:
            return ORPHANED
        if self.job.max_tasks and self.number_done >= self.job.max_tasks:
            return WANTS_FRESH_PROCESS
        if self.number_done and time.monotonic() + 1.25 * self.longest > self.job.deadline:
            return OUT_OF_TIME
        return None

    def _run_task(self, itask: int, pickled: bytes) -> None:
        cpu = _cpu_seconds()
        start = time.time()
        try:
            kind, value = self.pickler.dump_result(self.call(self.pickler.loads(pickled)))
        except BaseException as error:
            kind, value = RAISED, self.pickler.dump_exception(error)
        if os.getpid() != self.pid:
            os._exit(0)  # a process that the task forked came back here
        stop = time.time()
        self.longest = max(self.longest, stop - start)
        usage = getrusage(RUSAGE_SELF)
        self.slot[MAX_RSS] = usage.ru_maxrss
        stat = f"{itask},{start:.6f},{stop:.6f},{_cpu_seconds() - cpu:.6f},{usage.ru_maxrss},{self.job.row_end}\n"
        self._flush_streams()
        self.segments.append(kind, itask, stat.encode(), value, self.out.take(), self.err.take())

    def _flush_streams(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        if len(sys.modules) != self.modules_seen:
            self.modules_seen = len(sys.modules)
            if self.c_flush is None and _has_foreign_extension():
                self.c_flush = _find_c_flush()
        if self.c_flush is not None:
            self.c_flush(None)


def load_function(job: Job, pickler: Pickler) -> tuple[Any, ...]:
    """Return the function, the initializer and its arguments."""
    with os.fdopen(open_own(os.path.join(job.work_dir, "function.pickle")), "rb") as stream:
        loaded: tuple[Any, ...] = pickler.load(stream)
    return loaded


def other_python(job: Job) -> bytes:
    """Return a line about it where the main process has another minor version; that may be what went wrong."""
    ours = ".".join(str(number) for number in sys.version_info[:3])
    theirs = job.session.get("python", ours)
    if theirs.split(".")[:2] == ours.split(".")[:2]:
        return b""
    line = f"the node has Python {ours} ({sys.executable}), the main process has {theirs}\n"
    return line.encode(errors="replace")


def usable_cores() -> int:
    """Return how many cores of this node are this queue-job's."""
    told = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return int(told) if told.isdigit() else len(os.sched_getaffinity(0))


def _cpu_seconds() -> float:
    own, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _has_foreign_extension() -> bool:
    """Tell whether C code besides Python's own is loaded, whose stdio has a buffer of its own."""
    if "ctypes" in sys.modules:
        return True
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.endswith(".so") and "lib-dynload" not in path:
            return True
    return False


def _find_c_flush() -> Callable[[None], object] | None:
    try:
        import ctypes

        return ctypes.CDLL(None).fflush
    except Exception:
        return None


def _apply(task: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> Any:
    func, args, kwds = task
    return func(*args, **kwds)


def _starred(func: Callable[..., Any]) -> Callable[[Any], Any]:
    def call(task: Iterable[Any]) -> Any:
        return func(*task)

    return call


class Job:
    """This queue-job: where it stands in its submission, and what it was told."""

    def __init__(self, work_dir: str, submission: str, element: int) -> None:
        self.work_dir = work_dir
        self.started = time.time()
        self.session = read_json_patiently(os.path.join(work_dir, "session.json"))
        refuse_foreign(work_dir, os.lstat(work_dir))
        path = os.path.join(work_dir, "submissions", submission, "submission.json")
        self.submission = read_json_patiently(path)
        self.element = element
        self.elastic = self.submission["elastic"]
        self.number_of_slots = self.submission.get("workers_per_job", 1) or usable_cores()
        self.tables = self.submission["tables"]
        self.max_tasks = self.session["maxtasksperchild"] or 0
        self.host = os.uname().nodename
        safe_host = "".join(c if c.isalnum() or c in "-_" else "_" for c in self.host)
        self.worker = f"{submission}-{element:06d}-{safe_host}-{os.getpid()}-{time.time_ns():x}"
        # By the name that the scheduler has for it.
        in_grid_engine = "SGE_JOB_SPOOL_DIR" in os.environ
        node = os.environ.get("HOSTNAME" if in_grid_engine else "SLURMD_NODENAME") or self.host
        self.node = "".join(c for c in node if c not in ',"\n\r')
        self.row_end = f"{self.node},{submission}-{element:06d}"
        self.job_id = os.environ.get("SLURM_JOB_ID") or os.environ.get("JOB_ID") or ""
        self.deadline = self._find_deadline()
        self.same_python = True

    def _find_deadline(self) -> float:
        """Return when, by time.monotonic, the queue-job will be killed for its time limit, less a margin to leave in.

        The scheduler's times are of another host's clock: what lies between them is ours to use, they are not.
        """
        now, age = time.monotonic(), _age_of_process()
        limit: float | None = self.submission.get("time_limit")
        begin, end = (os.environ.get(f"SLURM_JOB_{name}_TIME", "") for name in ("START", "END"))
        if begin.isdigit() and end.isdigit():
            delay = self.started - age - int(begin)  # until the script was begun, if the clocks agree
            is_plausible = 0.0 <= delay <= LONGEST_PROLOG_SECONDS
            return now - age + int(end) - int(begin) - (delay if is_plausible else 0.0) - 5.0
        if limit:
            return now - age + limit - min(10.0, 0.1 * limit)
        if end.isdigit():
            return now + int(end) - self.started - 5.0
        return float("inf")

    def enter_environment(self) -> None:
        """Take over the variables, the folder and the import path of the main process."""
        exported = read_json(os.path.join(self.work_dir, "environment.json"))
        os.umask(exported["umask"])
        self.same_python = exported["prefix"] == sys.prefix and exported["version"] == sys.version
        before = os.environ.get("LD_LIBRARY_PATH")
        os.environ.update(exported["variables"])
        if os.environ.get("LD_LIBRARY_PATH") != before and "PYPOOLPARTY_REEXECUTED" not in os.environ:
            # The dynamic linker reads it only once, when a process starts.
            os.environ["PYPOOLPARTY_REEXECUTED"] = "1"
            os.execv(sys.executable, [sys.executable, *sys.argv])
        os.environ.pop("PYPOOLPARTY_REEXECUTED", None)
        cores = str(max(1, (self.submission.get("cpus") or 1) // (self.submission.get("workers_per_job") or 1)))
        for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
            os.environ.setdefault(f"{name}_NUM_THREADS", cores)
        if self.same_python:
            sys.path[:] = exported["sys_path"]
        else:
            sys.path[:] = [*exported["user_path"], *sys.path[1:]]
        try:
            os.chdir(exported["cwd"])
        except OSError as error:
            print(f"pypoolparty: can not enter {exported['cwd']!r} on {self.host}: {error}", file=sys.stderr)

    def limit_memory(self) -> None:
        """Limit the data of this process, where no scheduler does it."""
        limit = self.submission.get("enforce_mem")
        if limit:
            from resource import RLIMIT_DATA, setrlimit

            setrlimit(RLIMIT_DATA, (limit, limit))


class Supervisor:
    """Starts the children of a queue-job, watches over them, and says hello and goodbye."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.number = job.number_of_slots
        self.preloaded: tuple[Any, ...] | None = None
        interval = job.submission["flush_interval"]
        page = memoryview(mmap(-1, 64 * (self.number + 1))).cast("q")
        self.slots = [page[8 * k : 8 * k + 8] for k in range(self.number + 1)]
        for slot in self.slots:
            slot[CHUNK] = slot[TASK] = slot[TABLE] = NONE
        self.own = Segments(job, "s", self.slots[self.number], interval=0.0)
        self.segments = [Segments(job, str(k), self.slots[k], interval) for k in range(self.number)]
        self.captures = [(Capture(1), Capture(2)) for _ in range(self.number)]
        self.children: dict[int, int] = {}
        self.oom_kills = _count_oom_kills()
        self.signal = 0
        self.seat: Seat | None = None

    def run(self) -> int:
        """Run to the end and return the exit code."""
        for number in ENDING_SIGNALS:
            signal.signal(number, self._on_signal)
        reason = "terminated"
        try:
            self._preload()
            for k in range(self.number):
                self._start(k)
            self._say(HELLO, {})
            reason = self._watch()
            if reason == REASONS[EXHAUSTED]:
                self.seat = take_seat(self.job)
        except Terminated:
            self._end_children()
            self.own.publish()  # the signal may have come in the middle of the hello
            self.own.rescue()
        self._say(GOODBYE, self._goodbye(reason))
        return 128 + self.signal if self.signal else 0

    def _preload(self) -> None:
        """Load the function before many children are forked: what it brings is in memory once."""
        if self.number > 1:
            try:
                self.preloaded = load_function(self.job, Pickler(self.job))
            except Exception:
                pass  # each child meets the same error, and reports it

    def wait_for_order(self) -> dict[str, Any] | None:
        """Wait for the pool's next map; return where it is, or None to leave."""
        for capture in (capture for pair in self.captures for capture in pair):
            os.close(capture.fd)
        if self.seat is None:
            return None
        try:
            return self.seat.wait()
        except Terminated:
            return None
        finally:
            self.seat.leave()

    def _goodbye(self, reason: str) -> dict[str, Any]:
        counts = {str(k): self.slots[k][SEQUENCE] for k in range(self.number)}
        counts["s"] = self.slots[self.number][SEQUENCE] + 1  # and this one
        return {"reason": reason, "signal": self.signal, "segments": counts}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.signal:
            self.signal = number
            raise Terminated

    def _say(self, kind: int, content: dict[str, Any]) -> None:
        content.update(worker=self.job.worker, element=self.job.element, host=self.job.node, pid=os.getpid())
        content.update(job=self.job.job_id, time=time.time(), started=self.job.started)
        self.own.append(kind, 0, value=to_json(content).encode())

    def _start(self, k: int) -> None:
        """Fork the child of slot `k`."""
        self.slots[k][REASON] = 0
        # A signal in between would find a child that nobody knows yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        pid = os.fork()
        if pid:
            self.children[pid] = k
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
            return
        code = 1
        try:
            child = Child(self.job, self.segments[k], self.slots[k], self.captures[k], self.preloaded)
            self.slots[k][REASON] = child.run()
            self.segments[k].publish()
            code = 0
            _run_exit_functions()
        except FileNotFoundError:
            code = 0 if not os.path.isdir(self.job.work_dir) else 1
            _complain()
        except BaseException:
            _complain()
        finally:
            os._exit(code)

    def _watch(self) -> str:
        """Wait for the children; return the reason why the last one left."""
        reason = EXHAUSTED
        while self.children:
            pid, status, usage = os.wait4(-1, 0)
            if pid not in self.children:
                continue
            k = self.children.pop(pid)
            left = self.slots[k][REASON]
            if left == WANTS_FRESH_PROCESS:
                self._start(k)
            elif left:
                reason = left
            elif self._bury(k, status, usage):
                self._start(k)
            else:
                reason = NOT_LOADED
        return REASONS.get(reason, str(reason))

    def _bury(self, k: int, status: int, usage: Any) -> bool:
        """Report the death of a child; True if another may go on with the task after."""
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGTERM, signal.SIGKILL):
            time.sleep(0.05)  # who kills a queue-job often signals the child first, then us
        slot = self.slots[k]
        self.segments[k].rescue()
        itask = slot[TASK]
        out, err = (capture.take() for capture in self.captures[k])
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            err = other_python(self.job) + err  # which takes bytecode of ours for its own
        self.own.append(DIED, itask & (2**64 - 1), b"", self._describe_death(status, usage), out, err)
        slot[POSITION] += 1
        slot[TASK] = NONE
        return itask >= 0

    def _describe_death(self, status: int, usage: Any) -> bytes:
        killed = os.WIFSIGNALED(status)
        oom_kills = _count_oom_kills()
        described = {
            "signal": os.WTERMSIG(status) if killed else 0,
            "exit_code": 0 if killed else os.WEXITSTATUS(status),
            "max_rss": usage.ru_maxrss,
            "oom": oom_kills > self.oom_kills,
            "host": self.job.node,
        }
        self.oom_kills = oom_kills
        return pickle.dumps(described, 5)

    def _end_children(self) -> None:
        """Let nothing of this job outlive it, and keep what it has done."""
        for number, seconds in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)):
            for pid in list(self.children):
                if not _has_ended(pid):
                    os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.children and time.monotonic() < deadline:
                self.children = {pid: k for pid, k in self.children.items() if not _has_ended(pid)}
                time.sleep(0.01)
        for segments in self.segments:
            segments.rescue()


class Seat:
    """A place in the waiting room of the pool, and the file in which a waiting worker is told where to go on."""

    def __init__(self, job: Job, room: str, seconds: float) -> None:
        self.room, self.name = room, f"{os.path.basename(job.work_dir)}@{job.worker}"
        self.path = os.path.join(room, "idle", self.name)
        self.until = min(time.time() + seconds, job.deadline)
        self.pause = max(LONGEST_LOOK, job.submission["width"] / LOOKS_PER_SECOND)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Blank up to its last size: where sizes are cached, only what is in them is read.
            write_all(fd, [b" " * SEAT_SIZE])
        finally:
            os.close(fd)

    def wait(self) -> dict[str, Any] | None:
        """Look for an order until it is time to leave."""
        pause = SHORTEST_LOOK
        has_left = False
        while True:
            time.sleep(pause)
            pause = min(self.pause, 1.1 * pause)
            try:
                with os.fdopen(open_own(self.path), "rb") as stream:
                    order: dict[str, Any] = from_json(stream.read())
                return order
            except FileNotFoundError:
                return None  # the pool has ended
            except ValueError:
                pass  # nothing yet, or not all of it
            if not has_left and time.time() >= self.until:
                has_left = True
                if self._withdraw():
                    return None
            if time.time() >= self.until + ORDER_SECONDS:
                return None

    def _withdraw(self) -> bool:
        """Decide that this worker leaves; False if the pool has called it just before."""
        try:
            path = os.path.join(self.room, "taken", self.name)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        except FileNotFoundError:
            pass
        return True

    def leave(self) -> None:
        """Let nobody look for this worker here."""
        for folder in ("idle", "taken"):
            try:
                os.unlink(os.path.join(self.room, folder, self.name))
            except OSError:
                pass


def take_seat(job: Job) -> Seat | None:
    """Return a seat for a worker that may stay for the next map; before it says goodbye to this one."""
    told = job.submission.get("linger")
    if not told:
        return None
    try:
        return Seat(job, told["room"], told["seconds"])
    except OSError:
        return None  # the pool has ended


def _has_ended(pid: int) -> bool:
    """Tell whether a child of this process has ended; it may have been waited for when the signal came."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _complain() -> None:
    import traceback

    os.write(2, traceback.format_exc().encode())


def _run_exit_functions() -> None:
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _count_oom_kills() -> int:
    """Return how often the kernel killed for memory in this process's cgroup (v2 or v1)."""
    try:
        with open("/proc/self/cgroup") as stream:
            groups = [line.rstrip("\n").split(":", 2) for line in stream]
    except OSError:
        return 0
    for _, controllers, path in groups:
        if controllers == "":
            file = f"/sys/fs/cgroup{path}/memory.events"
        elif "memory" in controllers.split(","):
            file = f"/sys/fs/cgroup/memory{path}/memory.oom_control"
        else:
            continue
        try:
            with open(file) as stream:
                rows = dict(line.split() for line in stream)
        except (OSError, ValueError):
            continue
        return int(rows.get("oom_kill", 0))
    return 0


def _age_of_process() -> float:
    """Return since when this process runs: since the job script was begun, which became us."""
    try:
        with open("/proc/self/stat", "rb") as stream:
            ticks = int(stream.read().rpartition(b")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


def find_element(argument: str | None) -> int:
    """Return the index of this queue-job in its submission."""
    if argument is not None:
        return int(argument)
    for name in ("SLURM_ARRAY_TASK_ID", "SGE_TASK_ID"):
        if os.environ.get(name, "").isdigit():
            # Grid Engine counts from one.
            return int(os.environ[name]) - (name == "SGE_TASK_ID")
    raise SystemExit("pypoolparty: this is no element of an array, and no ELEMENT was given")


def main(argv: list[str]) -> int:
    """Run one queue-job."""
    work_dir, submission = argv[1:3]
    element = find_element(argv[3] if len(argv) > 3 else None)
    variables, path, deadline = dict(os.environ), list(sys.path), float("inf")
    while True:
        job = Job(work_dir, submission, element)
        deadline = job.deadline = min(deadline, job.deadline)
        job.enter_environment()
        supervisor = Supervisor(job)
        code = supervisor.run()
        order = supervisor.wait_for_order()
        if order is None:
            return code
        work_dir, submission, element = order["work_dir"], order["submission"], order["element"]
        # As if it began only now, in its next work_dir.
        os.environ.clear()
        os.environ.update(variables)
        sys.path[:] = path
        sys.argv[:] = [os.path.join(work_dir, "script.py"), work_dir, submission, str(element)]


if __name__ == "__main__":
    sys.exit(main(sys.argv))
