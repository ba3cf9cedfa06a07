"""Modules of the extras: where all of them are to be installed, none may be missing."""

import importlib.util
import os

import pytest


def needed(*modules: str, extra: str) -> None:
    """Skip a test that can not run for want of a module; in CI it fails. Nothing is imported."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            is_in_ci = os.environ.get("CI") == "true"
            (pytest.fail if is_in_ci else pytest.skip)(f"{module} is not there: extra {extra}")
