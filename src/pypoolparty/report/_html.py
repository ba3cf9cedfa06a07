"""Pieces of HTML; all text in them is escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ._text import escaped

__all__ = ["card", "figure", "preformatted", "table", "tiles"]


def card(title: str, *parts: str, kind: str = "") -> str:
    """Return a section with a heading."""
    inner = "\n".join(part for part in parts if part)
    return f'<section class="card {kind}">\n<h2>{escaped(title)}</h2>\n{inner}\n</section>'


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table that scrolls in itself where it is wide or long; the first column names the row."""
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{escaped(first)}</th>' + "".join(f"<td>{escaped(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(caption)}">'
        f"<table><caption>{escaped(caption)}</caption><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def figure(name: str, title: str, words: str, numbers: str, height: int, legend: Sequence[tuple[str, str]] = ()) -> str:
    """Return a place for a plot, what it shows in words, and its numbers as a table."""
    keys = "".join(
        f'<li><span class="key {_kind_of(color)}" style="background:{escaped(color)}"></span>{escaped(what)}</li>'
        for what, color in legend
    )
    return (
        f'<figure>\n<h2>{escaped(title)}</h2>\n<figcaption id="words-{name}">{escaped(words)}</figcaption>\n'
        + (f'<ul class="legend">{keys}</ul>\n' if keys else "")
        + f'<div class="plot" id="plot-{name}" role="img" aria-label="{escaped(title)}" '
        f'aria-describedby="words-{name}" style="min-height:{height}px"></div>\n'
        f"<details><summary>{escaped(title)} as a table</summary>{numbers}</details>\n</figure>"
    )


def _kind_of(color: str) -> str:
    """Return the class of a key: what is hatched, or a line, in the plot is so in the legend."""
    known = {"var(--died)": "hatched", "var(--waiting)": "thin", "var(--ink)": "thin dashed"}
    return "wide" if "gradient" in color else known.get(color, "")


def tiles(cells: Iterable[tuple[str, str, str, str]]) -> str:
    """Return a row of numbers: name, value, a word more, and kind of each."""
    inner = "\n".join(
        f'<div class="tile {kind}"><dt>{escaped(name)}</dt><dd>{escaped(value)}'
        + (f"<span>{escaped(more)}</span>" if more else "")
        + "</dd></div>"
        for name, value, more, kind in cells
    )
    return f'<dl class="tiles">\n{inner}\n</dl>'


def preformatted(title: str, text: str) -> str:
    """Return what a task wrote; nothing if it did not."""
    if not text.strip():
        return ""
    return f'<h4>{escaped(title)}</h4><pre tabindex="0">{escaped(text.strip(chr(10)))}</pre>'
