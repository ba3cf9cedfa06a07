"""One work_dir on disk."""

from __future__ import annotations

import errno
import json
import marshal
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.util import MAGIC_NUMBER
from typing import Any

from .. import worker
from ..archive import open_private
from ..errors import WorkDirError
from ..payload import library_zip, text_of_exception
from ._layout import FORMAT_VERSION, Layout
from ._lock import DriverLock
from ._look import CANCEL, read_journal
from ._reduced import FEW_TASKS, Reduced, Stats, read_reduced, rows_of
from ._safety import open_checked, read_session
from ._spool import Record, Segment, read_segment
from ._tasks import TasksWriter

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
UNREADABLE = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)  # what a network file system says in a bad moment
_PROBE = ".probe"
# As if the script was run, but with its bytecode where there is one.
_LAUNCH = """\
import sys
if sys.version_info < (3, 8):
    here = sys.version_info[:3] + (sys.executable,)
    sys.exit("the node has Python %%d.%%d.%%d (%%s), the main process has %s" %% here)
del sys.argv[0]
if sys.path[0] == "":
    del sys.path[0]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
import script
sys.exit(script.main(sys.argv))"""
# Started as: job.sh PYTHON WORK_DIR SUBMISSION [ELEMENT], with escapes for printf's %b in WORK_DIR.
_JOB_SCRIPT = """\
setup() {
:
%s}
setup
python=$1 submission=$3
work_dir=$(printf '%%b_' "$2")
work_dir=${work_dir%%_}
shift 3
exec "$python" -c '%s' "$work_dir/script.py" "$work_dir" "$submission" "$@"
"""


def make_session_id() -> str:
    """Return a name that no other map has had or will have."""
    return time.strftime("q%Y%m%dT%H%M%S-") + uuid.uuid4().hex[:10]


@dataclass(frozen=True)
class NewMap:
    """What is written to disk when a map begins."""

    function: bytes
    environment: Mapping[str, Any]
    setup: Sequence[str]
    session: Mapping[str, Any]


class WorkDir:
    """One work_dir, of which this process is the driver.

    Parameters
    ----------
    path : str
        Absolute path of the folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.layout = Layout(path)
        self._log: int | None = None
        self._stats: Stats | None = None
        self._reduced: dict[str, Reduced] = {}
        self._unlogged = bytearray()
        self._probes = 0
        self._lock = DriverLock(self.layout.lock)
        self.session: Mapping[str, Any] = {}
        self._spool_seen = 0
        self._discarded: set[str] = set()
        self.asked_to_end = ""

    # ------------------------------------------------------------------ making and removing

    @classmethod
    def create(cls, path: str) -> WorkDir:
        """Make the folders, for us alone; the parents too if need be."""
        work_dir = cls(path)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            for folder in work_dir.layout.folders:
                _make_private(folder)
            work_dir._lock.acquire()
        except OSError as error:
            if not isinstance(error, FileExistsError):  # what was there before is not ours to remove
                shutil.rmtree(path, ignore_errors=True)
            raise WorkDirError(f"no work_dir can be made in {os.path.dirname(path)!r}: {error}") from error
        return work_dir

    @classmethod
    def open(cls, path: str) -> WorkDir:
        """Open an existing work_dir as its driver.

        Raises
        ------
        NotAWorkDir, UnsafeWorkDir, WrongVersion, StillInUse
        WorkDirError
            For instance if there is no room on the disk.
        """
        session = read_session(path)
        work_dir = cls(path)
        work_dir.session = session
        try:
            work_dir._lock.acquire()
        except OSError as error:
            raise WorkDirError(f"{path!r} can not be gone on with: {error}") from error
        work_dir._take_requests(os.listdir(work_dir.layout.spool_new))
        work_dir.asked_to_end = ""  # that was the last driver
        return work_dir

    def beat(self) -> None:
        """Show that the driver is alive."""
        self._lock.beat()

    def tasks_writer(self) -> TasksWriter:
        """Return the writer of ``tasks.zip``."""
        return TasksWriter(self.layout.tasks, self.layout.tasks_index)

    def write_new_map(self, new: NewMap) -> None:
        """Write all that a worker needs besides the tasks."""
        with open(worker.__file__, "rb") as stream:
            self._write(self.layout.script, stream.read())
        self._write(self.layout.bytecode, _bytecode())
        self._write(self.layout.job_script, _job_script(new.setup).encode(), mode=0o700)
        self._write(self.layout.environment, _to_json(new.environment))
        self._write(self.layout.function, new.function)
        self._write(self.layout.library, library_zip())
        self.session = new.session
        self._write(self.layout.session, _to_json({"format_version": FORMAT_VERSION, **new.session}))

    def replace_function(self, change: Callable[[bytes], bytes]) -> None:
        """Change the function; workers that start from now on get the new one."""
        with os.fdopen(open_checked(self.layout.function), "rb") as stream:
            old = stream.read()
        self._write(self.layout.function, change(old))
        self.log({"event": "NewFunction"}, durable=True)

    def open_reduced(self, n_tasks: int) -> None:
        """Open the archives of the reduced outcome."""
        in_blocks = n_tasks > FEW_TASKS
        # In this order they are made durable: a task whose result is there has its texts, too.
        for name, suffix in (("stdout", "txt"), ("stderr", "txt"), ("results", "pickle")):
            self._reduced[name] = Reduced(self.layout.reduced(name), suffix, in_blocks)
        self._reduced["exceptions"] = Reduced(self.layout.reduced("exceptions"), "pickle", False)
        self._stats = Stats(self.layout.stats)

    def set_aside_exceptions(self) -> None:
        """Let the tasks that raised be done again; what they raised is kept under another name."""
        path = self.layout.reduced("exceptions")
        if os.path.exists(path):
            number = 1
            while os.path.exists(f"{path}.{number}"):
                number += 1
            os.rename(path, f"{path}.{number}")

    def complete(self) -> None:
        """Make the archives ordinary zips: nothing more comes."""
        for reduced in self._reduced.values():
            reduced.close()

    def close(self) -> None:
        """Make the archives ordinary zips and let go of all files."""
        self.complete()
        self._let_go()

    def abandon(self) -> None:
        """Let go of all files as they are."""
        for reduced in self._reduced.values():
            reduced.abandon()
        self._let_go()

    def _let_go(self) -> None:
        if self._stats is not None:
            self._stats.close()
            self._stats = None
        if self._log is not None:
            os.close(self._log)
            self._log = None
        try:
            self._lock.release()
        except OSError:
            pass  # with the whole folder gone, so is the lock

    def remove(self) -> None:
        """Remove the folder, also while a late worker still makes files in it."""
        for _ in range(50):
            shutil.rmtree(self.path, ignore_errors=True)
            if not os.path.exists(self.path):
                return
            time.sleep(0.02)

    def _write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Let a file appear at once, with its content."""
        part = path + ".part"
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            os.fchmod(fd, mode)
            worker.write_all(fd, [data])
        finally:
            os.close(fd)
        os.rename(part, path)

    # ------------------------------------------------------------------ submissions and claims

    def write_submission(self, number: int, described: Mapping[str, Any], chunks: Sequence[Any]) -> None:
        """Write a submission's description and, if it has chunks of its own, their table."""
        _make_private(self.layout.submission(number))
        _make_private(self.layout.submission(number, "claims"))
        table = {"width": described["width"], "chunks": chunks}
        self._write(self.layout.submission(number, "chunks.json"), _to_json(table))
        self._write(self.layout.submission(number, "submission.json"), _to_json(described))

    def described(self, number: int) -> dict[str, Any]:
        """Return what the workers of a submission are told; nothing, if the main process died before it was written."""
        try:
            fd = open_checked(self.layout.submission(number, "submission.json"))
        except FileNotFoundError:
            return {}
        with os.fdopen(fd, "rb") as stream:
            return dict(json.loads(stream.read()))

    def last_submission(self) -> int:
        """Return the highest number of a submission on disk; 0 if there is none."""
        names = os.listdir(self.layout.submissions)
        return max((int(name) for name in names if name.isdigit()), default=0)

    def chunks(self, number: int) -> list[list[int]]:
        """Return the chunk table of a submission."""
        with open(self.layout.submission(number, "chunks.json"), "rb") as stream:
            chunks: list[list[int]] = json.loads(stream.read())["chunks"]
        return chunks

    def claims(self, number: int) -> dict[int, str]:
        """Return which worker has claimed each chunk of a table."""
        folder = self.layout.submission(number, "claims")
        identities: list[tuple[int, str]] = []
        claimed: list[tuple[int, int, str]] = []
        try:
            self._refresh(folder)
        except FileNotFoundError:
            return {}  # withdrawn
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.isdigit():
                    claimed.append((int(entry.name), entry.inode(), entry.path))
                elif entry.name.startswith("worker-"):
                    identities.append((entry.inode(), entry.name.removeprefix("worker-")))
        # A claim is a link of its worker's file. But not every file system tells true inodes.
        workers = dict(identities)
        if len(workers) < len(identities):
            workers = {}
        return {ichunk: workers.get(inode) or _read_text(path) for ichunk, inode, path in claimed}

    def withdraw_claims(self, number: int) -> None:
        """Let workers of a submission find that nothing is to be claimed any more, and leave by themselves."""
        folder = self.layout.submission(number, "claims")
        try:
            os.rename(folder, f"{folder}.withdrawn")
        except OSError:
            pass  # gone already

    # ------------------------------------------------------------------ the spool

    def spool_has_changed(self) -> bool:
        """Tell cheaply whether files may have come; always True where the clock is too coarse to know."""
        seen = os.stat(self.layout.spool_new).st_mtime_ns
        if seen == self._spool_seen:
            return False
        # A file may come within the same tick of the clock: a fresh time is not yet relied on.
        if time.time_ns() - seen > 50_000_000:
            self._spool_seen = seen
        return True

    def collect(self, refresh: bool, most: int = 1000) -> list[Segment]:
        """Read the published segments.

        Parameters
        ----------
        refresh : bool
            Whether to make a network file system look again: it may show a folder as it was a minute ago,
            but not after this host has changed it.
        most : int
            How many at most.
        """
        if refresh:
            self._refresh(self.layout.spool_new)
        listed = os.listdir(self.layout.spool_new)
        names = sorted(name for name in listed if not name.startswith("."))
        if len(names) < len(listed):
            self._take_requests(listed)
        names = [name for name in names if name not in self._discarded] if self._discarded else names
        segments = []
        for name in names[:most]:
            try:
                segments.append(read_segment(os.path.join(self.layout.spool_new, name)))
            except FileNotFoundError:
                continue  # merged by the driver just now, while somebody only looks
            except OSError as error:
                if error.errno not in UNREADABLE:
                    raise
                continue  # for now: it is still there the next time
        return segments

    def _take_requests(self, listed: Iterable[str]) -> None:
        """Note who asked for the end of the map, and remove what was asked by."""
        for name in listed:
            if name.startswith(CANCEL):
                self.asked_to_end = name.removeprefix(CANCEL)
                try:
                    os.unlink(os.path.join(self.layout.spool_new, name))
                except OSError:
                    pass  # taken back, or a bad moment: once is enough

    def rescue(self, worker_names: Iterable[str]) -> None:
        """Publish what dead workers were still writing."""
        workers = set(worker_names)
        for name in os.listdir(self.layout.spool_tmp) if workers else ():
            if name.rsplit(".", 2)[0] in workers:
                try:
                    os.rename(os.path.join(self.layout.spool_tmp, name), os.path.join(self.layout.spool_new, name))
                except FileNotFoundError:
                    continue  # published just now, by one who is not dead

    def unfinished_workers(self, number: int, elements: Iterable[int]) -> list[str]:
        """Return the names of the workers of some elements that have left a segment unpublished."""
        prefixes = {f"{number:04d}-{element:06d}" for element in elements}
        names = os.listdir(self.layout.spool_tmp)
        return sorted({name.rsplit(".", 2)[0] for name in names if "-".join(name.split("-", 2)[:2]) in prefixes})

    def discard(self, segments: Iterable[Segment]) -> None:
        """Delete segments whose content is durable elsewhere."""
        for segment in segments:
            try:
                os.unlink(os.path.join(self.layout.spool_new, segment.name))
            except FileNotFoundError:
                continue  # a file server may have done it and lost the answer
            except OSError as error:
                if error.errno not in UNREADABLE:
                    raise
                self._discarded.add(segment.name)  # lest it be merged again

    def _refresh(self, folder: str) -> None:
        self._probes += 1
        path = os.path.join(folder, f"{_PROBE}-{os.getpid()}-{self._probes}")
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.unlink(path)

    # ------------------------------------------------------------------ the reduced outcome

    def keep_record(self, record: Record, stderr: bytes) -> None:
        """Put a task's outcome into the archives; durable after `sync`."""
        name = "results" if record.kind == worker.RETURNED else "exceptions"
        self._reduced[name].add(record.itask, record.value)
        if name == "exceptions":
            text = text_of_exception(record.value).encode(errors="replace")
            self._reduced[name]._opened().add(f"{record.itask:09d}.txt", text)
        if record.out:
            self._reduced["stdout"].add(record.itask, record.out)
        if stderr:
            self._reduced["stderr"].add(record.itask, stderr)

    def sync(self, stats_rows: list[bytes]) -> None:
        """Make durable what was kept."""
        assert self._stats is not None
        for reduced in self._reduced.values():
            reduced.sync()
        self._stats.append(stats_rows)

    def read_reduced(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield itask and data of one of the archives: results, exceptions, stdout or stderr."""
        suffix = "pickle" if name in ("results", "exceptions") else "txt"
        return read_reduced(self.layout.reduced(name), suffix)

    def nodes_of(self, itasks: Collection[int]) -> dict[int, str]:
        """Return where tasks ran, of those that have an outcome."""
        # A row that was damaged is no reason not to go on.
        return {int(row[0]): row[5] for row in rows_of(self.layout.stats, itasks) if len(row) > 5}

    @property
    def has_stderr(self) -> bool:
        """Whether any task has written to stderr."""
        return not self._reduced["stderr"].is_empty

    # ------------------------------------------------------------------ the journal

    def log(self, line: Mapping[str, Any], durable: bool = False) -> None:
        """Append one line to ``log.jsonl``."""
        n_before = len(self._unlogged)
        self._unlogged += _to_json({"time": round(time.time(), 3), **line}) + b"\n"
        if self._log is None:
            self._log = open_private(self.layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        size = os.fstat(self._log).st_size
        try:
            worker.write_all(self._log, [bytes(self._unlogged)])
            if durable:
                os.fsync(self._log)
        except OSError as error:
            os.ftruncate(self._log, size)
            # An ordinary line waits for a better moment; an intent must be on disk before it is acted upon.
            if durable or error.errno not in (*DISK_FULL, *UNREADABLE):
                del self._unlogged[n_before:]  # whoever tries again will say so again
                raise
            return
        self._unlogged.clear()

    def journal(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of ``log.jsonl``; a torn last one is left out, and before the first there is no file."""
        return read_journal(self.layout.log)

    def raw_stderr(self, label: str, most: int = 4096) -> str:
        """Return the end of what a queue-job wrote to its own stderr; `label` is the scheduler's name for it."""
        path = os.path.join(self.layout.workers, f"{label}.stderr")
        try:
            with open(path, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
                return stream.read().decode(errors="replace")
        except OSError:
            return ""


def _make_private(folder: str) -> None:
    """Make a folder for its owner alone, whatever the umask."""
    os.mkdir(folder, 0o700)
    os.chmod(folder, 0o700)


def _bytecode() -> bytes:
    """Return the worker's ``.pyc``, of the kind that is not compared with its source (PEP 552)."""
    spec = worker.__spec__
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    unchecked, no_hash = (1).to_bytes(4, "little"), bytes(8)
    return MAGIC_NUMBER + unchecked + no_hash + marshal.dumps(spec.loader.get_code(worker.__name__))


def _job_script(setup: Sequence[str]) -> str:
    """Return the shell script that is submitted.

    The user's lines are in a function, so that what they source does not see our arguments.
    """
    interpreter = "#!/bin/bash\n" if setup else "#!/bin/sh\n"
    version = ".".join(str(number) for number in sys.version_info[:3])
    return interpreter + _JOB_SCRIPT % ("".join(f"{line}\n" for line in setup), _LAUNCH % version)


def escape_for_job_script(path: str) -> str:
    """Return `path` as ``job.sh`` takes it: Grid Engine cuts an argument at its first newline."""
    return path.replace("\\", "\\\\").replace("\n", "\\n")


def _to_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
