"""Check and read what users write; what is wrong is named with its value and what is allowed."""

from __future__ import annotations

import datetime
import math
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .states import Resources

__all__ = [
    "check_initializer",
    "either",
    "optional_int",
    "parse_mem",
    "parse_time",
    "positive_int",
    "positive_number",
    "read_environment",
    "read_lines",
    "read_maxtasksperchild",
    "read_width",
    "resources",
]

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def positive_int(name: str, value: Any, least: int = 1) -> int:
    """Return `value`, an integer of at least `least`; raises TypeError or ValueError."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer of at least {least}, not {value!r}")
    number = int(value.__index__())
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def optional_int(name: str, value: Any, least: int = 1) -> int | None:
    """Return `value`, None or an integer of at least `least`."""
    return None if value is None else positive_int(name, value, least)


def read_maxtasksperchild(value: Any) -> int | None:
    """Return ``maxtasksperchild``; what is wrong is always a ValueError, as in `multiprocessing`."""
    try:
        return optional_int("maxtasksperchild", value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def positive_number(name: str, value: Any) -> float:
    """Return `value`, a finite number of seconds greater than zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number of seconds greater than 0, not {value!r}")
    return float(value)


def read_width(width: Any, processes: Any) -> int | None:
    """Return ``num_simultaneously_running_tasks``, also by multiprocessing's name for it."""
    if width is not None and processes is not None:
        raise TypeError(
            "num_simultaneously_running_tasks and processes are two names for one thing: "
            f"give one of them, not {width!r} and {processes!r}"
        )
    if processes is not None:
        return positive_int("Number of processes (processes=)", processes)
    return optional_int("num_simultaneously_running_tasks", width)


def parse_time(value: Any) -> int | None:
    """Return a time limit in seconds.

    Parameters
    ----------
    value : None, int, float, datetime.timedelta or str
        Seconds; or ``"days-hours:minutes:seconds"``, ``"hours:minutes:seconds"``, ``"minutes:seconds"``.
    """
    allowed = 'seconds, a timedelta, or a string like "1-02:30:00", "2:30:00" or "30:00"'
    if value is None:
        return None
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", value.strip())
        days_only = re.fullmatch(r"(\d+)-(\d+)", value.strip())
        if found and not (found[1] and not found[2]):
            days, hours, minutes, rest = (int(part or 0) for part in found.groups())
            seconds = 86400 * days + 3600 * hours + 60 * minutes + rest
        elif days_only:
            seconds = 86400 * int(days_only[1]) + 3600 * int(days_only[2])
        else:
            raise ValueError(f"time must be {allowed}, not {value!r}")
    else:
        raise TypeError(f"time must be {allowed}, not {value!r}")
    if not (math.isfinite(seconds) and seconds >= 1):
        raise ValueError(f"time must be at least one second, not {value!r}")
    return math.ceil(seconds)


def parse_mem(value: Any) -> int | None:
    """Return an amount of memory in bytes.

    Parameters
    ----------
    value : None, int or str
        Bytes; or a number with K, M, G or T (of 1024), as ``"4G"``, ``"2.2G"``, ``"500MB"``.
    """
    allowed = 'a number of bytes, or a string like "4G", "2.2G" or "500M"'
    if value is None:
        return None
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?\s*", value, re.IGNORECASE)
        if not found:
            raise ValueError(f"mem must be {allowed}, not {value!r}")
        amount = float(found[1]) * 1024.0 ** _UNITS[found[2].upper()]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        amount = value
    else:
        raise TypeError(f"mem must be {allowed}, not {value!r}")
    if not (math.isfinite(amount) and amount >= 1 << 20):
        raise ValueError(f"mem must be at least one megabyte, not {value!r}")
    return math.ceil(amount)


def resources(
    *,
    time: Any = None,
    mem: Any = None,
    cpus: Any = None,
    gpus: Any = None,
    partition: Any = None,
    account: Any = None,
    qos: Any = None,
    submit_args: Iterable[str] = (),
) -> Resources:
    """Return what a queue-job asks for, checked."""
    return Resources(
        parse_time(time),
        parse_mem(mem),
        optional_int("cpus", cpus),
        optional_int("gpus", gpus, least=0),
        _name("partition", partition),
        _name("account", account),
        _name("qos", qos),
        read_lines("submit_args", submit_args),
    )


def read_workers_per_job(value: Any, is_elastic: bool) -> int:
    """Return how many tasks a queue-job does at a time; 0 for ``"node"``: as many as its node has cores."""
    if isinstance(value, str):
        if value != "node":
            raise ValueError(f'workers_per_job must be a number of at least 1, or "node", not {value!r}')
        number = 0
    else:
        number = positive_int("workers_per_job", value)
    if number != 1 and not is_elastic:
        raise ValueError("workers_per_job needs elastic=True: a queue-job for each chunk has one worker")
    return number


def read_weights(value: Iterable[float] | None, n: int) -> array[float] | None:
    """Return the weights of `n` tasks."""
    if value is None:
        return None
    weights = array("d", value)
    if len(weights) != n:
        raise ValueError(f"weights must have one number for each of the {n} tasks, not {len(weights)}")
    bad = next((weight for weight in weights if not (math.isfinite(weight) and weight >= 0)), None)
    if bad is not None:
        raise ValueError(f"weights must be finite numbers of at least 0, not {bad!r}")
    return weights


def either(name: str, value: Any, other: str, other_value: Any) -> Any:
    """Return the one of two arguments that mean the same."""
    if value is not None and other_value is not None:
        raise TypeError(f"{name} and {other} mean the same: give one of {value!r} and {other_value!r}")
    return value if value is not None else other_value


def _name(what: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {value!r}")
    if not value or any(c in value for c in "\n\0"):
        raise ValueError(f"{what} must be a name on one line, not {value!r}")
    if value.startswith("-"):
        raise ValueError(f"{what} must be a name, not an option: {value!r}")
    return value


def read_lines(name: str, value: Iterable[str] | None) -> tuple[str, ...]:
    """Return a sequence of strings; a single string is most likely a mistake."""
    if value is None:
        return ()
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a list of strings, not the string {value!r}")
    lines = tuple(value)
    for line in lines:
        if not isinstance(line, str):
            raise TypeError(f"{name} must be a list of strings, but {line!r} is in it")
        if "\0" in line:
            raise ValueError(f"{name} must not have a null character in it: {line!r}")
    return lines


def read_environment(value: Mapping[str, str] | None) -> dict[str, str]:
    """Return the user's extra variables, checked."""
    extra: dict[str, str] = {}
    for name, text in (value or {}).items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(f"env must map strings to strings, but has {name!r}: {text!r}")
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(f"env has a variable that can not be set: {name!r}")
        extra[name] = text
    return extra


def check_initializer(initializer: Callable[..., Any] | None, initargs: Sequence[Any]) -> tuple[Any, ...]:
    """Return `initargs` as a tuple."""
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer must be a callable, not {initializer!r}")
    return tuple(initargs)
