"""The failures of a map, by cause, as HTML. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..chunks import runs_of
from ..failures import FailureGroup, ranges
from ._html import card, preformatted
from ._text import count, escaped

__all__ = ["failures_card"]

MOST_GROUPS, MOST_RANGES, MOST_NODES, MOST_WORDS = 40, 30, 20, 500


def failures_card(failures: Sequence[FailureGroup]) -> str:
    """Return what went wrong, the most frequent cause first; the first one is shown at once."""
    if not failures:
        return ""
    n_tasks = sum(len(group.tasks) for group in failures)
    words = f"{count(n_tasks, 'task')} failed, for {count(len(failures), 'cause')}."
    parts = [_group(group, is_open=k == 0) for k, group in enumerate(failures[:MOST_GROUPS])]
    left = failures[MOST_GROUPS:]
    if left:
        n_left = sum(len(group.tasks) for group in left)
        parts.append(f"<p>… and {count(len(left), 'more cause')}, of {count(n_left, 'task')}.</p>")
    return card("Failures by cause", f'<p class="faint">{words}</p>', *parts)


def _group(group: FailureGroup, is_open: bool) -> str:
    how = "lost" if group.is_lost else "raised"
    message = group.message if len(group.message) <= MOST_WORDS else group.message[:MOST_WORDS] + " …"
    if group.n_messages > 1:
        message = f"{message} (and {count(group.n_messages - 1, 'other message')})"
    nodes = ", ".join(group.nodes[:MOST_NODES]) + (" …" if len(group.nodes) > MOST_NODES else "")
    where = f" on {escaped(nodes)}" if nodes else ""
    tasks = ranges(runs_of(group.tasks), MOST_RANGES)
    evidence = "".join(f"<li>{escaped(words)}</li>" for words in group.evidence)
    advice = "\n".join(group.advice)
    return (
        f'<details class="failure"{" open" if is_open else ""}>'
        f'<summary><span class="cause">{escaped(group.cause)}</span>'
        f'<span class="n">{count(len(group.tasks), "task")} {how}</span>'
        f'<span class="message">{escaped(message)}</span></summary>\n<div class="body">'
        f'<p class="small">Task{"s" * (len(group.tasks) != 1)} {escaped(tasks)}{where}</p>'
        + (f"<h4>Evidence</h4><ul class='small'>{evidence}</ul>" if evidence else "")
        + preformatted(f"Traceback of task {group.example}", group.traceback)
        + ("" if group.stderr_tail == group.traceback else preformatted("The last of its stderr", group.stderr_tail))
        + preformatted("What to type next", advice)
        + "</div></details>"
    )
