"""What to ask for the next time, from what was needed this time. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ._text import amount, duration, share

__all__ = ["Advice", "Needs", "advise", "round_up_memory", "round_up_time"]

MEMORY_MARGIN = 1.25
TIME_MARGIN = 1.5
JOB_MARGIN = 1.25
AFTER_DEATHS = 1.5
LEAST_MEMORY = 100 << 20
# Limits that people ask for, in minutes; beyond the last, whole hours.
_MINUTES = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1080, 1440)


@dataclass(frozen=True)
class Needs:
    """What a map has needed.

    Attributes
    ----------
    peak_memory : float
        Of a single worker, in bytes; 0 if it is unknown.
    longest_task, longest_job : float
        Seconds.
    workers_per_job : int
    cpus : int or None
        How many were asked for, for each queue-job.
    efficiency : float or None
        CPU time by core-time, while tasks ran.
    asked_memory, asked_time : int or None
        In bytes and seconds.
    out_of_memory, out_of_time : int
        How often tasks or queue-jobs died for want of it.
    is_elastic : bool
    is_complete : bool
        Whether all tasks have an outcome.
    """

    peak_memory: float = 0.0
    longest_task: float = 0.0
    longest_job: float = 0.0
    workers_per_job: int = 1
    cpus: int | None = None
    efficiency: float | None = None
    asked_memory: int | None = None
    asked_time: int | None = None
    out_of_memory: int = 0
    out_of_time: int = 0
    is_elastic: bool = True
    is_complete: bool = True


@dataclass(frozen=True)
class Advice:
    """What to ask for, as arguments of a pool, and why.

    Attributes
    ----------
    arguments : dict of str to str or int
    reasons : tuple of str
        What it rests on, and the margins.
    """

    arguments: dict[str, str | int]
    reasons: tuple[str, ...]

    @property
    def code(self) -> str:
        """The arguments as they are typed: ``mem='2.2G', time='0:20:00'``."""
        return ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())


def advise(needs: Needs) -> Advice:
    """Return what to ask for the next time; without arguments where nothing is known."""
    arguments: dict[str, str | int] = {}
    reasons: list[str] = []
    for name, (value, words) in (("mem", _memory(needs)), ("time", _time(needs)), ("cpus", _cpus(needs))):
        if value:
            arguments[name] = value
        if words:
            reasons.append(words)
    if arguments and not needs.is_complete:
        reasons.append("Not all tasks have an outcome yet: those to come may need more.")
    return Advice(arguments, tuple(reasons))


def _memory(needs: Needs) -> tuple[str, str]:
    if needs.out_of_memory:
        had = max(needs.asked_memory or 0, needs.peak_memory * needs.workers_per_job)
        what = f"{amount(had)} were not enough {_times(needs.out_of_memory)}"
        return round_up_memory(AFTER_DEATHS * had), f"Memory: {what}; half as much again."
    if not needs.peak_memory:
        return "", ""
    need = needs.peak_memory * needs.workers_per_job
    several = f" × {needs.workers_per_job} workers in a queue-job" if needs.workers_per_job > 1 else ""
    of_asked = f", of {amount(needs.asked_memory)} asked for" if needs.asked_memory else ""
    words = f"Memory: the peak was {amount(needs.peak_memory)}{several}{of_asked}; a quarter more, rounded up."
    return round_up_memory(max(LEAST_MEMORY, MEMORY_MARGIN * need)), words


def _time(needs: Needs) -> tuple[str, str]:
    if needs.out_of_time and needs.asked_time:
        words = f"Time: {duration(needs.asked_time)} were not enough {_times(needs.out_of_time)}; twice as much."
        return round_up_time(max(2 * needs.asked_time, TIME_MARGIN * needs.longest_task)), words
    if not needs.longest_task:
        return "", ""
    by_task = round_up_time(TIME_MARGIN * needs.longest_task)
    if not needs.is_elastic:
        need = TIME_MARGIN * max(needs.longest_task, needs.longest_job)
        words = f"Time: the longest queue-job took {duration(max(needs.longest_task, needs.longest_job))}"
        return round_up_time(need), f"{words}; half as much again, rounded up."
    of_asked = f", of {duration(needs.asked_time)} asked for" if needs.asked_time else ""
    words = f"Time: the longest task took {duration(needs.longest_task)}{of_asked}; half as much again, rounded up."
    whole = round_up_time(JOB_MARGIN * needs.longest_job)
    if needs.longest_job <= TIME_MARGIN * needs.longest_task or whole == by_task:
        return by_task, words
    words = (
        f"Time: the longest queue-job ran for {duration(needs.longest_job)}; a quarter more, rounded up. "
        f"As little as time={by_task!r} would do, for the longest task took {duration(needs.longest_task)}: queue-jobs "
        "leave in time, and what is left is submitted again. Short requests often start sooner."
    )
    return whole, words


def _cpus(needs: Needs) -> tuple[int, str]:
    """Return another number of CPUs where that asked for is clearly wrong."""
    cores = needs.cpus or needs.workers_per_job
    if needs.efficiency is None or needs.longest_task < 1:
        return 0, ""
    used = needs.efficiency * cores
    busy = f"tasks kept {used:.1f} of {cores} busy"
    if needs.efficiency > 1.2:
        return math.ceil(used - 0.1), f"CPUs: {busy}: they have more threads than cores."
    if cores > needs.workers_per_job and needs.efficiency < 0.6:
        fewer = max(needs.workers_per_job, math.ceil(used))
        if fewer < cores:
            return fewer, f"CPUs: {busy} ({share(needs.efficiency, 1)})."
    return 0, ""


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def round_up_memory(n_bytes: float) -> str:
    """Return an amount of memory as pools take it, rounded up to two figures: ``"2.2G"``, ``"350M"``."""
    mega = n_bytes / (1 << 20)
    if mega > 999:
        giga = mega / 1024
        step = 0.1 if giga < 10 else 10.0 ** (math.floor(math.log10(giga)) - 1)
        return f"{math.ceil(giga / step - 1e-9) * step:.{1 if giga < 10 else 0}f}G".replace(".0G", "G")
    step = 10.0 ** max(0, math.floor(math.log10(max(mega, 1))) - 1)
    return f"{max(1, math.ceil(mega / step - 1e-9) * step):.0f}M"


def round_up_time(seconds: float) -> str:
    """Return a time limit as pools take it, rounded up to what people ask for: ``"0:20:00"``."""
    minutes = seconds / 60
    for limit in _MINUTES:
        if minutes <= limit + 1e-9:
            return f"{limit // 60}:{limit % 60:02d}:00"
    hours = math.ceil(minutes / 60 - 1e-9)
    return f"{hours // 24}-{hours % 24:02d}:00:00"
