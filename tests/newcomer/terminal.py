"""A real terminal, in which a newcomer types: tmux on a socket of its own."""

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.real.daemons import wait_until
from tests.real.packages import require

COLUMNS, ROWS = 120, 60
PROMPT = "$ "


class Terminal:
    """One window with a shell in it; what it shows can be read, and kept as a picture."""

    def __init__(self, socket: Path, folder: Path, environment: Mapping[str, str], pictures: Path) -> None:
        self.socket, self.folder, self.pictures = socket, folder, pictures
        # Each prompt notes the exit code of what came before it, so that the screen is as a newcomer sees it.
        self.codes = folder / ".codes"
        self.environment = {**environment, "TERM": "xterm-256color", "HISTFILE": ""}

    def _tmux(self, *argv: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *argv]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def open(self) -> None:
        """Open the window."""
        start = self.folder / ".bashrc"
        start.write_text(f"PS1={PROMPT!r}\nPROMPT_COMMAND='echo $? >> {shlex.quote(str(self.codes))}'\n")
        shell = f"bash --noprofile --rcfile {shlex.quote(str(start))} -i"
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        self._tmux("new-session", "-d", *size, "-c", str(self.folder), shell)
        wait_until(lambda: self._n_prompts() > 0, "the shell's prompt", timeout=30, on_timeout=self.text)

    def close(self) -> None:
        """Close it, with all that runs in it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")
        wait_until(lambda: not self._is_there(), "the end of tmux", timeout=30)

    def _is_there(self) -> bool:
        try:
            self._tmux("list-sessions")
        except subprocess.CalledProcessError:
            return False
        return True

    def text(self) -> str:
        """Return what is to be seen now, without colours."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-1000").rstrip("\n")

    def type(self, line: str) -> None:
        """Type a line, and Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def run(self, line: str, timeout: float = 120, picture: str = "") -> tuple[int, str]:
        """Type a command on an empty screen, wait for its end; return its exit code and what is to be seen."""
        self._type_and_wait("clear", 30)
        self._tmux("clear-history")
        self._type_and_wait(line, timeout)
        if picture:
            self.keep(picture)
        return int(self.codes.read_text().split()[-1]), self.text()

    def _type_and_wait(self, line: str, timeout: float) -> None:
        n_prompts = self._n_prompts()
        self.type(line)
        what = f"the end of {line}"
        wait_until(lambda: self._n_prompts() > n_prompts, what, timeout=timeout, on_timeout=self.text)
        wait_until(
            lambda: self.text().rstrip().endswith(PROMPT.strip()),
            "the prompt",
            timeout=30,
            on_timeout=lambda: repr(self.text()),
        )

    def _n_prompts(self) -> int:
        return len(self.codes.read_text().splitlines()) if self.codes.exists() else 0

    def keep(self, name: str) -> Path:
        """Keep what is to be seen as a picture."""
        from rich.console import Console
        from rich.text import Text

        console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)
        console.print(Text.from_ansi(self._tmux("capture-pane", "-p", "-e", "-S", "-1000").rstrip()))
        path = self.pictures / f"{name}.svg"
        path.write_text(console.export_svg(title=name))
        return path


@contextlib.contextmanager
def opened(folder: Path, environment: Mapping[str, str], pictures: Path) -> Iterator[Terminal]:
    """Open a terminal, and close it however that comes."""
    require({"tmux": "tmux"})
    pictures.mkdir(exist_ok=True)
    terminal = Terminal(folder / ".tmux", folder, environment, pictures)
    terminal.open()
    try:
        yield terminal
    finally:
        terminal.close()
