"""``doctor``: what works here, what does not, and what to type about it."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .. import site_settings
from ..errors import BadSetting
from ._doctor_disk import Disk, examine_disk
from ._doctor_schedulers import SYSTEMS, Examined, examine
from ._exit import Exit
from ._face import Answer, answering
from ._finding import Finding, Weight
from ._pools import POOLS, check_names, made, pool_class, read_settings
from ._show import show_next

if TYPE_CHECKING:
    from rich.console import Console

    from ._doctor_canary import Canary

__all__ = ["doctor_command"]

STYLES = {Weight.FINE: ("✓", "green"), Weight.NOTE: ("!", "yellow"), Weight.PROBLEM: ("✗", "bold red")}


@click.command("doctor")
@click.option("--no-canary", is_flag=True, help="Submit nothing.")
@click.option("--pool", type=click.Choice(POOLS), default="auto", show_default=True, help="That the canary runs on.")
@click.option("--work-dir", type=click.Path(), help="The folder for work_dirs; by default where the pool makes them.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any argument of the pool.")
@click.option("--timeout", default=120.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds.")
@answering
def doctor_command(
    no_canary: bool, pool: str, work_dir: str | None, settings: tuple[str, ...], timeout: float
) -> Answer:
    """Look at schedulers, their limits, the folder for work_dirs and the settings, and let a map of three tasks run.

    Example: pypoolparty doctor --pool slurm.array --set partition=main
    """
    examined = [examine(system, min(timeout, 20.0)) for system in SYSTEMS]
    kind = pool if pool != "auto" else _preferred(examined)
    given = read_settings(settings, None, None)
    check_names(kind, given)
    site, of_site = _examine_site()
    parent = os.path.abspath(work_dir or given.pop("work_dir", None) or _default_parent(kind, site))
    disk = examine_disk(parent)
    chosen = _system_of(kind, examined)
    findings = [_weighed(finding, one is chosen or chosen is None) for one in examined for finding in one.findings()]
    findings += list(disk.findings(kind != "local"))
    findings.append(of_site)
    if not any(one.is_there for one in examined):
        words = "neither Slurm nor Grid Engine is here: pypoolparty.local.Pool works, and maps can be looked at"
        findings.append(Finding(Weight.NOTE, "schedulers", words))
    canary = None
    if not no_canary and of_site.weight is not Weight.PROBLEM and _may_fly(kind, examined, disk):
        canary = _fly(kind, given, parent, timeout)
        findings += list(canary.findings())
    document = {
        "python": {"version": sys.version.split()[0], "executable": sys.executable},
        "schedulers": [one.as_json() for one in examined],
        "work_dir": disk.as_json(),
        "site": site,
        "pool": kind,
        "canary": None if canary is None else canary.as_json(),
        "findings": [finding.as_json() for finding in findings],
    }
    return Answer(document, lambda console: _show(console, findings), _code(findings, examined, kind))


def _weighed(finding: Finding, matters: bool) -> Finding:
    """Return what was found of a scheduler; where the pool is of another one, it is only to be noted."""
    if matters or finding.weight is not Weight.PROBLEM:
        return finding
    return replace(finding, weight=Weight.NOTE)


def _preferred(examined: list[Examined]) -> str:
    """Return the pool of the first scheduler that is there, also if it does not answer: that is to be mended."""
    working = [one for one in examined if one.answers] or [one for one in examined if one.is_there]
    return working[0].system.pool if working else "local"


def _system_of(kind: str, examined: list[Examined]) -> Examined | None:
    return next((one for one in examined if kind.startswith(one.system.pool.partition(".")[0])), None)


def _may_fly(kind: str, examined: list[Examined], disk: Disk) -> bool:
    system = _system_of(kind, examined)
    return not disk.error and (system is None or system.answers)


def _code(findings: list[Finding], examined: list[Examined], kind: str) -> Exit:
    system = _system_of(kind, examined)
    if system is not None and not system.answers:
        return Exit.SCHEDULER
    return Exit.FAILED if any(finding.weight is Weight.PROBLEM for finding in findings) else Exit.OK


def _default_parent(kind: str, site: list[dict[str, Any]]) -> str:
    scheduler = kind.partition(".")[0]
    for setting in site:
        if (setting["scheduler"], setting["name"]) in ((scheduler, "work_dir"), ("all", "work_dir")):
            return str(setting["value"])
    return tempfile.gettempdir() if kind == "local" else ".pypoolparty"


def _fly(kind: str, given: dict[str, Any], parent: str, timeout: float) -> Canary:
    from ._doctor_canary import fly

    existed = os.path.isdir(parent)
    arguments = {"polling_interval": 0.5, "max_num_resubmissions": 0, **given, "work_dir": parent}
    arguments["keep_work_dir"] = True
    try:
        return fly(lambda: made(lambda: pool_class(kind)(**arguments)), parent, timeout)
    finally:
        if not existed:
            try:
                os.rmdir(parent)
            except OSError:
                pass  # others have put something there


def _examine_site() -> tuple[list[dict[str, Any]], Finding]:
    """Return the settings of the site and of the user, or what is wrong with them."""
    try:
        settings = [vars(setting) for setting in site_settings.shown()]
    except BadSetting as error:
        return [], Finding(Weight.PROBLEM, "settings", str(error))
    lines = [f"{one['scheduler']}: {one['name']} = {one['value']!r} ({one['source']})" for one in settings]
    none = f"none in {' or '.join(site_settings.files())}"
    return settings, Finding(Weight.FINE, "settings", "; ".join(lines) or none)


def _show(console: Console, findings: list[Finding]) -> None:
    from rich.text import Text

    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        sign, style = STYLES[finding.weight]
        console.print(Text.assemble((f"{sign} {finding.about:{width}s}  ", style), finding.words), soft_wrap=True)
        if finding.command:
            show_next(console, finding.command, f"  {'':{width}s}  ")
