"""``ls``, ``status`` and ``watch``."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from pypoolparty.cli._show import near
from tests.unit.maps import wait_until


def test_status_without_a_work_dir(invoke):
    """It needs a work_dir, and says so."""
    assert "WORK_DIR" in invoke("status", code=2).stderr


def test_status_tells_how_far_each_map_is(invoke, finished, failed, live, dead):
    """Finished, failed, live and dead maps are told apart, by words, by exit code, and by what to type next."""
    text = invoke("status", finished).stdout
    assert "6: 6 returned, 0 raised, 0 lost" in text
    assert f"→ pypoolparty results {finished}" in text
    text = invoke("status", failed, code=1).stdout
    assert "with failures" in text
    assert f"→ pypoolparty failures {failed}" in text
    text = invoke("status", live.work_dir).stdout
    assert f"by process {live.program.pid} on {os.uname().nodename}" in text
    assert f"→ pypoolparty watch {live.work_dir}" in text
    text = invoke("status", dead.work_dir, code=1).stdout
    assert "dead" in text
    assert f"→ pypoolparty resume {dead.work_dir}" in text


def test_status_as_json(invoke_json, live):
    """The document has the counts, the phase, and who works on it."""
    found = invoke_json("status", live.work_dir)
    assert ("running", 6, 0, 1) == (found["phase"], found["n_tasks"], found["failed"], found["running_jobs"])
    assert (live.program.pid, True) == (found["driver"]["pid"], found["driver"]["is_alive"])
    assert found["returned"] + found["open"] == 6


def test_ls(invoke, invoke_json, tmp_path, failed, dead):
    """Each map of a folder has a row; what is no work_dir is left out."""
    parent = os.path.dirname(failed)
    (tmp_path / "failed" / "other").mkdir()
    text = invoke("ls", parent).stdout
    assert failed in text
    assert "other" not in text
    [found] = invoke_json("ls", parent)["maps"]
    assert (failed, "done", 2) == (found["work_dir"], found["phase"], found["failed"])
    [found] = invoke_json("ls", dead.work_dir)["maps"]
    assert "dead" == found["phase"]


def test_ls_names_what_can_not_be_read(invoke, invoke_json, failed):
    """A work_dir that others may write to is listed with what is wrong."""
    os.chmod(failed, 0o777)
    assert "UnsafeWorkDir" in invoke("ls", os.path.dirname(failed)).stdout
    [found] = invoke_json("ls", os.path.dirname(failed))["maps"]
    assert "UnsafeWorkDir" == found["error"]["type"]


def test_ls_looks_where_pools_put_maps(invoke_json, failed, own_folder):
    """Without a folder it finds those in ./.pypoolparty."""
    (own_folder / ".pypoolparty").mkdir()
    there = own_folder / ".pypoolparty" / "q1"
    os.rename(failed, there)
    assert str(there) in [found["work_dir"] for found in invoke_json("ls")["maps"]]


def test_watch_ends_with_the_map(invoke, live):
    """It shows the map until it is over; here, where all went well, its work_dir was removed meanwhile."""
    threading.Timer(0.5, live.let_go).start()
    text = invoke("watch", live.work_dir, "--interval", "0.1").stdout
    assert "running: " in text
    assert "its work_dir was removed" in text


def test_watch_as_json(invoke_json, start):
    """Nothing but the last state is printed."""
    running = start(keep_work_dir=True)
    threading.Timer(0.5, running.let_go).start()
    found = invoke_json("watch", running.work_dir, "--interval", "0.1")
    assert ("done", 6, False) == (found["phase"], found["returned"], found["is_removed"])


def test_watch_of_maps_that_are_over(invoke, failed, dead):
    """It ends at once, with the exit code of the map."""
    invoke("watch", failed, code=1)
    invoke("watch", dead.work_dir, code=1)


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_interrupted_watch_leaves_the_map_alone(live, number):
    """Ctrl-C ends the watching by its own exit code, and not the map."""
    argv = [sys.executable, "-m", "pypoolparty", "watch", live.work_dir, "--interval", "0.1"]
    watching = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "running" in watching.stdout.readline()
    watching.send_signal(number)
    _, err = watching.communicate(timeout=30)
    assert (130, True) == (watching.returncode, "interrupted" in err)
    live.let_go()
    out, _ = live.program.communicate(timeout=30)
    assert [0, 1, 2, 3, 4, 5] == json.loads(out)
    wait_until(lambda: not os.path.exists(live.work_dir))


def test_commands_are_as_short_as_they_can_be(failed, invoke, monkeypatch):
    """Paths in what is to be typed next are as they are seen from here, where the shell takes them as well."""
    parent, name = os.path.split(failed)
    monkeypatch.chdir(parent)
    assert f"→ pypoolparty failures {name}\n" in invoke("status", name, code=1).stdout
    assert f"→ pypoolparty logs {name} 1 --stderr\n" in invoke("failures", name, code=1).stdout
    assert failed in json.loads(invoke("status", name, "--json", code=1).stdout)["next"][0]
    assert "name" == near(os.path.abspath("name"))
    assert near(os.path.abspath("-name")).startswith("/")  # else it would be an option
