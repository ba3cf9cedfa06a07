"""How many files and bytes a folder holds at the most, seen by a thread that looks now and then."""

import os
import threading
import time

SHORTEST_PAUSE = 0.1
SHARE = 0.05  # of the time may go into looking


class FolderWatch(threading.Thread):
    """Looks from `start` to `stop`; then `files` and `bytes` are the peaks."""

    def __init__(self, folder: str) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.files = 0
        self.bytes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look, until told to stop."""
        pause = SHORTEST_PAUSE
        while not self._ended.wait(pause):
            begin = time.thread_time()
            self.look()
            pause = max(SHORTEST_PAUSE, (time.thread_time() - begin) / SHARE)

    def look(self) -> None:
        """Count once."""
        files, size = count(self.folder)
        self.files, self.bytes = max(self.files, files), max(self.bytes, size)

    def stop(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()


def count(folder: str) -> tuple[int, int]:
    """Return the number of files below a folder and the sum of their sizes; what vanishes meanwhile counts not."""
    files = size = 0
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return 0, 0
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                inner_files, inner_size = count(entry.path)
                files, size = files + inner_files, size + inner_size
            else:
                files, size = files + 1, size + entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return files, size
