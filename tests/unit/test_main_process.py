"""What docs/failures.md promises of main processes that die, are told to end, or fail."""

import functools
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

import pypoolparty
from pypoolparty.decide import decide
from pypoolparty.engine import restore
from pypoolparty.events import Sent
from pypoolparty.policy import Policy
from pypoolparty.states import JobState, Outcome
from tests.unit import laws
from tests.unit.maps import is_running, wait_until
from tests.unit.test_decide import POLICY, ledger_with, rows
from tests.unit.world import Faults, World


def interrupted_world():
    """Return a world whose main process is about to die, with a part of the tasks done."""
    world = World(40, Policy(width=4), Faults(), seed=3)
    while world.ledger.n_done < 10:
        world.run(stop_at=world.n_steps + 2)
    return world


def test_finished_tasks_are_not_computed_again():
    """What is in the archives is delivered by the next main process, and run by nobody."""
    world = interrupted_world()
    done = set(world.disk.kept)
    ledger, deliveries = restore(world.disk, world.n, world.now)
    assert done == {itask for itask, _, _ in deliveries}
    assert done == {itask for itask in range(world.n) if ledger.outcomes[itask] == Outcome.RETURNED}


def test_resumed_map_attaches_to_its_queue_jobs():
    """Queue-jobs of the dead main process go on, and no task is begun twice."""
    world = interrupted_world()
    world.die_and_resume()
    world.run()
    laws.check_end(world)
    assert [1] * 40 == list(Counter(itask for itask, _ in world.started).values())
    assert 1 == len(world.disk.tables)


def test_submission_that_hung_in_the_air_is_looked_for():
    """Nobody knows whether it was taken: it is in doubt, and not sent before it was looked for."""
    ledger = ledger_with(send=False)
    ledger.apply(Sent(1, [0, 4]), 0.0)
    ledger.forgive()
    assert ([0, 4], None) == (ledger.batches[1].doubted, ledger.batches[1].in_flight)
    assert [] == decide(ledger, POLICY, 99.0)
    [accepted] = ledger.observe(rows(e0=JobState.RUNNING, **{f"e{k}": JobState.PENDING for k in (1, 2, 3)}), [1], 0.0)
    assert [0, 4] == accepted.elements


def test_aborted_map_leaves_nothing_in_the_queue():
    """However the main program leaves, its queue-jobs are cancelled first, and what is done is kept."""
    world = World(40, Policy(width=4), Faults(), seed=3)
    world.duration = lambda itask: 1.0 if itask < 12 else 1e6
    while world.now < 60.0:
        world.run(stop_at=world.n_steps + 2)
    live = [job for job in world.jobs if job.is_live]
    error = pypoolparty.errors.PoolPartyError("the interpreter ended")
    world.engine.abort(error, None)
    world.run()
    assert [JobState.CANCELLED] * 4 == [job.state for job in live]
    assert set(range(12)) == set(world.disk.kept)
    assert (error, ["closed"]) == (world.sink.failure, world.disk.ends)


PROGRAM = """
import os, sys, time
import pypoolparty

FOLDER = sys.argv[1]

def work(task):
    open(os.path.join(FOLDER, f"begun-{os.getpid()}"), "w").close()
    while task and not os.path.exists(os.path.join(FOLDER, "go")):
        time.sleep(0.01)
    return task

if __name__ == "__main__":
    pool = pypoolparty.local.Pool(1, work_dir=FOLDER)
    pool.map(work, [0, 1, 2], chunksize=1)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_that_is_told_to_end(tmp_path, number):
    """It ends its queue-jobs, says how to go on, and that goes on with what was done."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    folder = tmp_path / "party"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, script, folder], stderr=subprocess.PIPE, text=True)
    [work_dir] = wait_until(lambda: list(folder.glob("*/session.json")), "the map")
    wait_until(lambda: pypoolparty.load(work_dir.parent).results, "the first result")
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode in (143, 1, -2, 130)
    assert f"to go on: pypoolparty.resume({str(work_dir.parent)!r})" in err
    workers = [int(mark.name.partition("-")[2]) for mark in folder.glob("begun-*")]
    assert workers
    assert [] == [pid for pid in workers if is_running(pid)]
    (folder / "go").touch()
    assert [0, 1, 2] == pypoolparty.resume(work_dir.parent)


def wait_for_ever(folder, task):
    """Be a task that leaves the pid of its process and has no end."""
    with open(os.path.join(folder, f"begun-{os.getpid()}"), "w"):
        signal.pause()


def test_exception_in_the_main_program(tmp_path):
    """It is not held up, the pool's queue-jobs are ended, and the map can be gone on with."""

    def fail():
        with pypoolparty.local.Pool(1, work_dir=tmp_path / "party") as pool:
            pool.map_async(functools.partial(wait_for_ever, str(tmp_path)), range(2))
            wait_until(lambda: list(tmp_path.glob("begun-*")), "the first task")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    [mark] = tmp_path.glob("begun-*")
    assert not is_running(int(mark.name.partition("-")[2]))
    [session] = (tmp_path / "party").glob("*/session.json")
    assert [0, 1] == pypoolparty.load(session.parent).missing
