"""The examples, and how a test runs one of them."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.needed import needed

FOLDER = Path(__file__).parents[2] / "examples"
# What each needs besides the package; all of it is in the extra "examples".
NEEDS = {
    "emcee_sampling": ("emcee", "numpy"),
    "external_programs": (),
    "folder_of_files": (),
    "grid_search": ("joblib", "sklearn", "pypoolparty.joblib_backend"),
    "monte_carlo": ("numpy",),
    "parameter_scan": ("matplotlib", "numpy"),
}


def run_example(name: str, pool: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run an example in a folder of its own, and return the lines that it prints; the last has to be OK."""
    needed(*NEEDS[name], extra="examples")
    argv = [sys.executable, str(FOLDER / f"{name}.py"), "--pool", pool]
    temporary = folder.parent / f"{folder.name}-temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**environment, "TMPDIR": str(temporary)}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "OK" == lines[-1]
    return lines
