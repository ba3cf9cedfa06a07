"""How it grows with the number of workers, simulated: python -m bench scale --output FILE --page docs/scaling.md."""

import argparse
import datetime
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench import make_venvs, records, systems
from bench.records import Record
from bench.report import number, row

ROOT = Path(__file__).parents[1]
TASKS_PER_WORKER = 100
WORKERS = (100, 1_000, 10_000, 100_000)
MARKS = ("<!-- made by bench scale: begin -->\n", "<!-- made by bench scale: end -->\n")
STYLES = {"no faults": {"color": "#0072B2", "marker": "o"}, "faults": {"color": "#D55E00", "marker": "s"}}
PANELS: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
    ("makespan / ideal", lambda values: values["makespan_to_ideal"]),
    ("files/s, highest of 10 s", lambda values: values["files_per_second"]["highest"]),
    ("claims/s, mean", lambda values: values["claims_per_second"]["mean"]),
    ("scheduler calls/min, mean", lambda values: values["calls_per_minute"]["mean"]),
)


def simulate(workers: int, has_faults: bool) -> dict[str, Any]:
    """Run one simulation in a process of its own."""
    argv = [sys.executable, "-m", "tests.unit.scale", str(TASKS_PER_WORKER * workers), str(workers)]
    done = subprocess.run(argv + ["--no-faults"] * (not has_faults), stdout=subprocess.PIPE, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def name_of(workers: int, has_faults: bool) -> str:
    """Return what a simulation is called in the records."""
    return f"{TASKS_PER_WORKER * workers} tasks, {workers} workers, {'faults' if has_faults else 'no faults'}"


def table_of(found: Iterable[Record]) -> list[str]:
    """Write a row for each simulation."""
    columns = ["tasks", "workers", "faults", "makespan / ideal", "tasks begun", "files/s: mean, highest"]
    columns += ["claims/s: mean, highest", "calls/min: mean, highest", "submissions", "CPU s", "MiB"]
    lines = [row(columns), row(["--:"] * len(columns))]
    for record in found:
        values = record.values
        rates = [values[name] for name in ("files_per_second", "claims_per_second", "calls_per_minute")]
        lines.append(
            row(
                [
                    *(f"{values[name]:,}" for name in ("tasks", "workers")),
                    "none" if record.workload.endswith("no faults") else f"{sum(values['faults'].values()):,}",
                    number(values["makespan_to_ideal"]),
                    f"{values['begun']:,}",
                    *(f"{number(rate['mean'])}, {number(rate['highest'])}" for rate in rates),
                    f"{values['submissions']:,}",
                    number(values["cpu_seconds"]),
                    f"{values['peak_mib']:,}",
                ]
            )
        )
    return lines


def with_table(page: str, lines: Iterable[str]) -> str:
    """Return the page with the table in its place."""
    begin, end = MARKS
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SystemExit(f"the page needs one line {begin!r} and one line {end!r}")
    return re.sub(f"{begin}.*{end}", lambda _: begin + "\n".join(lines) + "\n" + end, page, flags=re.DOTALL)


def draw(output: str, figure: str) -> None:
    """Draw the figure; where matplotlib is not installed, in a venv that has it."""
    if importlib.util.find_spec("matplotlib") is None:
        argv = [make_venvs.python_of("plots"), "-m", "bench.scale", os.path.abspath(output), os.path.abspath(figure)]
        subprocess.run(argv, check=True, cwd=ROOT)
        return
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot

    found = [record for record in records.read(output) if record.kind == "scale"]
    drawing, axes = pyplot.subplots(2, 2, figsize=(7.5, 5), layout="constrained")
    for axis, (title, value) in zip(axes.flat, PANELS):
        for label, style in STYLES.items():
            chosen = [record.values for record in found if record.workload.endswith(f", {label}")]
            points = sorted((values["workers"], value(values)) for values in chosen)
            axis.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=1.5, **style)
        axis.set(xscale="log", title=title, xlabel="workers, with 100 tasks each", ylim=(0, None))
        axis.grid(color="#dddddd", linewidth=0.5)
    axes[0, 0].legend()
    drawing.savefig(figure, metadata={"Date": None, "Creator": None})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `main` takes."""
    parser.add_argument("--output", required=True, help="jsonl; what is in it already is not simulated again")
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--page", help="the page whose table is to be renewed, with the figure in figures/ beside it")


def main(asked: argparse.Namespace) -> None:
    """Simulate all that is not there yet, and renew the page."""
    known = {record.workload for record in records.read(asked.output)}
    for workers in asked.workers:
        for has_faults in (False, True):
            name = name_of(workers, has_faults)
            if name not in known:
                date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
                values = {"date": date, "commit": systems.commit(), **simulate(workers, has_faults)}
                records.append(asked.output, Record("scale", "simulated", "pypoolparty", name, 0, "ok", values))
                print(name, values["makespan_to_ideal"], flush=True)
    if asked.page:
        page = Path(asked.page)
        page.write_text(with_table(page.read_text(), table_of(records.read(asked.output))))
        draw(asked.output, str(page.parent / "figures" / "scaling.svg"))


if __name__ == "__main__":
    draw(*sys.argv[1:])
