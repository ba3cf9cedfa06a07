"""Functions by the names that are typed for them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import click

__all__ = ["imported_function"]


def imported_function(name: str) -> Callable[..., Any]:
    """Return the function that ``MODULE:FUNC`` or ``FILE.py:FUNC`` names, also out of the current folder."""
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise click.UsageError(f"the function must be MODULE:FUNC, as math:sqrt, or FILE.py:FUNC; not {name!r}")
    folder = os.getcwd()
    if module.endswith(".py"):
        folder, file = os.path.split(os.path.abspath(module))
        module = file[: -len(".py")]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"{name!r} can not be imported: {error}; looked in {folder} first") from error
    if not callable(found):
        raise click.UsageError(f"{name!r} is no function but {type(found).__name__}: {found!r}")
    function: Callable[..., Any] = found
    return function
