"""`multiprocessing.Pool` for people who compute on shared clusters.

Change ``multiprocessing.Pool(8)`` to ``pypoolparty.slurm.array.Pool()`` and the map runs on Slurm; there are
pools for Grid Engine and for this machine too. Tasks, results and all that happens go through a work_dir on a
shared file system: no server, no port, nothing held idle, and nothing lost when jobs die.
"""

from typing import TYPE_CHECKING, Any

from . import errors, local, slurm, sun_grid_engine
from .choose import Pool, available_backend
from .policy import Retry
from .resuming import resume

__version__ = "1.0.0.dev0"

if TYPE_CHECKING:
    from .summary import Snapshot, load


def __getattr__(name: str) -> Any:
    """Import what only some use when it is first asked for."""
    if name in ("load", "Snapshot"):
        from . import summary

        return getattr(summary, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Pool",
    "Retry",
    "Snapshot",
    "__version__",
    "available_backend",
    "errors",
    "load",
    "local",
    "resume",
    "slurm",
    "sun_grid_engine",
]
