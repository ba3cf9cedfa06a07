"""Where it is measured: a real Slurm, a real Grid Engine, or this machine alone."""

import contextlib
import getpass
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from tests.real.commands import environment_with
from tests.real.gridengine import CELL, GridEngine
from tests.real.gridengine_conf import edited
from tests.real.guard import guarded
from tests.real.slurm import SlurmCluster

from bench import accounts

SETTLE_SECONDS = 60.0
SLOTS = 32
QUIET_SECONDS = 2.0


class System(Protocol):
    """What is asked of all three."""

    name: str
    version: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the measured process."""

    def begin(self) -> None:
        """Note where the accounts stand."""

    def end(self) -> dict[str, Any]:
        """Wait until nothing is left in the queue and return what the accounts say."""

    def cancel_all(self) -> None:
        """Cancel whatever is in the queue."""


class Local:
    """This machine, without a scheduler."""

    name = "local"
    version = ""

    @property
    def environment(self) -> dict[str, str]:
        """Our own."""
        return environment_with({})

    def begin(self) -> None:
        """Note nothing."""

    def end(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def cancel_all(self) -> None:
        """Do nothing."""


def _text_behind(path: Path, offset: int) -> str:
    with open(path, errors="replace") as stream:
        stream.seek(offset)
        return stream.read()


class _Scheduler:
    """What both schedulers have in common: an empty queue at the end, and a file of what ended."""

    cancel: list[str]

    def __init__(self, cluster: Any, completions: Path) -> None:
        self.cluster = cluster
        self.completions = completions
        self.offset = 0

    @property
    def environment(self) -> dict[str, str]:
        """With what the commands need."""
        return environment_with(self.cluster.environment)

    def _size(self) -> int:
        return self.completions.stat().st_size if self.completions.exists() else 0

    def _new_completions(self) -> str:
        if not self.completions.exists():
            return ""
        return _text_behind(self.completions, self.offset)

    def _empty_queue(self) -> bool:
        """Wait until the queue is empty by itself; if it does not get so, cancel, and return False."""
        if self._wait_for_empty(SETTLE_SECONDS):
            return True
        self.cancel_all()
        self._wait_for_empty(SETTLE_SECONDS)
        return False

    def cancel_all(self) -> None:
        """Cancel whatever is in the queue."""
        self.cluster.run(*self.cancel)

    def _wait_for_empty(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.cluster.queue():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True


class Slurm(_Scheduler):
    """Four nodes of eight cores, simulated on this machine by real daemons."""

    name = "slurm"
    cancel = ["scancel", f"--user={getpass.getuser()}"]

    def __init__(self, cluster: SlurmCluster) -> None:
        super().__init__(cluster, cluster.job_completions)
        self.version = cluster.run("slurmctld", "-V").stdout.strip()
        self.requests: dict[str, int] = {}
        self.log, self.log_offset = cluster.at.log / "slurmctld.log", 0

    def begin(self) -> None:
        """Note the counters of the controller and the ends of its log and of the file of completed jobs."""
        self.requests, self.offset, self.log_offset = self._requests(), self._size(), self.log.stat().st_size

    def end(self) -> dict[str, Any]:
        """Return the requests, before we ask ourselves, and the jobs."""
        requests = accounts.difference(self.requests, self._requests())
        is_empty = self._empty_queue()
        time.sleep(0.3)  # the last line of the file
        completions = self._new_completions()
        jobs = accounts.slurm_jobs(completions, _text_behind(self.log, self.log_offset))
        return {
            "requests": requests,
            "queue_jobs": len(jobs),
            "held": accounts.held(jobs),
            "held_in_whole_seconds": accounts.held(accounts.slurm_jobs(completions)),
            "leaves_empty_queue": is_empty,
        }

    def _requests(self) -> dict[str, int]:
        return accounts.requests_by_kind(self.cluster.run("sdiag").stdout)


class Grid(_Scheduler):
    """One host with many slots."""

    name = "gridengine"
    cancel = ["qdel", "-u", "*"]
    accounting_seconds = 20.0  # until what ended is in the file
    reporting = "accounting=true reporting=false accounting_flush_time=0 joblog=false sharelog=00:00:00"

    def __init__(self, engine: GridEngine) -> None:
        super().__init__(engine, CELL / "common" / "accounting")
        self.version = (engine.run("qstat", "-help").stdout.splitlines() or [""])[0]
        self._write_accounts_at_once()

    def _write_accounts_at_once(self) -> None:
        """Have the accounting file written without a delay of many seconds; sge_conf(5)."""
        text = edited(self.cluster.run("qconf", "-sconf").stdout, {"reporting_params": self.reporting})
        with tempfile.TemporaryDirectory(prefix="party-") as folder:
            file = Path(folder) / "global"  # the name says which configuration it is
            file.write_text(text)
            self.cluster.run("qconf", "-Mconf", str(file)).check_returncode()

    def begin(self) -> None:
        """Note the end of the accounting file."""
        self._let_accounts_settle()
        self.offset = self._size()

    def end(self) -> dict[str, Any]:
        """Return the jobs; what was asked of the master is not counted by it."""
        is_empty = self._empty_queue()
        self._let_accounts_settle()
        jobs = accounts.grid_engine_jobs(self._new_completions())
        return {"queue_jobs": len(jobs), "held": accounts.held(jobs), "leaves_empty_queue": is_empty}

    def _let_accounts_settle(self) -> None:
        """Wait until the file has not grown for some time: a job ends a little before it is in there."""
        deadline, size, since = time.monotonic() + self.accounting_seconds, self._size(), time.monotonic()
        while time.monotonic() < min(deadline, since + QUIET_SECONDS):
            time.sleep(0.2)
            if self._size() != size:
                size, since = self._size(), time.monotonic()


@contextlib.contextmanager
def opened(name: str) -> Iterator[System]:
    """Bring a system up, and down at the end, however that comes."""
    if name == "local":
        yield Local()
    elif name == "gridengine":
        with guarded(engine := GridEngine(SLOTS)), engine:
            yield Grid(engine)
    else:
        # Memory is not what is measured, and peers can not all say how much they need.
        settings = ["JobAcctGatherParams=NoShared"]
        with tempfile.TemporaryDirectory(prefix="party-bench-") as folder:
            os.chmod(folder, 0o755)
            cluster = SlurmCluster(Path(folder) / "slurm", accounting=True, max_array_size=100_001, extra_conf=settings)
            with guarded(cluster), cluster:
                yield Slurm(cluster)


def command() -> str:
    """Return the command line that we run by."""
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


def commit() -> str:
    """Return the commit that is measured, with a mark if the tree has more than that."""
    argv = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(argv, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()
