"""``map``: functions over files, from the shell."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.unit.maps import wait_until

MODULE = """
import os, time

def up(text): return text.upper()
def total(row): return {"sum": int(row["a"]) + int(row["b"])}
def square(task): return task * task
def pick(task): return 1 / task
def wait(task):
    open(f"at-{task}", "w").close()
    while not os.path.exists("go"): time.sleep(0.01)
    return task
class Group:
    @staticmethod
    def inner(task): return [task]
"""


@pytest.fixture(autouse=True)
def module(own_folder):
    """The user's module, in this folder."""
    (own_folder / "model_of_user.py").write_text(MODULE)
    yield
    sys.modules.pop("model_of_user", None)


def arguments(func, source, output="out.txt"):
    """Return a command line for two workers on this machine."""
    return ["map", f"model_of_user:{func}", "--input", source, "--output", output, "--pool", "local", "-n", "2"]


def test_lines(invoke, own_folder):
    """Each line is a text, and each result a line, in their order."""
    (own_folder / "in.txt").write_text("one\ntwo words\n\nfour")
    found = invoke(*arguments("up", "in.txt"))
    assert "ONE\nTWO WORDS\n\nFOUR\n" == (own_folder / "out.txt").read_text()
    assert "4 of 4 tasks have returned" in found.stderr
    assert "" == found.stdout


def test_stdin_to_stdout(invoke):
    """It fits into a pipe: nothing but results on stdout."""
    found = invoke(*arguments("up", "-", "-"), input="a\nb\n")
    assert "A\nB\n" == found.stdout


def test_csv_to_csv(invoke, own_folder):
    """Rows are dicts of text."""
    (own_folder / "in.csv").write_text('a,b\n1,2\n3,"4"\n')
    invoke(*arguments("total", "in.csv", "out.csv"))
    assert "itask,sum,error\n0,3,\n1,7,\n" == (own_folder / "out.csv").read_text()


def test_json_lines(invoke, own_folder):
    """Tasks are of all kinds that JSON knows; blank lines are none."""
    (own_folder / "in.jsonl").write_text("2\n\n1.5\n")
    invoke(*arguments("square", "in.jsonl", "out.jsonl"))
    rows = [json.loads(line) for line in (own_folder / "out.jsonl").read_text().splitlines()]
    assert [4, 2.25] == [row["value"] for row in rows]


def test_format_by_word(invoke, own_folder):
    """--format goes before the ending; stdin has none."""
    invoke(*arguments("Group.inner", "-", "out.jsonl"), "--format", "jsonl", input="1\n2\n")
    rows = [json.loads(line) for line in (own_folder / "out.jsonl").read_text().splitlines()]
    assert [[1], [2]] == [row["value"] for row in rows]


def test_failing_tasks(invoke, invoke_json, own_folder):
    """What is there is written; the exit code is 1, and the work_dir and the cause are named."""
    (own_folder / "in.jsonl").write_text("1\n0\n4\n")
    found = invoke(*arguments("pick", "in.jsonl", "out.jsonl"), code=1)
    assert "2 of 3 tasks have returned" in found.stderr
    assert "ZeroDivisionError: 1 task raised" in found.stderr
    assert "the work_dir is kept: " in found.stderr
    rows = [json.loads(line) for line in (own_folder / "out.jsonl").read_text().splitlines()]
    assert [1.0, None, 0.25] == [row.get("value") for row in rows]
    document = invoke_json(*arguments("pick", "in.jsonl", "out.jsonl"), code=1)
    assert (3, 2, 1) == (document["n_tasks"], document["returned"], document["failed"])
    assert os.path.exists(document["work_dir"])
    assert "ZeroDivisionError" == document["groups"][0]["cause"]


def test_work_dir_goes_when_all_went_well(invoke, invoke_json, own_folder):
    """It is kept if asked for."""
    (own_folder / "in.txt").write_text("a\n")
    parent = own_folder / "maps"
    words = [*arguments("up", "in.txt"), "--set", f"work_dir={parent}"]
    assert None is invoke_json(*words)["work_dir"]
    assert [] == list(parent.iterdir())
    assert str(parent) == os.path.dirname(invoke_json(*words, "--keep")["work_dir"])


def test_no_tasks(invoke, own_folder):
    """An empty file gives an empty one."""
    (own_folder / "in.txt").write_text("")
    assert "0 of 0 tasks" in invoke(*arguments("up", "in.txt")).stderr
    assert "" == (own_folder / "out.txt").read_text()


def test_map_in_the_queue(invoke, dummies, own_folder):
    """On a cluster, with all that a pool takes; the function comes out of the user's folder there, too."""
    (own_folder / "in.txt").write_text("a\nb\n")
    words = ["map", "model_of_user:up", "--input", "in.txt", "-o", "out.txt", "--pool", "slurm.array", "-n", "2"]
    invoke(*words, "--mem", "1G", "--time", "10:00", "--set", "polling_interval=0.2", "--set", "partition=main")
    assert "A\nB\n" == (own_folder / "out.txt").read_text()
    assert not (own_folder / ".pypoolparty").exists()
    assert 1 == dummies.calls("sbatch")
    [job] = dummies.state()["jobs"]
    assert "main" in json.dumps(job)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model_of_user", "in.txt"], "must be MODULE:FUNC"),
        (["no_such_module:f", "in.txt"], "can not be imported: No module named"),
        (["model_of_user:f", "in.txt"], "has no attribute 'f'"),
        (["os:sep", "in.txt"], "is no function"),
        (["model_of_user:up", "none.txt"], "'none.txt' can not be read: No such file"),
        (["model_of_user:up", "in.jsonl"], "in.jsonl, line 2, is no JSON"),
    ],
)
def test_command_lines_that_are_wrong(invoke, own_folder, words, message):
    """What is wrong is said, nothing is run, and nothing is left."""
    (own_folder / "in.txt").write_text("a\n")
    (own_folder / "in.jsonl").write_text("1\n{\n")
    found = invoke("map", words[0], "--input", words[1], "-o", "out.txt", "--pool", "local", code=2)
    assert message in found.stderr
    assert not (own_folder / "out.txt").exists()


def test_json_and_results_do_not_share_stdout(invoke):
    """One of them has to go elsewhere."""
    assert "both write to stdout" in invoke(*arguments("up", "-", "-"), "--json", input="", code=2).stderr


def test_interrupted_map(own_folder):
    """Ctrl-C ends it with its own exit code, leaves nothing running, and says how to go on."""
    (own_folder / "in.txt").write_text("a\nb\n")
    argv = [sys.executable, "-m", "pypoolparty", *arguments("wait", "in.txt")]
    program = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (own_folder / "at-a").exists())
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=30)
    assert 130 == program.returncode, err
    line = next(line for line in err.splitlines() if "to go on: pypoolparty resume" in line)
    words = line.partition("to go on: pypoolparty ")[2].split()
    (own_folder / "go").touch()
    again = subprocess.run([sys.executable, "-m", "pypoolparty", *words], capture_output=True, text=True, timeout=60)
    assert (0, "a\nb\n") == (again.returncode, (own_folder / "out.txt").read_text()), again.stderr
