"""``clean``: remove what is not needed any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ..errors import PoolPartyError, StillInUse
from ..map_state import MapState, Phase
from ..work_dir import Look, WorkDir
from ._exit import Exit
from ._face import Answer, answering, wants_json
from ._looking import maps_in
from ._show import age, byte_size, parse_age

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["clean_command"]


@click.command("clean")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False))
@click.option("--older-than", callback=parse_age, metavar="AGE", help="Only those last heard of so long ago, as 7d.")
@click.option("--force", is_flag=True, help="Also those that are unfinished. Never those in use: cancel them first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@answering
def clean_command(folder: str | None, older_than: float | None, force: bool, yes: bool) -> Answer:
    """Remove the work_dirs of finished maps, with their results, from DIR or from where pools put them.

    Example: pypoolparty clean /scratch/me --older-than 7d
    """
    chosen, kept = [], []
    for path, state in maps_in(folder):
        reason = _reason_to_keep(state, older_than, force)
        if reason:
            kept.append({"work_dir": path, "reason": reason})
        else:
            assert isinstance(state, MapState)
            chosen.append((state, Look(path).size()))
    if chosen and not yes and not _is_agreed(chosen):
        kept += [{"work_dir": state.work_dir, "reason": "not agreed to"} for state, _ in chosen]
        chosen = []
    removed = [(state, size) for state, size in chosen if _is_removed(state.work_dir, kept)]
    n_bytes = sum(size for _, size in removed)
    document = {"removed": [state.work_dir for state, _ in removed], "bytes": n_bytes, "kept": kept}

    def show(console: Console) -> None:
        for one in kept:
            console.print(f"kept: {one['work_dir']}: {one['reason']}", style="dim", markup=False, soft_wrap=True)
        console.print(f"removed {len(removed)} work_dir{'s' * (len(removed) != 1)}, {byte_size(n_bytes)}")

    is_named_and_in_use = not removed and len(kept) == 1 and "in use" in kept[0]["reason"]
    return Answer(document, show, Exit.IN_USE if is_named_and_in_use else Exit.OK)


def _reason_to_keep(state: MapState | PoolPartyError, older_than: float | None, force: bool) -> str:
    """Return why a folder stays; empty if it goes."""
    if isinstance(state, PoolPartyError):
        return str(state)
    if state.is_in_use:
        assert state.driver is not None
        return f"in use by process {state.driver.pid} on {state.driver.host}; to end it: pypoolparty cancel"
    since = time.time() - state.last_sign
    if older_than is not None and since < older_than:
        return f"last heard of {age(since)} ago only"
    if state.phase is not Phase.DONE and not force:
        return f"unfinished ({state.phase.value}, {state.open} tasks open); to remove it all the same: --force"
    return ""


def _is_agreed(chosen: list[tuple[MapState, int]]) -> bool:
    """Ask on the terminal, with all that is about to go."""
    for state, size in chosen:
        words = f"{state.phase.value}, {state.returned} results, {state.failed} failures, {byte_size(size)}"
        click.echo(f"{state.work_dir}  ({words})", err=True)
    if wants_json():
        raise click.UsageError("with --json nobody is asked: say --yes to remove these")
    which = "this work_dir" if len(chosen) == 1 else f"these {len(chosen)} work_dirs"
    return click.confirm(f"Remove {which} for good?", err=True)


def _is_removed(path: str, kept: list[dict[str, Any]]) -> bool:
    """Remove a folder, holding its lock: nobody resumes it meanwhile."""
    try:
        WorkDir.open(path).remove()
    except StillInUse as error:
        kept.append({"work_dir": path, "reason": str(error)})
        return False
    return True
