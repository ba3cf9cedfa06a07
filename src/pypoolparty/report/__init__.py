"""A report of a map: one HTML file for people, with all in it that it needs. From the work_dir alone.

Made with plotly, which comes with ``pip install pypoolparty[report]``.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec

from ..errors import PoolPartyError

__all__ = ["check", "write"]

INSTALL = "pip install pypoolparty[report]"


def check(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a report that can be written; nothing is written yet.

    Raises
    ------
    TypeError, ValueError
        If it is no path, or is that of a folder.
    FileNotFoundError, PermissionError
        If nothing can be written there.
    PoolPartyError
        If plotly is not installed.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f'report must be the path of a file to write, for instance "report.html", not {path!r}')
    told = os.fspath(path)
    if not told or "\0" in told:
        raise ValueError(f'report must be the path of a file to write, for instance "report.html", not {told!r}')
    absolute = os.path.abspath(told)
    folder = os.path.dirname(absolute)
    if os.path.isdir(absolute) or told.endswith(os.sep):
        raise ValueError(
            f"report must be the path of a file to write, not of a folder: {told!r}; "
            f"for instance {os.path.join(told, 'report.html')!r}"
        )
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"report={told!r} can not be written: there is no folder {folder!r}; mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK) or (os.path.exists(absolute) and not os.access(absolute, os.W_OK)):
        raise PermissionError(
            f"report={told!r} can not be written: no permission to write in {folder!r}; ls -ld {folder}"
        )
    _library()
    return absolute


def write(work_dir: str | os.PathLike[str], path: str | os.PathLike[str]) -> str:
    """Write a report of a map that runs, has ended, or whose main process is dead.

    Parameters
    ----------
    work_dir : path
        The folder with ``session.json`` in it. Nothing in it is changed, and no scheduler asked.
    path : path
        Of the HTML file; one that is there already is replaced.

    Returns
    -------
    str
        The absolute path of the file.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir, WrongVersion, Damaged
        If there is nothing that can be read.
    PoolPartyError
        If plotly is not installed.
    TypeError, ValueError, OSError
        If it can not be written.
    """
    from ._facts import facts_of
    from ._page import page_of

    target = check(path)
    text = page_of(facts_of(os.path.abspath(os.fspath(work_dir))), _library(), time.time())
    part = f"{target}.part-{os.getpid()}"
    try:
        with open(part, "w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(text)
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return target


def _library() -> str:
    """Return plotly.js, which is put into each report; the python around it is not imported."""
    try:
        found = find_spec("plotly")
        folders = list(found.submodule_search_locations or ()) if found is not None else []
        with open(os.path.join(folders[0], "package_data", "plotly.min.js"), encoding="utf-8") as stream:
            return stream.read()
    except (ImportError, ValueError, IndexError, FileNotFoundError):
        raise PoolPartyError(
            f"reports are drawn by plotly, which is not installed here; to install it: {INSTALL}"
        ) from None
