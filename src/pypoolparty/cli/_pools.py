"""Arguments of pools as they come from a shell."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

import click

__all__ = ["POOLS", "check_names", "made", "pool_class", "read_settings", "setting_options"]

POOLS = ("auto", "slurm.array", "slurm", "sun_grid_engine.array", "sun_grid_engine", "local")
# What looks like a number and is a name all the same.
_NAMES = {"account", "clusters", "partition", "qos", "queue", "python_path", "work_dir", "mem", "parallel_environment"}
# What can not come from a shell.
_OBJECTS = {"self", "initializer", "initargs", "processes"}


def setting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --mem, --time and --set."""
    function = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any argument of the pool; VALUE as JSON or text.",
    )(function)
    function = click.option("--time", metavar="TIME", help="Time limit of a queue-job, as 2:30:00 or 1-12:00:00.")(
        function
    )
    return click.option("--mem", metavar="MEM", help="Memory of a queue-job, as 4G.")(function)


def read_settings(settings: Iterable[str], mem: str | None, time: str | None) -> dict[str, Any]:
    """Return the pool's arguments of ``--set NAME=VALUE``, ``--mem`` and ``--time``."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--set wants NAME=VALUE, as --set partition=gpu; not {setting!r}")
        found[name] = text if name in _NAMES else _value(text)
    if mem is not None:
        found["mem"] = mem
    if time is not None:
        found["time"] = float(time) if time.isdigit() else time
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def pool_class(kind: str) -> Callable[..., Any]:
    """Return the class of a kind of pool."""
    from ..resuming import POOL_CLASSES

    return POOL_CLASSES[kind]


def check_names(kind: str, settings: Iterable[str]) -> None:
    """Refuse what the pool has no argument for."""
    allowed = set(inspect.signature(pool_class(kind)).parameters) - _OBJECTS
    for name in settings:
        if name not in allowed:
            raise click.UsageError(
                f"the pool {kind} has no argument {name!r} that a shell can give; "
                f"there are {', '.join(sorted(allowed))}"
            )


def made(make: Callable[[], Any]) -> Any:
    """Make a pool; what its arguments lack is the fault of the command line."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
