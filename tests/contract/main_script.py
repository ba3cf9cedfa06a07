"""A user's program: what it maps lives in ``__main__``. Started by the contract as a program of its own."""

import importlib
import json
import os
import sys
import time

STATE = "not initialised"


def square(x):
    """Return the square."""
    return x * x


def initialise(value):
    """Set a global variable of this program."""
    global STATE
    STATE = value


def read_state(_):
    """Read the global variable."""
    return STATE


class OwnError(Exception):
    """An exception class of this program."""


class Point:
    """A class of this program."""

    def __init__(self, x):
        self.x = x

    def moved(self, by):
        """Return another point."""
        return Point(self.x + by)


def move(point):
    """Return the next point."""
    return point.moved(1)


def fail(x):
    """Raise an exception of this program."""
    raise OwnError(x)


def mark_and_sleep(path):
    """Tell that this task runs, and run for long."""
    with open(path, "w"):
        time.sleep(60)


def name_of_own_error(pool):
    """Return whether the class of the exception is this program's own."""
    try:
        pool.apply(fail, (3,))
    except OwnError as error:
        return [type(error) is OwnError, error.args]
    return "nothing was raised"


def try_everything(make):
    """Return what a program of its own sees."""
    with make(initializer=initialise, initargs=("initialised",)) as pool:
        moved = pool.map(move, [Point(1), Point(2)])
        return {
            "squares": pool.map(square, range(3)),
            "state": pool.map(read_state, range(2)),
            "points": [point.x for point in moved],
            "class": isinstance(moved[0], Point),
            "error": name_of_own_error(pool),
        }


def wait_to_be_interrupted(make, folder):
    """Map tasks that run for longer than the test."""
    with make() as pool:
        pool.map(mark_and_sleep, [os.path.join(folder, f"begun-{k}") for k in range(8)], chunksize=1)


def main(described, what, *words):
    """Make the pool and do what was asked."""
    described = json.loads(described)
    module, _, name = described["pool"].rpartition(".")
    pool_class = getattr(importlib.import_module(module), name)

    def make(**more):
        return pool_class(**described["options"], **more)

    print(json.dumps(globals()[what](make, *words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
