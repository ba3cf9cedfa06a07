"""What a site, and its user, want of every pool: files and variables that stand in for arguments that are not given.

An argument goes before a variable, that before the user's file, and that before the site's. In the files there is a
table for each scheduler and one for all; their keys are the names of the pools' own arguments::

    [all]
    verbose = true

    [slurm]
    partition = "long"
    work_dir = "/scratch/$USER/maps"
    setup = ["module load hdf5"]

The variable ``PYPOOLPARTY_SLURM_PARTITION`` does the same, and ``PYPOOLPARTY_VERBOSE`` for all.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .errors import BadSetting
from .site_names import ALLOWED, FLAG, LINES, OTHERS_NAMES, PATH, SCHEDULERS, TEXTS, checked, twins_of

__all__ = ["ALLOWED", "SCHEDULERS", "Setting", "files", "ignored", "settings_of", "shown", "site_settings"]

SITE_FILE = "/etc/pypoolparty/config.toml"  # or what PYPOOLPARTY_SITE_CONFIG says
PREFIX = "PYPOOLPARTY_"
# Variables of our own that are no settings.
OTHER_VARIABLES = {
    "PYPOOLPARTY_REEXECUTED",
    "PYPOOLPARTY_QUEUE_STATE",
    "PYPOOLPARTY_DUMMY_JOB",
    "PYPOOLPARTY_MUTATION_NOTES",
    "PYPOOLPARTY_SITE_CONFIG",
}
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_is_ignored: ContextVar[bool] = ContextVar("pypoolparty_site_settings_are_ignored", default=False)
_Function = TypeVar("_Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Setting:
    """One setting, and where it comes from.

    Attributes
    ----------
    scheduler : {"all", "slurm", "sun_grid_engine", "local"}
    name : str
        Of the argument.
    value : object
    source : str
        The variable, or ``file:line``.
    """

    scheduler: str
    name: str
    value: Any
    source: str


def files() -> list[str]:
    """Return the paths of the files, present or not: the site's, then the user's, which goes before."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    site = os.environ.get("PYPOOLPARTY_SITE_CONFIG") or SITE_FILE
    return [site, os.path.join(home, "pypoolparty", "config.toml")]


def shown() -> list[Setting]:
    """Return all that is set and holds for some pool, for people; what is said of all schedulers once."""
    found = [
        replace(setting, value=_text_of(setting))
        for scheduler in SCHEDULERS
        for setting in settings_of(scheduler).values()
    ]
    return list({(setting.source, setting.name): setting for setting in found}.values())


def settings_of(scheduler: str) -> dict[str, Setting]:
    """Return what is set for a scheduler, by the names of the arguments; in paths nothing is replaced yet.

    Raises
    ------
    BadSetting
        With the file and the line, or the variable.
    """
    found: dict[str, Setting] = {}
    for settings in (*(list(_in_file(path)) for path in files()), list(_in_environment())):
        for table in ("all", scheduler):  # what is said of one scheduler goes before what is said of all
            here = {setting.name: setting for setting in settings if setting.scheduler == table}
            for setting in here.values():
                twins = twins_of({setting.name}, scheduler)
                both = next((twin for twin in twins if twin in here), None)
                if both and table == scheduler:
                    raise BadSetting(f"{setting.source}: {setting.name} and {both} mean the same: set one of them")
                if not (both and setting.name in OTHERS_NAMES):
                    found = {name: one for name, one in found.items() if name not in twins}
                    found[setting.name] = setting
    return found


def site_settings(scheduler: str) -> Callable[[_Function], _Function]:
    """Decorate a pool's constructor: arguments that are not given are taken from the settings."""

    def decorate(constructor: _Function) -> _Function:
        code = constructor.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

        @functools.wraps(constructor)
        def construct(self: Any, *args: Any, **kwargs: Any) -> None:
            set_ = {} if _is_ignored.get() or not _is_any() else settings_of(scheduler)
            given = {*names[: 1 + len(args)], *kwargs}
            given |= twins_of(given, scheduler)
            used = {name: setting for name, setting in set_.items() if name in names and name not in given}
            values = {name: _expanded(setting) for name, setting in used.items()}
            try:
                constructor(self, *args, **values, **kwargs)
            except (TypeError, ValueError) as error:
                culprit = next((used[word] for word in str(error).replace("(", " ").split() if word in used), None)
                if culprit is None:
                    raise
                raise BadSetting(f"{culprit.source}: {error}") from error

        return construct  # type: ignore[return-value]

    return decorate


@contextmanager
def ignored() -> Iterator[None]:
    """Make pools without the settings: what goes on with a map has the arguments that it had."""
    token = _is_ignored.set(True)
    try:
        yield
    finally:
        _is_ignored.reset(token)


def _is_any() -> bool:
    return any(name.startswith(PREFIX) and name not in OTHER_VARIABLES for name in os.environ) or any(
        map(os.path.exists, files())
    )


# ---------------------------------------------------------------------- files


def _in_file(path: str) -> Iterator[Setting]:
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: can not be read: {error}") from error
    for table, content in _parsed(path, text).items():
        if table not in ("all", *SCHEDULERS):
            raise BadSetting(
                f"{path}:{_line_of(text, table)}: there is no table or key {table!r} at the top; "
                f"tables are [all], [slurm], [sun_grid_engine], [local]"
            )
        if not isinstance(content, dict):
            raise BadSetting(f"{path}:{_line_of(text, table)}: {table} must be a table: [{table}]")
        for name, value in content.items():
            source = f"{path}:{_line_of(text, table, name)}"
            yield Setting(table, name, checked(table, name, value, source), source)


def _parsed(path: str, text: str) -> dict[str, Any]:
    toml = _toml()
    try:
        parsed: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise BadSetting(f"{path}: not TOML: {error}") from error
    return parsed


def _toml() -> Any:
    try:
        import tomllib

        return tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli

        return tomli


def _line_of(text: str, table: str, name: str = "") -> int:
    """Return the line of a key in a table, or of the table (or key) itself; the table's where it is written oddly."""
    place, begun = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if words.startswith("["):
            place, *inner = (word.strip(" \"'") for word in words.strip("[] ").split("."))
            if place == table:
                begun = number
                if not name or name in inner:
                    return number
        else:
            key = words.partition("=")[0].partition(".")[0].strip(" \"'")
            if (place, key) == ((table, name) if name else ("", table)):
                return number
    return begun


# ---------------------------------------------------------------------- variables


def _in_environment() -> Iterator[Setting]:
    for variable, text in sorted(os.environ.items()):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES or not text:
            continue
        words = variable[len(PREFIX) :].lower()
        table, name = "all", words
        for scheduler in SCHEDULERS:
            if words.startswith(f"{scheduler}_") and words not in ALLOWED:
                table, name = scheduler, words[len(scheduler) + 1 :]
        yield Setting(table, name, checked(table, name, _value_of(name, text, variable), variable), variable)


def _value_of(name: str, text: str, variable: str) -> Any:
    """Read the text of a variable as a file would have it; texts need no quotes there, and lists may be one line."""
    kind = ALLOWED.get(name)
    if kind in (*TEXTS, None):
        return text
    if kind == FLAG and text.lower() in (*_ON, *_OFF):
        return text.lower() in _ON
    toml = _toml()
    try:
        return toml.loads(f"value = {text}")["value"]
    except toml.TOMLDecodeError:
        if kind == LINES:  # as it would be typed
            return shlex.split(text) if name == "submit_args" else text.splitlines()
        raise BadSetting(f"{variable}: {name} must be {kind}, not {text!r}") from None


# ---------------------------------------------------------------------- values


def _expanded(setting: Setting) -> Any:
    """Return the value, in a path ``~`` and variables replaced."""
    if ALLOWED[setting.name] != PATH:
        return setting.value
    path = os.path.expanduser(os.path.expandvars(setting.value))
    unset = re.search(r"\$(\w+|\{[^}]*\})", path)
    if unset:
        raise BadSetting(
            f"{setting.source}: {setting.name} = {setting.value!r} can not be used here: {unset[0]} is not set"
        )
    return path


def _text_of(setting: Setting) -> Any:
    """Return the value for people, to whom what can not be used here is shown as it stands there."""
    try:
        return _expanded(setting)
    except BadSetting:
        return setting.value
