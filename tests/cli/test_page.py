"""docs/cli.md: it has each command, each exit code, and examples with options that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from pypoolparty.cli import main
from pypoolparty.cli._exit import EXIT_CODES
from pypoolparty.cli._face import COMMANDS

ROOT = Path(__file__).parents[2]
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
