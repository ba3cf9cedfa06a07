"""The scheduler of this machine: slots, time limits, cancellation, states."""

import os
import sys
from pathlib import Path

import pytest

from pypoolparty.local.scheduler import LocalScheduler
from pypoolparty.scheduler import Target
from pypoolparty.states import Limits, Resources, Submission
from tests.unit.maps import is_running, wait_until

HELD = "while [ ! -e $1/go-$2 ]; do sleep 0.01; done; "
NO_TIME = Resources()


class Clock:
    """A clock that goes when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def machine(tmp_path):
    """A scheduler with two slots and a clock of our own, and what submits scripts to it."""
    (tmp_path / "workers").mkdir()
    made = Machine(tmp_path)
    yield made
    made.scheduler.close()


class Machine:
    """A scheduler, and short names for what the tests do all the time."""

    def __init__(self, folder):
        self.folder, self.clock, self.number = folder, Clock(), 0
        self.scheduler = LocalScheduler(2, self.clock)

    def submit(self, text, elements=(0,), resources=NO_TIME):
        """Submit a script that is given the folder and its element; return the job's id."""
        self.number += 1
        script = self.folder / f"job-{self.number}.sh"
        script.write_text(f"echo $$ > $1/part-$2; mv $1/part-$2 $1/at-$2; {text}\n")
        receipt = self.scheduler.submit(
            Submission(
                name=f"q-{self.number}",
                is_array=True,
                script=str(script),
                script_args=(str(self.folder),),
                work_dir=str(self.folder),
                number=self.number,
                elements=tuple(elements),
                resources=resources,
            )
        )
        assert () == receipt.missing
        [(element, job_id)] = receipt.jobs
        assert -1 == element
        return job_id

    def states(self, *numbers):
        """Return the states of all elements of these submissions."""
        jobs = self.scheduler.query([f"q-{number}" for number in numbers or (self.number,)])
        return [job.state.name for job in jobs]

    def wait(self, *states):
        """Wait until the last submission's elements are in these states."""
        wait_until(lambda: list(states) == self.states(), states)

    def pid(self, element):
        """Return the pid that a script has left."""
        path = self.folder / f"at-{element}"
        wait_until(path.exists, path)
        return int(path.read_text())

    def go(self, element):
        """Let a script that is held go on."""
        (self.folder / f"go-{element}").touch()


def test_states_and_reasons(machine):
    """How a job ended is told."""
    machine.submit("exit $2", elements=(0, 3))
    machine.wait("COMPLETED", "FAILED")
    machine.submit("kill -9 $$")
    machine.wait("FAILED")
    jobs = machine.scheduler.query(["q-1", "q-2", "q-none"])
    assert [(0, ""), (3, "exit code 3"), (0, "killed by signal 9")] == [(job.element, job.reason) for job in jobs]
    assert {os.uname().nodename} == {job.node for job in jobs}
    assert ["q-1", "q-1", "q-2"] == [job.name for job in jobs]


def test_only_what_is_asked_for(machine):
    """A query tells of the named submissions alone."""
    machine.submit("true")
    machine.submit("true")
    assert 1 == len(machine.states(2))
    assert [] == machine.scheduler.query([])


def test_slots(machine):
    """No more jobs run than there are slots; the next begins when one ends, in order."""
    machine.submit(HELD, elements=range(4))
    machine.wait("RUNNING", "RUNNING", "PENDING", "PENDING")
    machine.pid(0), machine.pid(1)
    machine.go(1)
    machine.wait("RUNNING", "COMPLETED", "RUNNING", "PENDING")
    assert not (machine.folder / "at-3").exists()
    for element in (0, 2, 3):
        machine.go(element)
    machine.wait("COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED")


def test_slots_are_shared(machine):
    """All submissions share the slots."""
    machine.submit(HELD, elements=range(2))
    machine.submit("true", elements=(7,))
    assert ["RUNNING", "RUNNING"] == machine.states(1)
    assert ["PENDING"] == machine.states(2)
    machine.go(0)
    wait_until(lambda: machine.states(2) == ["COMPLETED"], "the other submission")
    machine.go(1)


def test_time_limit(machine):
    """A job that is out of time is ended with all its processes, and its state says so; others go on."""
    machine.submit("sleep 600 & echo $! > $1/child; wait", resources=Resources(time=10))
    machine.pid(0)
    wait_until(lambda: (machine.folder / "child").exists() and (machine.folder / "child").read_text(), "the child")
    child = int((machine.folder / "child").read_text())
    machine.submit(HELD, elements=(1,))
    machine.clock.now = 10.0
    assert ["RUNNING"] == machine.states(1)
    machine.clock.now = 10.1
    machine.scheduler.query([])
    assert ["TIME_LIMIT"] == machine.states(1)
    assert ["RUNNING"] == machine.states(2)
    wait_until(lambda: not is_running(child), "the child's end")


def test_waiting_is_not_running(machine):
    """The time limit counts from the start of a job, not from its submission."""
    machine.submit(HELD, elements=range(3), resources=Resources(time=10))
    machine.clock.now = 8.0
    machine.go(0)
    machine.wait("COMPLETED", "RUNNING", "RUNNING")
    machine.clock.now = 12.0
    machine.scheduler.query([])
    machine.wait("COMPLETED", "TIME_LIMIT", "RUNNING")
    machine.go(2)


def test_cancel_ends_the_group(machine):
    """Cancelled jobs end with all that they have started; what waits never begins."""
    job_id = machine.submit("sleep 600 & echo $! > $1/child-$2; wait", elements=range(3))
    pids = [machine.pid(0), machine.pid(1)]
    files = [machine.folder / f"child-{element}" for element in range(2)]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files), "the children")
    pids += [int(file.read_text()) for file in files]
    machine.scheduler.cancel([Target(job_id)])
    wait_until(lambda: not any(is_running(pid) for pid in pids), "all to end")
    assert [] == machine.states()
    assert not (machine.folder / "at-2").exists()


def test_cancel_some_elements(machine):
    """Others go on, and take the slots."""
    job_id = machine.submit(HELD, elements=range(4))
    machine.pid(0)
    machine.scheduler.cancel([Target(job_id, (0, 3)), Target("no such job")])
    assert ["CANCELLED", "RUNNING", "RUNNING", "CANCELLED"] == machine.states()
    machine.go(1), machine.go(2)
    machine.wait("CANCELLED", "COMPLETED", "COMPLETED", "CANCELLED")


def test_cancel_what_has_ended(machine):
    """A job that has ended stays what it was."""
    job_id = machine.submit("true")
    machine.wait("COMPLETED")
    machine.scheduler.cancel([Target(job_id, (0,))])
    assert ["COMPLETED"] == machine.states()


def test_job_that_does_not_want_to_end(machine):
    """Who ignores the first signal is killed."""
    job_id = machine.submit("trap '' TERM; touch $1/ready; while true; do sleep 0.1; done")
    pid = machine.pid(0)
    wait_until((machine.folder / "ready").exists, "the trap")
    machine.scheduler.cancel([Target(job_id, (0,))])
    assert not is_running(pid)
    assert ["CANCELLED"] == machine.states()


def test_close_ends_all(machine):
    """Nothing outlives the scheduler."""
    machine.submit("sleep 600", elements=range(3))
    pids = [machine.pid(0), machine.pid(1)]
    machine.scheduler.close()
    assert not any(is_running(pid) for pid in pids)
    assert [] == machine.states()
    assert not (machine.folder / "at-2").exists()


def test_raw_output(machine):
    """It stands in the folder workers, under the label of the job, for its owner alone."""
    machine.submit("echo out; echo err >&2", elements=(3,))
    machine.wait("COMPLETED")
    label = machine.scheduler.label(1, 3)
    texts = {name: (machine.folder / "workers" / f"{label}.{name}") for name in ("stdout", "stderr")}
    assert {"stdout": "out\n", "stderr": "err\n"} == {name: path.read_text() for name, path in texts.items()}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in texts.values()}


def test_signals_of_the_terminal_do_not_reach_jobs(machine):
    """A job has a session of its own: Ctrl-C is for the main process, which then cancels."""
    machine.submit(HELD)
    pid = machine.pid(0)
    assert pid == os.getsid(pid)
    machine.go(0)


def test_orphans_of_a_dead_main_process(machine):
    """Who takes over a work_dir ends the workers that its dead driver has left, and no others."""
    for name in ("mine", "other"):
        (machine.folder / name).mkdir()
        (machine.folder / name / "script.py").write_text("import time\ntime.sleep(600)\n")
    machine.submit(f"exec {sys.executable} $1/mine/script.py x")
    machine.submit(f"exec {sys.executable} $1/other/script.py x", elements=(1,))
    mine, other = machine.pid(0), machine.pid(1)
    for pid, name in ((mine, "mine"), (other, "other")):
        words = f"{machine.folder}/{name}/script.py".encode()
        wait_until(lambda pid=pid, words=words: words in Path(f"/proc/{pid}/cmdline").read_bytes(), "the worker")
    machine.scheduler.adopt(str(machine.folder / "mine"))
    assert not is_running(mine)
    assert is_running(other)


def test_no_limits(machine):
    """This machine takes any number; there is no accounting to ask."""
    assert Limits() == machine.scheduler.limits()
    assert [] == machine.scheduler.post_mortem(["x"])
