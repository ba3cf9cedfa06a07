"""What a series of runs found: as a table for people and as lines of JSON."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.run import Report


def table(reports: Iterable[Report]) -> str:
    """Return how often each fault struck, for each backend, and what was lost."""
    reports = list(reports)
    backends = sorted({report.scenario.backend for report in reports})
    fired = Counter((report.scenario.backend, kind) for report in reports for kind in report.fired)
    kinds = sorted({kind for report in reports for kind in report.scenario.kinds})
    rows = [["fault", *backends]]
    rows += [[kind, *(str(fired[backend, kind] or "·") for backend in backends)] for kind in kinds]
    for name, of_run in (
        ("runs", lambda report: 1),
        ("tasks", lambda report: report.scenario.n),
        ("faults", lambda report: len(report.fired)),
        ("resumptions", lambda report: report.resumptions),
        ("tasks begun again", lambda report: report.begun_again),
        ("LOSSES", lambda report: len(report.losses)),
    ):
        sums = [sum(of_run(r) for r in reports if r.scenario.backend == backend) for backend in backends]
        rows.append([name, *map(str, sums)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return "\n".join("  ".join(line) for line in lines)


def as_line(report: Report) -> dict[str, object]:
    """Return a run as what goes into one line of JSON."""
    scenario = report.scenario
    return {
        "backend": scenario.backend,
        "seed": scenario.seed,
        "call": scenario.call,
        "tasks": scenario.n,
        "options": scenario.options,
        "chunksize": scenario.chunksize,
        "place": scenario.place,
        "faults": [[plan.fault, plan.at, report.fired.get(plan.fault, "")] for plan in scenario.faults],
        "resumptions": report.resumptions,
        "begun_again": report.begun_again,
        "seconds": report.seconds,
        "losses": report.losses,
        "log_tail": report.log_tail,
    }


def append(report: Report, output: Path) -> None:
    """Append a run to a file of JSON lines."""
    with open(output, "a") as stream:
        stream.write(json.dumps(as_line(report)) + "\n")


def told(report: Report) -> str:
    """Return a run in a line, and more if something was lost."""
    scenario = report.scenario
    struck = ", ".join(kind if kind in report.fired else f"({kind})" for kind in scenario.kinds)
    what = f"{scenario.n} tasks, {scenario.call}, {report.seconds:.0f} s"
    line = f"{scenario.backend} seed {scenario.seed}: {what}; {struck}"
    if not report.losses:
        return line
    return "\n".join([f"LOSS in {line}", *report.losses, report.log_tail])
