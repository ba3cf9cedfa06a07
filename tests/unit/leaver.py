"""A program with a map that never ends by itself; it is left in some way. Started by `test_leaving_programs`."""

import functools
import json
import os
import sys
import time

import pypoolparty
from tests.unit import functions


def make_pool(described):
    """Return the pool that is asked for."""
    kind = described.pop("kind")
    pools = {"local": pypoolparty.local.Pool, "slurm": pypoolparty.slurm.array.Pool}
    pools["sge"] = pypoolparty.sun_grid_engine.array.Pool
    return pools[kind](2, polling_interval=0.2, **described)


def wait_for_tasks(folder):
    """Wait until the tasks 1 and 2 have begun."""
    while not all(os.path.exists(os.path.join(folder, f"at-{itask}")) for itask in (1, 2)):
        time.sleep(0.01)


def main(how, folder, described):
    """Start the map, and leave it."""
    func = functools.partial(functions.wait_for, folder, waiting=[1, 2])
    pool = make_pool(json.loads(described))
    if how == "waits":
        with pool:
            pool.map(func, range(4), chunksize=1)
    if how == "waits without a context":
        pool.map(func, range(4), chunksize=1)
    pool.map_async(func, range(4), chunksize=1)
    wait_for_tasks(folder)
    if how == "terminates":
        pool.terminate()
        pool.join()
    if how == "raises":
        with pool:
            raise KeyError("own mistake")
    if how == "raises without a context":
        raise KeyError("own mistake")


if __name__ == "__main__":
    main(*sys.argv[1:])
