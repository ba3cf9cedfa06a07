"""What the tasks do. The workers of every peer import this, so it imports next to nothing."""

import time


def nap(seconds: float) -> float:
    """Sleep, and return how long."""
    time.sleep(seconds)
    return seconds


def do_nothing(number: int) -> int:
    """Return the task."""
    return number


def turn(data: bytes) -> bytes:
    """Return the bytes in reverse."""
    return data[::-1]


def pick(data: bytes, number: int) -> int:
    """Return one byte of what the function closes over."""
    return data[number]


def tell_time(_: object) -> float:
    """Return a moment by the clock that all processes of this machine share."""
    return time.monotonic()


def nap_and_tell_time(seconds: float) -> float:
    """Sleep, and return the moment of the end."""
    time.sleep(seconds)
    return time.monotonic()
