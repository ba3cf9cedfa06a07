"""Go on with a map by its work_dir alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

from . import local, slurm, sun_grid_engine
from .errors import NotAWorkDir, PoolPartyError
from .pool import BasePool
from .work_dir import read_session

__all__ = ["POOL_CLASSES", "pool_of", "resume"]

POOL_CLASSES: dict[str, Callable[..., BasePool]] = {
    "slurm.array": slurm.array.Pool,
    "slurm": slurm.Pool,
    "sun_grid_engine.array": sun_grid_engine.array.Pool,
    "sun_grid_engine": sun_grid_engine.Pool,
    "local": local.Pool,
}


def pool_of(work_dir: str | os.PathLike[str], **changed: Any) -> BasePool:
    """Return a pool like the one that made a work_dir; arguments given here go before those it had."""
    path = os.path.abspath(os.fspath(work_dir))
    session = read_session(path)
    kind = session.get("pool")
    if kind not in POOL_CLASSES:
        raise NotAWorkDir(f"{path!r} is of a pool that is not known here: {kind!r}")
    return POOL_CLASSES[kind](**{**session["arguments"], "work_dir": os.path.dirname(path), **changed})


def resume(
    work_dir: str | os.PathLike[str],
    redo_raised: bool = False,
    on_error: Literal["raise", "return"] = "raise",
    **changed: Any,
) -> list[Any]:
    """Go on with a map whose main process died or was interrupted, and return its list.

    Parameters
    ----------
    work_dir : path
        Of the map: the folder with ``session.json`` in it.
    redo_raised : bool
        Do the tasks again that raised an exception, too.
    on_error : {"raise", "return"}
        As in `map`.
    **changed
        Arguments for the pool that are to differ from the first time, for instance ``mem="8G"``.

    Returns
    -------
    list
        As the interrupted `map` would have returned it. Finished tasks are not computed again.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir, WrongVersion
        If the folder can not be resumed.
    StillInUse
        If another main process works on it.
    """
    pool = pool_of(work_dir, **changed)
    try:
        values = pool.resume(work_dir, redo_raised, on_error)
    except BaseException:
        pool._end(PoolPartyError("the resumed map was interrupted"), keep=True)
        raise
    pool.close()
    pool.join()
    return values
