"""Numbers and texts for people, and for HTML. Pure."""

from __future__ import annotations

import html
import math
import time

__all__ = ["amount", "clock", "count", "duration", "escaped", "plain", "share", "time_unit"]

_SECONDS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))
_KEPT = {"\n", "\t"}


def count(number: float, noun: str = "") -> str:
    """Return a number with separators, and what is counted: ``"1,000 tasks"``."""
    text = f"{number:,.0f}"
    return f"{text} {noun if number == 1 else noun + 's'}" if noun else text


def duration(seconds: float) -> str:
    """Return a time span in few figures: ``"13 min"``, ``"2.5 h"``, ``"740 ms"``."""
    if seconds <= 0:
        return "0 s"
    if 60 <= seconds < 86400:
        return _two_parts(seconds)
    for size, unit in _SECONDS:
        if seconds >= 0.9995 * size:
            return f"{_figures(seconds / size)} {unit}"
    return "< 1 µs"


def _two_parts(seconds: float) -> str:
    """Return hours and minutes, or minutes and seconds."""
    size, unit, smaller = (3600, "h", "min") if seconds >= 3600 else (60, "min", "s")
    whole, rest = divmod(round(seconds * 60 / size), 60)
    return f"{whole} {unit} {rest} {smaller}" if rest and whole < 20 else f"{round(seconds / size)} {unit}"


def amount(n_bytes: float) -> str:
    """Return an amount of memory, in units of 1024 as schedulers have them: ``"1.7 GB"``."""
    for size, unit in _BYTES:
        if n_bytes >= size * 999.5 / 1024:
            return f"{_figures(n_bytes / size)} {unit}"
    return f"{n_bytes:.0f} B"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in per cent; nothing is all, or none, that is not quite."""
    if whole <= 0:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "< 1 %"
    if 99 < percent < 100:
        return "> 99 %"
    return f"{percent:.0f} %"


def clock(seconds: float) -> str:
    """Return date and time of day, in UTC: who reads it may be anywhere."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"


def _figures(value: float) -> str:
    """Return a number with two or three figures, and no zeros that tell nothing."""
    if value <= 0 or not math.isfinite(value):
        return "0"
    digits = 2 if value < 1 else 1 if value < 100 else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the unit for a time span so long: its seconds and its name."""
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2.5 * size:
            return size, name
    return 1.0, "seconds"


def plain(text: str, most: int = 20_000) -> str:
    """Return a text of a task's as it can be shown: control characters become visible, what is too long is cut.

    Its end is kept, for that is where a program tells why it died.
    """
    if len(text) > most:
        text = f"[… {len(text) - most:,} characters are left out here]\n{text[-most:]}"
    return "".join(character if character in _KEPT else _visible(character) for character in text)


def _visible(character: str) -> str:
    code = ord(character)
    if code < 32:
        return "" if character == "\r" else chr(0x2400 + code)
    # No lone surrogates, no C1 controls, and nothing that changes the direction of what follows.
    if (
        code == 127
        or 128 <= code < 160
        or 0xD800 <= code < 0xE000
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    ):
        return "\ufffd"
    return character


def escaped(text: object) -> str:
    """Return a text for HTML, in an element or in the quotes of an attribute."""
    return html.escape(plain(str(text)), quote=True)
