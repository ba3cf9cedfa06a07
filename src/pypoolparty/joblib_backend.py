"""A backend for joblib, and so for scikit-learn and all others who use that; importing this module registers it.

Examples
--------
>>> import joblib, pypoolparty.joblib_backend  # doctest: +SKIP
>>> with joblib.parallel_config("pypoolparty", scheduler="local", n_jobs=2):  # doctest: +SKIP
...     joblib.Parallel()(joblib.delayed(abs)(number) for number in [-1, -2])
[1, 2]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import joblib.parallel
except ImportError as error:
    raise ImportError("pypoolparty.joblib_backend needs joblib; to install it: pip install joblib") from error

from . import choose
from .pool import BasePool

__all__ = ["Backend", "register"]

NAME = "pypoolparty"
UNKNOWN_WIDTH = 64  # tasks at a time to plan for, where the pool has no limit of its own

Outcome = tuple[bool, Any]


class Backend(joblib.parallel.ParallelBackendBase):  # type: ignore[misc]
    """Runs the calls of a `joblib.Parallel` in queue-jobs.

    Parameters
    ----------
    pool : pool, optional
        Any pool of this package; it is left open. By default each `joblib.Parallel` makes one and closes it.
    scheduler : {"slurm", "sun_grid_engine", "local"}, optional
        Where no pool is given: ``backend=`` of `pypoolparty.Pool`, a name that joblib has taken.
    **arguments
        For the pool that is made then; `n_jobs` is its width.

    Notes
    -----
    All calls are dispatched at once (``pre_dispatch="all"``) and become one array: dispatching more whenever some are
    done would be a submission each time. The pool cuts them into chunks itself, so that joblib's ``batch_size="auto"``
    means one call. A `joblib.Parallel` inside of a task has the threads that `cpus` gives to it, and no queue-jobs.
    """

    supports_retrieve_callback = True
    supports_sharedmem = False
    uses_threads = False
    default_n_jobs = -1

    def __init__(
        self,
        pool: BasePool | None = None,
        scheduler: str | None = None,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        if pool is not None and not isinstance(pool, BasePool):
            raise TypeError(f"pool must be a pool of pypoolparty, not {pool!r}")
        if pool is not None and (scheduler or arguments):
            raise TypeError(f"a pool is given, so that it takes no {', '.join(['scheduler', *arguments])}")
        self._given, self._scheduler, self._arguments = pool, scheduler, arguments
        self._pool = pool

    # ------------------------------------------------------------------ the pool

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls may run at a time."""
        if n_jobs == 0:
            raise ValueError("n_jobs must not be 0; -1 is as many as the pool takes")
        if n_jobs is not None and n_jobs > 0:
            return n_jobs
        if self._pool is None:
            return UNKNOWN_WIDTH
        policy = self._pool._setting.policy
        return (policy.width or UNKNOWN_WIDTH) * max(1, policy.workers_per_job)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **settings: Any) -> int:
        """Prepare for the calls of one `joblib.Parallel`."""
        self.parallel, self._n_jobs = parallel, n_jobs
        if self._given is None:
            width = n_jobs if n_jobs is not None and n_jobs > 0 else None
            self._pool = choose.Pool(width, backend=self._scheduler, **self._arguments)
        if parallel is not None:
            parallel.pre_dispatch = "all"
        return self.effective_n_jobs(n_jobs)

    def terminate(self) -> None:
        """Close the pool, if it is our own."""
        if self._given is None and self._pool is not None:
            pool, self._pool = self._pool, None
            pool.close()
            pool.join()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End what is under way; in a pool that is not our own it goes on."""
        if self._given is not None or self._pool is None:
            return
        pool, self._pool = self._pool, None
        pool.terminate()
        pool.join()
        if ensure_ready:
            self.configure(self._n_jobs, self.parallel)

    # ------------------------------------------------------------------ the calls

    def submit(self, func: Callable[[], Any], callback: Callable[[Outcome], None] | None = None) -> Any:
        """Have a batch of calls done; `callback` takes its outcome."""
        assert self._pool is not None
        tell = callback or (lambda outcome: None)
        return self._pool.apply_async(
            func, callback=lambda value: tell((True, value)), error_callback=lambda error: tell((False, error))
        )

    apply_async = submit  # joblib's name for it before 1.5

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """Return what a batch has returned, or raise what it raised."""
        success, value = out
        if not success:
            raise value
        return value

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """Return what a `joblib.Parallel` inside of a task uses: threads on its cores."""
        cpus = self._pool._setting.options.resources.cpus if self._pool is not None else None
        level = (self.nesting_level or 0) + 1
        if level > 1 or not cpus or cpus < 2:
            return joblib.parallel.SequentialBackend(nesting_level=level), None
        return joblib.parallel.ThreadingBackend(nesting_level=level), cpus


def register() -> None:
    """Let joblib know the backend by its name; that is done already when this module is imported."""
    joblib.parallel.register_parallel_backend(NAME, Backend)


register()
