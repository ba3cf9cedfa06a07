"""What the tasks of the contract run. Imports little: each worker that runs one of these imports this."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

STATE = None


def square(x):
    """Return the square."""
    return x * x


def identity(x):
    """Return the task itself."""
    return x


def nothing(_):
    """Return None, as functions do that only work by side effect."""


def weigh(a, b, c=0):
    """Return a number that tells its arguments apart."""
    return a + 10 * b + 100 * c


def length(x):
    """Return the length."""
    return len(x)


def process_of(_):
    """Return the process that the task runs in."""
    return os.getpid()


def slow_square(x):
    """Return the square; the lower the task the later it returns."""
    time.sleep(0.4 / (1 + x))
    return x * x


def wait_for(path):
    """Return once the file is there; give up rather than outlive the tests."""
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody opened the gate {path}")
        time.sleep(0.02)
    return "open"


def leave_mark_and_wait(folder, x):
    """Write a file that tells that the task has begun, and return once the gate is open."""
    Path(folder, f"begun-{x}").touch()
    wait_for(os.path.join(folder, "gate"))
    return x


def leave_mark(folder, x, bad=()):
    """Write a file that tells that the task has run; raise in the bad ones."""
    Path(folder, f"ran-{x}").touch()
    if x in bad:
        raise ValueError(x)
    return x


def raise_value_error(x):
    """Raise."""
    raise ValueError("bad task", x)


def raise_for_three(x):
    """Raise for the task 3 alone."""
    if x == 3:
        raise ValueError("bad task", x)
    return x


def raise_late_then_early(x):
    """Raise in task 2 at once, and much later in task 1."""
    if x == 1:
        time.sleep(0.7)
    if x in (1, 2):
        raise ValueError(x)
    return x


class OwnError(Exception):
    """An exception of the user's, with attributes."""

    def __init__(self, what, code):
        super().__init__(what, code)
        self.code = code


class ReducedError(Exception):
    """Its constructor does not take its args, and it says how to make it again."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return _make_reduced_error, (self.code,)


def _make_reduced_error(code):
    return ReducedError(code=code)


class UnusualError(Exception):
    """Its constructor does not take its args, and it does not say how to make it again."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


def raise_own(code):
    """Raise an exception of the user's."""
    raise OwnError("own words", code)


def raise_reduced(code):
    """Raise an exception that is rebuilt by a function."""
    raise ReducedError(code=code)


def raise_unusual(code):
    """Raise an exception that pickle can not rebuild."""
    raise UnusualError(code=code)


def raise_unpicklable(_):
    """Raise an exception that can not be pickled."""
    raise ValueError("holds a lock", threading.Lock())


def raise_chained(_):
    """Raise an exception that has a cause of its own."""
    try:
        {}["key"]
    except KeyError as error:
        raise OwnError("chained", 1) from error


def unpicklable_result_for_three(x):
    """Return a lock, which can not be pickled, for the task 3 alone."""
    return threading.Lock() if x == 3 else x


class UnpicklableTask:
    """A task that can not be sent."""

    def __reduce__(self):
        raise RuntimeError("this task can not be pickled")


class Multiplier:
    """Something with methods."""

    def __init__(self, factor):
        self.factor = factor

    def times(self, x):
        """Multiply."""
        return self.factor * x

    def __call__(self, x):
        return self.factor * x

    @classmethod
    def doubled(cls, x):
        """Multiply by two."""
        return cls(2).times(x)

    @staticmethod
    def tripled(x):
        """Multiply by three."""
        return 3 * x


def initialise(*words):
    """Remember the words in this process."""
    global STATE
    STATE = words


def read_state(_):
    """Return what `initialise` was given in this process."""
    return STATE


def raise_in_initializer():
    """Raise, as an initializer does that can not load its data."""
    raise OSError("the initializer can not load its data")


def speak(x):
    """Write to both streams."""
    print(f"task {x} to stdout")
    print(f"task {x} to stderr", file=sys.stderr)
    return x


def speak_below_python(x):
    """Write to stdout past Python: by the system call and by a child process."""
    os.write(1, f"task {x} by write\n".encode())
    os.system(f"echo task {x} by child")
    return x


def read_variable(name):
    """Return a variable of the environment."""
    return os.environ.get(name)


def working_folder(_):
    """Return the folder that the task runs in."""
    return os.getcwd()


def exit_for_three(x):
    """Leave Python in the task 3 alone."""
    if x == 3:
        sys.exit("leaving")
    return x


def crash_for_three(x):
    """End the process behind Python's back in the task 3 alone."""
    if x == 3:
        os._exit(3)
    return x


def kill_for_three(x):
    """Kill the own process in the task 3 alone."""
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def crash_once(folder, x):
    """End the process behind Python's back in the task 1, the first time."""
    mark = Path(folder, f"crashed-{x}")
    if x == 1 and not mark.exists():
        mark.touch()
        os._exit(1)
    return x


class NotLoadable:
    """A function that can be sent, but not be loaded."""

    def __call__(self, x):
        return x

    def __reduce__(self):
        return _refuse_to_load, ()


def _refuse_to_load():
    raise ImportError("can not be loaded on this node")
