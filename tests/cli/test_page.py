"""docs/cli.md: it has each command, each exit code, and examples that run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pypoolparty.cli import main
from pypoolparty.cli._exit import EXIT_CODES
from pypoolparty.cli._face import COMMANDS
from tests.docs.blocks import blocks_of
from tests.ticking import ticking_dummies

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs" / "cli.md", ROOT / "README.md")
PAGE = (ROOT / "docs" / "cli.md").read_text()


def examples_in(text):
    """Return the command lines of pypoolparty in the blocks of shell, as words."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        if "pypoolparty" in words and "pip" not in words:
            found.append(words[words.index("pypoolparty") + 1 :])
    return found


def test_each_command_has_a_section_with_an_example():
    """Nothing is left out, and nothing told that is not there."""
    headings = re.findall(r"^## ([a-z]+)$", PAGE, re.MULTILINE)
    assert sorted(COMMANDS) == sorted(headings)
    for name in headings:
        section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
        assert name in [words[0] for words in examples_in(section)], name


def test_each_exit_code_is_told():
    """The table has the codes that there are."""
    rows = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert [str(int(code)) for code in EXIT_CODES] == rows


@pytest.mark.parametrize(
    "words",
    [*examples_in(PAGE), *examples_in((ROOT / "README.md").read_text())],
    ids=lambda words: " ".join(words)[:60],
)
def test_examples_have_options_that_there_are(words):
    """Each word with a dash is an option of its command."""
    command = main.get_command(click.Context(main), words[0])
    options = {name for option in command.params for name in option.opts}
    used = {word for word in words[1:] if re.match(r"--?[a-z]", word)}
    assert used <= options


def test_examples_in_the_help():
    """Each command's help has an example, with options that there are."""
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        text = " ".join(command.help.split())
        example = re.search(r"Example: pypoolparty (.*)$", text)
        assert example, name
        words = shlex.split(example[1])
        assert name == words[0]
        options = {option_name for option in command.params for option_name in option.opts}
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= options


PROGRAM = """
import pypoolparty

def task(number):
    print("task", number)
    if number == 17:
        raise ValueError(number)
    return number

with pypoolparty.slurm.array.Pool(4, polling_interval=0.2) as pool:
    pool.map(task, range(20), on_error="return")
"""
# What examples of `map` read, and the functions that they call.
FILES = {
    "model.py": "def simulate(row):\n    return float(row['x']) ** 2\n",
    "parameters.csv": "x\n1\n2\n",
    "images.py": "def count_stars(name):\n    return len(open(name).read())\n",
    "images/one.png": "***",
}
# These tell by their exit code that a task has failed.
TELL_OF_FAILURES = {"status", "watch", "failures", "results", "resume"}


def lines_of(page):
    """Return the command lines of a page that belong to this test, without comments."""
    blocks = [block for block in blocks_of(page) if "tests/cli/test_page.py" in block.run_by and block.language == "sh"]
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.lines]
    return [line for line in lines if line and not line.startswith("W=")]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run(page, own_folder, tmp_path):
    """Each line runs, on a map of which the task 17 has failed, and ends with the exit code that the table tells."""
    for folder in (tmp_path / "home", tmp_path / "scratch", own_folder / "images"):
        folder.mkdir()
    for name, text in FILES.items():
        (own_folder / name).write_text(text)
    lines = lines_of(page)
    assert len(lines) >= 5
    with ticking_dummies(tmp_path / "dummies") as environment:
        path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        environment = {**environment, "PATH": path, "HOME": str(tmp_path / "home")}

        def run(*argv):
            return subprocess.run(
                argv, cwd=own_folder, env=environment, input="y\n", capture_output=True, text=True, timeout=120
            )

        made = run(sys.executable, "-c", PROGRAM)
        assert 0 == made.returncode, made.stderr
        [work_dir] = (own_folder / ".pypoolparty").glob("q*")
        real = {"$W": work_dir, "WORK_DIR": work_dir, "/scratch/me": tmp_path / "scratch"}
        for line in lines:
            for name, path in real.items():
                line = line.replace(name, shlex.quote(str(path)))
            done = run("bash", "-o", "pipefail", "-c", line)
            [words] = examples_in(f"```sh\n{line}\n```\n")
            assert int(words[0] in TELL_OF_FAILURES) == done.returncode, f"{line}\n{done.stdout}{done.stderr}"
    for name in re.findall(r"(?:-o|--output) (\S+)", "\n".join(lines)):
        assert (own_folder / name).stat().st_size, name
    assert ("pypoolparty clean" not in lines) == work_dir.exists()
