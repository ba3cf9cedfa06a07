"""What pypoolparty is to reach, and whether it does."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.measured import OURS, Measured, over
from bench.workloads import WORKLOADS

WIDE, LINGERING, WEIGHTED = "pypoolparty workers_per_job=8", "pypoolparty linger=10", "pypoolparty weights="
MEGABYTE = 1e6
_QUERIES = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE", "REQUEST_JOB_USER_INFO")


class Target(NamedTuple):
    """At most `limit`, in the words of `text`."""

    what: str
    text: str
    limit: float
    measure: Callable[[Measured], float | None]


def _wall(workload: str, limit: float, peer: str = OURS, system: str = "slurm") -> Target:
    what = WORKLOADS[workload].title + ("" if peer == OURS else f", {peer.partition(' ')[2]}")
    what += "" if system == "slurm" else f", {system}"
    return Target(what, "seconds", limit, lambda m: m.wall(system, peer, workload))


def _share(workload: str, peer: str, limit: float) -> Target:
    return Target(
        WORKLOADS[workload].title, f"× the time of {peer}", limit, lambda m: m.against("slurm", workload, peer)
    )


def _over_ideal(workload: str, limit: float, peer: str = OURS) -> Target:
    what = WORKLOADS[workload].title + ("" if peer == OURS else f", {peer.partition(' ')[2]}")
    return Target(
        what,
        "× ideal",
        limit,
        lambda m: over(m.wall("slurm", peer, workload), m.median("slurm", peer, workload, "ideal")),
    )


def _over_bare(m: Measured) -> float | None:
    ours, bare = m.wall("slurm", OURS, "one"), m.wall("slurm", "sbatch --array", "one")
    return None if ours is None or bare is None else ours - bare


def _held_over_work(m: Measured) -> float | None:
    return over(m.median("slurm", OURS, "lognormal", "held"), m.median("slurm", OURS, "lognormal", "work"))


def _local(value: str, unit: float) -> Callable[[Measured], float | None]:
    return lambda m: over(m.median("local", OURS, "1000000", value), unit)


def _worst(count: Callable[[dict[str, int], float], float]) -> Callable[[Measured], float | None]:
    """Return the largest number of requests in any run of one map on Slurm."""

    def largest(m: Measured) -> float | None:
        found = [
            count(record.values.get("requests", {}), record.values["wall"])
            for record in m.records
            if (record.kind, record.system, record.peer, record.status) == ("run", "slurm", OURS, "ok")
            and "walls" not in record.values
        ]
        return max(found, default=None)

    return largest


def _queries_per_interval(requests: dict[str, int], wall: float) -> float:
    return sum(requests.get(kind, 0) for kind in _QUERIES) / (1 + wall // 5.0)


def _import_ratio(m: Measured) -> float | None:
    return m.micro("import pypoolparty / import multiprocessing.pool")


def _worker_start(value: str, scale: float) -> Callable[[Measured], float | None]:
    def measure(m: Measured) -> float | None:
        return over(m.micro("worker start / bare python", value=value), scale)

    return measure


def _slowness(name: str) -> Callable[[Measured], float | None]:
    return lambda m: over(1e6, m.micro(name))


TARGETS = [
    _share("one", "submitit", 0.8),
    Target("one no-op", "s over a bare job of the scheduler", 0.4, _over_bare),
    _wall("500x10ms", 2.0),
    _share("500x10ms", "dask-jobqueue", 1 / 8),
    _share("500x10ms", "sbatch --array", 1 / 20),
    _share("500x10ms", "submitit", 1 / 40),
    _share("500x10ms", "GNU parallel in srun", 1.0),
    _over_ideal("64x1s", 1.6, WIDE),
    _over_ideal("64x1s", 2.1),
    _over_ideal("lognormal", 1.25),
    _over_ideal("lognormal", 1.25, WEIGHTED),
    Target("100 lognormal, mean 1 s", "core-seconds held / of work", 1.1, _held_over_work),
    _wall("10000x1ms", 2.5),
    _wall("iterated", 50.0, LINGERING),
    _share("iterated", "submitit", 0.5),
    _wall("1000000", 20.0, system="local"),
    Target("1,000,000 no-ops, local", "MB in the main process", 250, _local("memory_peak", MEGABYTE)),
    Target("1,000,000 no-ops, local", "files in the work_dir", 500, _local("files_peak", 1)),
    Target("any map", "submissions", 1, _worst(lambda r, _: r.get("REQUEST_SUBMIT_BATCH_JOB", 0))),
    Target("any map", "queries in a polling interval", 1, _worst(_queries_per_interval)),
    Target("any map", "cancellations", 1, _worst(lambda r, _: r.get("REQUEST_KILL_JOB", 0))),
    Target("import", "× import multiprocessing.pool", 1.3, _import_ratio),
    Target("worker start", "ms over the bare interpreter", 40, _worker_start("difference", 1e-3)),
    Target("worker start", "× the bare interpreter", 2.5, _worker_start("value", 1.0)),
    Target("end of a map, local", "s from the last result to the list", 0.2, lambda m: m.micro("last result to list")),
    Target("end of a map, Slurm", "s from the last result to the list", 0.2,
           lambda m: m.micro("last result to list", "slurm")),
    *(Target(name, "µs a small task", 10, _slowness(name))
      for name in ("write tasks", "read tasks", "write results", "read results")),
]  # fmt: skip


def judged(measured: Measured) -> Iterator[tuple[Target, float | None, str]]:
    """Yield each target, what was measured, and the verdict."""
    for target in TARGETS:
        value = target.measure(measured)
        if value is None:
            verdict = "not measured"
        elif value <= target.limit:
            verdict = "met"
        else:
            verdict = f"missed, {value / target.limit:.2g} times the limit"
        yield target, value, verdict
