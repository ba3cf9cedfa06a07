"""Measure peers on workloads, side by side: each repeat goes round all of them, so that noise hits all alike."""

import argparse
import datetime
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.real.daemons import DaemonsUnavailable
from tests.real.packages import require

from bench import make_venvs, records, systems
from bench.measure import measure
from bench.peer import SYSTEMS, Peer, all_peers
from bench.records import Record
from bench.workloads import WORKLOADS, Workload

MOST_FAILURES = 2
FEWER_REPEATS = ((100.0, 1), (30.0, 2), (12.0, 3))  # what takes longer than so many seconds is measured so often
TRACED = ("one", "500x10ms", "64x1s")


class Step(NamedTuple):
    """One measurement to make."""

    kind: str
    repeat: int
    workload: str
    peer: str


def plan(peers: Iterable[str], workloads: Iterable[str], repeats: int) -> Iterator[Step]:
    """Go round the peers, workload by workload, repeat by repeat; at the end once more under strace."""
    peers, workloads = list(peers), list(workloads)
    for repeat in range(repeats):
        for workload in workloads:
            for peer in peers:
                yield Step("run", repeat, workload, peer)
    for workload in workloads:
        if workload in TRACED:
            for peer in peers:
                yield Step("strace", 0, workload, peer)


def is_enough(step: Step, earlier: Iterable[Record]) -> bool:
    """Tell whether this step is done, or need not be: it never ends well, or is slow and was measured already."""
    same = [record for record in earlier if (record.peer, record.workload) == (step.peer, step.workload)]
    if any((record.kind, record.repeat) == (step.kind, step.repeat) for record in same):
        return True
    if any(record.status in ("capped", "refused") for record in same):
        return True
    if sum(record.status == "failed" for record in same) >= MOST_FAILURES:
        return True
    walls = [record.wall for record in same if record.kind == "run" and record.wall is not None]
    return any(sum(wall > slow for wall in walls) >= repeats for slow, repeats in FEWER_REPEATS)


def refusal(peer: Peer, workload: Workload, earlier: Iterable[Record], is_tiny: bool) -> str | None:
    """Return why a peer is not asked for a workload."""
    for record in earlier:
        if (record.peer, record.workload) == (peer.name, workload.smaller) and record.status != "ok":
            return f"{workload.title}: {record.status} at the smaller {WORKLOADS[record.workload].title} already"
    return peer.refuses(workload.rounds(is_tiny))


class Bench:
    """One run on one system, which goes on where an earlier one of the same file stopped."""

    def __init__(self, system: systems.System, output: str, folders: str, is_tiny: bool) -> None:
        self.system, self.output, self.folders, self.is_tiny = system, output, folders, is_tiny
        self.known = [record for record in records.read(output) if record.system == system.name]
        self.machine = {
            "commit": systems.commit(),
            "command": systems.command(),
            "scheduler": system.version,
            "cores": os.cpu_count(),
            "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        }

    def do(self, step: Step, peer: Peer) -> None:
        """Make one measurement and write it down."""
        if is_enough(step, self.known) or (peer.workloads and step.workload not in peer.workloads):
            return
        reason = refusal(peer, WORKLOADS[step.workload], self.known, self.is_tiny)
        if reason:
            status, values = "refused", {"error": reason}
        else:
            status, values = measure(
                self.system,
                peer,
                step.workload,
                folders=self.folders,
                is_tiny=self.is_tiny,
                is_traced=step.kind == "strace",
            )
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        record = Record(
            step.kind,
            self.system.name,
            peer.name,
            step.workload,
            step.repeat,
            status,
            {"date": date, "is_tiny": self.is_tiny, **self.machine, **values},
        )
        records.append(self.output, record)
        self.known.append(record)
        print(described(record), flush=True)


def described(record: Record) -> str:
    """Return one line about a measurement."""
    words = f"{record.kind} {record.repeat}  {record.system}  {record.workload:12} {record.peer:32} {record.status}"
    if record.wall is not None:
        words += f"  {record.wall:.2f} s, ideal {record.values['ideal']:.2f} s"
        words += f", held {record.values['held']:.0f}" if "held" in record.values else ""
    error: str = record.values.get("error", "")
    return f"{words}  {error.strip().splitlines()[-1][:150]}" if error.strip() else words


def usable(name: str, asked: Iterable[str] | None) -> dict[str, Peer]:
    """Return the peers of a system that can be measured here, and say why others can not."""
    peers = {key: peer for key, peer in all_peers().items() if name in peer.systems}
    unknown = set(asked or ()) - set(peers)
    if unknown:
        raise SystemExit(f"no such peer on {name}: {', '.join(sorted(unknown))}; there are: {', '.join(peers)}")
    chosen = {}
    for key in asked or peers:
        lacking = peers[key].lacks(name) or _install(peers[key])
        if lacking:
            print(f"without {key}: {lacking}", file=sys.stderr)
        else:
            chosen[key] = peers[key]
    return chosen


def _install(peer: Peer) -> str | None:
    """Install what the peer needs; return why that can not be."""
    try:
        require(peer.programs)
        make_venvs.python_of(peer.requirements)
    except (DaemonsUnavailable, OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `main` takes."""
    parser.add_argument("--system", choices=SYSTEMS, required=True)
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="by default all of the system")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", required=True, help="jsonl; what is in it already is not measured again")
    parser.add_argument("--folder", default="/tmp", help="where the work_dirs are made")
    parser.add_argument("--tiny", action="store_true", help="few and small tasks, to try things out")
    parser.add_argument("--no-strace", action="store_true", help="do not count the file operations")


def main(asked: argparse.Namespace) -> None:
    """Measure all that is not measured yet; when told to end, leave nothing running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    peers = usable(asked.system, asked.peers)
    if not asked.no_strace:
        require({"strace": "strace"})
    with systems.opened(asked.system) as system:
        bench = Bench(system, asked.output, asked.folder, asked.tiny)
        for step in plan(peers, asked.workloads, asked.repeats):
            if step.kind == "run" or not asked.no_strace:
                bench.do(step, peers[step.peer])
