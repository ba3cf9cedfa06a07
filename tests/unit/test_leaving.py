"""What the signal handlers of pools do to others in the same program."""

import multiprocessing
import os
import signal
import threading
import time

import pypoolparty
from pypoolparty import leaving
from tests.unit.interrupts import interrupt_at


def pause_for_ever() -> None:
    """Wait for a signal that ends this process."""
    while True:
        signal.pause()


def test_children_die_of_sigterm(tmp_path):
    """Processes that the program forks do not inherit the handler: terminate() ends each of them, however early."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        context = multiprocessing.get_context("fork")
        for k in range(100):
            process = context.Process(target=pause_for_ever)
            process.start()
            if k % 2:
                time.sleep(0)
            process.terminate()
            process.join(20)
            assert -signal.SIGTERM == process.exitcode


def test_forked_child_leaves_pools_alone(tmp_path):
    """The end of a forked child does not end the pools of its parent."""
    with pypoolparty.local.Pool(1, work_dir=tmp_path) as pool:
        result = pool.map_async(time.sleep, [0.3] * 2)
        pid = os.fork()
        if pid == 0:
            try:
                leaving._end_all()
            finally:
                os._exit(0 if not len(leaving.live) else 1)
        assert 0 == os.waitpid(pid, 0)[1]
        assert [None, None] == result.get(30)


def test_interrupted_at_any_instant(tmp_path):
    """A pool that is interrupted while it ends can be ended again, at whatever line or return that was."""
    step, goes_on = 1, True
    while goes_on:
        pool = pypoolparty.local.Pool(1, work_dir=tmp_path)
        goes_on = interrupt_at(step, pool.terminate)
        ending = threading.Thread(target=pool.terminate, daemon=True)
        ending.start()
        ending.join(10)
        leaving.live.discard(pool)  # where this fails, the end of the tests is not to hang, too
        assert not ending.is_alive(), f"interrupted at step {step}"
        step += 1
    assert step > 20
