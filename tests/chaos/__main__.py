"""Run maps on a real scheduler while random faults strike, and count what is lost.

A run that lost something is reproduced by its seed: --seed SEED --runs 1, with the same --only.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos import report
from tests.chaos.run import Report
from tests.chaos.scenario import BACKENDS
from tests.chaos.series import Series, faults_of
from tests.chaos.systems import open_lanes
from tests.real.daemons import DaemonsUnavailable


def main(arguments: list[str] | None = None) -> int:
    """Run a series and print its table; 1 if anything was lost."""
    options = _parser().parse_args(arguments)
    faults = faults_of(options.backend, options.allow_master_stop)
    if options.only and options.only not in faults:
        print(f"{options.backend} has no fault {options.only!r}; it has {', '.join(faults)}", file=sys.stderr)
        return 2

    def tell(done: Report) -> None:
        print(report.told(done), flush=True)
        if options.output:
            report.append(done, options.output)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has us ignore Ctrl-C
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # daemons and mounts are ours to end
    series = Series(options.backend, faults, options.longest, tell)
    folder = Path(tempfile.mkdtemp(prefix="party-chaos-", dir=options.folder))
    try:
        with open_lanes(options.backend, folder, options.lanes) as lanes:
            series.run([(options.seed + k, options.only) for k in range(options.runs)], lanes)
    except DaemonsUnavailable as error:
        print(error.reason, file=sys.stderr)
        return 2
    print(report.table(series.reports))
    if any(done.losses for done in series.reports):
        print(f"what is left of the runs is in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, required=True)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the others follow")
    parser.add_argument("--only", default="", metavar="FAULT", help="this fault alone, in each run")
    parser.add_argument("--lanes", type=int, default=1, help="runs at a time, each on daemons of its own")
    parser.add_argument("--longest", type=float, default=12.0, help="seconds that a map takes without faults")
    parser.add_argument("--output", type=Path, help="append a line of JSON for each run to this file")
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), help="where all of it happens")
    parser.add_argument("--allow-master-stop", action="store_true", help="stop Grid Engine's master, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
