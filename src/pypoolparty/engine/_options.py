"""What the engine is given with each map: where outcomes go, and what the pool wants."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..states import Resources
from ._collect import Delivery

__all__ = ["Options", "Sink"]


class Sink(Protocol):
    """Where the outcomes of a map go: a result object.

    Attributes
    ----------
    work_dir : str
        Of the map.
    asked_to_end : Exception or None
        What the map is to be ended with, once nobody wants its outcomes any more.
    """

    work_dir: str
    asked_to_end: BaseException | None

    def deliver(self, outcomes: list[Delivery]) -> None:
        """Take itask, whether it returned, and the value or exception, of each."""

    def fail(self, error: BaseException) -> None:
        """Take one exception for all that has no outcome yet."""


@dataclass(frozen=True)
class Options:
    """What a pool wants of each of its maps, besides the policy.

    Attributes
    ----------
    python_path : str
        The interpreter on the nodes.
    resources : Resources
    keep_work_dir : bool
    enforce_mem : bool
        Whether the workers limit their memory themselves.
    linger : (str, float) or None
        The waiting room for workers that have nothing left to do, and for how many seconds.
    interpreter : str
        Of the job script.
    say : callable
        Takes a line for a user who wants to know.
    tell : callable
        Takes a line that every user has to know.
    announce : callable
        Takes the first line of a map, for a user who watches.
    """

    python_path: str
    resources: Resources = field(default_factory=Resources)
    keep_work_dir: bool = False
    enforce_mem: bool = False
    linger: tuple[str, float] | None = None
    interpreter: str = "/bin/sh"
    say: Callable[[str], None] = lambda line: None
    tell: Callable[[str], None] = lambda line: None
    announce: Callable[[str], None] = lambda line: None

    def heard_here(self) -> Options:
        """Return options whose words go where those of the caller go: in a notebook, below the cell that runs now."""
        here = contextvars.copy_context()

        def aside(speak: Callable[[str], None]) -> Callable[[str], None]:
            return lambda words: here.copy().run(speak, words)

        return replace(self, say=aside(self.say), tell=aside(self.tell), announce=aside(self.announce))

    def resources_at(self, mem: int | None, time: int | None) -> Resources:
        """Return the resources with as much memory (bytes) and time (seconds)."""
        return replace(self.resources, mem=mem, time=time)
