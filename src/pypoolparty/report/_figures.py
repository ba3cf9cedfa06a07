"""The plots, as plain values in the form of plotly.js; colours are names that the page resolves. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import Any

from ._costs import Costs
from ._numbers import Histogram
from ._text import count, duration, plain, share, time_unit
from ._timeline import Bars, Load

__all__ = [
    "activity_figure",
    "bars_figure",
    "costs_figure",
    "heat_figure",
    "histogram_figure",
    "label",
    "legend_of",
    "parts_of",
]

Figure = dict[str, Any]
INK, FAINT, GRID = "var(--ink)", "var(--faint)", "var(--grid)"
RETURNED, RAISED, DIED = "var(--returned)", "var(--raised)", "var(--died)"
HELD, WAITING, IDLE = "var(--held)", "var(--waiting)", "var(--idle)"
MOST_TICKS = 6


def label(text: str, most: int = 22) -> str:
    """Return a text for a plot, where a few HTML tags would count: short, and with none."""
    text = plain(text).replace("\n", " ")
    if len(text) > most:
        text = f"{text[: most * 2 // 3]}…{text[-(most // 3 - 1) :]}"
    return html.escape(text, quote=False)


def _layout(height: int, **more: Any) -> dict[str, Any]:
    """Return what all plots share."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": INK},
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": GRID, "font": {"color": INK, "size": 12}},
        "showlegend": False,  # the page has one that wraps
        "hovermode": "closest",
        "bargap": 0.06,
        **more,
    }


def _axis(title: str = "", **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 12, "color": FAINT}, "standoff": 6},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": FAINT, "size": 12},
        **more,
    }


def _whole(most: float) -> dict[str, Any]:
    """Return the ticks of an axis on which things are counted: there is no half a task."""
    return {"dtick": 1} if most <= 5 else {"nticks": 5}


def legend_of(figure: Figure) -> list[tuple[str, str]]:
    """Return name and colour of what a plot shows; nothing where it shows one thing alone."""
    if figure["data"][0]["type"] == "heatmap":
        return [
            (
                "from none of its cores busy to all of them",
                "linear-gradient(90deg, var(--heat-0), var(--heat-1), var(--heat-2))",
            )
        ]
    found = {trace["name"]: trace for trace in figure["data"] if "name" in trace}
    return [(name, (trace.get("marker") or trace.get("line"))["color"]) for name, trace in found.items()]


def _ticks(found: Histogram, marks: Sequence[float]) -> list[tuple[float, float]]:
    """Return places on the axis of a histogram, in bins, and the values there: of equal ratio at some of the marks."""
    n = len(found.counts)
    if found.is_log:
        base, width = math.log(found.edges[0]), math.log(found.edges[-1] / found.edges[0]) / n
        places = [((math.log(mark) - base) / width, mark) for mark in marks]
        within = [(place, mark) for place, mark in places if -0.01 <= place <= n + 0.01]
        if len(within) >= 2:
            return within[:: -(-len(within) // MOST_TICKS)]
    step = max(1, -(-n // (MOST_TICKS - 1)))
    return [(k, found.edges[k]) for k in range(0, n + 1, step)]


def histogram_figure(
    found: Histogram, noun: str, written: Callable[[float], str], marks: Sequence[float] = ()
) -> Figure:
    """Return the plot of a histogram; bins are at whole numbers, and their edges labelled in units for people.

    `marks` are values that are to be on an axis of equal ratio, where they are within it.
    """
    n = len(found.counts)
    ticks = _ticks(found, marks)
    texts = [
        f"{written(low)} to {written(high)}: {count(number, noun)}"
        for low, high, number in zip(found.edges, found.edges[1:], found.counts)
    ]
    trace = {
        "type": "bar",
        "x": [k + 0.5 for k in range(n)],
        "y": list(found.counts),
        "width": [0.92] * n,
        "marker": {"color": RETURNED},
        "hovertext": texts,
        "hoverinfo": "text",
    }
    x = _axis(
        tickvals=[place for place, _ in ticks],
        ticktext=[written(value) for _, value in ticks],
        range=[-0.2, n + 0.2],
        showgrid=False,
    )
    y = _axis(f"{noun}s", rangemode="tozero", separatethousands=True, **_whole(max(found.counts)))
    return {"data": [trace], "layout": _layout(220, xaxis=x, yaxis=y)}


def activity_figure(load: Load) -> Figure:
    """Return how many cores were held and busy, and how many queue-jobs waited, over time."""
    n = len(load.busy)
    size, unit = time_unit(n * load.width)
    times = [round((k + 0.5) * load.width / size, 6) for k in range(n)]
    traces = []
    for name, values, color, filled in (
        ("cores held", load.held, HELD, True),
        ("cores busy with tasks", load.busy, RETURNED, True),
        ("queue-jobs waiting", load.waiting, INK, False),
    ):
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": times,
            "y": [round(value, 4) for value in values],
            "line": {"color": color, "width": 1.5, "shape": "hvh", **({} if filled else {"dash": "4px,3px"})},
            "hovertemplate": f"%{{y:,.3~g}} {name}<extra></extra>",
        }
        if filled:
            trace |= {"fill": "tozeroy", "fillcolor": color}
        traces.append(trace)
    x = _axis(f"{unit} since the beginning", range=[0, n * load.width / size], nticks=7)
    y = _axis(rangemode="tozero", **_whole(max(*load.held, *load.waiting)))
    return {"data": traces, "layout": _layout(240, xaxis=x, yaxis=y, hovermode="x unified")}


def heat_figure(load: Load) -> Figure:
    """Return for each host and time how much of what it held was busy."""
    n = len(load.busy)
    size, unit = time_unit(n * load.width)
    trace = {
        "type": "heatmap",
        "x0": 0.5 * load.width / size,
        "dx": load.width / size,
        "y": list(range(len(load.rows))),
        "z": [[None if one is None else round(100 * one, 1) for one in row] for row in load.shares],
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, "var(--heat-0)"], [0.5, "var(--heat-1)"], [1, "var(--heat-2)"]],
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": f"%{{y}}<br>%{{z:.0f}} % of its cores busy, at %{{x:.4~g}} {unit}<extra></extra>",
        "showscale": False,
    }
    x = _axis(f"{unit} since the beginning", range=[0, n * load.width / size], nticks=7, showgrid=False)
    y = _names_axis([label(name) for name in load.rows])
    return {"data": [trace], "layout": _layout(64 + max(48, 17 * len(load.rows)), xaxis=x, yaxis=y)}


def _pattern(color: str) -> dict[str, Any]:
    """Return what tells bars of this colour also without it: those of deaths are hatched."""
    if color != DIED:
        return {}
    return {"pattern": {"shape": "/", "size": 5, "fillmode": "overlay", "fgcolor": "var(--card)", "fgopacity": 0.9}}


def _names_axis(names: Sequence[str]) -> dict[str, Any]:
    """Return an axis with a name at each whole number, the first at the top."""
    n = len(names)
    return _axis(tickvals=list(range(n)), ticktext=list(names), range=[n - 0.5, -0.5], showgrid=False)


def bars_figure(bars: Bars, span: float) -> Figure:
    """Return a bar for each task, over those of the queue-jobs that did them."""
    size, unit = time_unit(span)
    traces = [
        _bars("waiting in the queue", bars.waits, size, WAITING, 0.22),
        _bars("held", bars.holds, size, HELD, 0.84),
        _task_bars("task that returned", [one for one in bars.tasks if not one[4]], size, span / size, RETURNED),
        _task_bars("task that raised", [one for one in bars.tasks if one[4]], size, span / size, RAISED),
        _bars("in vain before a death", bars.deaths, size, DIED, 0.56),
    ]
    x = _axis(f"{unit} since the beginning", range=[0, span / size], nticks=7)
    y = _names_axis([label(name, 26) for name in bars.lanes])
    layout = _layout(70 + max(44, 20 * len(bars.lanes)), xaxis=x, yaxis=y, barmode="overlay")
    return {"data": [trace for trace in traces if trace["y"]], "layout": layout}


def _bars(name: str, spans: Sequence[tuple[int, float, float, str]], size: float, color: str, width: float) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [lane for lane, _, _, _ in spans],
        "base": [round(start / size, 6) for _, start, _, _ in spans],
        "x": [round(max(0.0, stop - start) / size, 6) for _, start, stop, _ in spans],
        "width": width,
        "marker": {"color": color, "line": {"width": 0}, **_pattern(color)},
        "hovertext": [f"{label(words, 60)}: {name} for {duration(stop - start)}" for _, start, stop, words in spans],
        "hoverinfo": "text",
    }


def _task_bars(
    name: str, tasks: Sequence[tuple[int, float, float, int, bool]], size: float, whole: float, color: str
) -> Figure:
    """Return a bar for each task; the axis has `whole` units of so many seconds."""
    figure = _bars(name, [(lane, start, stop, "") for lane, start, stop, _, _ in tasks], size, color, 0.56)
    # A line parts a task from the next one; of what is hardly wider than the line, it would leave nothing.
    least = 0.005 * whole * size
    widths = [0.5 if stop - start > least else 0 for _, start, stop, _, _ in tasks]
    figure["marker"]["line"] = {"width": widths, "color": "var(--card)"}
    how = name.rpartition(" ")[2]
    figure["hovertext"] = [f"task {itask} {how} after {duration(stop - start)}" for _, start, stop, itask, _ in tasks]
    return figure


def parts_of(costs: Costs) -> list[tuple[str, float, str]]:
    """Return what the core-hours that were held are made of: name, core-hours and colour of each part."""
    cpu = min(costs.cpu, costs.busy)
    return [
        ("computing", cpu, RETURNED),
        ("tasks that wait, for instance for files", costs.busy - cpu, HELD),
        ("no task running", costs.idle, IDLE),
        ("wasted by retries", costs.wasted, DIED),
    ]


def costs_figure(costs: Costs) -> Figure:
    """Return what became of the core-hours that were held: one bar, in parts."""
    traces: list[Figure] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [0],
            "x": [100 * hours / costs.held if costs.held > 0 else 0],
            "marker": {"color": color, "line": {"width": 1, "color": "var(--card)"}, **_pattern(color)},
            "hovertext": [f"{name}: {share(hours, costs.held)}"],
            "hoverinfo": "text",
        }
        for name, hours, color in parts_of(costs)
    ]
    x = _axis(range=[0, 100], ticksuffix=" %", showgrid=False, nticks=6)
    y = {"visible": False, "range": [-0.5, 0.5]}
    layout = _layout(110, xaxis=x, yaxis=y, barmode="stack")
    return {"data": traces, "layout": layout}
