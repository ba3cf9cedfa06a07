"""``resume`` and ``cancel``, of live and dead maps, on this machine and in the queue."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from pypoolparty.map_state import Phase, state_of
from pypoolparty.testing import FailCall
from tests.unit.maps import is_running, run_local, wait_until

QUEUES = ["slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine"]


def test_resume_of_a_dead_map(invoke, dead):
    """It computes what is missing, writes the file, and keeps the work_dir."""
    dead.let_go()
    found = invoke("resume", dead.work_dir, "-o", "out.jsonl")
    assert "6 of 6 tasks have returned, in out.jsonl" in found.stderr
    with open("out.jsonl") as stream:
        assert list(range(6)) == [json.loads(line)["value"] for line in stream]
    assert Phase.DONE is state_of(dead.work_dir).phase


def test_resume_of_a_live_map(invoke, live):
    """It is refused, with who works on it."""
    message = invoke("resume", live.work_dir, code=4).stderr
    assert f"in use by process {live.program.pid}" in message


def test_resume_without_an_output(invoke, invoke_json, dead):
    """The results stay where they are, and it is said how to get them."""
    dead.let_go()
    assert f"→ pypoolparty results {dead.work_dir} -o" in invoke("resume", dead.work_dir).stdout
    found = invoke_json("resume", dead.work_dir)
    assert (6, 6, 0, []) == (found["n_tasks"], found["returned"], found["failed"], found["groups"])


def test_resume_with_other_arguments(invoke, lost, own_folder):
    """What the pool shall have otherwise is taken; what it does not know is refused."""
    assert "has no argument 'speed'" in invoke("resume", lost, "--set", "speed=9", code=2).stderr
    assert "--set wants NAME=VALUE" in invoke("resume", lost, "--set", "speed", code=2).stderr
    assert "mem must be" in invoke("resume", lost, "--mem", "much", code=2).stderr
    assert (
        "max_num_resubmissions must be at least 0"
        in invoke("resume", lost, "--set", "max_num_resubmissions=-1", code=2).stderr
    )
    found = invoke("resume", lost, "--mem", "1G", "--time", "10:00", "--set", "max_num_resubmissions=1", code=1)
    assert "Crashed: 1 task lost" in found.stdout
    assert 1 < state_of(lost).deaths["Crashed"]
    assert "retry has no 'speed'" in invoke("resume", lost, "--set", 'retry={"speed": 9}', code=2).stderr
    n_deaths = state_of(lost).deaths["Crashed"]
    invoke("resume", lost, "--set", 'retry={"max_num_resubmissions": 0}', code=1)
    assert n_deaths + 1 == state_of(lost).deaths["Crashed"]


def test_resume_redoes_what_raised(invoke, tmp_path, own_folder):
    """Only if asked to: the function is imported anew, with its mistake mended."""
    module = own_folder / "mended_module.py"
    module.write_text("def func(task): raise ValueError(task)\n")
    argv = [sys.executable, "-m", "pypoolparty", "map", "mended_module:func", "--input", "tasks", "-o", "out.txt"]
    (own_folder / "tasks").write_text("a\nb\n")
    first = subprocess.run([*argv, "--pool", "local", "--json"], capture_output=True, text=True, timeout=60)
    assert 1 == first.returncode
    work_dir = json.loads(first.stdout)["work_dir"]
    module.write_text("def func(task): return task + '!'   # mended\n")
    invoke("resume", work_dir, "-o", "again.txt", code=1)
    invoke("resume", work_dir, "--redo-raised", "-o", "again.txt")
    assert "a!\nb!\n" == (own_folder / "again.txt").read_text()
    invoke("clean", work_dir, "--yes")


# ---------------------------------------------------------------------- cancel


def test_cancel_of_a_live_map(invoke, live):
    """Its main process ends it itself, without a resubmission, and says how to go on; resume does so."""
    text = invoke("cancel", live.work_dir).stdout
    assert f"process, {live.program.pid} on" in text or f"{live.program.pid} on" in text
    assert f"pypoolparty resume {live.work_dir}" in text
    _, err = live.program.communicate(timeout=30)
    assert 1 == live.program.returncode
    assert b"the map was cancelled from" in err
    state = state_of(live.work_dir)
    assert (Phase.INTERRUPTED, 1) == (state.phase, state.submissions)
    live.let_go()
    invoke("resume", live.work_dir, "-o", "out.txt")


def test_cancel_is_not_seen_by_the_next_main_process(invoke, live):
    """A request that nobody took is gone when the map is resumed."""
    live.kill()
    path = os.path.join(live.work_dir, "spool", "new", ".cancel-elsewhere-7")
    open(path, "w").close()
    threading.Timer(1.0, live.let_go).start()  # not at once: a map that is done is not ended any more
    invoke("resume", live.work_dir, "-o", "out.txt")
    assert not os.path.exists(path)


def test_cancel_of_a_main_process_that_does_not_react(invoke_json, live):
    """It is told by its exit code, and what to do."""
    live.program.send_signal(signal.SIGSTOP)
    try:
        found = invoke_json("cancel", live.work_dir, "--timeout", "0.3", code=4)
    finally:
        live.program.send_signal(signal.SIGCONT)
    assert f"kill {live.program.pid}" in found["words"]
    assert (False, False) == (found["is_ended"], found["is_done"])
    assert [] == [name for name in os.listdir(os.path.join(live.work_dir, "spool", "new")) if "cancel" in name]


def test_cancel_of_a_dead_local_map(invoke, dead):
    """Workers that its main process left behind are ended."""
    [pid] = [int((dead.marks / "at-3").read_text())]
    assert is_running(pid)
    invoke("cancel", dead.work_dir)
    wait_until(lambda: not is_running(pid))
    assert Phase.INTERRUPTED is state_of(dead.work_dir).phase


@pytest.mark.parametrize("kind", QUEUES)
def test_cancel_of_a_dead_map_in_the_queue(invoke_json, invoke, start, dummies, kind):
    """Its queue-jobs leave the queue; resume goes on, and finished tasks are not computed again."""
    running = start(kind)
    running.kill()
    assert dummies.queue()
    found = invoke_json("cancel", running.work_dir)
    assert found["job_ids"]
    assert (True, False) == (found["is_ended"], found["is_done"])
    wait_until(lambda: not dummies.queue())
    running.let_go()
    assert [f"pypoolparty resume {running.work_dir}"] == found["next"]
    marks = {name: os.stat(running.marks / name).st_mtime_ns for name in os.listdir(running.marks) if name == "at-0"}
    invoke("resume", running.work_dir, "-o", "out.txt")
    assert marks == {name: os.stat(running.marks / name).st_mtime_ns for name in marks}
    with open("out.txt") as stream:
        assert [str(k) for k in range(6)] == stream.read().split()


@pytest.mark.parametrize("kind", QUEUES[:1])
def test_cancel_of_a_live_map_in_the_queue(invoke, start, dummies, kind):
    """The main process cancels what it has submitted."""
    running = start(kind)
    invoke("cancel", running.work_dir)
    wait_until(lambda: not dummies.queue())
    running.program.communicate(timeout=30)


def test_cancel_while_the_scheduler_is_down(invoke, start, dummies):
    """It is told as that, and nothing is noted as cancelled."""
    running = start("slurm.array")
    running.kill()
    fault = dummies.add_fault(FailCall(command="squeue", times=3))  # the dead one's last call may take one
    assert "squeue ended with 1" in invoke("cancel", running.work_dir, code=5).stderr
    assert 1 <= dummies.fired(fault)
    assert Phase.DEAD is state_of(running.work_dir).phase
    while dummies.fired(fault) < 3:
        subprocess.run([dummies.path("squeue")], capture_output=True, timeout=30)
    invoke("cancel", running.work_dir)


def test_cancel_of_a_finished_map(invoke, invoke_json, finished):
    """There is nothing to cancel, and it stays finished."""
    assert "no queue-jobs" in invoke("cancel", finished).stdout
    assert [] == invoke_json("cancel", finished)["next"]
    assert Phase.DONE is state_of(finished).phase


def test_resumed_map_that_the_scheduler_refuses(invoke, dummies, own_folder):
    """What can never run ends with the exit code for that."""
    (own_folder / "in.txt").write_text("a\n")
    words = ["map", "builtins:len", "--input", "in.txt", "-o", "out.txt", "--pool", "slurm.array"]
    found = invoke(*words, "--set", "partition=nowhere", code=5)
    assert "SubmissionRefused: 1 task lost" in found.stderr
    assert "partition" in found.stderr


def test_work_dir_with_a_blank_and_a_quote(invoke, tmp_path):
    """Commands that are to be typed are quoted for the shell."""
    work_dir = run_local(tmp_path / "it's here", int, ["x"])
    text = invoke("failures", work_dir, code=1).stdout
    assert f"pypoolparty resume '{work_dir}'".replace("it's", "it'\"'\"'s") in text
