"""``results`` and ``report``: what came of a map, into a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import TaskError, TaskRaised
from ..history import History
from ..work_dir import Look
from ._exit import Exit
from ._face import Answer, answering, work_dir_argument
from ._writing import check_output, write_values

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["report_command", "results_command", "use_path_of"]


def use_path_of(look: Look) -> None:
    """Let modules be imported that the main process could import: results may be of classes in them."""
    sys.path += [entry for entry in [os.getcwd(), *look.user_path()] if entry not in sys.path]


def values_of(look: Look) -> tuple[list[Any], int]:
    """Return a map's values, exceptions in the places of those that failed or are open; and how many are open."""
    from ..summary import load

    use_path_of(look)
    snapshot = load(look.path)
    history = History()
    for line in look.journal():
        history.take(line)
    missing = {itask: _open_error(itask, look.path) for itask in snapshot.missing}
    never_sent = [itask for itask in history.not_picklable if itask in missing]
    for itask in never_sent:
        missing[itask] = TaskRaised(f"task {itask} itself could not be pickled", itask, 0, look.path)
    merged = {**missing, **snapshot.exceptions, **snapshot.results}
    return [merged[itask] for itask in range(look.n_tasks)], len(missing) - len(never_sent)


def _open_error(itask: int, work_dir: str) -> TaskError:
    return TaskError(f"task {itask} has no outcome yet", itask, 0, work_dir)


@click.command("results")
@work_dir_argument
@click.option(
    "-o",
    "--output",
    required=True,
    callback=check_output,
    metavar="FILE",
    help="Ends in .pickle, .jsonl, .csv or .txt; - writes lines to stdout.",
)
@answering
def results_command(work_dir: str, output: str) -> Answer:
    """Write the results so far into a file, in the order of the tasks; failures stand in their places.

    Example: pypoolparty results .pypoolparty/q20261125T151021-d38047571e -o results.csv
    """
    look = Look(work_dir)
    if output == "-" and click.get_current_context().params["as_json"]:
        raise click.UsageError("--json and -o - both write to stdout: give a file")
    values, n_open = values_of(look)
    write_values(output, values)
    failed = sum(isinstance(value, BaseException) for value in values) - n_open
    document = {
        "work_dir": look.path,
        "output": output,
        "n_tasks": look.n_tasks,
        "returned": len(values) - failed - n_open,
        "failed": failed,
        "open": n_open,
    }

    def show(console: Console) -> None:
        words = f"{document['returned']} of {look.n_tasks} results in {output}; {failed} failed, {n_open} open"
        click.echo(words, err=True)

    return Answer(document, show, Exit.FAILED if failed or n_open else Exit.OK)


@click.command("report")
@work_dir_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="By default WORK_DIR.html, here.")
@answering
def report_command(work_dir: str, output: str | None) -> Answer:
    """Write one HTML page about a map: timeline, memory, run-times, failures, and what to ask for next time.

    Example: pypoolparty report .pypoolparty/q20261125T151021-d38047571e -o report.html
    """
    look = Look(work_dir)
    path = os.path.abspath(output or f"{os.path.basename(look.path)}.html")
    if not os.path.isdir(os.path.dirname(path)):
        raise click.UsageError(f"there is no folder {os.path.dirname(path)!r} for the report")
    _write_report(look.path, path)
    return Answer(
        {"work_dir": look.path, "output": path}, lambda console: console.print(path, markup=False, soft_wrap=True)
    )


def _write_report(work_dir: str, path: str) -> None:
    """Write a report; it is an extra, for it needs a library that plots."""
    import importlib

    try:
        importlib.import_module("pypoolparty.report").write(work_dir, path)
    except ImportError as error:
        raise ImportError(
            f"reports can not be made here ({error}); to install what they need: pip install 'pypoolparty[report]'"
        ) from error
