"""The numbers behind each plot, as tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._costs import Costs
from ._facts import Slow
from ._html import table
from ._numbers import Histogram
from ._text import amount, count, duration, share
from ._timeline import Bars, Load

__all__ = ["activity_table", "bars_table", "costs_table", "histogram_table", "hosts_table", "slowest_table"]

N_MOMENTS = 20


def histogram_table(found: Histogram, noun: str, written: Callable[[float], str]) -> str:
    """Return the counts of a histogram."""
    rows = [
        (written(low), written(high), count(number))
        for low, high, number in zip(found.edges, found.edges[1:], found.counts)
        if number
    ]
    return table(f"{noun}s in each range", ("from", "to", f"{noun}s"), rows)


def activity_table(load: Load) -> str:
    """Return what went on at some moments."""
    n = len(load.busy)
    step = max(1, n // N_MOMENTS)
    rows = []
    for k in range(0, n, step):
        means = [
            sum(values[k : k + step]) / len(values[k : k + step]) for values in (load.held, load.busy, load.waiting)
        ]
        rows.append((duration(k * load.width) if k else "the beginning", *(f"{mean:,.1f}" for mean in means)))
    header = ("from", "cores held", "cores busy with tasks", "queue-jobs waiting")
    return table(f"means of {duration(step * load.width)}", header, rows)


def hosts_table(load: Load) -> str:
    """Return what each host did."""
    rows = [
        (name, count(n), duration(3600 * held), duration(3600 * busy), share(busy, held))
        for name, n, held, busy in zip(load.rows, load.outcomes, load.held_hours, load.busy_hours)
    ]
    return table("hosts", ("host", "tasks", "core-time held", "with tasks", "share"), rows)


def bars_table(bars: Bars) -> str:
    """Return what went on in each lane."""
    waits, holds = ({lane: stop - start for lane, start, stop, _ in spans} for spans in (bars.waits, bars.holds))
    died = {lane: len([1 for other, _, _, _ in bars.deaths if other == lane]) for lane, _, _, _ in bars.deaths}
    returned, raised, busy = ([0.0] * len(bars.lanes) for _ in range(3))
    for lane, start, stop, _, has_raised in bars.tasks:
        (raised if has_raised else returned)[lane] += 1
        busy[lane] += stop - start
    rows = [
        (
            name,
            duration(waits[k]) if k in waits else "-",
            duration(holds[k]) if k in holds else "-",
            duration(busy[k]),
            count(returned[k]),
            count(raised[k]),
            count(died.get(k, 0)),
        )
        for k, name in enumerate(bars.lanes)
    ]
    header = ("host · queue-job", "waited", "held", "busy", "returned", "raised", "died")
    return table("places in queue-jobs", header, rows)


def costs_table(costs: Costs) -> str:
    """Return what became of the core-hours."""
    rows = [
        (name, f"{hours:,.4g}", share(hours, costs.held))
        for name, hours in (
            ("held", costs.held),
            ("with tasks running that ended", costs.busy),
            ("CPU time of these", costs.cpu),
            ("no task running", costs.idle),
            ("wasted by retries", costs.wasted),
        )
    ]
    return table("core-hours", ("", "core-hours", "of what was held"), rows)


def slowest_table(slowest: Sequence[Slow]) -> str:
    """Return the longest tasks."""
    rows = [
        (one.itask, duration(one.seconds), duration(one.cpu), amount(one.memory), one.host, one.job, one.attempt)
        for one in slowest
    ]
    return table("by run-time", ("task", "run-time", "CPU time", "memory", "host", "queue-job", "attempt"), rows)
