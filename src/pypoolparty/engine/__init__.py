"""The engine: collect, query, decide, act, deliver. One for all pools."""

from ._driver import Driver
from ._restore import restore
from ._run import MapRun, Options, Sink

__all__ = ["Driver", "MapRun", "Options", "Sink", "restore"]
