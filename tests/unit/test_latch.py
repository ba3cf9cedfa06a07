"""An event that survives Ctrl-C at any instant of the wait for it."""

import functools
import signal
import threading
import time

import pytest

from pypoolparty.latch import Latch
from pypoolparty.results import IMapIterator, MapResult
from tests.unit.interrupts import Interrupt, interrupt_at


def test_set_before_and_after():
    """Who comes late does not wait; who waits goes on; setting twice is no mistake."""
    latch = Latch()
    assert (False, False) == (latch.is_set(), latch.wait(0))
    assert not latch.wait(0.01)
    assert not latch.wait(-1)
    waiting = [threading.Thread(target=latch.wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    latch.set()
    latch.set()
    for thread in waiting:
        thread.join(20)
    assert not any(thread.is_alive() for thread in waiting)
    assert latch.wait(0)
    assert latch.wait()


def no_wait(function):
    """Return a call that ends soon, whether or not what is waited for is there."""
    return functools.partial(function, timeout=0.001)


@pytest.mark.parametrize(
    ("make", "wait", "deliver"),
    [
        (Latch, "wait", Latch.set),
        (lambda: MapResult(1), "get", lambda result: result.deliver([(0, True, 7)])),
        (lambda: MapResult(1), "wait", lambda result: result.fail(ValueError())),
        (IMapIterator, "next", lambda iterator: iterator._deliver(0, [(0, True, 7)])),
    ],
    ids=["latch", "map", "map that fails", "imap"],
)
def test_interrupted_at_any_instant(make, wait, deliver):
    """Whoever delivers never hangs because somebody who waited was interrupted, at whatever line or return that was."""
    step, goes_on = 1, True
    while goes_on:
        waited_for = make()
        goes_on = interrupt_at(step, no_wait(getattr(waited_for, wait)))
        delivering = threading.Thread(target=deliver, args=(waited_for,), daemon=True)
        delivering.start()
        delivering.join(10)
        assert not delivering.is_alive(), f"interrupted at step {step}"
        getattr(waited_for, "wait", lambda timeout: None)(timeout=10)
        step += 1
    assert step > 4


def test_interrupted_by_a_signal():
    """A wait without end can be interrupted."""
    latch = Latch()

    def handle(number, frame):
        raise Interrupt

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    start = time.monotonic()
    try:
        with pytest.raises(Interrupt):
            latch.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < 20
