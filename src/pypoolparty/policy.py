"""What a pool wants: pure data, with the defaults that the documentation names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .arguments import optional_int, parse_mem, parse_time, positive_int
from .states import Death, Limits

__all__ = ["FREE_DEATHS", "Policy", "Retry", "read_retry", "scaled"]

# Not the task's fault: such a death does not count as an attempt.
FREE_DEATHS = frozenset({Death.NODE_FAILED, Death.PREEMPTED, Death.CANCELLED})


@dataclass(frozen=True)
class Retry:
    """What is done about tasks whose queue-job died.

    Attributes
    ----------
    max_num_resubmissions : int, optional
        How often a task is submitted again; by default as the pool says (10).
    mem_factor : float
        After `OutOfMemory` a task asks for so many times more memory, if the pool's `mem` is given (1.5).
    max_mem : int or str, optional
        It never asks for more than this (bytes, or ``"16G"``), and is lost if this was not enough either.
    time_factor : float
        After `TimeLimit` a task asks for so many times more time, if the pool's `time` is given (2).
    max_time : int, str or timedelta, optional
        It never asks for more than this (seconds, or ``"8:00:00"``), and is lost if this was not enough either.
    exclude_after : int
        A node on which so many different tasks or queue-jobs died is left out from then on (3); but never the
        last one that is known.
    retry_exceptions : tuple of type
        Exceptions of tasks that are no final answer: such a task is tried again like one that died.
    alike_deaths : int
        If the first so many workers (3) can not be set up, or so many different tasks crash in the same way,
        and nothing at all has succeeded, the map is given up. A task that runs out of memory, or of time, so often
        is lost where the pool has no `mem`, or no `time`, that could be raised.
    max_free_resubmissions : int
        Preemption, failure of a node and cancellation by somebody else do not count as attempts; but a task
        is submitted again for them no more often than this (100).
    """

    max_num_resubmissions: int | None = None
    mem_factor: float = 1.5
    max_mem: int | str | None = None
    time_factor: float = 2.0
    max_time: int | str | None = None
    exclude_after: int = 3
    retry_exceptions: tuple[type[BaseException], ...] = ()
    alike_deaths: int = 3
    max_free_resubmissions: int = 100

    def __post_init__(self) -> None:
        for name in ("exclude_after", "alike_deaths"):
            positive_int(name, getattr(self, name))
        optional_int("max_num_resubmissions", self.max_num_resubmissions, least=0)
        positive_int("max_free_resubmissions", self.max_free_resubmissions, least=0)
        for name in ("mem_factor", "time_factor"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 1):
                raise ValueError(f"{name} must be a number of at least 1, not {value!r}")
        object.__setattr__(self, "max_mem", parse_mem(self.max_mem))
        object.__setattr__(self, "max_time", parse_time(self.max_time))
        kinds = tuple(self.retry_exceptions)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise TypeError(f"retry_exceptions must be exception classes, not {self.retry_exceptions!r}")
        object.__setattr__(self, "retry_exceptions", kinds)

    def as_json(self) -> dict[str, Any]:
        """Return what differs from the defaults as JSON has it; exceptions by their names, where they have any."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        kinds = found.pop("retry_exceptions", ())
        names = [f"{kind.__module__}:{kind.__qualname__}" for kind in kinds]
        # Those of a script, or of a function, can not be imported again.
        names = [name for name in names if not name.startswith("__main__:") and "<locals>" not in name]
        return {**found, "retry_exceptions": names} if names else found


def read_retry(value: object) -> Retry:
    """Return the `Retry` that is meant: also by a mapping of its arguments, with exceptions as ``"module:Name"``."""
    if value is None or isinstance(value, Retry):
        return value or Retry()
    if not isinstance(value, Mapping):
        raise TypeError(f"retry must be a pypoolparty.Retry, or a mapping of its arguments, not {value!r}")
    allowed = [one.name for one in fields(Retry)]
    unknown = [name for name in value if name not in allowed]
    if unknown:
        raise ValueError(f"retry has no {unknown[0]!r}; it has {', '.join(allowed)}")
    kinds = value.get("retry_exceptions", ())
    kinds = [kinds] if isinstance(kinds, (str, type)) else kinds
    return Retry(**{**value, "retry_exceptions": tuple(map(_exception_named, kinds))})


def _exception_named(kind: Any) -> Any:
    if not isinstance(kind, str):
        return kind
    import pkgutil  # rarely needed

    try:
        return pkgutil.resolve_name(kind if ":" in kind else f"builtins:{kind}")
    except (ImportError, AttributeError, ValueError) as error:
        words = f"retry_exceptions: {kind!r} can not be imported ({error}); names are as 'module:Name'"
        raise ValueError(words) from error


@dataclass(frozen=True)
class Policy:
    """How a pool wants its maps to run.

    Attributes
    ----------
    width : int or None
        The most queue-jobs at a time.
    workers_per_job : int
        Tasks that one queue-job does at a time; 0: as many as its node has cores.
    is_elastic : bool
        Whether a queue-job works until nothing is unclaimed, or does its own chunk only.
    is_array : bool
        Whether the scheduler runs arrays and throttles them itself.
    chunksize : int or None
        Tasks in a chunk; None leaves it to us.
    num_chunks : int or None
        The same said by the number of chunks.
    weights : sequence of float, optional
        How long each task will take, in any unit: the longest are begun first.
    max_num_resubmissions : int
    grace : float
        Seconds that a file may take from a node to us.
    settle : float
        Seconds to wait after a death for others of the same cause, so that one submission replaces all.
    limits : Limits
    patience : int
        Submissions that fail in a row before we give up.
    retry : Retry
    mem, time : int or None
        What a queue-job asks for: bytes, seconds.
    """

    width: int | None = None
    workers_per_job: int = 1
    is_elastic: bool = True
    is_array: bool = True
    chunksize: int | None = None
    num_chunks: int | None = None
    weights: Sequence[float] | None = None
    max_num_resubmissions: int = 10
    grace: float = 10.0
    settle: float = 1.0
    limits: Limits = Limits()
    patience: int = 30
    retry: Retry = Retry()
    mem: int | None = None
    time: int | None = None

    def mem_at(self, level: int) -> int | None:
        """Return the memory asked for after so many `OutOfMemory`."""
        return scaled(self.mem, self.retry.mem_factor, level, self.retry.max_mem)

    def time_at(self, level: int) -> int | None:
        """Return the time asked for after so many `TimeLimit`."""
        return scaled(self.time, self.retry.time_factor, level, self.retry.max_time)


def scaled(base: int | None, factor: float, level: int, cap: int | str | None) -> int | None:
    """Return ``base * factor ** level``, but no more than `cap` (or `base`, if that is more)."""
    if base is None:
        return None
    grown = math.ceil(base * factor**level)
    return min(grown, max(base, int(cap))) if cap is not None else grown
