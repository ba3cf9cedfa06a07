"""Takes real schedulers down when the process that brought them up is gone, however it went.

An exit handler is not enough: SIGTERM, SIGKILL and the time-out of a hanging test (os._exit) pass it by. The guard
is a process apart that reads from a pipe of which only the guarded process has the other end, until that is closed.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.real.gridengine import GridEngine
from tests.real.late_files import LateSlurm
from tests.real.slurm import SlurmCluster

_GRID_ENGINE = "gridengine"
_SLURMS = {kind.__name__: kind for kind in (SlurmCluster, LateSlurm)}
_ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def guarded(daemons: SlurmCluster | GridEngine) -> Iterator[None]:
    """Have a process take these daemons down when ours ends within the block, or before."""
    what = [type(daemons).__name__, str(daemons.folder)] if isinstance(daemons, SlurmCluster) else [_GRID_ENGINE]
    argv = [sys.executable, "-m", "tests.real.guard", *what]
    guard = subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate()


def main(what: str, folder: str = "") -> None:
    """Wait until the other end of the pipe is closed, then take down what is still up."""
    sys.stdin.read()
    if what == _GRID_ENGINE:
        GridEngine().down()  # the guarded process is no user of it any more, but others may be
    else:
        _SLURMS[what](Path(folder)).down()


if __name__ == "__main__":
    main(*sys.argv[1:])
