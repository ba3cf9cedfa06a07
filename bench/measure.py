"""One measurement, seen from outside: a fresh process, its folder, and what the scheduler wrote down."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import make_venvs
from bench.child import BEGUN
from bench.peer import CAP_SECONDS, Peer
from bench.systems import System
from bench.watch import FolderWatch

ROOT = Path(__file__).parents[1]
PREPARING_SECONDS = 60.0  # for imports and the making of the tasks, before the clock runs
ENDING_SECONDS = 10.0


def measure(
    system: System, peer: Peer, workload: str, *, folders: str, is_tiny: bool, is_traced: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return the status and what was measured."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folders, ignore_cleanup_errors=True) as place:
        folder, output, trace = (os.path.join(place, name) for name in ("folder", "output", "trace"))
        os.mkdir(folder)
        argv = [make_venvs.python_of(peer.requirements), "-m", "bench.child"]
        argv += [peer.name, workload, system.name, folder, output, *(["--tiny"] if is_tiny else [])]
        if is_traced:
            argv = ["strace", "-f", "-c", "-U", "calls,errors,name", "-e", "trace=%file,%desc", "-o", trace, *argv]
        load = os.getloadavg()[0]
        system.begin()
        watch = FolderWatch(folder)
        watch.start()
        try:
            text = _run(argv, folder, output + BEGUN, {**system.environment, "PYTHONPATH": str(ROOT)})
        finally:
            watch.stop()
            if not os.path.exists(output):
                system.cancel_all()
        values = {"load": round(load, 2), "files_peak": watch.files, "bytes_peak": watch.bytes, **system.end()}
        status, found = _result(output, text)
        if is_traced and os.path.exists(trace):
            found["file_operations"] = calls_of(Path(trace).read_text())
    return status, {**values, **found}


def _run(argv: list[str], folder: str, begun: str, environment: dict[str, str]) -> str | None:
    """Run the process and return what it said; None if it had to be ended."""
    with open(os.path.join(os.path.dirname(folder), "said"), "w+b") as said:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if not _ends(process, PREPARING_SECONDS, begun) or not _ends(process, CAP_SECONDS):
                return None
        finally:
            _end(process)
        said.seek(0)
        return said.read().decode(errors="replace")


def _ends(process: "subprocess.Popen[bytes]", seconds: float, begun: str | None = None) -> bool:
    """Wait for the end of the process, or until its clock runs; False if neither comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return True
        if begun is not None and os.path.exists(begun):
            return True
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End all that is left of the process's own session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + ENDING_SECONDS
        while _lives(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    process.wait()


def _lives(process: "subprocess.Popen[bytes]") -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _result(output: str, text: str | None) -> tuple[str, dict[str, Any]]:
    """Return the status, and what the process found."""
    if os.path.exists(output):
        with open(output) as stream:
            found: dict[str, Any] = json.load(stream)
        status = found.pop("status")
        if status == "ok" and found["wall"] > CAP_SECONDS and "walls" not in found:
            return "capped", {**found, "error": f"took {found['wall']:.0f} s"}
        return status, found
    if text is None:
        return "capped", {"error": f"not done after {CAP_SECONDS:.0f} s"}
    return "failed", {"error": f"the process died: {text[-1000:]}"}


def calls_of(trace: str) -> dict[str, int]:
    """Read how often each system call was made, from what strace -c -U calls,errors,name wrote."""
    rows = re.findall(r"^\s*(\d+)\s+(?:\d+\s+)?(\w+)$", trace, re.MULTILINE)
    return {name: int(calls) for calls, name in rows if name != "total"}
