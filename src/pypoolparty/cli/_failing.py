"""``failures`` and ``logs``: what went wrong, and what tasks wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..failures import FailureGroup, failures_of, ranges
from ..work_dir import Look
from ._exit import Exit
from ._face import Answer, answering, work_dir_argument
from ._show import show_next

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["failures_command", "logs_command", "show_failures"]

MOST_RANGES = 20
MOST_EVIDENCE = 3


@click.command("failures")
@work_dir_argument
@answering
def failures_command(work_dir: str) -> Answer:
    """Tell what went wrong in a map: tasks grouped by cause, on which nodes, and what to type next.

    Example: pypoolparty failures .pypoolparty/q20261125T151021-d38047571e
    """
    groups = failures_of(work_dir)
    document = {
        "work_dir": Look(work_dir).path,
        "failed": sum(len(group.tasks) for group in groups),
        "groups": [group.as_json() for group in groups],
    }
    return Answer(document, lambda console: show_failures(console, groups), Exit.FAILED if groups else Exit.OK)


def show_failures(console: Console, groups: list[FailureGroup]) -> None:
    """Print the groups for people."""
    if not groups:
        console.print("no failures", style="green")
    for k, group in enumerate(groups):
        if k:
            console.print()
        _show_group(console, group)


def _show_group(console: Console, group: FailureGroup) -> None:
    from rich.text import Text

    from ..chunks import runs_of

    count = len(group.tasks)
    how = "lost" if group.is_lost else "raised"
    console.print(Text(f"{group.cause}: {count} task{'s' * (count > 1)} {how}", "bold red"), soft_wrap=True)

    def line(name: str, text: str) -> None:
        console.print(Text.assemble((f"  {name:11s}", "dim"), text), soft_wrap=True)

    line("tasks", ranges(runs_of(group.tasks), MOST_RANGES))
    if group.nodes:
        line("nodes", ", ".join(group.nodes))
    others = f" (and {group.n_messages - 1} other messages)" if group.n_messages > 1 else ""
    line("message", group.message + others)
    if group.traceback:
        line("raised at", _place(group.traceback))
        line("last line", group.traceback.strip().splitlines()[-1])
    for words in group.evidence[:MOST_EVIDENCE]:
        line("evidence", words)
    if group.stderr_tail.strip() and not group.traceback:
        line("stderr", group.stderr_tail.strip().splitlines()[-1])
    for command in group.advice:
        show_next(console, command, "  ")


def _place(traceback: str) -> str:
    """Return the last place that a traceback names."""
    places = [line.strip() for line in traceback.splitlines() if line.startswith('  File "')]
    return places[-1] if places else "?"


@click.command("logs")
@work_dir_argument
@click.argument("itask", type=int)
@click.option("--stderr", is_flag=True, help="What it wrote to stderr, and its traceback, instead of stdout.")
@answering
def logs_command(work_dir: str, itask: int, stderr: bool) -> Answer:
    """Print what task ITASK wrote, and the raw output of the queue-jobs that it was in.

    Example: pypoolparty logs .pypoolparty/q20261125T151021-d38047571e 17 --stderr
    """
    from ._jobs_of import raw_outputs_of

    look = Look(work_dir)
    if not 0 <= itask < look.n_tasks:
        raise click.UsageError(f"ITASK must be between 0 and {look.n_tasks - 1}, the tasks of this map; not {itask}")
    name = "stderr" if stderr else "stdout"
    text = look.text_of(name, itask) or ""
    traceback = look.traceback_of(itask)
    jobs = raw_outputs_of(look, itask)
    document = {
        "work_dir": look.path,
        "itask": itask,
        "stream": name,
        "text": text,
        "traceback": traceback,
        "queue_jobs": [job.as_json() for job in jobs],
    }

    def show(console: Console) -> None:
        _print_text(text)
        if stderr and traceback:
            _print_text(traceback, f"task {itask} raised")
        for job in jobs:
            raw = job.stderr if stderr else job.stdout
            if raw:
                _print_text(raw, f"raw {name} of queue-job {job.label}")
        if not text and not (stderr and traceback):
            click.echo(f"task {itask} has written nothing to {name}, as far as its outcome is known", err=True)

    return Answer(document, show)


def _print_text(text: str, heading: str = "") -> None:
    if heading:
        click.secho(f"--- {heading}", dim=True)
    click.echo(text, nl=not text.endswith("\n") and bool(text))
