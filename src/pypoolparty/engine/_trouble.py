"""What is done when the file system has a bad moment, and what the user is told."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import WorkDirError
from ..work_dir import DISK_FULL, UNREADABLE

__all__ = ["Trouble"]

PAUSE_SECONDS = 1.0
UNREADABLE_SECONDS = 120.0


class Trouble:
    """The trouble that a map has with its work_dir: for room it waits for ever, for an answer only so long."""

    def __init__(self, path: str, tell: Callable[[str], None]) -> None:
        self.path, self._tell = path, tell
        self._since: float | None = None
        self.until = float("-inf")

    def end(self) -> None:
        """Note that all went well again."""
        self._since = None

    def may_pass(self, error: Exception, now: float) -> bool:
        """Tell whether to try again, from `until` on."""
        since = now if self._since is None else self._since
        if not isinstance(error, OSError):
            return False
        if error.errno in DISK_FULL:
            words = f"no room in {self.path}: the map waits until there is ({error})"
        elif error.errno in UNREADABLE and not _is_gone(self.path) and now - since < UNREADABLE_SECONDS:
            words = f"{self.path} does not answer: the map waits until it does ({error})"
        else:
            return False
        if self._since is None:
            self._since = now
            self._tell(words)
        self.until = now + PAUSE_SECONDS
        return True

    def explain(self, error: Exception) -> Exception:
        """Return what the user is told of an error that ends the map."""
        if isinstance(error, FileNotFoundError) or _is_gone(self.path):
            words = f"the work_dir {self.path!r}, or something in it, was deleted under the running map: {error}"
        elif isinstance(error, OSError):
            words = f"the map can not go on: {error}; when that is mended: pypoolparty.resume({self.path!r})"
        else:
            return error
        explained = WorkDirError(words)
        explained.__cause__ = error
        return explained


def _is_gone(path: str) -> bool:
    """Tell whether a folder is not there, rather than not to be seen in a bad moment."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
