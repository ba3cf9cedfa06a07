"""``clean``: what goes, and what never does."""

import json
import os
import time

from tests.unit.maps import wait_until


def parent_of(work_dir):
    """Return the folder that a work_dir is in."""
    return os.path.dirname(work_dir)


def make_old(work_dir, seconds):
    """Let a map have been over for so long."""
    path = os.path.join(work_dir, "log.jsonl")
    with open(path) as stream:
        lines = [json.loads(line) for line in stream]
    with open(path, "w") as stream:
        stream.writelines(json.dumps({**line, "time": time.time() - seconds}) + "\n" for line in lines)
    path = os.path.join(work_dir, "session.json")
    with open(path) as stream:
        session = json.load(stream)
    with open(path, "w") as stream:
        json.dump({**session, "created": time.time() - seconds}, stream)


def test_finished_maps_are_removed(invoke, finished):
    """Nobody is asked with --yes."""
    assert "removed 1 work_dir, " in invoke("clean", parent_of(finished), "--yes").stdout
    assert not os.path.exists(finished)


def test_it_asks(invoke, finished):
    """It says what is about to go; no is no, and so is the end of the input."""
    found = invoke("clean", parent_of(finished), input="n\n")
    assert finished in found.output
    assert "6 results" in found.output
    assert "removed 0 work_dirs" in found.stdout
    invoke("clean", parent_of(finished), input="", code=130)
    assert os.path.exists(finished)
    invoke("clean", parent_of(finished), input="y\n")
    assert not os.path.exists(finished)


def test_json_never_asks(invoke, invoke_json, finished):
    """Without --yes it is a wrong command line, and nothing goes."""
    assert "say --yes" in invoke("clean", finished, "--json", code=2).stderr
    assert os.path.exists(finished)
    found = invoke_json("clean", finished, "--yes")
    assert ([finished], []) == (found["removed"], found["kept"])
    assert found["bytes"] > 1000


def test_only_old_ones(invoke, invoke_json, finished, failed, tmp_path):
    """--older-than spares what was heard of since; a wrong age is refused."""
    make_old(finished, 8 * 86400)
    both = tmp_path / "both"
    both.mkdir()
    old, young = both / "q1", both / "q2"
    os.rename(finished, old)
    os.rename(failed, young)
    found = invoke_json("clean", both, "--older-than", "7d", "--yes")
    assert [str(old)] == found["removed"]
    assert [str(young)] == [one["work_dir"] for one in found["kept"]]
    assert "must be a number and s, m, h, d or w" in invoke("clean", both, "--older-than", "soon", code=2).stderr


def test_unfinished_ones_stay(invoke, dead):
    """Unless by force."""
    assert "unfinished (dead" in invoke("clean", dead.work_dir, "--yes").stdout
    assert os.path.exists(dead.work_dir)
    invoke("clean", dead.work_dir, "--yes", "--force")
    assert not os.path.exists(dead.work_dir)


def test_those_in_use_stay(invoke, live):
    """Also by force; it is said how to end them."""
    for words in ([], ["--force"]):
        text = invoke("clean", live.work_dir, "--yes", *words, code=4).stdout
        assert f"in use by process {live.program.pid}" in text
        assert "pypoolparty cancel" in text
    live.let_go()
    out, _ = live.program.communicate(timeout=30)
    assert [0, 1, 2, 3, 4, 5] == json.loads(out)
    wait_until(lambda: not os.path.exists(live.work_dir))


def test_other_folders_stay(invoke, finished):
    """What is no work_dir, or behind a link, is not touched."""
    other = os.path.join(parent_of(finished), "other")
    os.mkdir(other)
    link = os.path.join(parent_of(finished), "link")
    os.symlink(other, link)
    invoke("clean", parent_of(finished), "--yes")
    assert ["link", "other"] == sorted(os.listdir(parent_of(finished)))
