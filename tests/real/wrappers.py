"""Commands of a real Slurm that have bad days: shell scripts that stand before the real ones."""

import os
import shutil
from pathlib import Path
from typing import Any

from tests.real.packages import search_path

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sacct")


class Wrappers:
    """A folder with all commands: the real ones, but for those that a test spoils.

    Parameters
    ----------
    folder : Path
    **bodies : str
        What a command does instead, in the shell. ``$real`` is the path of the real one; ``once NAME`` succeeds
        the first time only, ``note`` counts that a fault took place.
    """

    def __init__(self, folder: Path, **bodies: str) -> None:
        self.folder = folder
        folder.mkdir()
        for command in COMMANDS:
            real = shutil.which(command, path=search_path())
            assert real is not None, command
            path = folder / command
            path.write_text(
                f"#!/bin/bash\nreal={real}\nfolder={folder}\n"
                'note() { echo >> "$folder/$(basename "$0").fired"; }\n'
                'once() { mkdir "$folder/once-$1" 2>/dev/null && note; }\n'
                f'{bodies.get(command, "")}\nexec "$real" "$@"\n'
            )
            path.chmod(0o700)
        unknown = set(bodies) - set(COMMANDS)
        assert not unknown, unknown

    @property
    def paths(self) -> dict[str, Any]:
        """The arguments of a pool that uses them."""
        return {f"{command}_path": os.fspath(self.folder / command) for command in ("sbatch", "squeue", "scancel")}

    def fired(self, command: str) -> int:
        """Return how often the fault of a command took place."""
        try:
            return (self.folder / f"{command}.fired").read_text().count("\n")
        except FileNotFoundError:
            return 0
