"""The files of the dummies: the state in one locked JSON file, and what belongs to the jobs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ._state import State, from_json, to_json


class Store:
    """The folder with the state and its lock, and with the few files that belong to the jobs."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.state_path = os.path.join(folder, "queue_state.json")
        self.lock_path = os.path.join(folder, "queue_state.lock")

    def spool(self, number: int) -> str:
        """Return the folder with a job's script and environment."""
        return os.path.join(self.folder, "spool", str(number))

    def keep(self, number: int, script: bytes, environment: dict[str, str]) -> None:
        """Keep a job's script and environment as they are when it is submitted."""
        os.makedirs(self.spool(number), mode=0o700, exist_ok=True)
        variables = b"\0".join(os.fsencode(f"{key}={value}") for key, value in environment.items())
        write_whole(os.path.join(self.spool(number), "environment"), variables)
        path = os.path.join(self.spool(number), "script")
        write_whole(path, script)
        os.chmod(path, 0o700)

    def environment(self, number: int) -> dict[str, str]:
        """Return a job's environment as it was when it was submitted."""
        with open(os.path.join(self.spool(number), "environment"), "rb") as file:
            variables = [os.fsdecode(variable) for variable in file.read().split(b"\0")]
        return dict(variable.split("=", 1) for variable in variables if "=" in variable)

    def forget(self, number: int) -> None:
        """Remove a job's script and environment."""
        for name in ("environment", "script", ""):
            path = os.path.join(self.spool(number), name)
            try:
                (os.unlink if name else os.rmdir)(path)
            except OSError:
                pass

    def note(self, number: int, index: int, pid: int) -> str:
        """Return the path of what a runner leaves to tell how its job has ended."""
        return os.path.join(self.folder, "ends", f"{number}.{index}.{pid}")

    def read(self) -> State:
        """Return the state of this moment."""
        with open(self.state_path, encoding="utf-8") as file:
            return from_json(json.load(file))

    @contextmanager
    def change(self) -> Iterator[State]:
        """Lock the state, lend it to be changed, and write it unless there is an exception."""
        with open(self.lock_path, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                state = self.read()
                yield state
                self.write(state)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # runners that have just been forked may still hold a copy

    def write(self, state: State) -> None:
        """Write the state; it appears at once or not at all."""
        text = json.dumps(to_json(state), separators=(",\n", ": "))  # a line for each value, as fast as none
        write_whole(self.state_path, text.encode())


def write_whole(path: str, content: bytes) -> None:
    """Write a file that appears under its name only when it is complete."""
    part = f"{path}.{os.getpid()}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.replace(part, path)
