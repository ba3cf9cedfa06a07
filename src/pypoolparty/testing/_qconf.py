"""The dummy of qconf: knows ``-sconf``, and of it only what limits a pool."""

from __future__ import annotations

from collections.abc import Sequence

from ._options import Answer, Refused
from ._state import State
from ._store import Store


def parse(words: Sequence[str]) -> None:
    """Understand a command line."""
    if list(words) not in (["-sconf"], ["-sconf", "global"]):
        raise Refused(
            f'invalid option argument "{words[0] if words else ""}"\n', out="SGE 8.1.9\nusage: qconf [options]\n"
        )


def act(store: Store, state: State, request: None) -> Answer:
    """Print the configuration."""
    values = {
        "max_aj_tasks": state.settings.max_aj_tasks,
        "max_u_jobs": state.settings.max_submit_jobs or 0,
    }
    return Answer("#global:\n" + "".join(f"{name:28s} {value}\n" for name, value in values.items()))
