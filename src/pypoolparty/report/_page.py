"""The page: one HTML file that needs nothing else. Pure, but for reading its own style sheet and script."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from importlib import resources
from typing import Any

from ..map_state import Phase
from ._facts import Facts
from ._failures import failures_card
from ._figures import activity_figure, bars_figure, costs_figure, heat_figure, histogram_figure, legend_of, parts_of
from ._html import card, figure, tiles
from ._numbers import Spread
from ._tables import activity_table, bars_table, costs_table, histogram_table, hosts_table, slowest_table
from ._text import amount, clock, count, duration, escaped, share

__all__ = ["page_of"]

# What people look for on axes of equal ratio.
TIMES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 345_600.0)
MEMORIES = tuple(float(number << shift) for shift in (10, 20, 30, 40) for number in (1, 10, 100))
SHARES = (0.001, 0.01, 0.1, 1.0, 10.0)
_PHASES = {
    Phase.RUNNING: ("● running", "good"),
    Phase.DONE: ("✓ done", "good"),
    Phase.INTERRUPTED: ("■ interrupted", "warn"),
    Phase.DEAD: ("✕ its main process is dead", "bad"),
}


def page_of(facts: Facts, library: str, now: float) -> str:
    """Return the report.

    Parameters
    ----------
    facts : Facts
    library : str
        plotly.js.
    now : float
        When the report is made, in seconds since 1970.
    """
    figures: dict[str, Any] = {}
    body = "\n".join(
        part
        for part in (
            _header(facts),
            _tiles(facts),
            _advice(facts),
            failures_card(facts.failures),
            *_plots(facts, figures),
            _footer(facts, now),
        )
        if part
    )
    return _document(_title(facts), body, figures, library)


def _document(title: str, body: str, figures: dict[str, Any], library: str) -> str:
    """Return the whole file; nothing in it may be loaded or run but what we have put there ourselves."""
    style, script = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    scripts = [_in_script(library), _in_script(script)] if figures else []
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in scripts) or "'none'"
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    data = json.dumps(figures, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
            f'<main class="wrap">\n{body}\n</main>',
            f'<script type="application/json" id="figures">{data}</script>',
            *[f"<script>{text}</script>" for text in scripts],
            "</body>\n</html>\n",
        ]
    )


def _in_script(text: str) -> str:
    """Return javascript that does not end its element: within its strings, ``<\\/script`` is the same."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(facts: Facts) -> str:
    call = str(facts.session.get("call", "map"))
    return f"{call} of {count(facts.state.n_tasks, 'task')} on {facts.state.pool or 'an unknown pool'}"


def _header(facts: Facts) -> str:
    state = facts.state
    words, kind = _PHASES[state.phase]
    if state.phase is not Phase.DONE and not state.open:
        words, kind = _PHASES[Phase.DONE]
    if state.failed and kind == "good":
        words, kind = f"! {words.split(' ', 1)[1]}, with failures", "bad"
    took = duration(facts.until - facts.begun)
    until = "taking" if state.phase is Phase.RUNNING and state.open else "took"
    resumed = f", resumed {count(state.resumed, 'time')}" if state.resumed else ""
    return (
        f'<header>\n<h1>{escaped(_title(facts))}</h1>\n<p><span class="chip {kind}">{escaped(words)}</span> '
        f'<span class="faint">begun {escaped(clock(facts.begun))}, {until} {escaped(took)}{resumed}</span></p>\n'
        f'<p class="where">work_dir <code>{escaped(state.work_dir)}</code></p>\n</header>'
    )


def _tiles(facts: Facts) -> str:
    state, costs = facts.state, facts.costs
    n = state.n_tasks
    again = f"{count(facts.n_again, 'task')} tried again" if facts.n_again else ""
    cells = [
        ("returned", count(state.returned), share(state.returned, n), ""),
        ("raised", count(state.raised), share(state.raised, n) if state.raised else "", "raised" * bool(state.raised)),
        ("lost", count(state.lost), again, "lost" * bool(state.lost)),
    ]
    if state.open:
        cells.append(("open", count(state.open), f"{count(state.running_jobs, 'queue-job')} running", ""))
    cells += [
        ("queue-jobs", count(facts.n_started), f"on {count(facts.n_hosts, 'host')}", ""),
        ("core-time held", _hours(costs.held), f"{share(costs.busy, costs.held)} with tasks running", ""),
        ("CPU efficiency", *_efficiency(facts), ""),
        ("longest task", duration(facts.seconds.most), f"median {duration(facts.seconds.median)}", ""),
        ("peak memory", amount(facts.memory.most), "of a single worker", ""),
    ]
    return tiles(cells)


def _efficiency(facts: Facts) -> tuple[str, str]:
    """Return it, and what it is of: clocks of CPU time are too coarse for tasks that take no time."""
    if facts.n_rows and not facts.efficiency.n:
        return "?", "tasks are too short to tell"
    return share(facts.costs.cpu, facts.costs.busy), "while tasks ran"


def _hours(hours: float) -> str:
    """Return core-hours; few of them in finer units."""
    return f"{hours:,.0f} h" if hours >= 100 else f"{hours:.1f} h" if hours >= 1 else duration(3600 * hours)


def _advice(facts: Facts) -> str:
    advice = facts.advice
    if not advice.arguments:
        return ""
    reasons = "".join(f"<li>{escaped(words)}</li>" for words in advice.reasons)
    where = " on a cluster" if facts.state.pool == "local" else ""
    ask = f'<p class="ask">Ask for <code>{escaped(advice.code)}</code>{where}.</p>'
    return card("The next time", ask, f'<ul class="small faint">{reasons}</ul>', kind="advice")


def _plots(facts: Facts, figures: dict[str, Any]) -> list[str]:
    """Return the cards with plots, and put what they show into `figures`."""
    if not facts.n_rows and not facts.n_started:
        return [card("Nothing has run yet", "<p>As soon as queue-jobs run, there is something to be seen here.</p>")]
    parts = [_timeline(facts, figures), _activity(facts, figures)]
    parts += _distributions(facts, figures)
    figures["costs"] = costs_figure(facts.costs)
    words = (
        f"{_hours(facts.costs.held)} of core-time were held; tasks that ended used "
        f"{_hours(facts.costs.cpu)} of CPU time."
    )
    if facts.costs.wasted:
        words += f" Attempts that came to nothing took {_hours(facts.costs.wasted)} of core-time."
    legend = [(f"{name}: {share(hours, facts.costs.held)}", color) for name, hours, color in parts_of(facts.costs)]
    parts.append(_card(figure("costs", "Where the core-hours went", words, costs_table(facts.costs), 110, legend)))
    if facts.slowest:
        parts.append(card("The longest tasks", slowest_table(facts.slowest)))
    return parts


def _card(*figures: str) -> str:
    return "\n".join(f'<section class="card">{one}</section>' for one in figures)


def _timeline(facts: Facts, figures: dict[str, Any]) -> str:
    if facts.bars is not None:
        figures["timeline"] = bars_figure(facts.bars, facts.until - facts.begun)
        words = "Each row is a place in a queue-job, each bar within it a task."
        numbers = bars_table(facts.bars)
    else:
        figures["timeline"] = heat_figure(facts.load)
        words = "How much of the cores that each host held was busy with tasks; empty where it held none."
        numbers = hosts_table(facts.load)
    height = figures["timeline"]["layout"]["height"]
    return _card(figure("timeline", "Timeline of hosts", words, numbers, height, legend_of(figures["timeline"])))


def _activity(facts: Facts, figures: dict[str, Any]) -> str:
    load = facts.load
    figures["activity"] = activity_figure(load)
    held, waiting = round(max(load.held)), round(max(load.waiting))
    words = (
        f"At the most {count(held, 'core')} held and {count(waiting, 'queue-job')} waiting at a time; "
        f"means of {duration(load.width)} each."
    )
    return _card(
        figure("activity", "Cores over time", words, activity_table(load), 240, legend_of(figures["activity"]))
    )


def _distributions(facts: Facts, figures: dict[str, Any]) -> list[str]:
    plans = (
        ("seconds", "Run-time of tasks", "task", duration, TIMES),
        ("waits", "Wait in the queue", "queue-job", duration, TIMES),
        ("memory", "Memory of workers", "task", amount, MEMORIES),
        ("efficiency", "CPU efficiency", "task", _percent, SHARES),
    )
    cards = []
    for name, title, noun, written, marks in plans:
        found = facts.histograms[name]
        if not found.counts:
            continue
        figures[name] = histogram_figure(found, noun, written, marks)
        spread: Spread = getattr(facts, name)
        words = f"median {written(spread.median)}, 95 % up to {written(spread.p95)}, at most {written(spread.most)}"
        if name == "memory":
            words += "; a worker's peak so far, at each task's end"
        if name == "efficiency" and spread.n < facts.n_rows:
            words += f"; of the {count(spread.n, 'task')} that took longer than 10 ms"
        if found.is_log:
            words += "; logarithmic scale"
        cards.append(_card(figure(name, title, words, histogram_table(found, noun, written), 220)))
    return ['<div class="pair">' + "\n".join(cards[k : k + 2]) + "</div>" for k in range(0, len(cards), 2)]


def _percent(value: float) -> str:
    """Return a share in per cent."""
    return f"{100 * value:.0f} %" if value >= 0.01 or not value else f"{100 * value:.1g} %"


def _footer(facts: Facts, now: float) -> str:
    late = f" {count(facts.late, 'outcome')} came a second time and were dropped." if facts.late else ""
    spent = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    return (
        "<footer><p>From the workers' own records: start, end, CPU time (with children) and largest resident memory of "
        "each task that returned or raised, and the journal of the main process. Times of hosts are by their own "
        "clocks. What died is counted from the outcome before it to the main process's word of its death; where a "
        f"queue-job does several tasks at a time, that is less than it was.{late} Memory is in units of 1024.</p>"
        f"<p>Made {spent} by pypoolparty; python {escaped(facts.session.get('python', '?'))}.</p></footer>"
    )
