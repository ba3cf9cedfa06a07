"""The engine: collect, query, decide, act, deliver. One for all pools."""

from ._driver import Driver
from ._options import Options, Sink
from ._restore import restore
from ._run import MapRun

__all__ = ["Driver", "MapRun", "Options", "Sink", "restore"]
