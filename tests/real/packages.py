"""Install the schedulers from Debian's packages, without ever letting a package start a service."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.real.daemons import DaemonsUnavailable

# Each maps the programs that are called to the packages that bring them.
SLURM: Mapping[str, str] = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
}
# The -core packages hold MariaDB's programs alone: no service, no system wide database.
SLURM_ACCOUNTING: Mapping[str, str] = {
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
}
GRID_ENGINE: Mapping[str, str] = {
    "sge_qmaster": "gridengine-master",
    "sge_execd": "gridengine-exec",
    "qsub": "gridengine-client",
}
GRID_ENGINE_ANSWERS = """\
gridengine-master shared/gridenginemaster string localhost
gridengine-master shared/gridenginecell string default
gridengine-master shared/gridengineconfig boolean true
"""
_POLICY = Path("/usr/sbin/policy-rc.d")


def require(programs: Mapping[str, str], answers: str = "") -> None:
    """Make sure that every program is here: install the packages of the missing ones, if we may."""
    missing = missing_packages(programs)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DaemonsUnavailable(f"missing packages: {' '.join(missing)} (to install them: root on Debian)")
    with _no_services_started():
        if answers:
            _run(["debconf-set-selections"], answers)
        _run(["apt-get", "update", "-qq"])
        lock = "-oDPkg::Lock::Timeout=300"
        _run(["apt-get", "install", "-y", "-qq", lock, "--no-install-recommends", *missing])
    if missing := missing_packages(programs):
        raise DaemonsUnavailable(f"apt-get installed {' '.join(missing)} but the programs are not there")


def missing_packages(programs: Mapping[str, str]) -> list[str]:
    """List the packages whose program is not on this machine."""
    return [package for program, package in programs.items() if shutil.which(program, path=search_path()) is None]


def search_path() -> str:
    """Where programs are looked for: daemons live in places that not every user has in PATH."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@contextlib.contextmanager
def _no_services_started() -> Iterator[None]:
    """Forbid the packages' own scripts to start daemons (Debian's policy-rc.d), and tidy up behind us."""
    if _POLICY.exists():  # the machine has a policy of its own, as containers do
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _run(argv: list[str], text: str = "") -> None:
    """Run one step of an installation; its output matters only when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, input=text, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DaemonsUnavailable(f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
