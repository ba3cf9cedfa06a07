"""The report that a map is asked for: its path is checked before the map begins, and it is written at the map's end."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

__all__ = ["read_report"]

# What writes reports is far above the pools, and needs what not everyone has: found by name, when one is wanted.
WRITER = "pypoolparty.report"


def read_report(path: str | os.PathLike[str] | None, tell: Callable[[str], None]) -> Callable[[str], bool] | None:
    """Return what writes a report of a work_dir; None if none is wanted.

    Parameters
    ----------
    path : path or None
        Of the report. It is refused now if it can not be written.
    tell : callable
        Takes a line for the user, if it could not be written at the end.

    Returns
    -------
    callable or None
        Takes the work_dir and returns whether there is a report of it now. It raises nothing: the results of a map
        do not depend on its report.
    """
    if path is None:
        return None
    writer = import_module(WRITER)
    target = writer.check(path)

    def write(work_dir: str) -> bool:
        try:
            writer.write(work_dir, target)
        except Exception as error:
            import shlex  # seldom needed

            again = f"pypoolparty report {shlex.quote(work_dir)} -o {shlex.quote(target)}"
            tell(f"the report could not be written: {type(error).__name__}: {error}; to try again: {again}")
            return False
        return True

    return write
