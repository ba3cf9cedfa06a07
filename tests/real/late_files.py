"""A real Slurm whose nodes and whose main process see one folder as NFS shows it: late, through caches of their own."""

import os
from pathlib import Path

from tests.real import commands, packages
from tests.real.daemons import processes_mentioning, program_of, stop
from tests.real.slurm import SlurmCluster

CACHE_SECONDS = 30


class LateSlurm(SlurmCluster):
    """A Slurm with a folder `late`, which is the same store for all, through caches that nobody refreshes for them.

    The store is mounted once for this process and those that it starts, and once more in the name space of each node.
    """

    @property
    def late(self) -> Path:
        """The folder as this process and as the nodes see it."""
        return self.folder / "late"

    @property
    def store(self) -> Path:
        """The folder as it is, without any cache."""
        return self.folder / "store"

    def up(self) -> None:
        """Bring up the daemons, with the folder mounted."""
        packages.require({"bindfs": "bindfs"})
        super().up()

    def down(self) -> None:
        """Stop the daemons, then take away all mounts."""
        try:
            super().down()
        finally:
            self._unmount()

    def run_on_node(self, name: str, *argv: str) -> commands.Completed:
        """Run a command that sees the folder as the node does."""
        pid = self._running(f"slurmd-{name}")
        return self.run("nsenter", f"--target={pid}", "--mount", *argv)

    def hides(self, probe: Path) -> bool:
        """Tell whether a file that a node makes is not seen here, once its name was looked up."""
        if probe.exists():
            return False
        is_made = self.run_on_node("n1", "touch", str(probe)).returncode == 0
        try:
            return is_made and (self.store / probe.relative_to(self.late)).exists() and not probe.exists()
        finally:
            self.run_on_node("n1", "rm", "-f", str(probe))

    def _make_folders(self) -> None:
        super()._make_folders()
        for folder in (self.late, self.store):
            folder.mkdir(mode=0o700, exist_ok=True)
        commands.checked(["sh", "-c", _mount_words("$1", "$2"), "sh", str(self.store), str(self.late)], {})

    def _launch(self, *argv: str) -> None:
        if argv[0] == "slurmd":
            script = f'umount "$2" && {_mount_words("$1", "$2")} && shift 2 && exec "$@"'
            inside = ["sh", "-c", script, "sh", str(self.store), str(self.late)]
            argv = ("unshare", "--mount", "--propagation=private", *inside, *argv)
        super()._launch(*argv)

    def _unmount(self) -> None:
        """Take the folder away from this process; those of the nodes end with their file systems' servers."""
        while self._is_mounted():
            commands.checked(["umount", "--lazy", str(self.late)], {})
        for pid in processes_mentioning(str(self.store)):
            if Path(program_of(pid)).name == "bindfs":
                stop(pid)

    def _is_mounted(self) -> bool:
        """Look it up: of a mount whose server is dead, stat tells nothing."""
        point = os.fsencode(self.late).replace(b" ", b"\\040")
        return any(line.split()[1] == point for line in Path("/proc/self/mounts").read_bytes().splitlines())


def _mount_words(store: str, point: str) -> str:
    """Return the shell words that mount the store with the caches of NFS."""
    caches = " ".join(f"-o {kind}_timeout={CACHE_SECONDS}" for kind in ("attr", "entry", "negative"))
    return f'bindfs --multithreaded {caches} "{store}" "{point}"'
