"""Functions, tasks, values and exceptions on their way to a node and back."""

import errno
import functools
import io
import operator
import pickle
import subprocess
import sys
import threading
import zipfile
from multiprocessing.pool import MaybeEncodingError, RemoteTraceback
from types import SimpleNamespace

import pytest

from pypoolparty import payload, worker
from pypoolparty.errors import TaskExited, TaskRaised

WORKER = worker.Pickler(SimpleNamespace(work_dir="/nowhere", same_python=True))


class TwoArguments(Exception):
    """Its constructor takes other arguments than it hands on."""

    def __init__(self, name, number):
        super().__init__(f"{name} has {number}")
        self.name, self.number = name, number


class KeywordOnly(Exception):
    """Can not be called with its own args."""

    def __init__(self, *, code):
        super().__init__("words", code)
        self.code = code


class OwnReduce(Exception):
    """Says itself how it is rebuilt."""

    def __reduce__(self):
        return OwnReduce, ("rebuilt",)


class BrokenReduce(Exception):
    """Can not be pickled at all."""

    def __reduce__(self):
        raise RuntimeError("no")


class BrokenAtLoading(Exception):
    """Can be pickled, and fails when it is loaded; but its parts are fine."""

    def __reduce__(self):
        return operator.truediv, (1, 0)


class BrokenText(Exception):
    """Has no text."""

    def __str__(self):
        raise RuntimeError("no text")


def raised(function, *args):
    """Return what a function raises, as it comes back from a worker."""
    try:
        function(*args)
    except BaseException as error:
        return payload.load_exception(WORKER.dump_exception(error), 5, "/w")
    raise AssertionError("nothing was raised")


def throw(error):
    """Raise it."""
    raise error


@pytest.mark.parametrize("value", [None, 1, [1, "a"], sum, operator.add, functools.partial(operator.add, 1)])
@pytest.mark.parametrize("dumps", [payload.dumps, WORKER.dumps])
def test_plain_pickle_where_it_is_enough(dumps, value):
    """The standard library's bytes, which need nothing on the other side."""
    assert pickle.dumps(value, 5) == dumps(value)


@pytest.mark.parametrize("dumps", [payload.dumps, WORKER.dumps])
def test_cloudpickle_where_it_is_needed(dumps):
    """Lambdas and closures are taken."""
    offset = 3
    assert 7 == payload.loads(dumps(lambda x: x + offset))(4)
    assert b"cloudpickle" in dumps(lambda x: x)


def test_what_main_defines_goes_by_value(tmp_path):
    """A function of a script is taken along: the node's ``__main__`` is another."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pypoolparty import payload\n"
        "K = 3\n"
        "def f(x): return x * K\n"
        "sys.stdout.buffer.write(payload.dump_function(f, print, ('__main__',)))\n"
    )
    data = subprocess.run([sys.executable, script], capture_output=True, check=True).stdout
    func, initializer, initargs = payload.loads(data)
    assert 12 == func(4)
    assert (print, ("__main__",)) == (initializer, initargs)


def test_function_by_value_keeps_the_name_of_its_file():
    """A traceback of what goes by value shows the file and the line, as that of any function."""
    code = compile("def fails(x):\n    return 1 / x", "/a/folder/of mine.py", "exec")
    space = {"__name__": "__main__"}
    exec(code, space)
    function = payload.loads(payload.dumps(space["fails"]))
    assert function.__code__ is not space["fails"].__code__
    assert ("/a/folder/of mine.py", 1) == (function.__code__.co_filename, function.__code__.co_firstlineno)


def test_what_can_not_be_pickled():
    """The error is the caller's to handle."""
    with pytest.raises(TypeError, match="pickle"):
        payload.dumps(threading.Lock())


@pytest.mark.parametrize(
    "error",
    [
        ValueError("some", 3),
        KeyError("key"),
        OSError(errno.ENOENT, "No such file", "/x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StopIteration(4),
        KeyboardInterrupt(),
        TwoArguments("it", 3),
        KeywordOnly(code=4),
        Exception(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exception_comes_back_as_itself(error):
    """Same type, args, text and attributes, however its constructor is called."""
    again = raised(throw, error)
    assert type(error) is type(again)
    assert error.args == again.args
    assert str(error) == str(again)
    assert vars(error) == vars(again)


def test_exception_with_its_own_reduce():
    """Who says how it is rebuilt is rebuilt so."""
    assert ("rebuilt",) == raised(throw, OwnReduce("first")).args


def test_exception_of_a_class_that_is_local():
    """A class that no module has comes along."""

    class Local(ValueError):
        pass

    again = raised(throw, Local("words", 3))
    assert "Local" == type(again).__name__
    assert isinstance(again, ValueError)
    assert ("words", 3) == again.args


def test_exception_that_fails_when_it_is_loaded():
    """It is rebuilt from its parts."""
    again = raised(throw, BrokenAtLoading("words"))
    assert (BrokenAtLoading, ("words",)) == (type(again), again.args)


@pytest.mark.parametrize(
    "error",
    [ValueError("words", threading.Lock()), BrokenReduce("words", threading.Lock()), BrokenText(threading.Lock())],
    ids=lambda error: type(error).__name__,
)
def test_exception_that_can_not_be_pickled(error):
    """As with multiprocessing, an error about the error stands for it."""
    again = raised(throw, error)
    assert MaybeEncodingError is type(again)
    assert type(error).__name__ in str(again)
    assert f"{type(error).__name__}: " in str(again.__cause__)


def test_exception_that_can_not_be_rebuilt():
    """Another stands for it, with its name and its text."""
    again = raised(throw, BrokenAtLoading("words", threading.Lock()))
    assert TaskRaised is type(again)
    assert str(again).startswith(f"{__name__}.BrokenAtLoading: ('words', <")
    assert (5, "/w") == (again.itask, again.work_dir)


def test_exception_with_an_attribute_that_can_not_be_pickled():
    """It still says what it was."""
    error = ValueError("words")
    error.lock = threading.Lock()
    assert "words" in str(raised(throw, error))


@pytest.mark.parametrize("code", [None, 0, 3, "words"])
def test_exit_is_no_exit_of_ours(code):
    """A task that exits must not end the main process."""
    again = raised(sys.exit, code)
    assert TaskExited is type(again)
    assert f"task 5 called sys.exit({code!r})" == str(again)


def test_remote_traceback_is_the_cause():
    """As with multiprocessing, the cause shows where it was raised; the worker's own lines are left out."""
    again = raised(throw, ValueError("words"))
    assert RemoteTraceback is type(again.__cause__)
    text = str(again.__cause__)
    assert "in throw" in text
    assert "raise error" in text
    assert text.rstrip('"\n').endswith("ValueError: words")


def test_causes_are_told():
    """The causes of the cause stand in the text."""

    def chain():
        try:
            throw(KeyError("first"))
        except KeyError as error:
            raise ValueError("second") from error

    text = str(raised(chain).__cause__)
    assert "KeyError: 'first'" in text
    assert "direct cause" in text


def test_text_for_people():
    """The archive of exceptions has the traceback as text."""
    try:
        throw(ValueError("words"))
    except ValueError as error:
        text = payload.text_of_exception(WORKER.dump_exception(error))
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: words\n")


def test_result_that_can_not_be_pickled():
    """It gives multiprocessing's own error, for exactly this task."""
    kind, data = WORKER.dump_result(threading.Lock())
    again = payload.load_exception(data, 5, "/w")
    assert worker.RAISED == kind
    assert MaybeEncodingError is type(again)
    assert "lock" in str(again)


def test_result():
    """A result is its pickle."""
    assert (worker.RETURNED, pickle.dumps([1, 2], 5)) == WORKER.dump_result([1, 2])


def import_from_library(path):
    """Return the file of cloudpickle as a python finds it that has nothing installed."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import cloudpickle as c; print(c.__file__, c.dumps(lambda: 3))"
    argv = [sys.executable, "-S", "-I", "-c", code, str(path)]
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split()[0]


def test_library_is_importable_where_nothing_is_installed(tmp_path):
    """Cloudpickle comes with the work_dir, compiled already: its import is a good part of a worker's start."""
    library = tmp_path / "lib.zip"
    library.write_bytes(payload.library_zip())
    assert f"{library}/cloudpickle/__init__.pyc" == import_from_library(library)


def test_library_is_importable_by_another_python(tmp_path):
    """Bytecode of another version is passed over for the source."""
    library = tmp_path / "lib.zip"
    with zipfile.ZipFile(io.BytesIO(payload.library_zip())) as whole, zipfile.ZipFile(library, "w") as other:
        for name in whole.namelist():
            data = whole.read(name)
            other.writestr(name, b"\0\0\r\n" + data[4:] if name.endswith(".pyc") else data)
    assert f"{library}/cloudpickle/__init__.py" == import_from_library(library)
