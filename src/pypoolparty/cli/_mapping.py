"""``map``: a function over the lines of a file, for people who live in the shell."""

from __future__ import annotations

import csv
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from ..errors import PoolPartyError
from ..failures import FailureGroup, failures_of
from ._exit import Exit
from ._face import Answer, answering
from ._importing import imported_function
from ._pools import POOLS, check_names, made, pool_class, read_settings, setting_options
from ._writing import check_output, write_values

if TYPE_CHECKING:
    from ..pool import BasePool

__all__ = ["map_command"]

FORMATS = ("jsonl", "csv", "lines")


@click.command("map")
@click.argument("func", metavar="MODULE:FUNC")
@click.option("--input", "source", required=True, metavar="FILE", help="The tasks; - reads stdin.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of the input; by default by its ending.")
@click.option("--output", "-o", required=True, callback=check_output, metavar="FILE", help="As in `results`.")
@click.option("--pool", type=click.Choice(POOLS), default="auto", show_default=True, help="Where the tasks run.")
@click.option("--jobs", "-n", type=click.IntRange(min=1), help="The most tasks that run at a time.")
@setting_options
@click.option("--keep", is_flag=True, help="Keep the work_dir also when all went well.")
@answering
def map_command(
    func: str,
    source: str,
    form: str | None,
    output: str,
    pool: str,
    jobs: int | None,
    mem: str | None,
    time: str | None,
    settings: tuple[str, ...],
    keep: bool,
) -> Answer:
    """Call FUNC, out of MODULE in this folder or on the import path, for each task of FILE; results are in its order.

    A line of a .jsonl is a task as JSON, a row of a .csv a dict of text, a line of any other file a text.

    Example: pypoolparty map model:simulate --input parameters.csv --output results.jsonl --pool slurm.array -n 200
    """
    if output == "-" and click.get_current_context().params["as_json"]:
        raise click.UsageError("--json and --output - both write to stdout: give a file")
    function = imported_function(func)
    changed = read_settings(settings, mem, time)
    kind = _chosen(pool)
    check_names(kind, changed)
    options = {"keep_work_dir": True, "progress": sys.stderr.isatty(), **changed}
    made_pool: BasePool = made(lambda: pool_class(kind)(jobs, **options))
    tasks = _tasks(source, form)
    work_dir, values = _run(made_pool, function, tasks, output)
    write_values(output, values)
    groups = failures_of(work_dir) if work_dir else []
    failed = sum(isinstance(value, BaseException) for value in values)
    if work_dir and not keep and not failed:
        _remove(made_pool, work_dir)
        work_dir = ""
    document = _document(work_dir, output, kind, len(values), failed, groups)
    return Answer(document, lambda console: _show(document, groups), _code(groups, failed))


def _document(
    work_dir: str, output: str, kind: str, n_tasks: int, failed: int, groups: list[FailureGroup]
) -> dict[str, Any]:
    return {
        "work_dir": work_dir or None,
        "output": output,
        "pool": kind,
        "n_tasks": n_tasks,
        "returned": n_tasks - failed,
        "failed": failed,
        "groups": [group.as_json() for group in groups],
    }


def _code(groups: list[FailureGroup], failed: int) -> Exit:
    from ._going_on import code_of_failures

    return max(code_of_failures(groups), Exit.FAILED if failed else Exit.OK)


def _show(document: dict[str, Any], groups: list[FailureGroup]) -> None:
    """Tell on stderr, for stdout may have the results."""
    from rich.console import Console

    from ._failing import show_failures

    click.echo(f"{document['returned']} of {document['n_tasks']} tasks have returned", err=True)
    if groups:
        show_failures(Console(stderr=True, highlight=False), groups)
    if document["work_dir"]:
        click.echo(f"the work_dir is kept: {document['work_dir']}", err=True)


def _chosen(pool: str) -> str:
    """Return the kind of pool, and say which it is where it was not said."""
    if pool != "auto":
        return pool
    from ..choose import available_backend

    backend = available_backend()
    kind = backend if backend == "local" else f"{backend}.array"
    click.echo(f"pypoolparty: using the pool {kind}", err=True)
    return kind


def _tasks(source: str, form: str | None) -> Iterator[Any]:
    """Yield the tasks of a file."""
    if form is None:
        ending = os.path.splitext(source)[1].removeprefix(".")
        form = ending if ending in FORMATS else "lines"
    if source == "-":
        return _parse(sys.stdin, form, "stdin")
    try:
        stream = open(source, newline="" if form == "csv" else None, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--input {source!r} can not be read: {error.strerror}") from error
    return _parse(stream, form, source)


def _parse(stream: IO[str], form: str, name: str) -> Iterator[Any]:
    with stream:
        if form == "csv":
            yield from (dict(row) for row in csv.DictReader(stream))
            return
        for number, line in enumerate(stream, start=1):
            if form == "lines":
                yield line.rstrip("\n")
            elif line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise click.UsageError(f"{name}, line {number}, is no JSON: {error}") from error


def _run(pool: BasePool, function: Callable[[Any], Any], tasks: Iterator[Any], output: str) -> tuple[str, list[Any]]:
    """Return the work_dir and the values of a map; interrupted, say how to go on."""
    with pool:
        result = pool.map_async(function, tasks, on_error="return")
        try:
            values: list[Any] = result.get()
            pool.close()
            pool.join()
        except (KeyboardInterrupt, PoolPartyError) as error:
            if result.work_dir:
                words = f"pypoolparty resume {shlex.quote(result.work_dir)} -o {shlex.quote(output)}"
                how = "interrupted" if isinstance(error, KeyboardInterrupt) else "ended"
                click.echo(f"pypoolparty: {how}; to go on: {words}", err=True)
            raise
    return result.work_dir, values


def _remove(pool: BasePool, work_dir: str) -> None:
    """Remove what is not needed any more, once the output is written."""
    from ..work_dir import WorkDir

    WorkDir(work_dir).remove()
    pool._setting.remove_empty_parent()
