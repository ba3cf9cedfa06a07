"""Choose the pool by what answers on this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any

from . import local, slurm, sun_grid_engine
from .command import run
from .errors import SchedulerError
from .pool import BasePool
from .scheduler import command_environment

__all__ = ["Pool", "available_backend"]

ANSWER_SECONDS = 10.0

# In the order of preference: a cheap question that only a working scheduler answers, and the pool.
_BACKENDS: dict[str, tuple[list[str] | None, Callable[..., BasePool]]] = {
    "slurm": (["sinfo", "--noheader", "--format=%P"], slurm.array.Pool),
    "sun_grid_engine": (["qconf", "-sql"], sun_grid_engine.array.Pool),
    "local": (None, local.Pool),
}


def available_backend() -> str:
    """Return ``"slurm"``, ``"sun_grid_engine"`` or ``"local"``: the first that answers."""
    return next(name for name, (argv, _) in _BACKENDS.items() if argv is None or _answers(argv))


def _answers(argv: list[str]) -> bool:
    if shutil.which(argv[0]) is None:
        return False
    try:
        completed = run(argv, ANSWER_SECONDS, command_environment({}))
    except SchedulerError:
        return False
    return completed.returncode == 0 and bool(completed.stdout.strip())


def Pool(
    num_simultaneously_running_tasks: int | None = None, *, backend: str | None = None, **arguments: Any
) -> BasePool:
    """Return the pool that fits this machine, and say on stderr which it is.

    Parameters
    ----------
    num_simultaneously_running_tasks : int, optional
        The most tasks at a time.
    backend : {"slurm", "sun_grid_engine", "local"}, optional
        By default Slurm arrays if Slurm answers, else Grid Engine arrays if that answers, else this machine.
    **arguments
        For the chosen pool.

    Examples
    --------
    >>> import pypoolparty
    >>> with pypoolparty.Pool(2, backend="local") as pool:
    ...     pool.map(abs, [-1, -2])
    [1, 2]
    """
    if backend is not None and backend not in _BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(_BACKENDS)}, not {backend!r}")
    chosen = backend or available_backend()
    if backend is None:
        kind = _BACKENDS[chosen][1]
        print(f"[pypoolparty] using {kind.__module__}.Pool", file=sys.stderr)
    if num_simultaneously_running_tasks is not None:  # what is not given may be set for the site
        arguments["num_simultaneously_running_tasks"] = num_simultaneously_running_tasks
    return _BACKENDS[chosen][1](**arguments)
