"""An exception at any instant, as a handler of a signal raises it."""

import sys


class Interrupt(Exception):
    """What a handler of a signal raises."""


def interrupt_at(step, function):
    """Call `function`, interrupted at the n-th line or return of Python in it; return whether there were so many.

    A handler is called between two instructions: also after a lock was taken in a function of Python, and before
    that function has returned.
    """
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if event in ("line", "return"):
            seen += 1
            if seen == step:
                raise Interrupt
        return trace

    sys.settrace(trace)
    try:
        function()
    except Interrupt:
        return True
    except Exception:
        return seen >= step
    finally:
        sys.settrace(None)
    return seen >= step
