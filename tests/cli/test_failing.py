"""``failures`` and ``logs``."""

import functools
import os
import shlex

from pypoolparty.resuming import POOL_CLASSES
from tests.unit import functions
from tests.unit.maps import run_local


def test_failures_are_printed_by_cause(invoke, failed, lost):
    """Cause, count, tasks, node, message, place and the next commands are there; the exit code is 1."""
    text = invoke("failures", failed, code=1).stdout
    assert "ValueError: 2 tasks raised" in text
    assert "1-2" in text
    assert os.uname().nodename in text
    assert "functions.py" in text
    assert "ValueError: 1\n" in text
    assert f"→ pypoolparty logs {failed} 1 --stderr" in text
    assert f"→ pypoolparty resume {failed} --redo-raised" in text
    text = invoke("failures", lost, code=1).stdout
    assert "Crashed: 1 task lost" in text
    assert "signal 9 (SIGKILL)" in text


def test_advice_can_be_typed(invoke, failed):
    """The first command of the advice is taken as it is."""
    advice = next(line for line in invoke("failures", failed, code=1).stdout.splitlines() if "→" in line)
    words = shlex.split(advice.partition("pypoolparty ")[2])
    assert "ValueError: 1" in invoke(*words).stdout


def test_no_failures(invoke, invoke_json, finished, live, dead):
    """Where there are none, the exit code is 0, whether the map is over or not."""
    assert "no failures" in invoke("failures", finished).stdout
    assert [] == invoke_json("failures", live.work_dir)["groups"]
    assert 0 == invoke_json("failures", dead.work_dir)["failed"]


def test_failures_as_json(invoke_json, failed):
    """All that the text has is in the document."""
    [group] = invoke_json("failures", failed, code=1)["groups"]
    assert ("ValueError", [1, 2], 2, "1-2") == (group["cause"], group["tasks"], group["count"], group["ranges"])
    assert {"message", "nodes", "example", "traceback", "stderr_tail", "advice"} <= set(group)


def test_logs_of_a_task(invoke, finished):
    """What a task wrote is all that is on stdout."""
    assert "task 3\n" == invoke("logs", finished, 3).stdout
    found = invoke("logs", finished, 2)
    assert ("", True) == (found.stdout, "written nothing" in found.stderr)


def test_logs_of_a_task_that_raised(invoke, invoke_json, failed):
    """Its stderr comes with its traceback."""
    text = invoke("logs", failed, 2, "--stderr").stdout
    assert text.startswith("about to end\n--- task 2 raised\nTraceback")
    found = invoke_json("logs", failed, 2, "--stderr")
    assert ("stderr", "about to end\n", 2) == (found["stream"], found["text"], found["itask"])
    assert found["traceback"].endswith("ValueError: 2\n")
    assert found["queue_jobs"]


def test_logs_of_an_itask_that_is_none(invoke, finished):
    """What is allowed is said."""
    assert "between 0 and 5" in invoke("logs", finished, 6, code=2).stderr


def test_raw_output_of_a_queue_job(invoke, dummies, own_folder):
    """What a queue-job writes itself, before its worker begins, is found by the task that ran in it."""
    work_dir = run_on_dummies("slurm.array", own_folder, setup=["echo loading modules", "echo oh >&2"])
    text = invoke("logs", work_dir, 1).stdout
    assert "raw stdout of queue-job 0001-" in text
    assert "loading modules\n" in text
    assert "oh\n" in invoke("logs", work_dir, 1, "--stderr").stdout


def test_raw_output_in_grid_engine(invoke_json, dummies, own_folder):
    """Its elements count from one, and their raw output is found all the same."""
    work_dir = run_on_dummies("sun_grid_engine.array", own_folder, setup=["echo loading modules"])
    jobs = invoke_json("logs", work_dir, 1)["queue_jobs"]
    assert ["loading modules\n"] == [job["stdout"] for job in jobs]


def test_raw_output_of_all_queue_jobs_that_a_task_was_in(invoke_json, dummies, own_folder):
    """The one that died over the task is found by the journal, beside the one in which it returned."""
    func = functools.partial(functions.die_once, str(own_folder / "died"))
    work_dir = run_on_dummies("slurm.array", own_folder, func, n=1)
    assert (own_folder / "died").exists()
    jobs = invoke_json("logs", work_dir, 0)["queue_jobs"]
    assert [1, 2] == [job["submission"] for job in jobs]


def run_on_dummies(kind, folder, func=functions.identity, n=3, **options):
    """Return the work_dir that a map on the dummies leaves behind."""
    with POOL_CLASSES[kind](2, work_dir=folder, polling_interval=0.2, keep_work_dir=True, **options) as pool:
        result = pool.map_async(func, range(n))
        assert list(range(n)) == result.get()
        pool.close()
        pool.join()
    return result.work_dir


def test_logs_while_the_map_runs(invoke, live, tmp_path):
    """A task that has not ended is no error."""
    assert "written nothing" in invoke("logs", live.work_dir, 3).stderr


def test_failures_of_many_messages(invoke, tmp_path):
    """One message is shown, and how many others there are."""
    work_dir = run_local(tmp_path / "many", int, ["a", "b", "7"])
    assert (
        "invalid literal for int() with base 10: 'a' (and 1 other messages)"
        in invoke("failures", work_dir, code=1).stdout
    )
