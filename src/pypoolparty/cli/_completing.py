"""``pypoolparty completion``: how to switch on what click brings along."""

from __future__ import annotations

import click

from ._face import Answer, answering

__all__ = ["completion_command"]

# The line, and the file that it belongs into.
_LINES = {
    "bash": ('eval "$(_PYPOOLPARTY_COMPLETE=bash_source pypoolparty)"', "~/.bashrc"),
    "zsh": ('eval "$(_PYPOOLPARTY_COMPLETE=zsh_source pypoolparty)"', "~/.zshrc"),
    "fish": ("_PYPOOLPARTY_COMPLETE=fish_source pypoolparty | source", "~/.config/fish/completions/pypoolparty.fish"),
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_LINES)))
@answering
def completion_command(shell: str) -> Answer:
    """Print the line that switches the completion on, for your shell's start-up file.

    Example: pypoolparty completion bash >> ~/.bashrc
    """
    line, path = _LINES[shell]
    # A comment, so that the whole output may be appended to the file.
    text = f"# completion of pypoolparty; this line belongs into {path}\n{line}"
    return Answer({"shell": shell, "line": line, "file": path}, lambda console: click.echo(text))
