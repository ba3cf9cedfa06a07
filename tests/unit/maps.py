"""Work_dirs made by hand, and what stands in for a worker's job: what the tests of disk and worker share."""

import os
import time
from types import SimpleNamespace

import pypoolparty
from pypoolparty import worker
from pypoolparty.decide import Policy, plan
from pypoolparty.environment import describe_environment
from pypoolparty.ledger import Ledger
from pypoolparty.payload import dump_function
from pypoolparty.work_dir import NewMap, WorkDir


def wait_until(condition, message="it", timeout=20):
    """Wait until the condition holds and return what it says."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout} s for {message}"
        time.sleep(0.005)


def make_map(path, func, tasks, initializer=None, initargs=(), call="map", maxtasksperchild=None, env=None):
    """Write a new map to disk, without a submission."""
    work_dir = WorkDir.create(str(path))
    writer = work_dir.tasks_writer()
    writer.extend(tasks)
    writer.close()
    session = {"pool": "unit", "n_tasks": writer.n, "call": call, "maxtasksperchild": maxtasksperchild}
    function = dump_function(func, initializer, initargs)
    work_dir.write_new_map(NewMap(function, describe_environment(env or {}), (), session))
    return work_dir


def submit(work_dir, n, width=1, number=1, is_elastic=True, chunksize=None, **described):
    """Write a submission of all tasks as the engine plans it; return its chunks."""
    policy = Policy(width=width, is_elastic=is_elastic, chunksize=chunksize)
    planned = plan(Ledger(n), policy, width)
    content = {
        "elastic": is_elastic,
        "width": max(1, planned.elements),
        "tables": [f"{number:04d}"],
        "flush_interval": 0.1,
        "time_limit": None,
        "cpus": None,
        "workers_per_job": 1,
        "enforce_mem": None,
        **described,
    }
    work_dir.write_submission(number, content, planned.chunks)
    return list(planned.chunks)


def stand_in_for_a_job(work_dir, element=0, number=1, pid=7):
    """Return what `worker.Segments` and `worker.Table` need to know of their job."""
    name = f"{number:04d}-{element:06d}-node-{pid}-1f"
    return SimpleNamespace(work_dir=work_dir.path, element=element, worker=name, elastic=True, number_of_slots=1)


def make_segments(work_dir, slot_name="0", interval=0.0, **of_job):
    """Return a slot's segments; what is appended appears at once, or with a longer interval by `publish` only."""
    slot = memoryview(bytearray(8 * 8)).cast("q")
    segments = worker.Segments(stand_in_for_a_job(work_dir, **of_job), slot_name, slot, interval)
    segments.has_publisher = True
    return segments


def files_below(folder):
    """Return the relative paths of all files below a folder."""
    found = []
    for base, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(base, name), folder) for name in names]
    return sorted(found)


def is_running(pid):
    """Tell whether a process lives; one that is dead and only not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def run_local(folder, func, tasks, **options):
    """Return the work_dir that a map leaves behind."""
    options = {"keep_work_dir": True, "polling_interval": 0.1, **options}
    with pypoolparty.local.Pool(2, work_dir=folder, **options) as pool:
        result = pool.map_async(func, tasks, on_error="return")
        result.get()
        pool.close()
        pool.join()
    return result.work_dir
