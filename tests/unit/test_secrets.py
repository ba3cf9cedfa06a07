"""What users give is data: it is nowhere run, and nowhere shown to others."""

import json
import os
import shlex
import stat
import sys

import pytest

import pypoolparty
from pypoolparty.testing import Dummies
from tests.unit import functions
from tests.unit.maps import wait_until

COMMANDS = {"slurm": ("sbatch", "squeue", "scancel"), "sge": ("qsub", "qstat", "qdel")}
POOLS = {
    "local": pypoolparty.local.Pool,
    "slurm": pypoolparty.slurm.array.Pool,
    "sge": pypoolparty.sun_grid_engine.array.Pool,
}
SECRETS = {name: f"hush-{name}-{os.getpid()}" for name in ("env", "initargs", "task", "result", "inherited")}
HOSTILE = [
    "$(touch {mark})",
    "`touch {mark}`",
    "'; touch {mark}; '",
    '"; touch {mark}; "',
    "\n touch {mark}\n",
    "a; touch {mark} #",
    '\'""" + str(open("{mark}", "w")) + """',
    "%s %n %j 100%",
    "--help",
    "\\n\\x41 \\",
    "雪 Ω",
    "() {{ :; }}; touch {mark}",
]


@pytest.fixture(params=POOLS)
def kind(request):
    """One kind of pool."""
    return request.param


@pytest.fixture
def make_pool(tmp_path, kind):
    """Makes pools whose calls of commands are written down, one JSON list for each, in the file ``calls``."""
    pools, dummies = [], Dummies(tmp_path / "dummies")

    def make(**given):
        paths = {}
        for command in COMMANDS.get(kind, ()):
            path = tmp_path / command
            path.write_text(RECORDER.format(sys.executable, str(tmp_path / "calls"), str(dummies.path(command))))
            path.chmod(0o700)
            paths[f"{command}_path"] = str(path)
        options = {"work_dir": tmp_path / "work", "polling_interval": 0.2, **paths, **given}
        pools.append(POOLS[kind](2, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.terminate()
        pool.join()
    dummies.close()


RECORDER = """#!{}
import json, os, sys
with open({!r}, "a") as stream:
    print(json.dumps(sys.argv), file=stream)
os.execv({!r}, sys.argv)
"""


def words_of_processes():
    """Return the arguments of all processes."""
    words = b""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                words += stream.read()
        except OSError:
            continue
    return words.decode(errors="replace")


def files_with_secrets(folder):
    """Return all files with a secret in them."""
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as stream:
                content = stream.read()
            if any(secret.encode() in content for secret in SECRETS.values()):
                found.append(os.path.join(base, name))
    return found


def test_secrets(make_pool, tmp_path, kind, monkeypatch):
    """What users give, and what tasks return, stands in no argv, in no journal, and in no file that others may read."""
    monkeypatch.setenv("INHERITED", SECRETS["inherited"])
    before = os.umask(0)
    try:
        pool = make_pool(
            env={"COLOUR": SECRETS["env"]},
            initializer=functions.set_up,
            initargs=(SECRETS["initargs"],),
            keep_work_dir=True,
        )
        task = (str(tmp_path), SECRETS["task"], SECRETS["result"])
        result = pool.map_async(functions.reveal, [task] * 2, chunksize=1)
        wait_until(lambda: (tmp_path / "at-work").exists(), "a task")
        words = words_of_processes()
        assert f"{result.work_dir}/script.py" in words
        (tmp_path / "go").touch()
        seen = result.get(30)[0]
    finally:
        os.umask(before)
    assert [SECRETS["initargs"], SECRETS["inherited"], SECRETS["task"], SECRETS["result"]] == seen
    words += (tmp_path / "calls").read_text() if kind != "local" else ""
    with open(os.path.join(result.work_dir, "log.jsonl")) as stream:
        words += stream.read()
    assert [] == [name for name, secret in SECRETS.items() if secret in words]
    found = files_with_secrets(result.work_dir)
    assert {"environment.json", "function.pickle", "tasks.zip", "tasks.results.zip"} <= set(
        map(os.path.basename, found)
    )
    assert {0o600} == {stat.S_IMODE(os.stat(path).st_mode) for path in found}
    assert 0o700 == stat.S_IMODE(os.stat(result.work_dir).st_mode)


def test_hostile_values(make_pool, tmp_path):
    """Variables, arguments of the initializer and tasks arrive as they are, and nothing of them is run."""
    mark = tmp_path / "mark"
    values = [value.format(mark=mark) for value in HOSTILE]
    env = {f"HOSTILE_{k}": value for k, value in enumerate(values)}
    pool = make_pool(env=env, initializer=functions.set_up, initargs=(values[0],))
    assert values == pool.map(os.getenv, env)
    assert values == pool.map(functions.identity, values)
    assert [values[0]] == pool.map(os.getenv, ["COLOUR"])
    assert not mark.exists()


@pytest.mark.parametrize("value", [value for value in HOSTILE if "\n" not in value and value != "--help"])
def test_hostile_python_path_and_account(make_pool, tmp_path, kind, value, monkeypatch):
    """The path of the python and the names that are asked for are single words for the scheduler."""
    mark = tmp_path / "mark"
    value = value.format(mark="mark")
    python = tmp_path / value.replace("/", "_")
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o700)
    names = {} if kind == "local" else {"account": value}
    monkeypatch.chdir(tmp_path)  # where a relative path would be
    assert [1, 2] == make_pool(python_path=str(python), **names).map(abs, [-1, -2])
    assert not mark.exists()
    if kind != "local":
        submissions = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        argv = next(argv for argv in submissions if os.path.basename(argv[0]) == COMMANDS[kind][0])
        assert str(python) in argv
        assert value in argv or f"--account={value}" in argv


@pytest.mark.parametrize("what", ["partition", "account", "qos"])
@pytest.mark.parametrize("value", ["-help", "--wrap=true", "a\nb", "a\0b", ""])
def test_names_that_would_be_options(what, value):
    """A name that a scheduler would take for an option, or cut, is refused."""
    with pytest.raises(ValueError, match=f"{what} must be a name"):
        pypoolparty.slurm.array.Pool(**{what: value})
