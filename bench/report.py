"""From records to a page: python -m bench report FILE… --output docs/performance.md."""

import argparse
import os
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bench import accounts, records, systems, targets
from bench.measured import OURS, Measured, over
from bench.workloads import WORKLOADS

TITLES = {"slurm": "Slurm", "gridengine": "Grid Engine", "local": "This machine, without a scheduler"}
COLUMNS = (
    "peer", "median s", "min … max", "runs", "× ideal", "× ours", "held core-s",
    "queue-jobs", "requests", "files", "MB", "file calls", "CPU s", "memory MB",
)  # fmt: skip
HEAD = """\
# Performance

How long a `map` takes from the call to the list of results, on pypoolparty and on what else there is. All peers were
measured side by side, in turns, in fresh processes, and their results were checked. They are set up as their own
documentation recommends ([`bench/peers`](../bench/peers) says where). Most tasks sleep, so that many slots fit on few
cores; the daemons of the scheduler, the queue-jobs and the main process share those cores. So the ratios tell more
than the seconds.

- *ideal* is the time in which nothing but the tasks takes time.
- *held* are the core-seconds of the queue-jobs: those in the scheduler's file of completed jobs, with the times of the
  controller's log where it has them, as the file counts in whole seconds.
- *requests* are those of users' commands, also within jobs, that the Slurm controller answered.
- *files* and *MB* are the peaks in the folder of the map, looked at every tenth of a second.
- *file calls* are the system calls about files of the main process and its children, from one more run under
  `strace`; where there is no scheduler, the workers are among them.
- *CPU* and *memory* are those of the main process alone; an interpreter with the imports takes a part of it.
- A star at the number of runs: a series of maps was stopped after a while, and its time is that of the whole
  series at the same pace.
"""


def number(value: float | None) -> str:
    """Write a number with three digits or so; nothing where there is none."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def row(cells: Iterable[str]) -> str:
    """Write a row of a table."""
    return "| " + " | ".join(cells) + " |"


def table_of(measured: Measured, system: str, workload: str) -> list[str]:
    """Write the table of one workload: the fastest first, then those that did not do it, with the reason."""
    shown = [column for column in COLUMNS if system != "local" or column not in ("held core-s", "queue-jobs")]
    if system != "slurm":
        shown.remove("requests")
    lines, reasons = [row(shown), row(["---", *["--:"] * (len(shown) - 1)])], []
    for peer in measured.peers(system, workload):
        cells = _cells(measured, system, peer, workload)
        if cells is None:
            worst = measured.of(system, peer, workload)[-1]
            reasons.append(f"- {peer}: {worst.status}. {_one_line(worst.values.get('error', ''))}")
        else:
            lines.append(row(cells[column] for column in shown))
    lines = lines if len(lines) > 2 else []
    return [*lines, "", *reasons, ""] if reasons else [*lines, ""]


def _cells(measured: Measured, system: str, peer: str, workload: str) -> dict[str, str] | None:
    walls = measured.samples(system, peer, workload, "wall")
    if not walls:
        return None

    def median(value: str | Callable[[dict[str, Any]], float | None], unit: float = 1) -> str:
        return number(over(measured.median(system, peer, workload, value), unit))

    wall = statistics.median(walls)
    traced = [r.values.get("file_operations") for r in measured.of(system, peer, workload, "strace")]
    return {
        "peer": f"**{peer}**" if peer.startswith(OURS) and peer != "pypoolparty 0.3.1" else peer,
        "median s": number(wall),
        "min … max": f"{number(min(walls))} … {number(max(walls))}",
        "runs": str(len(walls)) + ("*" if measured.samples(system, peer, workload, "extrapolated_from") else ""),
        "× ideal": number(over(wall, measured.median(system, peer, workload, "ideal"))),
        "× ours": number(over(wall, measured.wall(system, OURS, workload))),
        "held core-s": median("held"),
        "queue-jobs": median("queue_jobs"),
        "requests": median(lambda v: accounts.of_clients(v["requests"]) if "requests" in v else None),
        "files": median("files_peak"),
        "MB": median("bytes_peak", 1e6),
        "file calls": number(sum(traced[-1].values())) if traced and traced[-1] else "",
        "CPU s": median("cpu"),
        "memory MB": median("memory_peak", 1e6),
    }


def _one_line(text: str) -> str:
    """Shorten an error to one line that is safe in Markdown."""
    words = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
    return words if len(words) <= 300 else f"{words[:200]} … {words[-90:]}"


def targets_of(measured: Measured) -> Iterator[str]:
    """Write the table of the targets."""
    yield row(["", "at most", "measured", ""])
    yield row(["---", "--:", "--:", "---"])
    for target, value, verdict in targets.judged(measured):
        limit = f"{number(target.limit)} {target.text}"
        yield row([target.what, limit, number(value), f"**{verdict}**" if verdict.startswith("missed") else verdict])


def micro_of(measured: Measured) -> Iterator[str]:
    """Write the table of the micro measurements."""
    found = [record for record in measured.records if record.kind == "micro"]
    if not found:
        return
    yield from ("## The parts", "", row(["", "system", "value", "of"]), row(["---", "---", "--:", "---"]))
    for record in found:
        values = record.values
        more = (
            f"{values['ours'] * 1e3:.1f} ms / {values['theirs'] * 1e3:.1f} ms" if "ours" in values else values["unit"]
        )
        yield row([record.workload, record.system, number(values["value"]), more])
    yield ""


def conditions(measured: Measured, system: str) -> str:
    """Write one line on what was measured, and where."""
    found = [record for record in measured.records if record.kind == "run" and record.system == system]

    def several(name: str) -> str:
        return ", ".join(sorted({str(r.values[name]) for r in found if r.values.get(name)}))

    peers = {r.peer: r.values["version"] for r in found if r.values.get("version")}
    versions = ", ".join(f"{peer} ({version})" for peer, version in sorted(peers.items()))
    dates = sorted(r.values["date"] for r in found)
    words = [f"{several('scheduler')}, " if several("scheduler") else "", f"{several('cores')} cores, "]
    words += [f"{several('machine')}, Python {several('python')}, commit {several('commit')}, "]
    words += [f"from {dates[0]} to {dates[-1]}. Versions: {versions}."]
    if any(record.values.get("is_tiny") for record in found):
        words.append(" **Measured with --tiny: these are no results.**")
    return "".join(words)


def page(measured: Measured, figures: Iterable[tuple[str, str]], commands: Iterable[str]) -> str:
    """Write the whole page; figures are pairs of title and path."""
    lines = [HEAD, "## Targets", "", *targets_of(measured), ""]
    lines += [f"![{title}]({path})\n" for title, path in figures]
    for system in measured.systems():
        lines += [f"## {TITLES[system]}", "", conditions(measured, system), ""]
        for workload in WORKLOADS.values():
            if measured.peers(system, workload.name):
                slots = workload.slots_on(system)
                lines += [f"### {workload.title}, {slots} slots", "", *table_of(measured, system, workload.name)]
    lines += [*micro_of(measured), "## Made by", "", "```sh", *commands, "```", ""]
    return "\n".join(lines)


def commands_of(measured: Measured) -> Iterator[str]:
    """Return the commands that made the records, and the page."""
    found = [str(record.values["command"]) for record in measured.records if "command" in record.values]
    yield from dict.fromkeys(found)
    yield systems.command()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `main` takes."""
    parser.add_argument("files", nargs="+")
    parser.add_argument("--output", required=True)
    parser.add_argument("--no-plots", action="store_true")


def main(asked: argparse.Namespace) -> None:
    """Write the page, and the figures into the folder beside it."""
    measured = Measured(records.read_all(asked.files))
    folder = os.path.join(os.path.dirname(os.path.abspath(asked.output)), "figures")
    figures: list[tuple[str, str]] = []
    if not asked.no_plots:
        from bench import plots

        figures = plots.draw(measured, asked.files, folder)
    text = page(measured, figures, commands_of(measured))
    with open(asked.output, "w", encoding="utf-8") as stream:
        stream.write(text)
