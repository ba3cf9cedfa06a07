"""What a user sees of a map that is under way: a bar in a terminal or notebook, lines now and then elsewhere."""

from __future__ import annotations

import contextvars
import importlib.util
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from .engine import Standing, Unwatched, Watch
from .latch import Latch

__all__ = ["Bar", "Lines", "Pace", "Progress", "tell", "watch_over"]

BAR_SECONDS = (0.0, 0.25)
LINE_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
# Painting is waited for at a map's end, so that what the user prints comes after it; but a terminal may be stopped.
PATIENCE_SECONDS = 0.5
USUAL_WIDTH, USUAL_HEIGHT = 80, 24
_live_bars: set[Any] = set()


def tell(line: str) -> None:
    """Write a line to stderr, above the bars that are there; a stderr that is gone is no reason to fail."""
    text = f"[pypoolparty] {line}"
    try:
        if sys.stderr is None:
            return  # `print` would take stdout
        if _live_bars:
            next(iter(_live_bars)).write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)
    except Exception:
        pass


class Pace:
    """When to look next: after each of some seconds in turn, then always after the last of them."""

    def __init__(self, seconds: tuple[float, ...], now: float) -> None:
        self._seconds = list(seconds)
        self._due = now + self._seconds[0]

    def is_due(self, now: float) -> bool:
        """Whether it is time."""
        return now >= self._due

    def go_on(self, now: float) -> None:
        """Note that it was looked."""
        if len(self._seconds) > 1:
            del self._seconds[0]
        self._due = now + self._seconds[0]


class View(Protocol):
    """Paints how a map stands."""

    def paint(self, standing: Standing, seconds: float) -> None:
        """Paint how it stands after so many seconds."""

    def close(self) -> None:
        """Leave it as it is."""


def details(standing: Standing) -> str:
    """Return the numbers that are not zero, in words."""
    is_under_way = standing.done < standing.n  # after that, the last are just leaving
    counts = {
        "running": standing.running * is_under_way,
        "pending": standing.pending * is_under_way,
        "failed": standing.failed,
        "resubmitted": standing.resubmitted,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


class Bar:
    """A bar of tqdm: in a terminal, or in a notebook.

    Parameters
    ----------
    title : str
    n : int
        Number of tasks.
    initial : int
        How many of them were done before.
    stream : file
    """

    def __init__(self, title: str, n: int, initial: int, stream: TextIO) -> None:
        if _has_widgets():
            from tqdm.notebook import tqdm
        else:
            from tqdm.std import tqdm
        knows_its_width = _has_widgets() or _width(stream) > 0
        shape = {"dynamic_ncols": True} if knows_its_width else {"ncols": USUAL_WIDTH, "nrows": USUAL_HEIGHT}
        self._bar = tqdm(total=n, initial=initial, desc=title, unit="task", file=stream, mininterval=0, **shape)
        _live_bars.add(self._bar)

    def paint(self, standing: Standing, seconds: float) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(details(standing), refresh=False)
        self._bar.n = standing.done
        if standing.failed:
            self._bar.colour = "red"
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar where it is."""
        _live_bars.discard(self._bar)
        self._bar.close()


class Lines:
    """Lines on a stderr that is no terminal.

    Parameters
    ----------
    title : str
    initial : int
        How many tasks were done before: the time that is left is reckoned without them.
    """

    def __init__(self, title: str, initial: int) -> None:
        self._title, self._initial = title, initial

    def paint(self, standing: Standing, seconds: float) -> None:
        """Write a line."""
        n, done = standing.n, standing.done
        parts = [f"{done} of {n} tasks done ({100 * done // n} %)"] if n else []
        if details(standing):
            parts.append(details(standing))
        parts.append(f"after {duration(seconds)}")
        if self._initial < done < n:
            parts.append(f"about {duration(seconds * (n - done) / (done - self._initial))} left")
        tell(f"{self._title}: {', '.join(parts)}")

    def close(self) -> None:
        """Nothing is left open."""


def duration(seconds: float) -> str:
    """Return seconds as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress:
    """Shows the progress of one map, in a thread of its own: the engine neither waits for it nor fails with it.

    Parameters
    ----------
    make_view : callable
        Returns the `View`; called in that thread.
    seconds : tuple of float
        Between two looks, as for `Pace`.
    now : float
        Of the engine's clock, when the map begins.
    """

    def __init__(self, make_view: Callable[[], View], seconds: tuple[float, ...], now: float) -> None:
        self._make_view, self._pace, self._began = make_view, Pace(seconds, now), now
        self._items: queue.SimpleQueue[tuple[Standing, float] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = Latch()
        self._has_ended = False
        # Of the user's call: by it a notebook knows the cell below which the bar belongs.
        self._context = contextvars.copy_context()

    def is_due(self, now: float) -> bool:
        """Whether it wants to know how the map stands."""
        return self._pace.is_due(now) and not self._has_ended

    def see(self, standing: Standing, now: float) -> None:
        """Have it painted, unless what was before is not painted yet."""
        self._pace.go_on(now)
        if self._items.empty():
            self._put((standing, now - self._began))

    def end(self, standing: Standing, now: float) -> None:
        """Have the end painted, and wait for that a moment."""
        if self._has_ended:
            return
        self._has_ended = True
        self._put((standing, now - self._began))
        self._put(None)
        self._is_over.wait(PATIENCE_SECONDS)

    def _put(self, item: tuple[Standing, float] | None) -> None:
        self._items.put(item)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._context.run, args=(self._paint,), name="pypoolparty-progress", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:
                self._is_over.set()  # the interpreter ends, or there is no room for one more thread

    def _paint(self) -> None:
        try:
            view = self._make_view()
            try:
                while (item := self._items.get()) is not None:
                    view.paint(*item)
            finally:
                view.close()
        except Exception:
            pass  # a terminal that is gone, a closed stderr, whatever: the map goes on
        finally:
            self._is_over.set()


def watch_over(title: str, n: int, initial: int, now: float | None = None, stream: TextIO | None = None) -> Watch:
    """Return what shows the progress of one map on stderr.

    Parameters
    ----------
    title : str
    n, initial : int
        Number of tasks, and of those that were done before.
    now : float, optional
        Of the engine's clock.
    stream : file, optional
        In the place of stderr.
    """
    now = time.monotonic() if now is None else now
    stream = sys.stderr if stream is None else stream
    if stream is None:
        return Unwatched()  # a program without a console
    if _is_notebook() or _is_terminal(stream):
        return Progress(lambda: Bar(title, n, initial, stream), BAR_SECONDS, now)
    return Progress(lambda: Lines(title, initial), LINE_SECONDS, now)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False  # it is closed, or no file at all


def _width(stream: TextIO) -> int:
    """Return the columns of a terminal; 0 of one that does not know, as in some terminals of programs."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return 0


def _is_notebook() -> bool:
    """Tell whether this is IPython's kernel, without importing it for those who have it not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _has_widgets() -> bool:
    """Tell whether this is a notebook that can show more than text."""
    return _is_notebook() and importlib.util.find_spec("ipywidgets") is not None
