"""What all commands share: exit codes, JSON, help, completion, a quick start."""

import json
import os
import subprocess
import sys
import time

import pytest

from pypoolparty.cli._exit import EXIT_CODES
from pypoolparty.cli._face import COMMANDS
from pypoolparty.work_dir import Layout
from tests.unit import functions
from tests.unit.maps import run_local

# A command line of each command, and the keys of its document.
STATE = {
    "phase",
    "n_tasks",
    "returned",
    "raised",
    "lost",
    "open",
    "pending_jobs",
    "running_jobs",
    "submissions",
    "next",
}
DOCUMENTS = {
    "doctor": (["--no-canary"], {"schedulers", "work_dir", "findings", "canary", "pool", "python", "site"}),
    "ls": (["PARENT"], {"maps"}),
    "status": (["WORK_DIR"], STATE),
    "watch": (["WORK_DIR"], {*STATE, "is_removed"}),
    "failures": (["WORK_DIR"], {"work_dir", "failed", "groups"}),
    "logs": (["WORK_DIR", "1"], {"itask", "stream", "text", "traceback", "queue_jobs"}),
    "results": (["WORK_DIR", "-o", "out.csv"], {"output", "n_tasks", "returned", "failed", "open"}),
    "report": (["WORK_DIR"], {"error"}),
    "resume": (["WORK_DIR"], {"n_tasks", "returned", "failed", "groups", "output"}),
    "cancel": (["WORK_DIR"], {"words", "job_ids", "is_ended", "is_done", "next"}),
    "clean": (["WORK_DIR", "--yes"], {"removed", "bytes", "kept"}),
    "map": (["builtins:len", "--input", "in.txt", "-o", "out.txt", "--pool", "local"], {"pool", "returned", "groups"}),
    "completion": (["bash"], {"shell", "line", "file"}),
}


def test_each_command_is_tried():
    """A new command comes with a row above."""
    assert list(COMMANDS) == list(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_of_each_command(name, finished, own_folder, monkeypatch):
    """Standard output has one document with its keys, and nothing else; also where a command fails."""
    (own_folder / "in.txt").write_text("a\n")
    monkeypatch.setenv("PATH", "/nonexistent")  # no scheduler of this machine
    places = {"WORK_DIR": finished, "PARENT": os.path.dirname(finished)}
    words, keys = DOCUMENTS[name]
    argv = [sys.executable, "-m", "pypoolparty", name, *(places.get(word, word) for word in words), "--json"]
    blocked = (
        "import sys; sys.modules['pypoolparty.report'] = None; from pypoolparty.cli import main; main(sys.argv[1:])"
    )
    if name == "report":
        argv[1:3] = ["-c", blocked]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    document = json.loads(done.stdout)
    assert keys <= set(document), done.stderr
    assert (6 if name == "report" else 0) == done.returncode, done.stderr


def test_errors_as_json(invoke_json, invoke, tmp_path):
    """An error is a document, too, with its type and exit code; for people it is on stderr."""
    found = invoke_json("status", tmp_path / "none", code=3)["error"]
    assert ("NotAWorkDir", 3) == (found["type"], found["exit_code"])
    found = invoke_json("status", "--speed", code=2)["error"]
    assert ("UsageError", 2) == (found["type"], found["exit_code"])
    result = invoke("status", tmp_path / "none", code=3)
    assert "" == result.stdout
    assert "is no work_dir" in result.stderr


def test_exit_codes_of_work_dirs(invoke, finished, live):
    """What is no work_dir, not safe, damaged, or of another version is 3; what is in use 4."""
    invoke("status", finished)
    invoke("resume", live.work_dir, code=4)
    layout = Layout(finished)
    with open(layout.session) as stream:
        session = json.load(stream)
    for content in (json.dumps({**session, "format_version": 99}), "{"):
        with open(layout.session, "w") as stream:
            stream.write(content)
        for command in (["status"], ["failures"], ["logs", "0"], ["results", "-o", "x.csv"], ["resume"], ["cancel"]):
            invoke(command[0], finished, *command[1:], code=3)
    os.chmod(finished, 0o777)
    invoke("status", finished, code=3)


def test_exit_codes_are_in_the_help(invoke):
    """Each command's help tells all of them."""
    for name in COMMANDS:
        text = " ".join(invoke(name, "--help").stdout.split())
        for code, words in EXIT_CODES.items():
            assert f"{int(code)} {words}" in text, name


def test_mistake_of_ours_is_not_a_failed_task(invoke, finished, monkeypatch):
    """What is not foreseen comes with its traceback, and an exit code that says so."""
    monkeypatch.setattr("pypoolparty.cli._looking.state_of", lambda path: 1 / 0)
    assert "division by zero" in invoke("status", finished, code=6).stderr


def test_closed_pipe(finished):
    """A reader that has had enough is no error to be told."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -m pypoolparty failures "$0" | true', finished],
        capture_output=True,
        timeout=60,
    )
    assert (0, b"") == (done.returncode, done.stderr)


def test_unknown_command(invoke):
    """It is a wrong command line."""
    assert "No such command 'stauts'" in invoke("stauts", code=2).stderr


def test_script_is_installed():
    """`pypoolparty` is what ``python -m pypoolparty`` is."""
    script = os.path.join(os.path.dirname(sys.executable), "pypoolparty")
    texts = [
        subprocess.run([*argv, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
        for argv in ([script], [sys.executable, "-m", "pypoolparty"])
    ]
    assert texts[0] == texts[1]
    assert texts[0].startswith("pypoolparty 1.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, invoke):
    """The line that is printed makes the shell ask, and the answer has the commands and their options."""
    line = invoke("completion", shell).stdout.splitlines()[1]
    assert f"_PYPOOLPARTY_COMPLETE={shell}_source" in line

    def ask(variables, action):
        script = os.path.join(os.path.dirname(sys.executable), "pypoolparty")
        given = {**os.environ, **variables, "_PYPOOLPARTY_COMPLETE": f"{shell}_{action}"}
        return subprocess.run([script], env=given, capture_output=True, text=True, timeout=60).stdout

    assert "_pypoolparty_completion" in ask({}, "source")
    if shell == "fish":
        assert "status" in ask({"COMP_WORDS": "pypoolparty st", "COMP_CWORD": "st"}, "complete")
    else:
        assert "status" in ask({"COMP_WORDS": "pypoolparty st", "COMP_CWORD": "1"}, "complete")
        options = ask({"COMP_WORDS": "pypoolparty map --p", "COMP_CWORD": "2"}, "complete")
        assert "--pool" in options


def test_completion_in_a_real_bash(tmp_path):
    """A bash that has read the line offers the commands."""
    folder = os.path.dirname(sys.executable)
    text = (
        'eval "$(_PYPOOLPARTY_COMPLETE=bash_source pypoolparty)"\n'
        "COMP_WORDS=(pypoolparty res); COMP_CWORD=1; _pypoolparty_completion pypoolparty\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, timeout=60)
    assert ["results", "resume"] == sorted(done.stdout.split()), done.stderr


def test_help_imports_no_command():
    """The list of commands is there at once: what they need is imported when they run."""
    text = (
        "import sys\nfrom pypoolparty.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('pypoolparty.cli._doctor') or name == 'rich'])\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert "[]" == done.stdout.splitlines()[-1]


def test_many_tasks_are_no_matter(invoke, tmp_path):
    """A map of 200,000 tasks is looked at in a moment: its results are not read."""
    work_dir = run_local(tmp_path / "many", functions.identity, range(200_000))
    began = time.monotonic()
    invoke("status", work_dir)
    invoke("failures", work_dir)
    invoke("ls", tmp_path / "many")
    assert time.monotonic() - began < 5
