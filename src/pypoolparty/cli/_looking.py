"""``ls``, ``status`` and ``watch``: how far maps are."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import NotAWorkDir, PoolPartyError, UnsafeWorkDir
from ..map_state import MapState, Phase, state_of
from ._exit import Exit
from ._face import Answer, answering, make_console, wants_json, work_dir_argument
from ._show import age, near, show_next, state_table, style_of

if TYPE_CHECKING:
    from rich.console import Console, Group

__all__ = ["ls_command", "maps_in", "next_commands", "status_command", "watch_command"]

REMOVAL_SECONDS = 3.0


def maps_in(folder: str | None) -> Iterator[tuple[str, MapState | PoolPartyError]]:
    """Yield path and state, or what is wrong, of all work_dirs in a folder; by default where pools put them."""
    given = folder is not None
    folders = [folder] if folder is not None else [".", ".pypoolparty", tempfile.gettempdir()]
    seen: set[str] = set()
    for one in folders:
        for path in _candidates(os.path.abspath(one)):
            if path in seen:
                continue
            seen.add(path)
            try:
                yield path, state_of(path)
            except (NotAWorkDir, UnsafeWorkDir) as error:
                if given:  # elsewhere there are other people's
                    yield path, error
            except PoolPartyError as error:
                yield path, error


def _candidates(folder: str) -> Sequence[str]:
    """Return the folders that have a session.json: this one, or those in it."""
    if os.path.exists(os.path.join(folder, "session.json")):
        return [folder]
    try:
        paths = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    return [path for path in paths if os.path.exists(os.path.join(path, "session.json"))]


def next_commands(state: MapState) -> list[str]:
    """Return what to type next."""
    folder = shlex.quote(state.work_dir)
    commands = []
    if state.failed:
        commands.append(f"pypoolparty failures {folder}")
    if state.phase is Phase.RUNNING:
        commands.append(f"pypoolparty watch {folder}")
    elif state.open:
        commands.append(f"pypoolparty resume {folder} -o results.pickle")
    elif not state.failed:
        commands.append(f"pypoolparty results {folder} -o results.pickle")
    return commands


def _code(state: MapState) -> Exit:
    return Exit.FAILED if state.failed or state.phase in (Phase.DEAD, Phase.INTERRUPTED) else Exit.OK


def _document(state: MapState) -> dict[str, object]:
    return {**state.as_json(), "next": next_commands(state)}


def _show_next(console: Console, state: MapState) -> None:
    for command in next_commands(state):
        show_next(console, command)


@click.command("ls")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False))
@answering
def ls_command(folder: str | None) -> Answer:
    """List the maps in DIR, or where pools put them: here, in ./.pypoolparty, and in the folder for temporary files.

    Example: pypoolparty ls /scratch/me
    """
    found = list(maps_in(folder))

    def show(console: Console) -> None:
        from rich.table import Table
        from rich.text import Text

        if not found:
            console.print(f"no maps in {folder or 'the usual places'}", markup=False)
            return
        table = Table(box=None, pad_edge=False)
        for name, justify in (("work_dir", "left"), ("map", "left"), ("done", "right"), ("failed", "right")):
            table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
        table.add_column("pool")
        table.add_column("last sign", justify="right")
        for path, state in found:
            if isinstance(state, PoolPartyError):
                table.add_row(Text(near(path)), Text(f"{type(state).__name__}", "red"))
                continue
            done = f"{state.n_tasks - state.open}/{state.n_tasks}"
            failed = Text(str(state.failed), "red" if state.failed else "dim")
            ago = f"{age(time.time() - state.last_sign)} ago"
            table.add_row(Text(near(path)), Text(state.phase.value, style_of(state)), done, failed, state.pool, ago)
        # A path that is cut, or in two lines, can not be pasted into the next command.
        width = max(len(near(path)) for path, _ in found) + 60
        console.print(table, width=max(width, console.width), crop=False)

    maps = [
        {"work_dir": path, "error": {"type": type(state).__name__, "message": str(state)}}
        if isinstance(state, PoolPartyError)
        else _document(state)
        for path, state in found
    ]
    return Answer({"maps": maps}, show)


@click.command("status")
@work_dir_argument
@answering
def status_command(work_dir: str) -> Answer:
    """Tell how far a map is: tasks, queue-jobs, and who works on it. The scheduler is not asked.

    Example: pypoolparty status .pypoolparty/q20261125T151021-d38047571e
    """
    state = state_of(work_dir)

    def show(console: Console) -> None:
        console.print(state_table(state))
        _show_next(console, state)

    return Answer(_document(state), show, _code(state))


@click.command("watch")
@work_dir_argument
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.05), help="Seconds.")
@answering
def watch_command(work_dir: str, interval: float) -> Answer:
    """Show how far a map is until it is over. With --json, what it came to is printed at its end.

    Ctrl-C ends the watching, not the map. Example: pypoolparty watch .pypoolparty/q20261125T151021-d38047571e
    """
    states = _states(work_dir, interval)
    last = next(states)
    if wants_json():
        last = [last, *states][-1]
    else:
        last = _watch_live(last, states)
    # The last that was seen of a map whose work_dir was removed is that it ran, or was done.
    is_gone = last.phase is Phase.RUNNING or not os.path.exists(last.work_dir)

    def show(console: Console) -> None:
        if is_gone:
            console.print("the map is over, all went well, and its work_dir was removed", style="green")
        else:
            _show_next(console, last)

    return Answer({**_document(last), "is_removed": is_gone}, show, Exit.OK if is_gone else _code(last))


def _states(work_dir: str, interval: float) -> Iterator[MapState]:
    """Yield the state again and again, until the map is over; what it cost to read is not spent too often."""
    began = time.monotonic()
    state = state_of(work_dir)
    yield state
    while state.phase is Phase.RUNNING:
        time.sleep(max(interval, 5 * (time.monotonic() - began)))
        began = time.monotonic()
        try:
            state = _settled(work_dir)
        except (NotAWorkDir, FileNotFoundError):
            return  # it was removed, for all went well
        yield state


def _settled(work_dir: str) -> MapState:
    """Return the state, once it is certain: a work_dir that is just being removed looks like one of a dead map."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    state = state_of(work_dir)
    while state.phase is Phase.DEAD and time.monotonic() < deadline:
        time.sleep(0.1)
        state = state_of(work_dir)
    return state


def _watch_live(state: MapState, states: Iterator[MapState]) -> MapState:
    """Show states as they come: in place on a terminal, elsewhere a line for each change."""
    console = make_console()
    if not console.is_terminal:
        line = ""
        while True:
            fresh = _line_of(state)
            if fresh != line:
                console.print(fresh, markup=False)
                sys.stdout.flush()
            line = fresh
            following = next(states, None)
            if following is None:
                return state
            state = following
    from rich.live import Live

    with Live(_live_view(state), console=console, auto_refresh=False) as live:
        for state in states:
            live.update(_live_view(state), refresh=True)
    return state


def _line_of(state: MapState) -> str:
    return (
        f"{state.phase.value}: {state.n_tasks - state.open}/{state.n_tasks} done, {state.failed} failed, "
        f"queue-jobs: {state.running_jobs} running, {state.pending_jobs} pending"
    )


def _live_view(state: MapState) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar

    done = state.n_tasks - state.open
    bar = ProgressBar(total=max(1, state.n_tasks), completed=done, width=60, complete_style=style_of(state))
    return Group(state_table(state), bar)
