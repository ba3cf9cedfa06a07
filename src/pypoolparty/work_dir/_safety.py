"""Nothing is unpickled from a folder that somebody else may have written to."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from ..errors import Damaged, NotAWorkDir, UnsafeWorkDir, WrongVersion
from ._layout import FORMAT_VERSION, Layout

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_folder(path: str) -> None:
    """Refuse a folder that is not ours alone; asked of the opened folder, not of its path.

    Raises
    ------
    NotAWorkDir, UnsafeWorkDir
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NotAWorkDir(f"{path!r} is no work_dir: {error.strerror}") from error
    try:
        _check(path, os.fstat(fd))
    finally:
        os.close(fd)


def open_checked(path: str) -> int:
    """Open a file for reading, and refuse it if it is not ours alone."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check(path: str, found: os.stat_result) -> None:
    if found.st_uid != os.getuid():
        raise UnsafeWorkDir(f"{path!r} belongs to user {found.st_uid}, not to us ({os.getuid()})")
    if found.st_mode & OTHERS_MAY_WRITE:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafeWorkDir(f"{path!r} can be written by others (mode {mode:04o}); it should be 0700 or 0600")


def read_session(path: str) -> dict[str, Any]:
    """Return the content of ``session.json`` of a work_dir that is ours alone and has our format."""
    check_folder(path)
    try:
        with os.fdopen(open_checked(Layout(path).session), "rb") as stream:
            session = json.loads(stream.read())
    except FileNotFoundError as error:
        raise NotAWorkDir(f"{path!r} is no work_dir: it has no session.json") from error
    except ValueError as error:
        raise Damaged(f"session.json in {path!r} can not be read: {error}") from error
    if not isinstance(session, dict):
        raise Damaged(f"session.json in {path!r} can not be read: it is no object")
    version = session.get("format_version")
    if version != FORMAT_VERSION:
        raise WrongVersion(f"{path!r} has format {version!r}; this version reads format {FORMAT_VERSION}")
    return dict(session)
