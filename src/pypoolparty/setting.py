"""What a pool hands to the common face: checked once, for all kinds of pools."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import arguments
from .engine import Options
from .lingering import Lingering
from .policy import Policy, Retry, read_retry
from .scheduler import Scheduler
from .states import Resources
from .waiting_room import WaitingRoom
from .work_dir import make_session_id

__all__ = ["Setting", "make_setting"]

MOST_CALLS, MOST_SINGLE_CALLS = 120, 600  # in a minute


@dataclass(frozen=True)
class Setting:
    """What a pool hands to the common face.

    Attributes
    ----------
    kind : str
        The pool's name in ``session.json``.
    scheduler : Scheduler
    policy : Policy
    options : Options
    parent : str
        The folder in which each map makes its work_dir.
    is_default_parent : bool
        Whether the folder was our idea; then it is removed when it is empty.
    polling_interval : float
    verbose, progress : bool
    max_calls_per_minute : int or None
        None: as many as there are.
    setup : sequence of str
    env : mapping
    initializer, initargs, maxtasksperchild
        As in `multiprocessing`.
    arguments : mapping
        Of the pool's constructor, for `resume`; without those that are in the work_dir already.
    """

    kind: str
    scheduler: Scheduler
    policy: Policy
    options: Options
    parent: str
    is_default_parent: bool
    polling_interval: float
    verbose: bool = False
    progress: bool = False
    max_calls_per_minute: int | None = None
    setup: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    initializer: Callable[..., Any] | None = None
    initargs: tuple[Any, ...] = ()
    maxtasksperchild: int | None = None

    def remove_empty_parent(self) -> None:
        """Remove the folder of the work_dirs if it was our idea and nothing was kept in it."""
        if self.is_default_parent:
            try:
                os.rmdir(self.parent)
            except OSError:
                pass


def make_setting(
    kind: str,
    scheduler: Scheduler,
    *,
    width: int | None,
    is_array: bool,
    is_elastic: bool,
    python_path: str | None,
    polling_interval: float,
    work_dir: str | os.PathLike[str] | None,
    default_parent: str,
    keep_work_dir: bool,
    verbose: bool,
    progress: bool | None,
    max_num_resubmissions: int,
    retry: Retry | Mapping[str, Any] | None,
    resources: Resources,
    setup: Iterable[str],
    env: Mapping[str, str] | None,
    num_chunks: int | None = None,
    enforce_mem: bool = False,
    linger: float = 0.0,
    max_calls_per_minute: int | None = None,
    workers_per_job: int | str = 1,
    own: Mapping[str, Any],
    initializer: Callable[..., Any] | None,
    initargs: Sequence[Any],
    maxtasksperchild: int | None,
) -> Setting:
    """Check what all pools share, and put it together; `own` are the arguments of this kind of pool alone."""
    interval = arguments.positive_number("polling_interval", polling_interval)
    retry = read_retry(retry)
    if retry.max_num_resubmissions is not None:
        max_num_resubmissions = retry.max_num_resubmissions
    kept_retry = replace(retry, max_num_resubmissions=None).as_json()
    workers = arguments.read_workers_per_job(workers_per_job, is_elastic)
    if workers > 1 and width is not None:
        workers = min(workers, width)
    given = {name: value for name, value in asdict(resources).items() if value}
    if workers != 1:
        resources = replace(resources, cpus=resources.cpus or workers or None, whole_node=not workers)
    policy = Policy(
        width=-(-width // workers) if width and workers else width,
        workers_per_job=workers,
        is_elastic=is_elastic,
        is_array=is_array,
        num_chunks=arguments.optional_int("num_chunks", num_chunks),
        max_num_resubmissions=arguments.positive_int("max_num_resubmissions", max_num_resubmissions, least=0),
        grace=2 * interval,
        settle=min(1.0, interval / 2),
        retry=retry,
        mem=resources.mem,
        time=resources.time,
    )
    lines = arguments.read_lines("setup", setup)
    parent = os.path.abspath(_read_parent(work_dir, default_parent))
    room = _read_linger(linger, is_elastic, parent)
    options = Options(
        python_path=sys.executable if python_path is None else os.fspath(python_path),
        resources=resources,
        keep_work_dir=bool(keep_work_dir),
        enforce_mem=enforce_mem,
        interpreter="/bin/bash" if lines else "/bin/sh",
        linger=room,
    )
    return Setting(
        kind,
        Lingering(scheduler, WaitingRoom(room[0]) if room else None) if is_array else scheduler,
        policy,
        options,
        parent,
        work_dir is None and kind != "local",
        interval,
        bool(verbose),
        bool(verbose if progress is None else progress),
        _read_budget(max_calls_per_minute, interval, is_array) if kind != "local" else None,
        lines,
        arguments.read_environment(env),
        {
            "num_simultaneously_running_tasks": width,
            "python_path": options.python_path,
            "polling_interval": interval,
            "keep_work_dir": options.keep_work_dir,
            "verbose": bool(verbose),
            **({"progress": bool(progress)} if progress is not None else {}),
            **({"max_calls_per_minute": max_calls_per_minute} if max_calls_per_minute is not None else {}),
            "max_num_resubmissions": policy.max_num_resubmissions,
            **({"retry": kept_retry} if kept_retry else {}),
            **given,
            **own,
        },
        initializer,
        arguments.check_initializer(initializer, initargs),
        arguments.read_maxtasksperchild(maxtasksperchild),
    )


def _read_budget(most: int | None, interval: float, is_array: bool) -> int:
    """Return how many calls of the scheduler are allowed in a minute."""
    if most is not None:
        return arguments.positive_int("max_calls_per_minute", most)
    # Who asks for shorter intervals has them; and where each queue-job is submitted by itself, there are many calls.
    return max(MOST_CALLS if is_array else MOST_SINGLE_CALLS, math.ceil(2 * 60 / interval))


def _read_parent(work_dir: object, default: str) -> str:
    if work_dir is None:
        return default
    if not isinstance(work_dir, (str, os.PathLike)):
        raise TypeError(f"work_dir must be the path of a folder, not {work_dir!r}")
    return os.fspath(work_dir)


def _read_linger(seconds: float, is_elastic: bool, parent: str) -> tuple[str, float] | None:
    """Return the waiting room and the seconds to stay there; None: nobody waits."""
    if seconds == 0:
        return None
    if not is_elastic:
        raise ValueError("linger needs elastic=True: a queue-job for each chunk ends after its own")
    return os.path.join(parent, f"{make_session_id()}.waiting"), arguments.positive_number("linger", seconds)
