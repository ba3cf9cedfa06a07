"""The engine: collect, query, decide, act, deliver. One for all pools."""

from ._driver import Driver
from ._options import Options, Sink
from ._restore import restore
from ._run import MapRun
from ._standing import Standing, Unwatched, Watch

__all__ = ["Driver", "MapRun", "Options", "Sink", "Standing", "Unwatched", "Watch", "restore"]
