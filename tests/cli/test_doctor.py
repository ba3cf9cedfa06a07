"""``doctor``: what is fine is told, and what is not, with what to type."""

import os
import sys

import pytest

from pypoolparty.testing import FailCall, Stuck
from tests.hidden import python_without


@pytest.fixture(autouse=True)
def no_other_schedulers(monkeypatch):
    """What this machine has installed is not to be found."""
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.fixture
def only_dummies(dummies, monkeypatch):
    """Dummies, and no command besides."""
    monkeypatch.setenv("PATH", os.path.join(dummies.folder, "bin"))
    return dummies


def topics(document, weight):
    """Return what findings of a weight are about."""
    return [finding["about"] for finding in document["findings"] if finding["weight"] == weight]


def problem(document):
    """Return the only problem."""
    [found] = [finding for finding in document["findings"] if finding["weight"] == "problem"]
    return found


def test_machine_without_a_scheduler(invoke, invoke_json):
    """It is no problem: maps run here."""
    document = invoke_json("doctor")
    assert ("local", []) == (document["pool"], topics(document, "problem"))
    assert "schedulers" in topics(document, "note")
    assert {"canary", "python", "packages", "file visibility", "queue"} <= set(topics(document, "fine"))
    assert "✓ canary" in invoke("doctor").stdout


@pytest.mark.parametrize("pool", ["slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine"])
def test_healthy_scheduler(invoke_json, only_dummies, own_folder, pool):
    """It tells versions and limits, lets a map run, measures, and leaves nothing behind."""
    document = invoke_json("doctor", "--pool", pool)
    assert [] == topics(document, "problem")
    canary = document["canary"]
    assert canary["queue_seconds"] >= 0
    assert canary["visible_seconds"] >= 0
    assert ".".join(str(number) for number in sys.version_info[:3]) == canary["nodes"][0]["python"]
    slurm, grid_engine = document["schedulers"]
    assert "1001" == slurm["limits"]["MaxArraySize"]
    assert "75000" == grid_engine["limits"]["max_aj_tasks"]
    assert {"sbatch", "squeue", "scancel", "scontrol"} <= set(slurm["paths"])
    assert [] == os.listdir(own_folder)
    assert [] == only_dummies.queue()


def test_no_squeue(invoke, only_dummies):
    """A command that is lacking is named."""
    os.unlink(only_dummies.path("squeue"))
    text = invoke("doctor", "--pool", "slurm.array", code=5).stdout
    assert "✗ Slurm" in text
    assert "squeue not found, but" in text
    assert "→ export PATH=" in text


def test_scheduler_that_is_down(invoke, only_dummies):
    """Its own words are told, nothing is submitted, and the exit code is 5."""
    fault = only_dummies.add_fault(FailCall(command="squeue", times=1))
    text = invoke("doctor", "--pool", "slurm.array", code=5).stdout
    assert 1 == only_dummies.fired(fault)
    assert "Unable to contact slurm controller" in text
    assert 0 == only_dummies.calls("sbatch")


def test_bad_python_on_the_node(invoke_json, only_dummies):
    """It is told from other deaths."""
    document = invoke_json("doctor", "--pool", "slurm.array", "--set", "python_path=/no/such/python3", code=1)
    assert "NoPython" == document["canary"]["cause"]
    assert "python_path=/no/such/python3 can not be run" in problem(document)["words"]
    assert "--set python_path=" in problem(document)["command"]


def test_work_dir_that_is_not_visible_on_the_node(invoke_json, only_dummies, own_folder):
    """A node on which the folder is empty is told as that."""
    parent = own_folder / "scratch"
    parent.mkdir()
    wrapper = python_without(parent, own_folder / "python-on-the-node")
    words = ["--pool", "slurm.array", "--work-dir", parent, "--set", f"python_path={wrapper}"]
    document = invoke_json("doctor", *words, code=1)
    assert "NotVisible" == document["canary"]["cause"]
    assert f"the work_dir {parent} is not visible" in problem(document)["words"]
    assert "--work-dir" in problem(document)["command"]


def test_partition_that_is_not_there(invoke_json, only_dummies):
    """The scheduler's refusal is told in its own words."""
    document = invoke_json("doctor", "--pool", "slurm.array", "--set", "partition=nowhere", code=1)
    assert "Refused" == document["canary"]["cause"]
    assert "partition" in problem(document)["words"]


def test_queue_that_does_not_move(invoke_json, only_dummies):
    """After the time that it was given it is cancelled, and told."""
    only_dummies.configure(slots=0)
    document = invoke_json("doctor", "--pool", "slurm.array", "--timeout", "3", code=1)
    assert "Overdue" == document["canary"]["cause"]
    assert "did not end within 3 s" in problem(document)["words"]
    assert [] == only_dummies.queue()


def test_queue_jobs_that_are_held(invoke_json, only_dummies):
    """The scheduler's reason is told."""
    fault = only_dummies.add_fault(Stuck(reason="Priority", times=9))
    document = invoke_json("doctor", "--pool", "slurm.array", code=1)
    assert only_dummies.fired(fault)
    assert "Held" == document["canary"]["cause"]
    assert "(Priority)" in problem(document)["words"]


def test_folder_that_can_not_be_written(invoke_json):
    """It is told before anything is tried."""
    document = invoke_json("doctor", "--work-dir", "/proc/none", code=1)
    assert "work_dir" == problem(document)["about"]
    assert None is document["canary"]


def test_folder_is_described(invoke_json, own_folder):
    """File system, room, links and exclusive creation; nothing stays behind."""
    disk = invoke_json("doctor", "--no-canary", "--work-dir", own_folder / "not" / "yet")["work_dir"]
    assert (True, True, "") == (disk["hard_links"], disk["exclusive_create"], disk["error"])
    assert disk["free_bytes"] > 0
    assert disk["file_system"] != "unknown"
    assert [] == os.listdir(own_folder)


def test_scheduler_that_is_not_used_may_be_away(invoke_json, dummies):
    """Where Slurm answers, a Grid Engine that does not is noted, and no problem; asked for, it is one."""
    dummies.add_fault(FailCall(command="qstat", times=99))
    found = invoke_json("doctor", "--no-canary")
    assert "note" == next(one["weight"] for one in found["findings"] if "qstat does not answer" in one["words"])
    assert "qstat" in problem(invoke_json("doctor", "--no-canary", "--pool", "sun_grid_engine.array", code=5))["words"]


def test_settings_of_the_site(invoke, invoke_json, monkeypatch, tmp_path):
    """They are shown, with where they come from; what is wrong in them is a problem, with the file and the line."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "pypoolparty" / "config.toml"
    path.parent.mkdir()
    path.write_text('[slurm]\npartition = "long"\n')
    expected = {"scheduler": "slurm", "name": "partition", "value": "long", "source": f"{path}:2"}
    assert [expected] == invoke_json("doctor", "--no-canary")["site"]
    assert f"slurm: partition = 'long' ({path}:2)" in invoke("doctor", "--no-canary").stdout
    path.write_text('[slurm]\npartitoin = "long"\n')
    for options in (["--no-canary"], ["--pool", "local"]):
        assert f"{path}:2: " in problem(invoke_json("doctor", *options, code=1))["words"]
