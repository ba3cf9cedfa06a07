"""The peers' virtual environments, one for each file in bench/requirements: python -m bench venvs."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements"
VENVS = HERE / "venvs"


def python_of(name: str | None) -> str:
    """Return the interpreter that has these requirements; our own for those who have none. It is made if need be."""
    return sys.executable if name is None else str(make(name))


def make(name: str) -> Path:
    """Make a venv, unless there is one made from the same requirements."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    venv, stamp = VENVS / name, VENVS / name / "requirements.txt"
    python = venv / "bin" / "python"
    if stamp.exists() and stamp.read_text() == text:
        return python
    print(f"making bench/venvs/{name}", flush=True)
    VENVS.mkdir(exist_ok=True)
    subprocess.run([HERE.parent / "tools" / "make-venv", venv, sys.executable], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
    subprocess.run([*pip, str(REQUIREMENTS / f"{name}.txt")], check=True)
    for packages in venv.glob("lib/python*/site-packages"):
        # Workers import the tasks' functions from here, also where the environment does not get to them.
        (packages / "bench.pth").write_text(f"{HERE.parent}\n")
    stamp.write_text(text)
    return python


def names() -> list[str]:
    """List all that can be made."""
    return sorted(file.stem for file in REQUIREMENTS.glob("*.txt"))
