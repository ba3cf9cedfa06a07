"""Write down what the real commands print, in tests/data/<manager>-<version>, for tests of parsers and fakes."""

import shlex
from collections.abc import Callable
from pathlib import Path

from tests.real.commands import Completed

DATA = Path(__file__).parents[1] / "data"


class Recorder:
    """Keeps each output as it came, and a table of which command made which file."""

    def __init__(self, folder: Path, run: Callable[..., Completed]) -> None:
        self.folder = folder
        self._run = run
        self._rows: list[str] = []

    def record(self, name: str, staged: str, *argv: str) -> Completed:
        """Run a command and keep its stdout in NAME.txt and its stderr, if any, in NAME.stderr.txt."""
        done = self._run(*argv, timeout=300)
        files = []
        for suffix, text in ((".txt", done.stdout), (".stderr.txt", done.stderr)):
            if text or suffix == ".txt":
                (self.folder / f"{name}{suffix}").write_text(text, errors="surrogateescape")
                files.append(f"{name}{suffix}")
        command = shlex.join(argv).replace("|", "\\|")
        self._rows.append(f"| {', '.join(files)} | {done.returncode} | `{command}` | {staged} |")
        return done

    def start(self) -> None:
        """Forget the recordings of an earlier run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in self.folder.glob("*.txt"):
            file.unlink()

    def finish(self, about: str, command: str) -> None:
        """Write the table."""
        lines = [
            f"# {self.folder.name}",
            "",
            f"{about} Made anew by `{command}`.",
            "Each NAME.txt is the stdout of the command, byte by byte, and NAME.stderr.txt its stderr.",
            "",
            "| files | exit | command | what was staged before |",
            "|---|---|---|---|",
            *self._rows,
            "",
        ]
        (self.folder / "README.md").write_text("\n".join(lines))
