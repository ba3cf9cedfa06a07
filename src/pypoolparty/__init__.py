"""`multiprocessing.Pool` for people who compute on shared clusters.

Change ``multiprocessing.Pool(8)`` to ``pypoolparty.slurm.array.Pool()`` and the map runs on Slurm; there are
pools for Grid Engine and for this machine too. Tasks, results and all that happens go through a work_dir on a
shared file system: no server, no port, nothing held idle, and nothing lost when jobs die.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import errors, joblib_backend, local, report, slurm, sun_grid_engine
    from .choose import Pool, available_backend
    from .executor import Executor
    from .policy import Retry
    from .resuming import resume
    from .summary import Snapshot, load

__version__ = "1.0.0.dev0"

__all__ = [
    "Executor",
    "Pool",
    "Retry",
    "Snapshot",
    "__version__",
    "available_backend",
    "errors",
    "joblib_backend",
    "load",
    "local",
    "report",
    "resume",
    "slurm",
    "sun_grid_engine",
]

# Where each name is. All is imported when it is first asked for: a program that only may need a pool, and
# each command on the command line, should not wait for what it does not use.
_PLACES = {
    "Executor": "executor",
    "Pool": "choose",
    "Retry": "policy",
    "Snapshot": "summary",
    "available_backend": "choose",
    "errors": "",
    "joblib_backend": "",
    "load": "summary",
    "local": "",
    "report": "",
    "resume": "resuming",
    "slurm": "",
    "sun_grid_engine": "",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    place = _PLACES[name]
    value = getattr(import_module(f"{__name__}.{place}"), name) if place else import_module(f"{__name__}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
