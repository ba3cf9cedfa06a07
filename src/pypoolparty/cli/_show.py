"""How things look: times, numbers, states."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import click

from ..failures import ranges
from ..map_state import MapState, Phase

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["age", "byte_size", "near", "pairs", "parse_age", "show_next", "state_table", "style_of", "words_of"]

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
STYLES = {Phase.RUNNING: "cyan", Phase.DONE: "green", Phase.INTERRUPTED: "yellow", Phase.DEAD: "red"}


def style_of(state: MapState) -> str:
    """Return the colour of a map's phase."""
    return "yellow" if state.phase is Phase.DONE and state.failed else STYLES[state.phase]


def age(seconds: float) -> str:
    """Return a time span with its two largest units: ``2d 3h``."""
    left = max(0, round(seconds))
    words: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, SECONDS[unit])
        if count or (unit == "s" and not words):
            words.append(f"{count}{unit}")
    return " ".join(words[:2])


def parse_age(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """Read ``7d`` as seconds."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in SECONDS or not number.isdigit():
        raise click.BadParameter(f"must be a number and s, m, h, d or w, as 7d; not {text!r}", context, parameter)
    return float(int(number) * SECONDS[unit])


def byte_size(n: float) -> str:
    """Return a number of bytes as ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def near(path: str) -> str:
    """Return a path as it is seen from here, if it is below: it is shorter, and the shell takes it as well."""
    below = os.path.relpath(path)
    return path if below.startswith(("..", "-")) else below  # what begins with a dash would be an option


def show_next(console: Console, command: str, before: str = "") -> None:
    """Print a command to be typed next, with paths as they are seen from here."""
    shorter = re.sub(r"(?<!\S)/\S+", lambda found: near(found[0]), command)
    console.print(f"{before}→ {shorter}", style="bold", markup=False, soft_wrap=True)


def pairs() -> Table:
    """Return an empty table for names and values."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def state_table(state: MapState) -> Table:
    """Return a map's state as a table for people."""
    from rich.text import Text

    table = pairs()

    def row(name: str, value: str, style: str = "") -> None:
        table.add_row(name, Text(value, style))

    row("work_dir", state.work_dir)
    row("map", words_of(state), style_of(state))
    percent = 100 * (state.n_tasks - state.open) / max(1, state.n_tasks)
    row("tasks", f"{state.n_tasks}: {state.returned} returned, {state.raised} raised, {state.lost} lost,", "bold")
    row("", f"{state.open} open ({percent:.1f} % done)")
    if state.open and state.phase is not Phase.RUNNING:
        row("open", ranges(state.open_runs, most=10))
    row("queue-jobs", f"{state.running_jobs} running, {state.pending_jobs} pending, {state.ended_jobs} ended")
    row("submissions", f"{state.submissions}, {state.resubmitted} tasks again")
    if state.deaths:
        row("deaths", ", ".join(f"{n} {cause}" for cause, n in state.deaths.items()), "red")
    if state.warning:
        row("refused", state.warning, "red")
    if state.nodes:
        row("nodes", ", ".join(state.nodes[:10]) + (", …" if len(state.nodes) > 10 else ""))
    row("pool", state.pool)
    return table


def words_of(state: MapState) -> str:
    """Say what a map is doing, or how it ended."""
    since = age((state.ended or time.time()) - state.created)
    ago = age(time.time() - state.last_sign)
    who = f"process {state.driver.pid} on {state.driver.host}" if state.driver else "its main process"
    if state.phase is Phase.RUNNING:
        return f"running for {since}, by {who}"
    if state.phase is Phase.DONE:
        return f"done after {since}, {ago} ago" + (", with failures" if state.failed else "")
    if state.phase is Phase.INTERRUPTED:
        return f"interrupted after {since}, {ago} ago"
    return f"dead: {who} is gone, last heard of {ago} ago"
