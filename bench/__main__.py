"""python -m bench {run,micro,report,scale,venvs}: see the module of that name, and bench/make_venvs.py."""

import argparse
import importlib

VERBS = {
    "run": "measure peers on workloads",
    "micro": "measure the parts of pypoolparty",
    "report": "make the page with tables and plots",
    "scale": "simulate many workers",
}


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Peers and ourselves, side by side.")
    verbs = parser.add_subparsers(required=True, dest="verb")
    for name, text in VERBS.items():
        importlib.import_module(f"bench.{name}").add_arguments(verbs.add_parser(name, help=text))
    verbs.add_parser("venvs", help="make the peers' virtual environments")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run one verb."""
    asked = make_parser().parse_args(arguments)
    if asked.verb == "venvs":
        venvs = importlib.import_module("bench.make_venvs")
        for name in venvs.names():
            venvs.make(name)
    else:
        importlib.import_module(f"bench.{asked.verb}").main(asked)


if __name__ == "__main__":
    main()
