"""A real Grid Engine on this machine: one host with many slots, where Debian's packages want it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests.real import commands, packages, users
from tests.real.daemons import DaemonsUnavailable, environment_of, kill, pids, running, stop, tail, wait_until
from tests.real.gridengine_conf import ADDITIONS, GLOBAL, QUEUE, SCHEDULER, edited

ROOT = Path("/var/lib/gridengine")
CELL = ROOT / "default"
SPOOL = Path("/var/spool/gridengine")
RUN = Path("/run/pypoolparty-gridengine")  # ours alone, so that a Grid Engine of somebody else is told apart


USERS = RUN / "users"
LOCK = Path("/tmp/party-gridengine.lock")


class GridEngine:
    """The one Grid Engine of this machine: one that is already up is used as it is.

    One that others brought up is left alone by `down`, and one of ours is stopped by the last of its users.
    """

    def __init__(self, slots: int = 16, *, user: str | None = None) -> None:
        self.slots = slots
        self.user = user or users.this_process()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {"SGE_ROOT": str(ROOT), "SGE_CELL": CELL.name}

    def __enter__(self) -> "GridEngine":
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    # -- up and down ---------------------------------------------------------------------------

    def up(self) -> None:
        """Bring up master and executor, configure them, and wait until the queue takes jobs."""
        packages.require(packages.GRID_ENGINE, packages.GRID_ENGINE_ANSWERS)
        with users.alone(LOCK):
            if not self.is_up():
                self._start()
            if self.is_ours():
                users.join(USERS, self.user)

    def _start(self) -> None:
        if os.geteuid() != 0:
            raise DaemonsUnavailable("only root can start Grid Engine's daemons")
        with commands.nothing_left_on_failure("Grid Engine", self._stop, self.log_tail):
            self._name_this_host()
            self.start_master()
            self._configure()
            self._launch("sge_execd", "SGE_EXECD_PIDFILE", RUN / "execd.pid")
            wait_until(self._takes_jobs, "the queue takes jobs", on_timeout=self.log_tail)

    def is_up(self) -> bool:
        """Tell whether a master answers, whoever started it."""
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            return self.run("qconf", "-sh", timeout=10).returncode == 0
        return False

    def is_ours(self) -> bool:
        """Tell whether a process of ours started it, whose pids are in that folder, and we may stop it."""
        return RUN.exists() and os.access(RUN, os.W_OK)

    def down(self) -> None:
        """Delete all jobs and stop the daemons, if they are ours and nobody else uses them."""
        with users.alone(LOCK):
            users.leave(USERS, self.user)
            if self.is_ours() and not users.remaining(USERS):
                self._stop()

    def stop_for_all(self) -> None:
        """Delete all jobs and stop the daemons, if they are ours, whoever uses them."""
        with users.alone(LOCK):
            if self.is_ours():
                self._stop()

    def _stop(self) -> None:
        master = running(RUN / "qmaster.pid", "/sge_qmaster")
        executor = running(RUN / "execd.pid", "/sge_execd")
        if master:
            self._delete_all_jobs()
        if master or executor:
            stop(executor)
            self._kill_jobs()
            stop(master)
        shutil.rmtree(RUN, ignore_errors=True)

    def _delete_all_jobs(self) -> None:
        with contextlib.suppress(DaemonsUnavailable, subprocess.SubprocessError):
            self.run("qdel", "-u", "*", timeout=20)
            wait_until(lambda: not self.queue(), "the jobs end", timeout=10)
            return
        with contextlib.suppress(subprocess.SubprocessError):
            self.run("qdel", "-f", "-u", "*", timeout=20)  # forget those that do not end

    def _kill_jobs(self) -> None:
        """Kill the shepherds, then the jobs' own processes, that outlived their deletion."""
        shepherds = [running(file, "/sge_shepherd") for file in SPOOL.glob("execd/*/active_jobs/*/pid")]
        kill(pid for pid in shepherds if pid is not None)
        kill(pid for pid in pids() if environment_of(pid).get("SGE_JOB_SPOOL_DIR", "").startswith(f"{SPOOL}/"))

    def start_master(self) -> None:
        """Start sge_qmaster and wait until it answers."""
        RUN.mkdir(exist_ok=True)
        shutil.chown(RUN, "sgeadmin", "sgeadmin")  # the daemons drop root before they write their pids
        self._launch("sge_qmaster", "SGE_QMASTER_PIDFILE", RUN / "qmaster.pid")
        wait_until(self.is_up, "sge_qmaster answers", on_timeout=self.log_tail)

    def stop_master(self) -> None:
        """Stop sge_qmaster: jobs run on, all commands fail."""
        stop(running(RUN / "qmaster.pid", "/sge_qmaster"))

    # -- configuration -------------------------------------------------------------------------

    def _name_this_host(self) -> None:
        """Make 'localhost' and this machine's name one host, or else clients get: access denied."""
        (CELL / "common" / "act_qmaster").write_text("localhost\n")
        (CELL / "common" / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")

    def _configure(self) -> None:
        if "localhost" not in self.run("qconf", "-ss").stdout.split():
            self._checked("qconf", "-as", "localhost")
        for listing, name, option, text in ADDITIONS:
            if name not in self.run("qconf", listing).stdout.split():
                self._qconf(option, text)
        queue = {**QUEUE, "slots": str(self.slots)}
        if "all.q" in self.run("qconf", "-sql").stdout.split():
            self._qconf("-Mq", edited(self._checked("qconf", "-sq", "all.q"), queue))
        else:
            self._qconf("-Aq", edited(self._checked("qconf", "-sq"), queue))
        self._qconf("-Msconf", edited(self._checked("qconf", "-ssconf"), SCHEDULER))
        self._qconf("-Mconf", edited(self._checked("qconf", "-sconf"), GLOBAL))

    def _qconf(self, option: str, text: str) -> None:
        """Give qconf a text by a file, which for -Mconf must be called after the configuration: global."""
        with tempfile.TemporaryDirectory(prefix="party-") as folder:
            file = Path(folder) / "global"
            file.write_text(text)
            self._checked("qconf", option, str(file))

    # -- use -----------------------------------------------------------------------------------

    def run(self, *argv: str, timeout: float = 60, cwd: Path | None = None) -> commands.Completed:
        """Run a command as a client."""
        return commands.run(argv, self.environment, timeout=timeout, cwd=cwd)

    def queue(self) -> list[str]:
        """List the ids of all jobs, of arrays as 7.3 for each element, whatever their state."""
        tree = ElementTree.fromstring(self._checked("qstat", "-xml", "-g", "d", "-u", "*"))
        ids = ((job.findtext("JB_job_number", ""), job.findtext("tasks")) for job in tree.iter("job_list"))
        return [f"{job}.{task}" if task else job for job, task in ids]

    def log_tail(self) -> str:
        """Show the end of the daemons' messages, for the message of a failing test."""
        # They write to /tmp as long as they do not know their spool.
        early = Path("/tmp").glob("*_messages.*")
        return tail([SPOOL / "qmaster" / "messages", *SPOOL.glob("execd/*/messages"), *early])

    def _checked(self, *argv: str) -> str:
        return commands.checked(argv, self.environment)

    def _launch(self, program: str, pid_variable: str, pid_file: Path) -> None:
        """Run a daemon, which goes into the background by itself."""
        commands.checked([program], {**self.environment, pid_variable: str(pid_file)})

    def _takes_jobs(self) -> bool:
        """Tell whether the queue has no letter of state: 'au' means that the executor was not heard yet."""
        lines = self.run("qstat", "-f").stdout.splitlines()
        return any(line.startswith("all.q@") and len(line.split()) == 5 and "-NA-" not in line for line in lines)
