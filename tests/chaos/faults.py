"""What can strike a map on any backend. Each function returns what it did, or "" if it could not."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.chaos.stage import Stage
from tests.real.daemons import is_alive

Fault = Callable[[Stage], str]

MOST_DAMAGES = 4  # each try kills the main process, and the map has to get somewhere


def kill_child(stage: Stage) -> str:
    """Kill a process in which tasks run."""
    return kill_one(stage, stage.children())


def kill_supervisor(stage: Stage) -> str:
    """Kill the process that watches over a worker."""
    return kill_one(stage, stage.supervisors())


def kill_one(stage: Stage, pids: list[int]) -> str:
    """Kill one of these at random, if it lives."""
    alive = [pid for pid in pids if is_alive(pid)]
    if not alive:
        return ""
    pid = stage.draw.choice(alive)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return f"process {pid}" if stage.wait(lambda: not is_alive(pid), 10) else ""


def kill_main(stage: Stage) -> str:
    """Kill the main process; it is resumed later."""
    return _end_main(stage, signal.SIGKILL)


def terminate_main(stage: Stage) -> str:
    """Ask the main process to end, as a batch system or a shutdown does."""
    return _end_main(stage, signal.SIGTERM) if stage.work_dir() else ""


def interrupt_main(stage: Stage) -> str:
    """Press Ctrl-C."""
    return _end_main(stage, signal.SIGINT) if stage.work_dir() else ""


def _end_main(stage: Stage, number: signal.Signals) -> str:
    program = stage.program
    if program is None or program.poll() is not None or stage.expects_end.is_set():
        return ""
    stage.expects_end.set()
    program.send_signal(number)
    # It may have come to its end just before.
    if not stage.wait(lambda: program.poll() is not None, 90):
        return f"{number.name} to {program.pid}, which does not end"
    is_struck = program.returncode != 0
    if not is_struck:
        stage.expects_end.clear()
    return f"{number.name} to {program.pid}" if is_struck else ""


def fill_disk(stage: Stage) -> str:
    """Leave no byte free for some seconds."""
    if stage.work_dir() is None:
        return ""
    ballast = stage.system.place("disk") / f"ballast-{stage.scenario.seed}"
    try:
        if not _fill(ballast):
            return ""
        is_full = _is_full(ballast)
        stage.pause(1.5, 6)
    finally:
        ballast.unlink(missing_ok=True)
    return "no room left" if is_full else ""


def _fill(ballast: Path) -> bool:
    with open(ballast, "wb", buffering=0) as stream, contextlib.suppress(OSError):
        for piece in (b"\0" * (1 << 20), b"\0" * 4096, b"\0"):
            with contextlib.suppress(OSError):
                while stream.write(piece):
                    pass
        return True
    return False


def _is_full(ballast: Path) -> bool:
    try:
        with open(ballast, "ab", buffering=0) as stream:
            stream.write(b"\0" * 4096)
    except OSError:
        return True
    return False


def damage_segment(stage: Stage) -> str:
    """Kill the main process, then cut or flip what a worker has left in the spool before it goes on."""
    if not stage.supervisors():
        return ""  # nobody writes one

    def segments(work_dir: Path) -> list[Path]:
        return [*work_dir.glob("spool/new/[0-9]*"), *work_dir.glob("spool/tmp/[0-9]*")]

    return _damage(stage, segments, 3.0)


def damage_archive(stage: Stage) -> str:
    """Kill the main process, then cut or flip an archive before it goes on."""
    return _damage(stage, lambda work_dir: list(work_dir.glob("tasks.[rse]*.zip")), 0.0)


def _damage(stage: Stage, files_in: Callable[[Path], list[Path]], patience: float) -> str:
    work_dir = stage.work_dir()
    if work_dir is None or (patience == 0.0 and not files_in(work_dir)) or stage.n_damages == MOST_DAMAGES:
        return ""
    stage.n_damages += 1
    done: list[str] = []

    def damage() -> str:
        stage.wait(lambda: files_in(work_dir), patience)
        for file in sorted(files_in(work_dir), key=lambda _: stage.draw.random()):
            with contextlib.suppress(OSError):
                if words := _spoil(stage, file):
                    done.append(words)
                    break
        done.append("")
        return done[0]

    stage.before_resume.append(damage)
    if not kill_main(stage):
        with contextlib.suppress(ValueError):
            stage.before_resume.remove(damage)
        return ""
    stage.wait(lambda: done, 60)
    return done[0] if done else ""


def _spoil(stage: Stage, file: Path) -> str:
    """Cut the end off, or flip one bit, if there is anything."""
    size = file.stat().st_size
    if not size:
        return ""
    if stage.draw.random() < 0.4:
        length = stage.draw.randrange(size)
        os.truncate(file, length)
        return f"{file.name} cut from {size} to {length} bytes"
    # Half of them in a header at the begin, where the smallest change means most.
    position = stage.draw.randrange(min(size, 64) if stage.draw.random() < 0.5 else size)
    bit = 1 << stage.draw.randrange(8)
    fd = os.open(file, os.O_RDWR)
    try:
        (byte,) = os.pread(fd, 1, position)
        os.pwrite(fd, bytes([byte ^ bit]), position)
    finally:
        os.close(fd)
    return f"{file.name} bit {bit} of byte {position} flipped"


ANYWHERE: dict[str, Fault] = {
    "kill-child": kill_child,
    "kill-supervisor": kill_supervisor,
    "kill-main": kill_main,
    "terminate-main": terminate_main,
    "interrupt-main": interrupt_main,
    "fill-disk": fill_disk,
    "damage-segment": damage_segment,
    "damage-archive": damage_archive,
}
