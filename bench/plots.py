"""The figures of the page. Where matplotlib is not installed, a venv that has it draws them."""

import importlib.util
import os
import statistics
import subprocess
import sys
from typing import Any

from bench import make_venvs, records
from bench.measured import Measured, over
from bench.workloads import WORKLOADS

# Of the colours of Okabe and Ito, which differ for everybody; the shape says the same once more.
OURS, PEER = {"color": "#0072B2", "marker": "o"}, {"color": "#D55E00", "marker": "s"}
GREY = "#666666"
LEAST = 1e-4  # of what can be shown by its logarithm
SHOWN = {
    "walls": ("Seconds from the call to the list: median and range", "seconds"),
    "held": ("Core-seconds held for a core-second of work: median and range", "held / work"),
}


def draw(measured: Measured, files: list[str], folder: str) -> list[tuple[str, str]]:
    """Draw all figures; return the title and the path of each, as seen from the page."""
    os.makedirs(folder, exist_ok=True)
    if importlib.util.find_spec("matplotlib") is None:
        argv = [make_venvs.python_of("plots"), "-m", "bench.plots", folder, *map(os.path.abspath, files)]
        subprocess.run(argv, check=True, cwd=make_venvs.HERE.parent)
    else:
        for kind, system in _figures(measured):
            _draw(measured, kind, system, os.path.join(folder, f"{kind}-{system}.svg"))
    return [(f"{SHOWN[kind][0]}, {system}", f"figures/{kind}-{system}.svg") for kind, system in _figures(measured)]


def _figures(measured: Measured) -> list[tuple[str, str]]:
    return [
        (kind, system)
        for system in measured.systems()
        for kind in SHOWN
        if any(_rows(measured, kind, system, workload) for workload in WORKLOADS)
    ]


def _rows(measured: Measured, kind: str, system: str, workload: str) -> list[tuple[str, list[float]]]:
    """Return the samples of each peer that has any."""
    rows = []
    for peer in measured.peers(system, workload):
        if kind == "walls":
            samples = measured.samples(system, peer, workload, "wall")
        else:
            samples = measured.samples(system, peer, workload, lambda v: over(v.get("held"), v["work"]))
        if samples and max(samples) > 0:
            rows.append((peer, samples))
    return rows


def _draw(measured: Measured, kind: str, system: str, path: str) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot

    panels = [(workload, rows) for workload in WORKLOADS if (rows := _rows(measured, kind, system, workload))]
    heights = [len(rows) + 1.5 for _, rows in panels]
    size = (7.5, 0.19 * sum(heights) + 0.5)
    figure, axes = pyplot.subplots(
        len(panels), figsize=size, squeeze=False, height_ratios=heights, layout="constrained"
    )
    for axis, (workload, rows) in zip(axes[:, 0], panels):
        _panel(axis, WORKLOADS[workload].title, rows)
        ideal = measured.median(system, rows[0][0], workload, "ideal") if kind == "walls" else 1.0
        if ideal:
            axis.axvline(ideal, color=GREY, linestyle=":", linewidth=1)
    axes[-1, 0].set_xlabel(f"{SHOWN[kind][1]} (dotted: ideal; blue circles: this project, orange squares: peers)")
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def _panel(axis: Any, title: str, rows: list[tuple[str, list[float]]]) -> None:
    from matplotlib import ticker

    low, high = (max(f(f(samples) for _, samples in rows), LEAST) for f in (min, max))
    for height, (peer, samples) in enumerate(reversed(rows)):
        ours = peer.startswith("pypoolparty") and peer != "pypoolparty 0.3.1"
        style = OURS if ours else PEER
        ends = [max(min(samples), LEAST), max(samples)]
        axis.plot(ends, [height, height], color=style["color"], linewidth=1.5)
        axis.plot([max(statistics.median(samples), LEAST)], [height], linestyle="", markersize=4, **style)
    axis.set_title(title, loc="left", fontsize=8, pad=2)
    axis.set_yticks(range(len(rows)), [peer for peer, _ in reversed(rows)])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    axis.grid(axis="x", color="#dddddd", linewidth=0.5)
    axis.set_axisbelow(True)


if __name__ == "__main__":
    draw(Measured(records.read_all(sys.argv[2:])), sys.argv[2:], sys.argv[1])
