"""Stage the states that a Grid Engine can be in and record its words: python -m tests.real.record_gridengine."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.real.daemons import DaemonsUnavailable, read_pid, wait_until
from tests.real.gridengine import RUN, GridEngine
from tests.real.record import DATA, Recorder

QSTAT = ("qstat", "-xml", "-u", "*", "-g", "d")
HOG = f"exec {sys.executable} -c 'import time; hog = bytearray(300 << 20); time.sleep(60)'"

# name: (what is wrong, options of qsub)
REFUSED = {
    "queue-unknown": ("no such queue", "-q", "nope"),
    "pe-unknown": ("no such parallel environment", "-pe", "nope", "2"),
    "resource-unknown": ("no such resource", "-l", "nope=1"),
    "memory-nonsense": ("not a memory value", "-l", "h_vmem=abc"),
    "time-nonsense": ("not a time value", "-l", "h_rt=abc"),
    "project-unknown": ("no such project", "-P", "nope"),
    "host-unknown": ("no such host", "-l", "hostname=nope"),
    "no-suitable-queue": ("more memory than any host has, and checked: -w e", "-w", "e", "-l", "mem_free=999G"),
    "array-from-zero": ("numbers begin at 1", "-t", "0-3"),
    "array-too-large": ("max_aj_tasks is 75000", "-t", "1-75001"),
    "array-nonsense": ("not a range", "-t", "abc"),
    "option-unknown": ("no such option", "-nosuch"),
    "name-with-blank": ("a blank in the name", "-N", "a b"),
    "name-with-digit": ("a name that begins with a digit", "-N", "1a"),
    "name-with-slash": ("a slash in the name", "-N", "a/b"),
    "output-with-comma": ("a comma in a path is a list", "-o", "/tmp/a,b"),
    "output-with-colon": ("what is before a colon is a host", "-o", "/tmp/a:b"),
}


class Stage:
    """The engine, its recorder, and short names for what the scenes do all the time."""

    def __init__(self, engine: GridEngine, recorder: Recorder, folder: Path) -> None:
        self.engine = engine
        self.record = recorder.record
        self.folder = folder

    def submit(self, name: str, command: str, *options: str) -> str:
        """Submit a queue-job of that name and give its id."""
        script = self.folder / "script.sh"
        script.write_text(f"{command}\n")
        fixed = ("qsub", "-terse", "-N", name, "-o", "/dev/null", "-j", "y")
        done = self.engine.run(*fixed, *options, str(script))
        assert done.returncode == 0, done.stderr
        return done.stdout.split(".")[0].strip()

    def text(self) -> str:
        """Show the queue as a table."""
        return self.engine.run("qstat", "-u", "*", "-g", "d").stdout

    def wait(self, condition: Callable[[str], bool], what: str, timeout: float = 60) -> None:
        """Wait until the table of the queue is as wanted."""
        wait_until(lambda: condition(self.text()), what, timeout=timeout, on_timeout=self.text)

    def delete(self, *jobs: str) -> None:
        """Delete queue-jobs and wait until they are gone."""
        self.engine.run("qdel", *jobs)
        self.gone(*jobs)

    def gone(self, *jobs: str) -> None:
        """Wait until the queue has none of these queue-jobs."""
        wait_until(lambda: not {id.split(".")[0] for id in self.engine.queue()} & set(jobs), f"the end of {jobs}")


def record_queue(on: Stage) -> None:
    """Arrays that wait, run, are held, suspended, in error, or are deleted."""
    on.record("qstat-empty", "nothing waits or runs", *QSTAT)
    on.record("qsub-plain", "", "qsub", "-terse", "-h", "-N", "plain", "-b", "y", "true")
    on.record("qsub-array", "", "qsub", "-terse", "-h", "-N", "an_array", "-t", "1-5", "-tc", "2", "-b", "y", "true")
    on.record("qstat-held", "both with -h", *QSTAT)
    on.record("qdel-pending", "one plain, one array", "qdel", "plain", "an_array")
    throttled = on.submit("throttled", "sleep 600", "-t", "1-6", "-tc", "2")
    on.wait(lambda table: table.count(" r ") == 2, "two run")
    on.record("qstat-array", "-t 1-6 -tc 2: two run, four wait", *QSTAT)
    on.record("qstat-array-by-range", "the same without -g d", "qstat", "-xml", "-u", "*")
    on.record("qstat-text", "the same as a table", "qstat", "-u", "*", "-g", "d")
    on.record("qstat-f", "the same by queue", "qstat", "-f", "-u", "*")
    on.record("qstat-j", "the same in detail", "qstat", "-j", throttled)
    on.engine.run("qmod", "-sj", f"{throttled}.1")
    on.engine.run("qhold", f"{throttled}.4")
    on.wait(lambda table: " s " in table and " hqw " in table, "one is suspended, one is held")
    on.record("qstat-suspended-and-held", "qmod -sj of element 1, qhold of element 4", *QSTAT)
    on.engine.run("qmod", "-usj", f"{throttled}.1")
    on.record("qdel-element-pending", "", "qdel", f"{throttled}.6")
    on.record("qstat-element-deleted", "element 6 was deleted", *QSTAT)
    after = on.submit("after", "true", "-hold_jid", throttled)
    on.record("qstat-hold-jid", "a job after the array: -hold_jid", *QSTAT)
    executor = read_pid(RUN / "execd.pid")
    assert executor is not None
    os.kill(executor, signal.SIGSTOP)  # so that the deletion lasts
    on.record("qdel-array", "two run, two wait, one is held", "qdel", throttled, after)
    on.record("qstat-being-deleted", "qdel of the array, whose host is slow to answer", *QSTAT)
    on.record("qdel-again", "as before, once more", "qdel", throttled)
    os.kill(executor, signal.SIGCONT)
    on.gone(throttled, after)


def record_errors_of_jobs(on: Stage) -> None:
    """The state Eqw, in which a job stays for ever."""
    no_folder = on.submit("no_folder", "true", "-wd", "/nonexistent/folder", "-t", "1-2")
    no_output = on.submit("no_output", "true", "-o", "/nonexistent/folder/out")
    hundred = on.submit("hundred", "exit 100")
    on.wait(lambda table: table.count("Eqw") == 4, "all are in error")
    on.record("qstat-error", "-wd missing (array of two), folder of -o missing, exit 100 of the script", *QSTAT)
    for name, job in {"folder-missing": no_folder, "output-missing": no_output, "exit-100": hundred}.items():
        on.record(f"qstat-j-error-{name}", "as before", "qstat", "-j", job)
    on.record("qmod-clear", "as before", "qmod", "-cj", no_folder)
    on.record("qdel-error", "as before; the first of them was cleared just now", "qdel", no_folder, no_output, hundred)


def record_endings(on: Stage) -> None:
    """All ways for a queue-job to end, as qacct sees them."""
    again = "if [ $RESTARTED = 0 ]; then exit 99; fi"
    ended = {
        "completed": ("the script ended with 0", on.submit("completed", "true")),
        "array-completed": ("an array of two", on.submit("completed", "true", "-t", "1-2")),
        "failed": ("the script ended with 3", on.submit("failed", "exit 3")),
        "killed": ("kill -9 of the script", on.submit("killed", "kill -9 $$")),
        "over-time": ("over its h_rt=1", on.submit("over_time", "sleep 600", "-l", "h_rt=1")),
        "over-memory": ("300 MB with h_vmem=200M", on.submit("over_memory", HOG, "-l", "h_vmem=200M")),
        "rerun": ("exit 99, as qacct sees it before the second run ends", on.submit("rerun", again, "-r", "y")),
    }
    deleted = on.submit("deleted", "sleep 600")
    on.wait(lambda table: "deleted " in table and " r " in table, "it runs")
    on.engine.run("qdel", deleted)
    ended["deleted"] = ("qdel while it ran", deleted)
    on.gone(*(job for _, job in ended.values()))
    for name, (staged, job) in ended.items():
        ask = ("qacct", "-j", job)
        wait_until(lambda ask=ask: on.engine.run(*ask).returncode == 0, f"qacct knows {name}")  # type: ignore[misc]
        on.record(f"qacct-{name}", staged, *ask)


def record_refusals(on: Stage) -> None:
    """Refused submissions, unknown ids, and the configuration that says what is allowed."""
    for name, (wrong, *options) in REFUSED.items():
        on.record(f"qsub-{name}", wrong, "qsub", "-terse", *options, "-h", "-b", "y", "true")
    on.record("qsub-script-missing", "no such file", "qsub", "-terse", "/nonexistent/script")
    on.record("qdel-job-unknown", "", "qdel", "999999")
    on.record("qdel-name-unknown", "", "qdel", "nope")
    on.record("qstat-job-unknown", "", "qstat", "-j", "999999")
    on.record("qstat-job-unknown-xml", "", "qstat", "-xml", "-j", "999999")
    on.record("qacct-job-unknown", "", "qacct", "-j", "999999")
    on.record("qconf-global", "", "qconf", "-sconf")
    on.record("qconf-scheduler", "", "qconf", "-ssconf")
    on.record("qconf-queue", "", "qconf", "-sq", "all.q")
    on.record("qconf-pe", "", "qconf", "-sp", "smp")
    on.record("qhost", "", "qhost", "-xml")


def record_outage(on: Stage) -> None:
    """Each client without the master."""
    on.engine.stop_master()
    clients = {"qsub": ("qsub", "-terse", "-b", "y", "true"), "qstat": QSTAT, "qdel": ("qdel", "1")}
    for name, argv in clients.items():
        on.record(f"{name}-master-down", "sge_qmaster stopped", *argv)
    on.engine.start_master()


def main() -> None:
    """Use the Grid Engine of our command line (python -m tests.real up gridengine), which must have no jobs."""
    with GridEngine() as engine, tempfile.TemporaryDirectory(prefix="party-record-") as folder:
        if engine.queue():
            raise DaemonsUnavailable("the queue is not empty: other people's jobs would be recorded")
        version = engine.run("qstat", "-help").stdout.split()[1]
        recorder = Recorder(DATA / f"gridengine-{version}", engine.run)
        recorder.start()
        on = Stage(engine, recorder, Path(folder))
        for scene in (record_queue, record_errors_of_jobs, record_endings, record_refusals, record_outage):
            scene(on)
        about = f"Grid Engine {version}: one host with sixteen slots and the parallel environment smp."
        recorder.finish(about, "python -m tests.real.record_gridengine")


if __name__ == "__main__":
    main()
