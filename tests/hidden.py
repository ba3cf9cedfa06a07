"""Nodes that do not see a folder: a python that runs where another, empty one is mounted over it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """#!/bin/sh
exec /usr/bin/unshare --mount /bin/sh -c '/bin/mount -t tmpfs none "$0" && exec "$@"' "{folder}" "{python}" "$@"
"""


def python_without(folder: Path, path: Path) -> str:
    """Write a script to `path` that is a python to which `folder` is empty; return the path."""
    if os.getuid() or subprocess.run(["/usr/bin/unshare", "--mount", "/bin/true"], check=False).returncode:
        pytest.skip("only root may mount")
    path.write_text(_SCRIPT.format(folder=folder, python=sys.executable))
    path.chmod(0o755)
    return str(path)
