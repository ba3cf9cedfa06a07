"""Bring real schedulers up and down by hand: python -m tests.real up slurm."""

import argparse
import shlex
import sys
from pathlib import Path

from tests.real import packages
from tests.real.daemons import DaemonsUnavailable
from tests.real.gridengine import GridEngine
from tests.real.slurm import SlurmCluster
from tests.real.users import BY_HAND

_FOLDERS = Path("/tmp")


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; say why, and exit with 1, when the daemons cannot be had."""
    options = _parser().parse_args(arguments)
    try:
        options.verb(options)
    except DaemonsUnavailable as error:
        print(error.reason, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="{install,up,down,status}")
    for name, verb in {"install": install, "up": up, "down": down, "status": status}.items():
        one = verbs.add_parser(name, help=(verb.__doc__ or "").rstrip("."))
        one.set_defaults(verb=verb)
        if name != "status":
            one.add_argument("scheduler", choices=["slurm", "gridengine"])
        if name in ("up", "down"):
            one.add_argument("--name", default="slurm", help="of the Slurm: its folder is /tmp/party-NAME")
        if name == "up":
            one.add_argument("--accounting", action="store_true", help="with slurmdbd, so that sacct answers")
            one.add_argument("--max-array-size", type=int, default=1001)
            one.add_argument("--min-job-age", type=int, default=300, help="seconds until ended jobs are forgotten")
            one.add_argument("--slots", type=int, default=16, help="of the Grid Engine")
    return parser


def install(options: argparse.Namespace) -> None:
    """Install the packages that are missing."""
    if options.scheduler == "gridengine":
        packages.require(packages.GRID_ENGINE, packages.GRID_ENGINE_ANSWERS)
    else:
        packages.require({**packages.SLURM, **packages.SLURM_ACCOUNTING})


def up(options: argparse.Namespace) -> None:
    """Bring up the daemons (if they are not) and print what a shell needs to use them."""
    if options.scheduler == "gridengine":
        engine = GridEngine(options.slots, user=BY_HAND)
        engine.up()
        _print_exports(engine.environment)
        return
    cluster = SlurmCluster(
        _folder(options.name),
        accounting=options.accounting,
        max_array_size=options.max_array_size,
        min_job_age=options.min_job_age,
    )
    if cluster.is_up():
        print(f"# already up, as it was configured then: {cluster.at.conf}")
    else:
        cluster.up()
    _print_exports(cluster.environment)


def down(options: argparse.Namespace) -> None:
    """Cancel all jobs and stop the daemons, whichever of our processes started them."""
    if options.scheduler == "gridengine":
        GridEngine().stop_for_all()
    else:
        SlurmCluster(_folder(options.name)).down()


def status(options: argparse.Namespace) -> None:
    """List what is up, with the number of jobs in the queue."""
    clusters = [SlurmCluster(conf.parent) for conf in sorted(_FOLDERS.glob("party-*/slurm.conf"))]
    for cluster in clusters:
        if cluster.is_up():
            name = cluster.folder.name.removeprefix("party-")
            print(f"slurm --name {shlex.quote(name)}: {len(cluster.queue())} jobs, {cluster.folder}")
    engine = GridEngine()
    if engine.is_up():
        print(f"gridengine: {len(engine.queue())} jobs")


def _folder(name: str) -> Path:
    if "/" in name or not name:
        raise DaemonsUnavailable(f"not the name of a folder: {name!r}")
    return _FOLDERS / f"party-{name}"


def _print_exports(environment: dict[str, str]) -> None:
    for key, value in environment.items():
        print(f"export {key}={shlex.quote(value)}")


if __name__ == "__main__":
    sys.exit(main())
