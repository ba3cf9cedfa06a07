"""Run the schedulers' commands and daemons, and leave nothing behind when the daemons do not come up."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.real.daemons import DaemonsUnavailable
from tests.real.packages import search_path

Completed = subprocess.CompletedProcess[str]


def environment_with(ours: Mapping[str, str]) -> dict[str, str]:
    """Give our own environment without what a job or a user of another cluster has in it, and with `ours`."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_", "SGE_"))}
    return {**clean, "PATH": search_path(), **ours}


def run(
    argv: Sequence[str], environment: Mapping[str, str], *, timeout: float = 60, cwd: Path | None = None, text: str = ""
) -> Completed:
    """Run a command to its end; names of jobs may hold any byte, so the text that it prints may as well."""
    return subprocess.run(
        argv,
        env=environment_with(environment),
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )


def checked(argv: Sequence[str], environment: Mapping[str, str], *, text: str = "") -> str:
    """Run a command that must succeed and give what it printed."""
    done = run(argv, environment, timeout=120, text=text)
    if done.returncode != 0:
        raise DaemonsUnavailable(f"{' '.join(argv)} failed: {done.stdout}{done.stderr}")
    return done.stdout


def launch(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a daemon apart from our terminal; most go into the background by themselves soon after."""
    with open(log, "ab") as file:
        return subprocess.Popen(
            argv,
            env=environment_with(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


@contextlib.contextmanager
def nothing_left_on_failure(name: str, down: Callable[[], None], log_tail: Callable[[], str]) -> Iterator[None]:
    """Take down what is already up when something fails (or Ctrl-C comes) half-way, and say what the logs say."""
    try:
        yield
    except BaseException as error:
        shown = log_tail()
        down()
        if isinstance(error, Exception) and not isinstance(error, DaemonsUnavailable):
            raise DaemonsUnavailable(f"{name} did not come up: {error!r}\n{shown}") from error
        raise
