"""One measurement, in a fresh process of the peer's interpreter: python -m bench.child PEER WORKLOAD SYSTEM …"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import time
import traceback
from typing import Any

from bench.peer import SERIES_SECONDS, Peer, all_peers
from bench.workloads import WORKLOADS, Workload

BEGUN = ".begun"  # appended to the name of the output: the clock runs


def measure(peer: Peer, workload: Workload, system: str, folder: str, is_tiny: bool, begun: str) -> dict[str, Any]:
    """Map all rounds and tell what that took; imports and the making of the tasks come before."""
    for name in peer.imports:
        importlib.import_module(name)
    rounds = workload.rounds(is_tiny)
    func = workload.function(is_tiny)
    slots = workload.slots_on(system)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "version": _version(peer),
        "slots": slots,
        "tasks": sum(map(len, rounds)),
        "rounds": len(rounds),
        "work": workload.work(rounds),
        "ideal": workload.ideal(rounds, slots),
        "memory_before": _peak_memory(),
    }
    open(begun, "w").close()
    cpu = _cpu_seconds()
    walls = []
    begin = time.perf_counter()
    results = peer.map(func, rounds, slots=slots, folder=folder, system=system)
    for tasks in rounds:
        values = next(results)
        walls.append(time.perf_counter() - begin)
        found["memory_peak"] = _peak_memory()
        if not workload.is_right(tasks, values):
            raise ValueError("the results are wrong")
        del values
        if sum(walls) > SERIES_SECONDS:
            break
        begin = time.perf_counter()
    found["cpu"] = _cpu_seconds() - cpu
    begin = time.perf_counter()
    results.close()  # type: ignore[attr-defined]  # it is a generator
    found |= {"status": "ok", "wall": sum(walls), "close": time.perf_counter() - begin}
    return found | (_series(walls, len(rounds)) if len(rounds) > 1 else {})


def _series(walls: list[float], n: int) -> dict[str, Any]:
    """Tell the time of each map of a series; of one that was cut short, what the whole would have taken."""
    found: dict[str, Any] = {"walls": [round(wall, 4) for wall in walls]}
    if len(walls) < n:
        found |= {"extrapolated_from": len(walls), "wall": sum(walls) / len(walls) * n}
    return found


def _version(peer: Peer) -> str:
    return importlib.metadata.version(peer.distribution) if peer.distribution else ""


def _cpu_seconds() -> float:
    """Of this process alone: its children are measured by the scheduler, or are the workers."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory() -> int:
    """Return bytes; getrusage would tell those of the process that started this one, if that is larger."""
    with open("/proc/self/status") as stream:
        row = next(line for line in stream if line.startswith("VmHWM:"))
    return int(row.split()[1]) * 1024


def main() -> None:
    """Measure, and write what was found to a file; a failure is something found, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("peer", "workload", "system", "folder", "output"):
        parser.add_argument(name)
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    try:
        found = measure(
            all_peers()[asked.peer],
            WORKLOADS[asked.workload],
            asked.system,
            asked.folder,
            asked.tiny,
            asked.output + BEGUN,
        )
    except Exception as error:
        text = "".join(traceback.format_exception_only(error)).strip()
        found = {"status": "failed", "error": text[-2000:], "traceback": traceback.format_exc()[-4000:]}
    with open(asked.output + ".part", "w") as stream:
        json.dump(found, stream)
    os.rename(asked.output + ".part", asked.output)
    if found["status"] == "failed":
        os._exit(1)  # threads of a pool that failed may wait for ever


if __name__ == "__main__":
    main()
