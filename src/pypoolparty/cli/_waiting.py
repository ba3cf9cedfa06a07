"""Wait for a map that this process drives."""

from __future__ import annotations

import sys
from typing import Any

from ..progress_of import state_of
from ..results import MapResult

__all__ = ["wait_for"]

LOOK_SECONDS = 1.0


def wait_for(result: MapResult) -> list[Any]:
    """Return the values; meanwhile, on a terminal, show how far they are."""
    result.wait(LOOK_SECONDS)
    if not result.ready() and sys.stderr.isatty():
        _show_progress(result)
    values: list[Any] = result.get()
    return values


def _show_progress(result: MapResult) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        while not result.ready():
            state = state_of(result.work_dir)
            words = f"{state.running_jobs} running, {state.pending_jobs} pending, {state.failed} failed"
            progress.update(bar, total=state.n_tasks, completed=state.n_tasks - state.open, description=words)
            result.wait(LOOK_SECONDS)
