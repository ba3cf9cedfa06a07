"""Slurm, with a queue-job of its own for each chunk; `array` has the pool to prefer."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..arguments import positive_number, read_width, resources
from ..command import beside
from ..policy import Retry
from ..pool import BasePool
from ..scheduler import CommandScheduler
from ..setting import make_setting
from ..site_settings import site_settings
from . import array
from .dialect import SlurmDialect

__all__ = ["Pool", "array"]


class Pool(BasePool):
    """A pool on Slurm, without arrays: one queue-job for each chunk; see `multiprocessing.Pool` for its methods.

    Parameters
    ----------
    num_simultaneously_running_tasks : int, optional
        The most queue-jobs that run at a time; by default as many as the scheduler takes.
    python_path : str, optional
        The interpreter on the nodes; by default this process's own.
    polling_interval : float
        Seconds between two queries of the scheduler, one for all maps of the pool. Results do not wait for it.
    work_dir : path, optional
        A folder that all nodes reach; each map makes its own work_dir in it, named by its session id. By
        default ``./.pypoolparty``.
    keep_work_dir : bool
        Keep the work_dir also when all went well. One with failures or with stderr is always kept.
    verbose : bool
        Tell on stderr what happens, and show the progress.
    slurm_call_timeout : float
        Seconds that a command of Slurm may take.
    max_num_resubmissions : int
        How often a task is submitted again when its queue-job died.
    sbatch_path, squeue_path, scancel_path : str
        The commands.
    clusters : str, optional
        The clusters of a federation to talk to.
    num_chunks : int, optional
        Into how many chunks, and so queue-jobs, the tasks are put; by default one for each task.
    time : int, float, str or timedelta, optional
        Time limit of a queue-job: seconds, or ``"1-02:30:00"``.
    mem : int or str, optional
        Memory of a queue-job: bytes, or ``"4G"``.
    cpus, gpus : int, optional
        Cores and graphics cards of a queue-job.
    partition, account, qos : str, optional
        Names as Slurm knows them.
    submit_args : list of str
        Further arguments for sbatch, verbatim.
    setup : list of str
        Shell lines that run on the node before the worker (``module load …``, ``conda activate …``).
    env : mapping, optional
        Variables for the tasks, on top of this process's.
    retry : Retry or mapping, optional
        What is done about tasks whose queue-job died; see `pypoolparty.Retry`. A mapping has its arguments.
    progress : bool, optional
        Show on stderr how each map goes on: a bar in a terminal or notebook, lines now and then elsewhere. By
        default as `verbose` says.
    max_calls_per_minute : int, optional
        Calls of the scheduler that this pool begins in any minute (600, or more where `polling_interval` asks for
        more): submissions, queries, cancellations. Those that are too many are made later; only what is to be
        cancelled at the end does not wait.
    processes : int, optional
        `multiprocessing`'s name for `num_simultaneously_running_tasks`.
    initializer, initargs : callable, sequence
        Called as ``initializer(*initargs)`` in each worker process before its first task.
    maxtasksperchild : int, optional
        Tasks that a worker process does before a fresh one takes its place.

    Examples
    --------
    >>> pool = pypoolparty.slurm.Pool(16)  # doctest: +SKIP
    >>> pool.map(sum, [[1, 2], [2, 3], [4, 5]])  # doctest: +SKIP
    [3, 5, 9]
    """

    @site_settings("slurm")
    def __init__(
        self,
        num_simultaneously_running_tasks: int | None = None,
        python_path: str | None = None,
        polling_interval: float = 5.0,
        work_dir: str | os.PathLike[str] | None = None,
        keep_work_dir: bool = False,
        verbose: bool = False,
        slurm_call_timeout: float = 60.0,
        max_num_resubmissions: int = 10,
        sbatch_path: str = "sbatch",
        squeue_path: str = "squeue",
        scancel_path: str = "scancel",
        clusters: str | None = None,
        *,
        processes: int | None = None,
        num_chunks: int | None = None,
        time: int | float | str | datetime.timedelta | None = None,
        mem: int | str | None = None,
        cpus: int | None = None,
        gpus: int | None = None,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        submit_args: Iterable[str] = (),
        setup: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        retry: Retry | Mapping[str, Any] | None = None,
        progress: bool | None = None,
        max_calls_per_minute: int | None = None,
        initializer: Callable[..., Any] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> None:
        dialect = SlurmDialect(
            sbatch_path,
            squeue_path,
            scancel_path,
            beside(sbatch_path, "scontrol"),
            beside(sbatch_path, "sacct"),
            clusters,
        )
        timeout = positive_number("slurm_call_timeout", slurm_call_timeout)
        # Without it squeue shortens long lists of elements.
        untruncated = {"SLURM_BITSTR_LEN": "0"}
        setting = make_setting(
            "slurm",
            CommandScheduler(dialect, timeout, False, untruncated),
            width=read_width(num_simultaneously_running_tasks, processes),
            is_array=False,
            is_elastic=False,
            python_path=python_path,
            polling_interval=polling_interval,
            work_dir=work_dir,
            default_parent=".pypoolparty",
            keep_work_dir=keep_work_dir,
            verbose=verbose,
            progress=progress,
            max_calls_per_minute=max_calls_per_minute,
            max_num_resubmissions=max_num_resubmissions,
            retry=retry,
            resources=resources(
                time=time,
                mem=mem,
                cpus=cpus,
                gpus=gpus,
                partition=partition,
                account=account,
                qos=qos,
                submit_args=submit_args,
            ),
            setup=setup,
            env=env,
            initializer=initializer,
            initargs=initargs,
            maxtasksperchild=maxtasksperchild,
            num_chunks=num_chunks,
            own={
                "num_chunks": num_chunks,
                "slurm_call_timeout": timeout,
                "sbatch_path": sbatch_path,
                "squeue_path": squeue_path,
                "scancel_path": scancel_path,
                "clusters": clusters,
            },
        )
        super().__init__(setting)
