"""The runner: a process between the queue and one running job, which tells how the job has ended.

It is a fork of the squeue or qstat that starts the job, in a session of its own, and outlives it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ._faults import Die, Vanish
from ._processes import MARK, born, in_session, kill_all, mark, marked
from ._state import Element, Job
from ._store import Store, write_whole

TYPE_CHECKING = False  # the import of typing takes longer than many a call
if TYPE_CHECKING:
    from typing import NoReturn

SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM})
"""What a runner waits for; they must be blocked when it is forked."""


@dataclass(frozen=True)
class Launch:
    """How to run the program of one job.

    Attributes
    ----------
    stderr : str
        Empty: the same as `stdout`.
    append : bool
        Whether to keep what is in these files.
    kill_wait : float
        Seconds between SIGTERM and SIGKILL; 0 is SIGKILL at once.
    farewell : str
        What is written to stderr when the job is cancelled.
    """

    argv: list[str]
    environment: dict[str, str]
    cwd: str
    stdout: str
    stderr: str
    append: bool
    kill_wait: float
    farewell: str = ""


@dataclass(frozen=True)
class End:
    """How a job has ended.

    Attributes
    ----------
    failure : str
        Why it could not be started.
    state : str
        The final state that a fault asks for.
    struck : bool
        Whether the fault took place.
    lost : bool
        Whether nobody can tell.
    """

    code: int = 0
    signal: int = 0
    failure: str = ""
    state: str = ""
    struck: bool = False
    lost: bool = False


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Let an error of the system tell what was tried."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from error


def _open_output(path: str, append: bool) -> int:
    with _saying(f'can\'t open output file "{path}"'):
        return os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC), 0o666)


class Gate:
    """Where new runners wait until the state that knows them is written."""

    def __init__(self) -> None:
        self._exit, self._entry = os.pipe()
        self._here, self._arrival = os.pipe()
        self._waiting = 0

    def add(self) -> None:
        """Expect one more runner."""
        self._waiting += 1

    def gather(self) -> None:
        """Wait until all runners stand at the gate: then who kills us does not kill them with us."""
        os.close(self._arrival)
        missing = self._waiting
        while missing and (arrived := os.read(self._here, missing)):
            missing -= len(arrived)
        os.close(self._here)

    def open(self) -> None:
        """Let all of them go."""
        os.write(self._entry, b"." * self._waiting)
        os.close(self._entry)
        os.close(self._exit)

    def pass_through(self) -> bool:
        """Wait, as a runner which keeps nothing else open; False if the gate's keeper died before it opened."""
        os.write(self._arrival, b".")
        os.closerange(3, self._exit)
        os.closerange(self._exit + 1, 65536)
        is_open = bool(os.read(self._exit, 1))
        os.close(self._exit)
        return is_open


class Runner:
    """Runs one element, watches it, and leaves a note about its end."""

    def __init__(self, store: Store, job: Job, element: Element, fault: Die | Vanish | None) -> None:
        self.store, self.job, self.element, self.fault = store, job, element, fault
        self.mark = mark(store.folder, job.number, element.index)
        self.errors = -1

    def fork(self, gate: Gate, prepare: Callable[[], Launch]) -> int:
        """Start the runner, which waits at the gate, and return its pid."""
        gate.add()
        pid = os.fork()
        if pid == 0:
            self._live(gate, prepare)
        return pid

    def _live(self, gate: Gate, prepare: Callable[[], Launch]) -> NoReturn:
        try:
            self._settle_down()
            if gate.pass_through() or self._is_known():
                self._run(prepare)
        except BaseException:
            sys.excepthook(*sys.exc_info())  # to runners.log
        finally:
            sys.stderr.flush()
            os._exit(0)

    def _settle_down(self) -> None:
        """Leave the session and the streams of the process that we were forked from."""
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(os.path.join(self.store.folder, "runners.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for source, target in ((null, 0), (null, 1), (log, 2)):
            os.dup2(source, target)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def _is_known(self) -> bool:
        """Whether the state has us: else its writer died before it wrote, and we must not run."""
        me = (os.getpid(), born(os.getpid()))
        return any((element.pid, element.born) == me for _, element in self.store.read().runners())

    def _run(self, prepare: Callable[[], Launch]) -> None:
        launch = prepare()
        try:
            child = self._spawn(launch)
        except OSError as error:
            self._leave_note(End(failure=str(error.strerror)))
            return
        struck = self._watch(child, launch)
        kill_all(self._leftovers)
        status = os.waitpid(child, 0)[1]
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if struck and self.fault and (killed == self._signal or self._signal != signal.SIGKILL):
            self._tell_that_the_fault_fired()
        else:
            struck = False
        if not (struck and isinstance(self.fault, Vanish)):
            code = 0 if killed else os.WEXITSTATUS(status)
            state = self.fault.state if struck and isinstance(self.fault, Die) else ""
            self._leave_note(End(code, killed, state=state, struck=struck))

    def _spawn(self, launch: Launch) -> int:
        with _saying(f"can't chdir to {launch.cwd}"):
            os.chdir(launch.cwd)
        self.errors = out = _open_output(launch.stdout, launch.append)
        if launch.stderr not in ("", launch.stdout):
            self.errors = _open_output(launch.stderr, launch.append)
        with _saying(f"execvp({launch.argv[0]}) failed"):
            return os.posix_spawn(
                launch.argv[0],
                launch.argv,
                {**launch.environment, MARK: self.mark},
                file_actions=[(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, self.errors, 2)],
                setpgroup=0,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )

    def _watch(self, child: int, launch: Launch) -> bool:
        """Wait until the job ends, cancel it when asked to, strike it when due; tell whether it was struck."""
        strike_at = time.monotonic() + (self.fault.after or 0.0) if self.fault else None
        kill_at = None
        struck = False
        while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            now = time.monotonic()
            if strike_at is not None and now >= strike_at:
                os.killpg(child, self._signal)
                strike_at, struck = None, True
            if kill_at is not None and now >= kill_at:
                os.killpg(child, signal.SIGKILL)
                kill_at = None
            due = min((at for at in (strike_at, kill_at) if at is not None), default=now + 3600.0)
            got = signal.sigtimedwait(SIGNALS, due - now)
            if got and got.si_signo == signal.SIGTERM:
                kill_at = time.monotonic() + launch.kill_wait
                self._ask_to_end(child, launch)
        return struck

    def _ask_to_end(self, child: int, launch: Launch) -> None:
        when = time.strftime("%Y-%m-%dT%H:%M:%S")
        os.write(self.errors, os.fsencode(launch.farewell.replace("{when}", when)))
        if launch.kill_wait > 0:
            os.killpg(child, signal.SIGCONT)
            os.killpg(child, signal.SIGTERM)

    @property
    def _signal(self) -> int:
        return self.fault.signal if isinstance(self.fault, Die) else signal.SIGKILL

    def _leftovers(self) -> list[int]:
        """Return what the job has left behind; runners that the job itself started are not of it."""
        found = [*in_session(os.getpid()), *marked(self.mark)]
        if not found:
            return []
        runners = {element.pid for _, element in self.store.read().runners()}
        return [pid for pid in found if pid not in runners]

    def _tell_that_the_fault_fired(self) -> None:
        assert self.element.fault is not None
        with self.store.change() as state:
            state.faults[self.element.fault].fired += 1
            if isinstance(self.fault, Vanish):
                for job in state.jobs:
                    job.elements = [element for element in job.elements if element.pid != os.getpid()]

    def _leave_note(self, end: End) -> None:
        path = self.store.note(self.job.number, self.element.index, os.getpid())
        write_whole(path, json.dumps(vars(end)).encode())
