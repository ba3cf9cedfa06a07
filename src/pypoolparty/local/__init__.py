"""This machine: real worker processes, the same engine, the same work_dir as on a cluster."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..arguments import read_width, resources
from ..policy import Retry
from ..pool import BasePool
from ..setting import make_setting
from ..site_settings import site_settings
from .scheduler import LocalScheduler

__all__ = ["Pool"]


class Pool(BasePool):
    """A pool on this machine; see `multiprocessing.Pool` for its methods.

    Parameters
    ----------
    num_simultaneously_running_tasks : int, optional
        The most worker processes at a time; by default as many as this process may use cores.
    python_path : str, optional
        The interpreter of the workers; by default this process's own.
    polling_interval : float
        Seconds between two looks at the worker processes. Results do not wait for it.
    work_dir : path, optional
        A folder in which each map makes its own work_dir, named by its session id. By default the system's
        for temporary files.
    keep_work_dir : bool
        Keep the work_dir also when all went well. One with failures or with stderr is always kept.
    verbose : bool
        Tell on stderr what happens, and show the progress.
    max_num_resubmissions : int
        How often a task is started again when its process died.
    elastic : bool
        True: each worker works until nothing is unclaimed. False: a process for each chunk.
    time : int, float, str or timedelta, optional
        Time limit of a worker process: seconds, or ``"1-02:30:00"``.
    mem : int or str, optional
        Memory of a worker process: bytes, or ``"4G"``.
    cpus, gpus : int, optional
        Cores and graphics cards of a worker process.
        Here `time` and `mem` are enforced by this package, so that failures can be tried without a cluster;
        `cpus` only sets the number of threads of numerical libraries, and `gpus` nothing.
    setup : list of str
        Shell lines that run on the node before the worker (``module load …``, ``conda activate …``).
    env : mapping, optional
        Variables for the tasks, on top of this process's.
    retry : Retry or mapping, optional
        What is done about tasks whose queue-job died; see `pypoolparty.Retry`. A mapping has its arguments.
    progress : bool, optional
        Show on stderr how each map goes on: a bar in a terminal or notebook, lines now and then elsewhere. By
        default as `verbose` says.
    processes : int, optional
        `multiprocessing`'s name for `num_simultaneously_running_tasks`.
    initializer, initargs : callable, sequence
        Called as ``initializer(*initargs)`` in each worker process before its first task.
    maxtasksperchild : int, optional
        Tasks that a worker process does before a fresh one takes its place.

    Examples
    --------
    >>> import pypoolparty
    >>> with pypoolparty.local.Pool(2) as pool:
    ...     pool.map(sum, [[1, 2], [2, 3], [4, 5]])
    [3, 5, 9]
    """

    @site_settings("local")
    def __init__(
        self,
        num_simultaneously_running_tasks: int | None = None,
        python_path: str | None = None,
        polling_interval: float = 0.1,
        work_dir: str | os.PathLike[str] | None = None,
        keep_work_dir: bool = False,
        verbose: bool = False,
        max_num_resubmissions: int = 10,
        *,
        processes: int | None = None,
        elastic: bool = True,
        time: int | float | str | datetime.timedelta | None = None,
        mem: int | str | None = None,
        cpus: int | None = None,
        gpus: int | None = None,
        setup: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        retry: Retry | Mapping[str, Any] | None = None,
        progress: bool | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> None:
        width = read_width(num_simultaneously_running_tasks, processes) or len(os.sched_getaffinity(0))
        setting = make_setting(
            "local",
            LocalScheduler(width),
            width=width,
            is_array=True,
            is_elastic=bool(elastic),
            python_path=python_path,
            polling_interval=polling_interval,
            work_dir=work_dir,
            default_parent=tempfile.gettempdir(),
            keep_work_dir=keep_work_dir,
            verbose=verbose,
            progress=progress,
            max_num_resubmissions=max_num_resubmissions,
            retry=retry,
            resources=resources(time=time, mem=mem, cpus=cpus, gpus=gpus),
            setup=setup,
            env=env,
            initializer=initializer,
            initargs=initargs,
            maxtasksperchild=maxtasksperchild,
            enforce_mem=True,
            own={"elastic": bool(elastic)},
        )
        super().__init__(setting)
