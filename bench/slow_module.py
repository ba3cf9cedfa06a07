"""A module that takes two seconds to import, as large libraries on busy file systems do."""

import time

time.sleep(2.0)


def nap(seconds: float) -> float:
    """Sleep, and return how long."""
    time.sleep(seconds)
    return seconds
