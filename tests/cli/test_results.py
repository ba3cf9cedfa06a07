"""``results`` and ``report``: files of all kinds, of maps in all conditions."""

import csv
import json
import pickle
import subprocess
import sys
import threading
import types

import pytest

from tests.unit.maps import run_local, wait_until


def give(task):
    """Return values of many kinds."""
    if task == 3:
        raise KeyError("three")
    return [1.5, {"a": 1, "b": [2]}, (3, 4), None, "x,\ny", {5}][task]


@pytest.fixture
def mixed(tmp_path):
    """A map with values of many kinds, and one failure."""
    return run_local(tmp_path / "mixed", give, range(6))


def test_pickle(invoke, mixed):
    """The list that `map` would have returned, with the exception at its place."""
    found = invoke("results", mixed, "-o", "out.pickle", code=1)
    assert "5 of 6 results in out.pickle; 1 failed, 0 open" in found.stderr
    with open("out.pickle", "rb") as stream:
        values = pickle.load(stream)
    assert [1.5, {"a": 1, "b": [2]}, (3, 4)] == values[:3]
    assert ["x,\ny", {5}] == values[4:]
    assert isinstance(values[3], KeyError)


def test_json_lines(invoke, mixed):
    """A line for each task, in their order, with the value or the error."""
    invoke("results", mixed, "-o", "out.jsonl", code=1)
    with open("out.jsonl") as stream:
        rows = [json.loads(line) for line in stream]
    assert [0, 1, 2, 3, 4, 5] == [row["itask"] for row in rows]
    assert [1.5, {"a": 1, "b": [2]}, [3, 4]] == [row["value"] for row in rows[:3]]
    assert {"type": "KeyError", "message": "'three'"} == rows[3]["error"]


def test_csv(invoke, mixed):
    """Dicts and tuples have columns of their own; all rows have all columns."""
    invoke("results", mixed, "-o", "out.csv", code=1)
    with open("out.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert ["itask", "value", "a", "b", "value_0", "value_1", "error"] == list(rows[0])
    assert ("1.5", "", "1", "4") == (rows[0]["value"], rows[1]["value"], rows[1]["a"], rows[2]["value_1"])
    assert ("KeyError: 'three'", "x,\ny") == (rows[3]["error"], rows[4]["value"])


def test_lines_on_stdout(invoke, mixed):
    """A line for each task, and nothing else; what failed leaves an empty one."""
    found = invoke("results", mixed, "-o", "-", code=1)
    assert ["1.5", '{"a": 1, "b": [2]}', "[3, 4]", "", "x, y", "[5]"] == found.stdout.splitlines()
    assert "task 3 failed" in found.stderr


def test_numpy(invoke, tmp_path):
    """Arrays and scalars of numpy are written as numbers."""
    numpy = pytest.importorskip("numpy")
    work_dir = run_local(tmp_path / "numpy", numpy.arange, [2, 3])
    invoke("results", work_dir, "-o", "out.jsonl")
    with open("out.jsonl") as stream:
        assert [[0, 1], [0, 1, 2]] == [json.loads(line)["value"] for line in stream]
    work_dir = run_local(tmp_path / "scalars", numpy.float64, [2, 3])
    invoke("results", work_dir, "-o", "out.csv")
    with open("out.csv") as stream:
        assert ["itask,value,error", "0,2.0,", "1,3.0,"] == stream.read().splitlines()


def test_results_of_an_unfinished_map(invoke_json, start):
    """What is there is written, what is not is told, also while it runs and after its main process has died."""
    running = start()
    for _ in range(2):
        found = {}

        def are_written(found=found):
            found.update(invoke_json("results", running.work_dir, "-o", "out.jsonl", code=1))
            return found["returned"] >= 1

        wait_until(are_written)
        assert (6, 0) == (found["returned"] + found["open"], found["failed"])
        running.kill()
    with open("out.jsonl") as stream:
        rows = [json.loads(line) for line in stream]
    assert found["open"] == sum("has no outcome yet" in row.get("error", {}).get("message", "") for row in rows)


def test_results_of_classes_in_the_users_folder(invoke, tmp_path):
    """Modules are found where the main process had them, not only in this folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "shapes_of_user.py").write_text("class Shape:\n    def __init__(self, n): self.n = n\n")
    (folder / "program.py").write_text(
        "import pypoolparty, shapes_of_user, sys\n"
        "with pypoolparty.local.Pool(1, work_dir=sys.argv[1], keep_work_dir=True) as pool:\n"
        "    pool.map(shapes_of_user.Shape, range(2)); pool.close(); pool.join()\n"
    )
    subprocess.run([sys.executable, "program.py", tmp_path / "maps"], cwd=folder, check=True, timeout=60)
    [work_dir] = (tmp_path / "maps").iterdir()
    invoke("results", work_dir, "-o", "out.pickle")
    sys.modules.pop("shapes_of_user", None)
    with open("out.pickle", "rb") as stream:
        assert [0, 1] == [shape.n for shape in pickle.load(stream)]


def test_task_that_was_never_sent(invoke_json, tmp_path):
    """One that could not be pickled has failed, and is not open."""
    work_dir = run_local(tmp_path / "never", abs, [1, threading.Lock(), -3])
    found = invoke_json("results", work_dir, "-o", "out.jsonl", code=1)
    assert (2, 1, 0) == (found["returned"], found["failed"], found["open"])


@pytest.mark.parametrize(
    ("path", "words"),
    [("out.xml", "must end in one of .pickle, .jsonl, .csv"), ("no/such/out.csv", "there is no folder")],
)
def test_outputs_that_can_not_be(invoke, finished, path, words):
    """They are refused before anything is read."""
    assert words in invoke("results", finished, "-o", path, code=2).stderr


def test_output_appears_whole(invoke, finished, monkeypatch):
    """If writing fails, what was there stays."""
    with open("out.jsonl", "w") as stream:
        stream.write("old")
    monkeypatch.setattr("pypoolparty.cli._writing.os.fsync", _no_room)
    assert "No space" in invoke("results", finished, "-o", "out.jsonl", code=6).stderr
    with open("out.jsonl") as stream:
        assert "old" == stream.read()


def _no_room(fd):
    raise OSError(28, "No space left on device")


def test_report(invoke, invoke_json, finished, monkeypatch, own_folder):
    """It is written by the module that makes reports, by default beside where one is."""
    module = types.ModuleType("pypoolparty.report")
    calls = []
    module.write = lambda work_dir, path: calls.append((work_dir, path))
    monkeypatch.setitem(sys.modules, "pypoolparty.report", module)
    found = invoke_json("report", finished)
    path = str(own_folder / f"{finished.rpartition('/')[2]}.html")
    assert {"work_dir": finished, "output": path} == found
    invoke("report", finished, "-o", "x.html")
    assert [(finished, path), (finished, str(own_folder / "x.html"))] == calls


def test_report_that_can_not_be_made(invoke, finished, monkeypatch):
    """Without the library it says what to install."""
    monkeypatch.setitem(sys.modules, "pypoolparty.report", None)
    assert "pip install 'pypoolparty[report]'" in invoke("report", finished, code=6).stderr
