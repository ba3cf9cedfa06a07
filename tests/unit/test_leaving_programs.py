"""However a program ends, nothing of it stays in the queue, and it says how to go on."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pypoolparty
from pypoolparty import worker
from pypoolparty.testing import Dummies, HangCall
from tests.unit import functions
from tests.unit.jobs import QueueJob, records_of, returned, said
from tests.unit.maps import is_running, make_map, submit, wait_until

ROOT = Path(__file__).parents[2]
COMMANDS = {"slurm": ("sbatch", "squeue", "scancel"), "sge": ("qsub", "qstat", "qdel")}


class Program:
    """A run of `leaver`, on the dummies of a scheduler or on this machine."""

    def __init__(self, folder, kind, how):
        self.folder, self.kind, self.dummies = folder, kind, None
        described = {"kind": kind, "work_dir": str(folder / "work")}
        if kind != "local":
            self.dummies = Dummies(folder / "dummies")
            described.update({f"{name}_path": str(self.dummies.path(name)) for name in COMMANDS[kind]})
        argv = [sys.executable, "-m", "tests.unit.leaver", how, str(folder), json.dumps(described)]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            argv, stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": path}
        )

    def workers(self):
        """Wait until two tasks run; return their processes."""
        paths = [self.folder / f"at-{itask}" for itask in (1, 2)]
        wait_until(lambda: all(path.exists() for path in paths), "the tasks")
        return [int(path.read_text()) for path in paths]

    def end(self):
        """Wait for the end; return exit code and stderr."""
        _, err = self.process.communicate(timeout=40)
        return self.process.returncode, err

    def check_nothing_is_left(self, pids):
        """Neither in the queue nor among the processes; one call cancelled all."""
        wait_until(lambda: not any(map(is_running, pids)), "the end of the workers")
        if self.dummies is not None:
            assert [] == self.dummies.queue()
            assert 1 == self.dummies.calls(COMMANDS[self.kind][2])

    def resume(self):
        """Go on with the map, as it was told."""
        (self.folder / "go").touch()
        [work_dir] = (self.folder / "work").iterdir()
        assert list(range(4)) == pypoolparty.resume(work_dir)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the program; end it afterwards."""
    programs = []

    def start(kind, how):
        programs.append(Program(tmp_path, kind, how))
        return programs[-1]

    yield start
    (tmp_path / "go").touch()  # where a test fails, tasks and workers end all the same
    for program in programs:
        program.process.kill()
        program.process.communicate()
        if program.dummies is not None:
            program.dummies.close()


def resume_command(err):
    """Return the work_dir of the command that was printed."""
    [path] = re.findall(r"to go on: pypoolparty\.resume\('(.*)'\)", err)
    return path


@pytest.mark.parametrize("kind", ["local", "slurm", "sge"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("how", ["waits", "waits without a context"])
def test_signal(start, kind, number, how):
    """Ctrl-C, SIGTERM and SIGHUP cancel all in one call; the way to go on is told, and works."""
    program = start(kind, how)
    pids = program.workers()
    program.process.send_signal(number)
    code, err = program.end()
    assert (-signal.SIGINT if number == signal.SIGINT else 128 + number) == code
    assert os.path.isdir(resume_command(err))
    program.check_nothing_is_left(pids)
    program.resume()


@pytest.mark.parametrize("kind", ["local", "slurm", "sge"])
@pytest.mark.parametrize(
    ("how", "code", "is_kept"),
    [
        ("raises", 1, True),
        ("raises without a context", 1, True),
        ("ends", 0, True),
        ("terminates", 0, False),
    ],
)
def test_end_of_the_program(start, kind, how, code, is_kept):
    """An exception and the end of the program cancel all and keep the work_dir; `terminate` removes it."""
    program = start(kind, how)
    pids = program.workers()
    found, err = program.end()
    assert code == found
    program.check_nothing_is_left(pids)
    assert is_kept == ("pypoolparty.resume(" in err)
    if is_kept:
        program.resume()
    else:
        assert [] == list((program.folder / "work").iterdir())


@pytest.mark.parametrize("kind", ["local", "slurm"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pause", [0, 0.002, 0.01, 0.03, 0.1, 0.2, 0.3])
def test_second_signal(start, kind, number, pause):
    """A second one, at any instant after the first, leaves nothing behind and breaks nothing."""
    program = start(kind, "waits")
    pids = program.workers()
    program.process.send_signal(number)
    time.sleep(pause)  # this is what is varied, and nothing is waited for
    program.process.send_signal(number)
    code, err = program.end()
    assert code != 0
    program.check_nothing_is_left(pids)
    assert os.path.isdir(resume_command(err))
    program.resume()


def test_second_signal_while_the_scheduler_hangs(start):
    """It is told that a third one leaves without; the third does."""
    program = start("slurm", "waits")
    pids = program.workers()
    fault = program.dummies.add_fault(HangCall("scancel", seconds=60))
    program.process.send_signal(signal.SIGINT)
    wait_until(lambda: program.dummies.fired(fault), "scancel")
    said = []
    for _ in range(2):
        program.process.send_signal(signal.SIGINT)
        if not said:
            said.append(program.process.stderr.readline())
    code, err = program.end()
    assert code != 0
    assert "interrupt once more to leave without" in "".join(said) + err
    assert any(map(is_running, pids))
    program.dummies.close()
    wait_until(lambda: not any(map(is_running, pids)), "the end of the workers")


def test_work_dir_that_is_marked_as_cancelled(tmp_path):
    """A worker whose map was given up, but whom no scheduler has told, ends its task and leaves by itself."""
    func = functools.partial(functions.wait_for, str(tmp_path), waiting=[0])
    work_dir = make_map(tmp_path / "s", func, range(10))
    submit(work_dir, 10, chunksize=1)
    job = QueueJob(work_dir)
    wait_until((tmp_path / "at-0").exists, "the task")
    work_dir.withdraw_claims(1)
    (tmp_path / "go").touch()
    assert (0, "") == job.end()
    records = records_of(work_dir)
    assert {0: 0} == returned(records)
    assert "withdrawn" == said(records, worker.GOODBYE)["reason"]
    assert {0: 0} == returned(run_late(work_dir))


def run_late(work_dir):
    """Run a queue-job that begins after the end of its map."""
    assert (0, "") == QueueJob(work_dir, element=1).end()
    return records_of(work_dir)


@pytest.mark.parametrize("keeps", [True, None])
def test_aborted_map_marks_its_work_dir(tmp_path, keeps):
    """Whoever comes late finds nothing to claim."""
    pool = pypoolparty.local.Pool(1, work_dir=tmp_path / "work", polling_interval=0.2)
    func = functools.partial(functions.wait_for, str(tmp_path), waiting=[0])
    result = pool.map_async(func, range(3), chunksize=1)
    wait_until((tmp_path / "at-0").exists, "the task")
    pool._end(pypoolparty.errors.PoolPartyError("given up"), keeps)
    folder = Path(result.work_dir, "submissions", "0001")
    assert ["chunks.json", "claims.withdrawn", "submission.json"] == sorted(path.name for path in folder.iterdir())
