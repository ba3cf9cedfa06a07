"""What users may write; what is wrong is named with its value and what is allowed."""

import datetime

import numpy
import pytest

from pypoolparty import arguments
from pypoolparty.states import Resources

DAY, HOUR, MINUTE = 86400, 3600, 60


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (1, 1),
        (90, 90),
        (0.5 + 1, 2),
        (datetime.timedelta(hours=1, minutes=1), HOUR + MINUTE),
        ("1-02:30:00", DAY + 2 * HOUR + 30 * MINUTE),
        ("2:30:00", 2 * HOUR + 30 * MINUTE),
        ("30:00", 30 * MINUTE),
        ("0:01", 1),
        (" 30:00 ", 30 * MINUTE),
        ("1-02", DAY + 2 * HOUR),
        ("0-1", HOUR),
        ("100:00:00", 100 * HOUR),
        ("90:00", 90 * MINUTE),
    ],
)
def test_time(value, seconds):
    """A time limit in all its spellings."""
    assert seconds == arguments.parse_time(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("90", ValueError),
        ("", ValueError),
        ("1h", ValueError),
        ("-1:00", ValueError),
        ("1:2:3:4", ValueError),
        ("1-2-3", ValueError),
        ("1-02:30", ValueError),
        ("00:00", ValueError),
        (0, ValueError),
        (0.5, ValueError),
        (-5, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (datetime.timedelta(0), ValueError),
        (datetime.timedelta(days=-1), ValueError),
        (True, TypeError),
        ([1], TypeError),
        (b"30:00", TypeError),
    ],
)
def test_bad_time(value, error):
    """What is no time limit is named."""
    with pytest.raises(error, match="time must be") as caught:
        arguments.parse_time(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (None, None),
        (1 << 20, 1 << 20),
        (2.5e6, 2_500_000),
        ("4G", 4 << 30),
        ("4g", 4 << 30),
        ("4GB", 4 << 30),
        ("4GiB", 4 << 30),
        (" 4 G ", 4 << 30),
        ("2.5G", 5 << 29),
        ("500M", 500 << 20),
        ("2048K", 2 << 20),
        ("1T", 1 << 40),
        ("1048576", 1 << 20),
        ("1048576B", 1 << 20),
    ],
)
def test_mem(value, amount):
    """An amount of memory in all its spellings."""
    assert amount == arguments.parse_mem(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", ValueError),
        ("G", ValueError),
        ("4X", ValueError),
        ("4 4G", ValueError),
        ("-4G", ValueError),
        ("4G\n4G", ValueError),
        ("1K", ValueError),
        (4, ValueError),
        (0, ValueError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (True, TypeError),
        ([4], TypeError),
    ],
)
def test_bad_mem(value, error):
    """What is no amount of memory is named; a handful of bytes is most likely meant as gigabytes."""
    with pytest.raises(error, match="mem must be") as caught:
        arguments.parse_mem(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [1, 8, 10**9, numpy.int64(8)])
def test_positive_int(value):
    """Integers of any kind are taken, and are plain integers from then on."""
    assert int(value) == arguments.positive_int("width", value)
    assert int is type(arguments.positive_int("width", value))


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("8", TypeError), (True, TypeError), (None, TypeError)],
)
def test_bad_positive_int(value, error):
    """What is no integer of at least 1 is named, with the argument's name."""
    with pytest.raises(error, match="width must be") as caught:
        arguments.positive_int("width", value)
    assert repr(value) in str(caught.value)
    assert "at least 1" in str(caught.value)


def test_optional_int():
    """None stands for the default; zero may be allowed."""
    assert arguments.optional_int("gpus", None) is None
    assert 0 == arguments.optional_int("gpus", 0, least=0)
    with pytest.raises(ValueError, match="gpus must be at least 0, not -1"):
        arguments.optional_int("gpus", -1, least=0)


@pytest.mark.parametrize("value", [0.001, 5, 1e9])
def test_positive_number(value):
    """Numbers of seconds are floats from then on."""
    assert float(value) == arguments.positive_number("polling_interval", value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1.0, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("5", TypeError),
        (None, TypeError),
        (True, TypeError),
    ],
)
def test_bad_positive_number(value, error):
    """What is no number of seconds is named."""
    with pytest.raises(error, match="polling_interval must be a") as caught:
        arguments.positive_number("polling_interval", value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("width", "processes", "expected"), [(None, None, None), (3, None, 3), (None, 4, 4), (1, None, 1)]
)
def test_width(width, processes, expected):
    """The width is given by either of its names, or not at all."""
    assert expected == arguments.read_width(width, processes)


def test_width_by_both_names():
    """Both names at once are a TypeError that has both values."""
    with pytest.raises(TypeError, match=r"num_simultaneously_running_tasks.*3 and 4"):
        arguments.read_width(3, 4)


@pytest.mark.parametrize(("width", "processes"), [(0, None), (None, 0), (None, -1)])
def test_bad_width(width, processes):
    """As for multiprocessing.Pool, no processes are a ValueError."""
    with pytest.raises(ValueError, match="at least 1"):
        arguments.read_width(width, processes)


def test_either():
    """Of two names for one thing, one may be given."""
    assert 1 == arguments.either("queue_name", 1, "partition", None)
    assert 2 == arguments.either("queue_name", None, "partition", 2)
    assert arguments.either("queue_name", None, "partition", None) is None
    with pytest.raises(TypeError, match="queue_name and partition mean the same: give one of 'a' and 'b'"):
        arguments.either("queue_name", "a", "partition", "b")


def test_resources():
    """All resources at once, each checked and in its unit."""
    asked = arguments.resources(
        time="1:00:00", mem="4G", cpus=2, gpus=1, partition="p", account="a", qos="q", submit_args=["--x", "1"]
    )
    assert Resources(3600, 4 << 30, 2, 1, "p", "a", "q", ("--x", "1")) == asked
    assert Resources() == arguments.resources()


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"cpus": 0}, ValueError, "cpus must be at least 1, not 0"),
        ({"gpus": -1}, ValueError, "gpus must be at least 0, not -1"),
        ({"partition": ""}, ValueError, "partition must be a name on one line, not ''"),
        ({"account": "a\nb"}, ValueError, r"account must be a name on one line, not 'a\\nb'"),
        ({"qos": "a\0"}, ValueError, "qos must be a name"),
        ({"partition": 3}, TypeError, "partition must be a string, not 3"),
        ({"submit_args": "--x 1"}, TypeError, "submit_args must be a list of strings, not the string '--x 1'"),
        ({"submit_args": [1]}, TypeError, "submit_args must be a list of strings, but 1 is in it"),
        ({"submit_args": ["a\0"]}, ValueError, "null character"),
    ],
)
def test_bad_resources(given, error, words):
    """A bad resource is named with what is allowed."""
    with pytest.raises(error, match=words):
        arguments.resources(**given)


def test_lines():
    """Any iterable of strings is taken, and nothing."""
    assert ("a", "b") == arguments.read_lines("setup", iter(["a", "b"]))
    assert () == arguments.read_lines("setup", None)


def test_environment():
    """Variables may have any text; nothing is an empty mapping."""
    assert {"A": "", "B": "x=y\n"} == arguments.read_environment({"A": "", "B": "x=y\n"})
    assert {} == arguments.read_environment(None)


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({1: "a"}, TypeError),
        ({"A": 1}, TypeError),
        ({"": "a"}, ValueError),
        ({"A=B": "a"}, ValueError),
        ({"A\0": "a"}, ValueError),
        ({"A": "a\0"}, ValueError),
    ],
)
def test_bad_environment(env, error):
    """A variable that can not be set is named."""
    [name] = env
    with pytest.raises(error, match="env ") as caught:
        arguments.read_environment(env)
    assert repr(name) in str(caught.value)


def test_initializer():
    """The initializer is a callable, its arguments become a tuple."""
    assert (1, 2) == arguments.check_initializer(print, [1, 2])
    assert () == arguments.check_initializer(None, ())
    with pytest.raises(TypeError, match="initializer must be a callable, not 3"):
        arguments.check_initializer(3, ())
