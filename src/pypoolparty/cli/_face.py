"""The face of all commands: their table, their answers, and how they end."""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ._exit import EXIT_CODES, Exit, code_of, is_foreseen

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Answer", "answering", "main", "wants_json", "work_dir_argument"]

# Where each command is, and what it does in a few words: the help should not import them all.
COMMANDS = {
    "doctor": ("_doctor", "Tell what works here, and what to mend."),
    "ls": ("_looking", "List the maps in a folder."),
    "status": ("_looking", "Tell how far a map is."),
    "watch": ("_looking", "Show how far a map is, until it is over."),
    "failures": ("_failing", "Tell what went wrong in a map, by cause, and what to do."),
    "logs": ("_failing", "Print what a task wrote."),
    "results": ("_results", "Write the results of a map into a file."),
    "report": ("_results", "Write a page about a map."),
    "resume": ("_going_on", "Go on with a map that was interrupted, died, or had failures."),
    "cancel": ("_going_on", "End a map, wherever its main process is, and cancel its queue-jobs."),
    "clean": ("_cleaning", "Remove the work_dirs of finished maps."),
    "map": ("_mapping", "Apply a function to each line of a file."),
    "completion": ("_completing", "Print how to switch the shell's completion on."),
}
EPILOG = "Exit codes: " + "; ".join(f"{code.value} {words}" for code, words in EXIT_CODES.items()) + "."
PIPED_WIDTH = 400


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    document : mapping
        For ``--json``.
    show : callable
        Prints it for people.
    code : int
        The exit code.
    """

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    code: int = Exit.OK


def answering(function: Callable[..., Answer]) -> Callable[..., int]:
    """Make a command of a function that returns an `Answer`: adds ``--json``, and prints."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, **given: Any) -> int:
        answer = function(*args, **given)
        if as_json:
            click.echo(json.dumps(answer.document, default=str))
        else:
            answer.show(make_console())
        return int(answer.code)

    return run


def wants_json() -> bool:
    """Tell whether the command that runs is to print JSON."""
    return bool(click.get_current_context().params.get("as_json"))


def make_console() -> Console:
    """Return where to print: as wide as the terminal, and into files and pipes without breaking lines."""
    from rich.console import Console

    stream = sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH, highlight=False, soft_wrap=False)


work_dir_argument = click.argument("work_dir", type=click.Path(file_okay=False))


class Face(click.Group):
    """The commands by their names, imported when they are run; errors become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, words = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"{__package__}.{module}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        command.short_help = words
        command.epilog = command.epilog or EPILOG
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and exit with the code that fits."""
        words = list(sys.argv[1:] if args is None else args)
        extra.pop("standalone_mode", None)
        try:
            code = super().main(words, prog_name or "pypoolparty", standalone_mode=False, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_broken_pipe()
        except (click.Abort, KeyboardInterrupt):
            _complain(words, "interrupted", "Interrupted", Exit.INTERRUPTED)
        except click.UsageError as error:
            context = error.ctx
            usage = f"\n{context.get_usage()}\nmore: {context.command_path} --help" if context else ""
            _complain(words, error.format_message() + usage, "UsageError", Exit.USAGE)
        except click.ClickException as error:
            _complain(words, error.format_message(), type(error).__name__, Exit.OTHER)
        except Exception as error:
            if not is_foreseen(error):
                traceback.print_exc()
            _complain(words, str(error), type(error).__name__, code_of(error))
        sys.exit(code if isinstance(code, int) else Exit.OK)


def _complain(words: Sequence[str], message: str, kind: str, code: Exit) -> NoReturn:
    """Say what went wrong on stderr; where JSON was asked for, on stdout as that, too."""
    click.echo(f"pypoolparty: {message}", err=True)
    if "--json" in words:
        click.echo(json.dumps({"error": {"type": kind, "message": message, "exit_code": int(code)}}))
    sys.exit(code)


def _leave_broken_pipe() -> NoReturn:
    """Leave as programs do whose reader has had enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"pypoolparty {version('pypoolparty')}")
        ctx.exit()


@click.group(cls=Face, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def main() -> None:
    """Look at the maps of pypoolparty, go on with them, and make them.

    A WORK_DIR is the folder of one map, with session.json in it; every login node that sees it will do, whether the map
    runs, is over, or its main process is dead.
    """
