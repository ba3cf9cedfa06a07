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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import BadSetting

__all__ = ["ALLOWED", "SCHEDULERS", "Setting", "files", "ignored", "settings_of", "shown", "site_settings"]

SCHEDULERS = ("slurm", "sun_grid_engine", "local")
SITE_FILE = "/etc/pypoolparty/config.toml"
PREFIX = "PYPOOLPARTY_"
# Variables of our own that are no settings.
OTHER_VARIABLES = {
    "PYPOOLPARTY_REEXECUTED",
    "PYPOOLPARTY_QUEUE_STATE",
    "PYPOOLPARTY_DUMMY_JOB",
    "PYPOOLPARTY_MUTATION_NOTES",
}

_FLAG, _NUMBER, _INTEGER, _AMOUNT = "true or false", "a number", "an integer", "a text or a number"
_TEXT, _PATH, _LINES, _TABLE = "a text", "the text of a path", "a list of texts", "a table of texts"
# All that may be set, by the pools' own names.
ALLOWED: dict[str, str] = {
    "num_simultaneously_running_tasks": _INTEGER,
    "python_path": _PATH,
    "polling_interval": _NUMBER,
    "work_dir": _PATH,
    "keep_work_dir": _FLAG,
    "verbose": _FLAG,
    "progress": _FLAG,
    "max_calls_per_minute": _INTEGER,
    "slurm_call_timeout": _NUMBER,
    "sge_call_timeout": _NUMBER,
    "max_num_resubmissions": _INTEGER,
    "sbatch_path": _PATH,
    "squeue_path": _PATH,
    "scancel_path": _PATH,
    "qsub_path": _PATH,
    "qstat_path": _PATH,
    "qdel_path": _PATH,
    "clusters": _TEXT,
    "queue_name": _TEXT,
    "error_state_indicator": _TEXT,
    "elastic": _FLAG,
    "num_chunks": _INTEGER,
    "time": _AMOUNT,
    "mem": _AMOUNT,
    "cpus": _INTEGER,
    "gpus": _INTEGER,
    "partition": _TEXT,
    "account": _TEXT,
    "project": _TEXT,
    "qos": _TEXT,
    "parallel_environment": _TEXT,
    "submit_args": _LINES,
    "setup": _LINES,
    "env": _TABLE,
    "workers_per_job": _AMOUNT,
    "linger": _NUMBER,
    "maxtasksperchild": _INTEGER,
}
_TYPES: dict[str, tuple[type, ...]] = {
    _FLAG: (bool,),
    _NUMBER: (int, float),
    _INTEGER: (int,),
    _TEXT: (str,),
    _PATH: (str,),
    _AMOUNT: (int, float, str),
}
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
    return [SITE_FILE, os.path.join(home, "pypoolparty", "config.toml")]


def shown() -> list[Setting]:
    """Return all that is set and holds for some pool, for people; what is said of all schedulers once."""
    found = [setting for scheduler in SCHEDULERS for setting in settings_of(scheduler).values()]
    return list({(setting.source, setting.name): setting for setting in found}.values())


def settings_of(scheduler: str) -> dict[str, Setting]:
    """Return what is set for a scheduler, by the names of the arguments.

    Raises
    ------
    BadSetting
        With the file and the line, or the variable.
    """
    found: dict[str, Setting] = {}
    for path in files():
        settings = list(_in_file(path))
        for table in ("all", scheduler):  # what is said of one scheduler goes before what is said of all
            found.update((setting.name, setting) for setting in settings if setting.scheduler == table)
    variables = list(_in_environment())
    for table in ("all", scheduler):
        found.update((setting.name, setting) for setting in variables if setting.scheduler == table)
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
            if "processes" in given:  # another name for it
                given.add("num_simultaneously_running_tasks")
            used = {name: setting for name, setting in set_.items() if name in names and name not in given}
            try:
                constructor(self, *args, **{name: setting.value for name, setting in used.items()}, **kwargs)
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
            yield Setting(table, name, _checked(name, value, source), source)


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
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        words = variable[len(PREFIX) :].lower()
        table, name = "all", words
        for scheduler in SCHEDULERS:
            if words.startswith(f"{scheduler}_") and words not in ALLOWED:
                table, name = scheduler, words[len(scheduler) + 1 :]
        yield Setting(table, name, _checked(name, _value_of(name, text, variable), variable), variable)


def _value_of(name: str, text: str, variable: str) -> Any:
    """Read the text of a variable as a file would have it; texts need no quotes there, and lists may be one line."""
    kind = ALLOWED.get(name)
    if kind in (_TEXT, _PATH, _AMOUNT, None):
        return text
    toml = _toml()
    try:
        return toml.loads(f"value = {text}")["value"]
    except toml.TOMLDecodeError:
        if kind == _LINES:
            return [text]
        raise BadSetting(f"{variable}: {name} must be {kind}, not {text!r}") from None


# ---------------------------------------------------------------------- both


def _checked(name: str, value: Any, source: str) -> Any:
    if name not in ALLOWED:
        raise BadSetting(
            f"{source}: there is no setting {name!r}{_meant(name)}; there are: {', '.join(sorted(ALLOWED))}"
        )
    kind = ALLOWED[name]
    if kind == _LINES:
        is_right = isinstance(value, list) and all(isinstance(line, str) for line in value)
    elif kind == _TABLE:
        is_right = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    else:
        is_right = isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == _FLAG)
    if not is_right:
        raise BadSetting(f"{source}: {name} must be {kind}, not {value!r}")
    return os.path.expanduser(os.path.expandvars(value)) if kind == _PATH else value


def _meant(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, ALLOWED, 1)
    return f", did you mean {near[0]!r}?" if near else ""
