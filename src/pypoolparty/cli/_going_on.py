"""``resume`` and ``cancel``: from any host that sees the work_dir."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from ..failures import FailureGroup, failures_of
from ..work_dir import Look
from ._exit import Exit
from ._face import Answer, answering, work_dir_argument
from ._importing import imported_function
from ._pools import check_names, made, read_settings, setting_options
from ._show import show_next
from ._writing import check_output, write_values

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["cancel_command", "code_of_failures", "resume_command"]


def code_of_failures(groups: list[FailureGroup]) -> Exit:
    """Return the exit code of a map with these failures."""
    if any(group.cause == "SubmissionRefused" for group in groups):
        return Exit.SCHEDULER
    return Exit.FAILED if groups else Exit.OK


@click.command("resume")
@work_dir_argument
@click.option("--redo-raised", is_flag=True, help="Do the tasks again that raised, too.")
@click.option("--func", metavar="MODULE:FUNC", help="In place of the map's own, where that had a mistake.")
@setting_options
@click.option("-o", "--output", callback=check_output, metavar="FILE", help="Write the results, as `results` does.")
@answering
def resume_command(
    work_dir: str,
    redo_raised: bool,
    func: str | None,
    mem: str | None,
    time: str | None,
    settings: tuple[str, ...],
    output: str | None,
) -> Answer:
    """Go on with a map: what is finished is not computed again. The work_dir is kept; `clean` removes it.

    Lost tasks are tried again, those that raised only with --redo-raised. A function out of a module is imported
    anew, with its mistakes mended; one that was defined in the script itself, or a lambda, is used as it was sent,
    unless --func names another: --redo-raised --func script.py:NAME.

    Example: pypoolparty resume .pypoolparty/q20261125T151021-d38047571e --mem 8G --set partition=long -o results.csv
    """
    from ..resuming import pool_of
    from ._results import use_path_of

    look = Look(work_dir)
    changed = read_settings(settings, mem, time)
    check_names(str(look.session.get("pool")), changed)
    use_path_of(look)
    mended = imported_function(func) if func else None
    pool = made(lambda: pool_of(look.path, **{"progress": sys.stderr.isatty(), **changed, "keep_work_dir": True}))
    with pool:
        values: list[Any] = pool.resume_async(look.path, redo_raised, "return", mended).get()
        pool.close()
        pool.join()
    if output:
        write_values(output, values)
    groups = failures_of(look.path)
    failed = sum(isinstance(value, BaseException) for value in values)
    document = {
        "work_dir": look.path,
        "output": output,
        "n_tasks": look.n_tasks,
        "returned": look.n_tasks - failed,
        "failed": failed,
        "groups": [group.as_json() for group in groups],
    }
    return Answer(
        document, lambda console: _show_resumed(console, document, groups), max(code_of_failures(groups), failed > 0)
    )


def _show_resumed(console: Console, document: dict[str, Any], groups: list[FailureGroup]) -> None:
    from ._failing import show_failures

    where = f", in {document['output']}" if document["output"] else ""
    click.echo(f"{document['returned']} of {document['n_tasks']} tasks have returned{where}", err=True)
    if groups:
        show_failures(console, groups)
    if not document["output"]:
        command = f"pypoolparty results {shlex.quote(document['work_dir'])} -o results.pickle"
        show_next(console, command)


@click.command("cancel")
@work_dir_argument
@click.option("--timeout", default=60.0, show_default=True, help="Seconds that a living main process has to react.")
@answering
def cancel_command(work_dir: str, timeout: float) -> Answer:
    """End a map, and cancel its queue-jobs. What is done is kept, and `resume` goes on from there.

    A main process that lives, here or on another login node, is asked through the work_dir to end its map itself; for
    a dead one it is done from here.

    Example: pypoolparty cancel .pypoolparty/q20261125T151021-d38047571e
    """
    from ._cancelling import cancel_map

    look = Look(work_dir)
    cancelled = cancel_map(look, timeout)
    resume = f"pypoolparty resume {shlex.quote(look.path)}"
    document = {"work_dir": look.path, **vars(cancelled), "next": [] if cancelled.is_done else [resume]}

    def show(console: Console) -> None:
        console.print(cancelled.words, markup=False, soft_wrap=True)
        if not cancelled.is_done:
            show_next(console, resume)

    return Answer(document, show, Exit.OK if cancelled.is_ended else Exit.IN_USE)
