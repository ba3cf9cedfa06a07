"""The parts of pypoolparty, each beside what it is to be measured by: python -m bench micro --output FILE."""

import argparse
import datetime
import functools
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.unit import maps

import pypoolparty
from bench import functions, records, systems
from bench.peers.ours import POOLS
from bench.records import Record
from pypoolparty import payload
from pypoolparty.testing import Dummies
from pypoolparty.work_dir import TasksWriter, escape_for_job_script
from pypoolparty.work_dir._reduced import Reduced, read_reduced
from pypoolparty.worker import RETURNED, Tasks

Values = dict[str, Any]
FLUSH_TASKS = 10_000
HELPERS: Any = maps  # not typed


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def summary(samples: list[float], unit: str, **more: object) -> Values:
    """Return the median and the spread."""
    middle = statistics.median(samples)
    return {"value": middle, "low": min(samples), "high": max(samples), "n": len(samples), "unit": unit, **more}


def ratio(ours: list[float], theirs: list[float], **more: object) -> Values:
    """Return the ratio of two medians, and both."""
    a, b = statistics.median(ours), statistics.median(theirs)
    return {"value": a / b, "ours": a, "theirs": b, "difference": a - b, "n": len(ours), "unit": "ratio", **more}


def python(*arguments: str) -> None:
    """Run a fresh interpreter to its end."""
    subprocess.run([sys.executable, *arguments], check=True, stdin=subprocess.DEVNULL)


def shell(*arguments: str) -> None:
    """Run a shell to its end."""
    subprocess.run(["/bin/sh", *arguments], check=True, stdin=subprocess.DEVNULL)


def worker_start(repeats: int) -> Iterator[tuple[str, Values]]:
    """Time from the start of the job script to its first task, beside a shell that starts a bare interpreter."""
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats):
            bare.append(seconds(lambda: shell("-c", 'exec "$0" -c pass', sys.executable)))
            work_dir = HELPERS.make_map(os.path.join(folder, str(number)), functions.tell_time, [0])
            HELPERS.submit(work_dir, 1)
            begin = time.monotonic()
            shell(work_dir.layout.job_script, sys.executable, escape_for_job_script(work_dir.path), "0001", "0")
            collected = work_dir.collect(refresh=False)
            [value] = [record.value for segment in collected for record in segment.records if record.kind == RETURNED]
            ours.append(payload.loads(value) - begin)
    yield "worker start / bare python", ratio(ours, bare)


def imports(repeats: int) -> Iterator[tuple[str, Values]]:
    """Fresh interpreters that import us, and what we stand in for."""
    names = ("pypoolparty", "pypoolparty.slurm.array", "multiprocessing.pool")
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            times[name].append(seconds(functools.partial(python, "-c", f"import {name}")))
    for name in names[:2]:
        yield f"import {name} / import {names[2]}", ratio(times[name], times[names[2]])


def archives(repeats: int, n: int) -> Iterator[tuple[str, Values]]:
    """Small tasks in a second, into the files and out of them."""
    rates: dict[str, list[float]] = {}
    for _ in range(min(repeats, 5)):
        with tempfile.TemporaryDirectory() as folder:
            for name, call in _archive_calls(folder, n).items():
                rates.setdefault(name, []).append(n / seconds(call))
    for name, samples in rates.items():
        yield name, summary(samples, "tasks/s", tasks=n)


def _archive_calls(folder: str, n: int) -> dict[str, Callable[[], object]]:
    tasks, index, results = (os.path.join(folder, name) for name in ("tasks.zip", "tasks.index", "results.zip"))

    def write_tasks() -> None:
        writer = TasksWriter(tasks, index)
        writer.extend(range(n))
        writer.close()

    def read_tasks() -> None:
        reader = Tasks(folder)
        assert n == sum(data is not None for data in reader.read(range(n)))

    def write_results() -> None:
        archive = Reduced(results, "pickle", True)
        for itask in range(n):
            archive.add(itask, b"0123456789")
            if not (itask + 1) % FLUSH_TASKS:
                archive.sync()
        archive.sync()
        archive.close()

    def read_results() -> None:
        assert n == sum(1 for _ in read_reduced(results, "pickle"))

    calls = (write_tasks, read_tasks, write_results, read_results)
    return {call.__name__.replace("_", " "): call for call in calls}


def end_of_a_map(system: str, repeats: int) -> Iterator[tuple[str, Values]]:
    """Time from the last task's end to the list in the main process."""
    make_pool = operator.attrgetter(f"{POOLS[system]}.Pool")(pypoolparty)
    delays = []
    with tempfile.TemporaryDirectory() as folder, make_pool(4, work_dir=folder) as pool:
        for _ in range(repeats):
            ends = pool.map(functions.nap_and_tell_time, [0.3] * 8)
            delays.append(time.monotonic() - max(ends))
    yield "last result to list", summary(delays, "s")


def scheduler_calls(tasks: int = 100) -> Iterator[tuple[str, Values]]:
    """Commands of one map on the dummies of Slurm, where each call is counted."""
    with tempfile.TemporaryDirectory() as folder, Dummies(os.path.join(folder, "dummies"), slots=4) as dummies:
        paths: dict[str, Any] = {f"{name}_path": dummies.path(name) for name in ("sbatch", "squeue", "scancel")}
        with pypoolparty.slurm.array.Pool(4, work_dir=folder, polling_interval=1.0, **paths) as pool:
            wall = seconds(lambda: pool.map(functions.nap, [0.05] * tasks))
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            yield f"{name} in a map", {"value": dummies.calls(name), "unit": "calls", "wall": wall, "interval": 1.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `main` takes."""
    parser.add_argument("--system", choices=("local", "slurm", "gridengine"), default="local")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=200_000, help="in the archives")
    parser.add_argument("--output", required=True)


def measure(system: str, repeats: int, tasks: int) -> Iterator[tuple[str, Values]]:
    """Measure all that depends on no scheduler; on a scheduler, the end of a map alone."""
    yield from end_of_a_map(system, repeats)
    if system == "local":
        yield from worker_start(repeats)
        yield from imports(repeats)
        yield from archives(repeats, tasks)
        yield from scheduler_calls()


def main(asked: argparse.Namespace) -> None:
    """Measure and write down."""
    with systems.opened(asked.system) as system:
        os.environ.update(system.environment)
        commit = systems.commit()
        for name, values in measure(asked.system, asked.repeats, asked.tasks):
            date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            values = {"date": date, "commit": commit, "command": systems.command(), **values}
            records.append(asked.output, Record("micro", asked.system, "pypoolparty", name, 0, "ok", values))
            print(f"{asked.system}  {name:50} {values['value']:.4g} {values['unit']}", flush=True)
