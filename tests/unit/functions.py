"""What the tests have workers do; imports next to nothing, so that what a worker imports can be seen."""

import os
import sys
import time


def identity(task):
    """Return the task."""
    return task


def add(first, second):
    """Return the sum."""
    return first + second


def pid_of(task):
    """Return the task and the process that does it."""
    return task, os.getpid()


def modules(task):
    """Return the names of all modules that are loaded."""
    return sorted(sys.modules)


def surroundings(task):
    """Return what a task sees of its surroundings."""
    umask = os.umask(0o077)
    os.umask(umask)
    names = ("COLOUR", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_LIBRARY_PATH", "PYPOOLPARTY_REEXECUTED")
    return {"cwd": os.getcwd(), "umask": umask, **{name: os.environ.get(name) for name in names}}


def shout(task):
    """Write to stdout and stderr: from Python, from the file descriptor, from a child process, from C."""
    import ctypes

    sys.stdout.write("python ")
    sys.stdout.flush()
    os.write(1, b"descriptor ")
    os.system("printf 'child '; printf 'child error' >&2")
    ctypes.CDLL(None).printf(b"C ")
    sys.stderr.write(f"python error {task}")
    return task


def read_stdin(task):
    """Return what is to be read."""
    return sys.stdin.read()


def fail_on(task, bad, how):
    """Return the task, or (for those in `bad`) end in some way."""
    if task not in bad:
        return task
    os.write(2, b"about to end\n")
    if how == "segfault":
        import ctypes

        ctypes.string_at(0)
    elif how == "exit":
        os._exit(3)
    elif how == "kill":
        os.kill(os.getpid(), 9)
    elif how == "raise":
        raise ValueError(task)
    elif how == "sys.exit":
        sys.exit(4)
    elif how == "memory":
        bytearray(2 << 30)
    elif how == "fork":
        if not os.fork():
            return "a second life"
        os.wait()
    return task


def wait_for(folder, task, waiting):
    """Leave the own pid in a file; the tasks in `waiting` wait until there is a file named ``go``."""
    with open(os.path.join(folder, f"part-{task}"), "w") as stream:
        stream.write(str(os.getpid()))
    os.rename(os.path.join(folder, f"part-{task}"), os.path.join(folder, f"at-{task}"))
    while task in waiting and not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    return task


def take_time(task):
    """Take so many seconds."""
    time.sleep(task)
    return task


def set_up(words):
    """Be an initializer."""
    os.environ["COLOUR"] = words


def break_set_up():
    """Be an initializer that fails."""
    print("in the initializer")
    raise LookupError("no data here")


def say_goodbye_at_exit(task):
    """Have something to do at the end of the process."""
    import atexit

    atexit.register(os.close, os.open(task, os.O_CREAT | os.O_WRONLY))
    atexit.register(os.rename, task, f"{task}-done")


def write_much(n):
    """Write so many bytes to stdout."""
    os.write(1, b"x" * n)
    return n


def end_unless(path, task):
    """Return the task if there is such a file; else end the process."""
    if not os.path.exists(path):
        os._exit(3)
    return task


def reveal(task):
    """Return all secrets that a task knows; wait for a file named ``go`` in the folder."""
    folder, first, second = task
    open(os.path.join(folder, "at-work"), "w").close()
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    return [os.environ["COLOUR"], os.environ["INHERITED"], first, second]


def shout_some(task):
    """Write to stdout, for odd tasks."""
    if task % 2:
        print(f"task {task}")
    return task


def die_once(path, task):
    """End the process the first time, and return the task from then on."""
    if not os.path.exists(path):
        open(path, "w").close()
        os._exit(3)
    return task
