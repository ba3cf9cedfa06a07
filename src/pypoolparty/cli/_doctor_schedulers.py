"""The doctor's look at schedulers: which commands there are, whether they answer, and what limits them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..command import Completed, run
from ..errors import CommandFailed, SchedulerError
from ..scheduler import command_environment
from ._finding import Finding, Weight

__all__ = ["SYSTEMS", "Examined", "System", "examine"]


@dataclass(frozen=True)
class System:
    """A scheduler as the doctor sees it.

    Attributes
    ----------
    name, pool : str
        For people, and of the pool to prefer.
    needed, useful : sequence of str
        Commands without which nothing works, and those that tell more.
    version, alive, limits, accounting : sequence of str
        What to ask.
    limit_names : sequence of str
        Rows of the configuration that bound a pool.
    accounting_off, accounting_on : str
        Patterns in the answers that tell that there is no accounting, and that there is one that does not know
        the job.
    """

    name: str
    pool: str
    needed: Sequence[str]
    useful: Sequence[str]
    version: Sequence[str]
    alive: Sequence[str]
    limits: Sequence[str]
    accounting: Sequence[str]
    limit_names: Sequence[str]
    accounting_off: str
    accounting_on: str


SYSTEMS = (
    System(
        "Slurm",
        "slurm.array",
        ("sbatch", "squeue", "scancel"),
        ("scontrol", "sacct", "sinfo"),
        ("sbatch", "--version"),
        ("squeue", "--noheader", "--name=pypoolparty-doctor", "--format=%i"),
        ("scontrol", "show", "config"),
        ("sacct", "--noheader", "--parsable2", "--format=JobID", "--jobs=1"),
        ("SLURM_VERSION", "MaxArraySize", "MaxJobCount", "MinJobAge", "AccountingStorageType", "KillWait"),
        r"accounting_storage/none|Slurm accounting storage is disabled",
        r"(?!)",
    ),
    System(
        "Grid Engine",
        "sun_grid_engine.array",
        ("qsub", "qstat", "qdel"),
        ("qconf", "qacct"),
        ("qstat", "-help"),
        ("qstat", "-xml"),
        ("qconf", "-sconf"),
        ("qacct", "-j", "1"),
        ("max_aj_tasks", "max_aj_instances", "max_u_jobs", "max_jobs", "finished_jobs"),
        r"accounting file|No such file",
        r"job id \S+ not found",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Examined:
    """What was found out about one scheduler."""

    system: System
    paths: Mapping[str, str]
    version: str
    is_there: bool
    answers: bool
    complaint: str
    limits: Mapping[str, str]
    accounting: bool | None

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        described = {name: value for name, value in vars(self).items() if name != "system"}
        return {"name": self.system.name, "pool": self.system.pool, **described}

    def findings(self) -> Iterator[Finding]:
        """Tell what is fine, and what is not."""
        name = self.system.name
        if not self.is_there:
            return
        lacking = [command for command in self.system.needed if command not in self.paths]
        if lacking:
            words = f"{', '.join(lacking)} not found, but {', '.join(sorted(self.paths))}"
            yield Finding(Weight.PROBLEM, name, words, f"export PATH=$PATH:/path/of/{lacking[0]}   # or a login node")
        elif not self.answers:
            words = f"{self.system.alive[0]} does not answer: {self.complaint or 'it is silent'}"
            yield Finding(Weight.PROBLEM, name, words, " ".join(self.system.alive))
        else:
            yield Finding(Weight.FINE, name, f"{self.version or 'of unknown version'} answers")
        if self.limits:
            words = ", ".join(f"{limit} {value}" for limit, value in self.limits.items())
            yield Finding(Weight.FINE, f"{name} limits", words)
        if self.answers and self.accounting is not None:
            words = (
                "there is one: causes of deaths are told from it, too"
                if self.accounting
                else "there is none: what a queue-job died of is told from its workers and its stderr alone"
            )
            yield Finding(Weight.FINE if self.accounting else Weight.NOTE, f"{name} accounting", words)


def examine(system: System, timeout: float) -> Examined:
    """Look for the commands of a scheduler, and ask them."""
    found = ((command, shutil.which(command)) for command in (*system.needed, *system.useful))
    paths = {command: path for command, path in found if path}
    is_there = any(command in paths for command in system.needed)
    alive = _ask(system.alive, timeout)
    config = _ask(system.limits, timeout) if is_there else None
    accounting = _ask(system.accounting, timeout) if system.accounting[0] in paths else None
    said = "" if accounting is None else accounting.stdout + accounting.stderr
    has_accounting = None
    if is_there:
        all_said = said + (config.stdout if config else "")
        is_known = accounting is not None and (not accounting.returncode or re.search(system.accounting_on, said))
        has_accounting = bool(is_known) and re.search(system.accounting_off, all_said) is None
    limits = _limits(config.stdout if config else "", system.limit_names)
    return Examined(
        system=system,
        paths=paths,
        version=_first_line(_ask(system.version, timeout)) or limits.get("SLURM_VERSION", ""),
        is_there=is_there,
        answers=is_there and alive is not None and alive.returncode == 0,
        complaint=" ".join(alive.stderr.split())[-300:] if alive is not None else "",
        limits=limits,
        accounting=has_accounting,
    )


def _ask(argv: Sequence[str], timeout: float) -> Completed | None:
    """Return the answer of a command; None if it is not there, or silent."""
    try:
        return run(argv, timeout, command_environment({}))
    except CommandFailed:
        return None
    except SchedulerError:
        return None


def _first_line(completed: Completed | None) -> str:
    """Return the version out of what a command says of itself."""
    if completed is None:
        return ""
    lines = [line.strip() for line in completed.stdout.splitlines() if line.strip()]
    return lines[0] if lines and re.search(r"\d", lines[0]) else ""


def _limits(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return rows ``name = value`` or ``name value`` of a configuration."""
    found = {}
    for name in names:
        row = re.search(rf"^{name}(?:\s*=\s*|\s+)(\S.*?)\s*$", text, re.MULTILINE)
        if row:
            found[name] = row[1]
    return found
