"""Failures grouped by cause, and how far a map is, as read from work_dirs alone."""

import functools
import json
import os
import signal
import subprocess
import sys

import pytest

import pypoolparty
from pypoolparty.errors import NotAWorkDir
from pypoolparty.failures import failures_of, ranges
from pypoolparty.map_state import Phase, state_of
from pypoolparty.work_dir import Look
from tests.unit import functions
from tests.unit.maps import run_local, wait_until


def fail_in_many_ways(task):
    """Fail for one of two causes, with a message of its own each."""
    if task % 3 == 1:
        raise ValueError(f"bad value {task}")
    if task % 3 == 2:
        sys.stderr.write(f"looking up {task}\n")
        return {}[task]
    return task


def test_failures_are_grouped_by_cause(tmp_path):
    """One group for each type and place, with its tasks, its first task's texts, its node, and what to type."""
    work_dir = run_local(tmp_path, fail_in_many_ways, range(9))
    first, second = failures_of(work_dir)
    assert ("ValueError", (1, 4, 7), "bad value 1", 3) == (first.cause, first.tasks, first.message, first.n_messages)
    assert ("KeyError", (2, 5, 8), "looking up 2\n") == (second.cause, second.tasks, second.stderr_tail)
    assert "1, 4, 7" == first.ranges
    assert first.traceback.endswith("ValueError: bad value 1\n")
    assert (os.uname().nodename,) == first.nodes
    assert f"pypoolparty logs {work_dir} 1 --stderr" == first.advice[0]
    assert f"pypoolparty resume {work_dir} --redo-raised" == first.advice[1]


def test_failures_of_lost_tasks(tmp_path):
    """The cause is the death, and its advice fits."""
    func = functools.partial(functions.fail_on, bad=[3, 4], how="segfault")
    work_dir = run_local(tmp_path, func, range(6), max_num_resubmissions=0)
    [group] = failures_of(work_dir)
    assert ("Crashed", (3, 4), True) == (group.cause, group.tasks, group.is_lost)
    assert ("SIGSEGV" in group.message, 1) == (True, group.n_messages)
    assert "about to end" in group.stderr_tail
    assert group.evidence
    state = state_of(work_dir)
    assert (Phase.DONE, 4, 0, 2, 0) == (state.phase, state.returned, state.raised, state.lost, state.open)
    assert {"Crashed": 2} == {cause: n for cause, n in state.deaths.items() if cause == "Crashed"}


def test_failures_of_a_module_that_is_missing_on_the_node(tmp_path):
    """The last line of the traceback tells one missing module from another."""
    work_dir = run_local(tmp_path, functions.identity, range(3), initializer=functions.break_set_up)
    [group] = failures_of(work_dir)
    assert ("BadEnvironment", 3) == (group.cause, len(group.tasks))
    assert "Traceback" in group.traceback
    assert group.message.endswith(group.traceback.strip().splitlines()[-1])
    assert "pypoolparty doctor" == group.advice[0]


def test_failures_need_none_of_the_users_classes(tmp_path):
    """A type that exists only in the program that ran the map is named, not imported."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, pypoolparty\n"
        "class Own(Exception): pass\n"
        "def func(task): raise Own(f'no {task}')\n"
        "with pypoolparty.local.Pool(1, work_dir=sys.argv[1]) as pool:\n"
        "    pool.map(func, range(2), on_error='return')\n"
        "    pool.close(); pool.join()\n"
    )
    subprocess.run([sys.executable, program, tmp_path / "maps"], check=True, timeout=60)
    [work_dir] = (tmp_path / "maps").iterdir()
    [group] = failures_of(work_dir)
    assert ("__main__.Own", "no 0", (0, 1)) == (group.cause, group.message, group.tasks)
    assert json.loads(json.dumps(group.as_json()))["count"] == 2


def test_tasks_that_were_never_sent_are_told(tmp_path):
    """A task that can not be pickled counts as raised, and has a group."""
    work_dir = run_local(tmp_path, functions.identity, [1, (lambda: (yield))(), 3])
    [group] = failures_of(work_dir)
    assert ("TypeError", (1,), ()) == (group.cause, group.tasks, group.advice)
    assert "cannot pickle" in group.message
    assert (2, 1, 0) == (state_of(work_dir).returned, state_of(work_dir).raised, state_of(work_dir).open)


def test_no_failures(tmp_path):
    """Where all went well there is no group."""
    work_dir = run_local(tmp_path, functions.identity, range(3))
    assert [] == failures_of(work_dir)


def test_folder_that_is_no_work_dir(tmp_path):
    """Both readers say so."""
    for read in (failures_of, state_of):
        with pytest.raises(NotAWorkDir, match=r"no session.json"):
            read(tmp_path)


def test_ranges():
    """Runs of tasks are written short, and beyond a number only counted."""
    assert "" == ranges([])
    assert "3, 7-9" == ranges([3, 4, 7, 10])
    assert "3, … 3 more" == ranges([3, 4, 7, 10], most=1)


# ---------------------------------------------------------------------- how far


def test_state_of_a_map_that_is_done(tmp_path):
    """All is returned, nobody is at work, and its times are in order."""
    work_dir = run_local(tmp_path, functions.identity, range(20_000))
    state = state_of(work_dir)
    assert (Phase.DONE, 20_000, 0, None, []) == (state.phase, state.returned, state.open, state.driver, state.open_runs)
    assert ("local", 1, 0, 0, 0) == (
        state.pool,
        state.submissions,
        state.resubmitted,
        state.pending_jobs,
        state.running_jobs,
    )
    assert state.created <= state.ended == state.last_sign
    assert 1 <= state.ended_jobs <= 2
    json.dumps(state.as_json())


PROGRAM = """
import functools, sys, pypoolparty
from tests.unit import functions
func = functools.partial(functions.wait_for, sys.argv[1], waiting=[3, 4])
with pypoolparty.local.Pool(1, polling_interval=0.1, work_dir=sys.argv[2]) as pool:
    print(pool.map(func, range(6), chunksize=1))
"""


@pytest.fixture
def live_map(tmp_path):
    """A program with a map that waits for a file ``go`` at task 3; the program, and the work_dir."""
    marks = tmp_path / "marks"
    marks.mkdir()
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, marks, tmp_path / "maps"], stdout=subprocess.PIPE)
    wait_until(lambda: (marks / "at-3").exists())
    [work_dir] = (tmp_path / "maps").iterdir()
    yield program, work_dir
    (marks / "go").touch()
    program.kill()
    program.communicate(timeout=30)


def test_state_of_a_map_that_runs(live_map):
    """Its main process is known by host and pid, and its queue-job runs."""
    program, work_dir = live_map
    wait_until(lambda: state_of(work_dir).running_jobs)
    state = state_of(work_dir)
    assert (Phase.RUNNING, 1, 0) == (state.phase, state.running_jobs, state.pending_jobs)
    assert (os.uname().nodename, program.pid, True) == (state.driver.host, state.driver.pid, state.driver.is_alive)
    assert state.open >= 2
    assert [] == failures_of(work_dir)


def test_state_of_a_map_whose_main_process_was_killed(live_map):
    """It is dead, not running; and what it had is resumed."""
    program, work_dir = live_map
    program.kill()
    program.wait(timeout=30)
    state = state_of(work_dir)
    assert (Phase.DEAD, False, None) == (state.phase, state.is_in_use, state.ended)
    assert state.open_runs[-1] == 6
    (work_dir.parent.parent / "marks" / "go").touch()
    assert list(range(6)) == pypoolparty.resume(work_dir, keep_work_dir=True)
    state = state_of(work_dir)
    assert (Phase.DONE, 6, 1) == (state.phase, state.returned, state.resumed)


def test_state_of_a_map_that_was_interrupted(live_map):
    """It is told from one that died, and its open tasks are named."""
    program, work_dir = live_map
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=60)
    state = state_of(work_dir)
    assert (Phase.INTERRUPTED, None, 0) == (state.phase, state.driver, state.running_jobs)
    assert state.open_runs


def test_lock_of_another_host(live_map):
    """A main process elsewhere is alive while its heartbeat is fresh, and dead when it is old."""
    program, work_dir = live_map
    program.kill()
    program.wait(timeout=30)
    lock = work_dir / "driver.lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 7, "started": "x", "token": "y"}))
    assert (Phase.RUNNING, "elsewhere") == (state_of(work_dir).phase, state_of(work_dir).driver.host)
    os.utime(lock, (1e9, 1e9))
    assert Phase.DEAD == state_of(work_dir).phase


@pytest.mark.parametrize("n", [5, 10_005])
def test_looking_for_one_task(tmp_path, n):
    """What one task wrote is found among members and in blocks; of one that wrote nothing there is nothing."""
    work_dir = run_local(tmp_path, functions.shout_some, range(n))
    look = Look(work_dir)
    assert "task 3\n" == look.text_of("stdout", 3)
    assert None is look.text_of("stdout", 2)
    assert [3, 4] == sorted(int(row[0]) for row in look.rows([3, 4]))
    assert list(range(n)) == sorted(itask for itasks in look.tasks_in("results") for itask in itasks)
