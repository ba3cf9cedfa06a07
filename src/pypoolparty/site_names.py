"""What may be set for a site: the pools' own arguments, for which schedulers, and what each may be."""

from __future__ import annotations

from typing import Any

from .errors import BadSetting

__all__ = [
    "ALLOWED",
    "FLAG",
    "LINES",
    "OTHERS_NAMES",
    "PATH",
    "SCHEDULERS",
    "TEXTS",
    "allowed_in",
    "checked",
    "twins_of",
]

SCHEDULERS = ("slurm", "sun_grid_engine", "local")
FLAG, _NUMBER, _INTEGER, _AMOUNT = "true or false", "a number", "an integer", "a text or a number"
_TEXT, PATH, LINES, _TABLE = "a text", "the text of a path", "a list of texts", "a table of texts"
# All that may be set, by the pools' own names.
ALLOWED: dict[str, str] = {
    "num_simultaneously_running_tasks": _INTEGER,
    "python_path": PATH,
    "polling_interval": _NUMBER,
    "work_dir": PATH,
    "keep_work_dir": FLAG,
    "verbose": FLAG,
    "progress": FLAG,
    "max_calls_per_minute": _INTEGER,
    "slurm_call_timeout": _NUMBER,
    "sge_call_timeout": _NUMBER,
    "max_num_resubmissions": _INTEGER,
    "sbatch_path": PATH,
    "squeue_path": PATH,
    "scancel_path": PATH,
    "qsub_path": PATH,
    "qstat_path": PATH,
    "qdel_path": PATH,
    "clusters": _TEXT,
    "queue_name": _TEXT,
    "error_state_indicator": _TEXT,
    "elastic": FLAG,
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
    "submit_args": LINES,
    "setup": LINES,
    "env": _TABLE,
    "workers_per_job": _AMOUNT,
    "linger": _NUMBER,
    "maxtasksperchild": _INTEGER,
}
_TYPES: dict[str, tuple[type, ...]] = {
    FLAG: (bool,),
    _NUMBER: (int, float),
    _INTEGER: (int,),
    _TEXT: (str,),
    PATH: (str,),
    _AMOUNT: (int, float, str),
}
# What only pools of these have; all else is everybody's.
_ONLY: dict[tuple[str, ...], str] = {
    ("slurm",): "slurm_call_timeout sbatch_path squeue_path scancel_path clusters",
    ("sun_grid_engine",): "sge_call_timeout qsub_path qstat_path qdel_path queue_name error_state_indicator project "
    "parallel_environment",
    ("slurm", "sun_grid_engine"): "partition account qos submit_args num_chunks workers_per_job linger "
    "max_calls_per_minute",
}
# Two names for one thing: who sets one of them has set both.
_TWINS: dict[str, tuple[tuple[str, str], ...]] = {
    "sun_grid_engine": (("queue_name", "partition"), ("project", "qos")),
}
OTHERS_NAMES = ("partition", "qos")  # of all schedulers, where the twin is the scheduler's own
_OF_ALL_TWINS = (("num_simultaneously_running_tasks", "processes"),)
TEXTS = (_TEXT, PATH, _AMOUNT)  # whatever stands there


def allowed_in(table: str) -> list[str]:
    """Return the names that may be set in a table, sorted."""
    if table == "all":
        return sorted(ALLOWED)
    others = {name for owners, names in _ONLY.items() if table not in owners for name in names.split()}
    return sorted(set(ALLOWED) - others)


def twins_of(names: set[str], scheduler: str) -> set[str]:
    """Return the other names for what these arguments of a scheduler's pools say."""
    pairs = [set(pair) for pair in (*_OF_ALL_TWINS, *_TWINS.get(scheduler, ()))]
    return {name for pair in pairs if pair & names for name in pair} - names


def checked(table: str, name: str, value: Any, source: str) -> Any:
    """Return the value of a setting if there may be such a one.

    Raises
    ------
    BadSetting
        With the source, and with what is allowed.
    """
    allowed = allowed_in(table)
    if name not in allowed:
        of = "" if table == "all" else f" of {table}"
        raise BadSetting(
            f"{source}: there is no setting {name!r}{of}{_meant(name, allowed)}; there are: {', '.join(allowed)}"
        )
    kind = ALLOWED[name]
    if kind == LINES:
        is_right = isinstance(value, list) and all(isinstance(line, str) for line in value)
    elif kind == _TABLE:
        is_right = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    else:
        is_right = isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == FLAG)
    if not is_right:
        raise BadSetting(f"{source}: {name} must be {kind}, not {value!r}")
    return value


def _meant(name: str, allowed: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, allowed, 1)
    return f", did you mean {near[0]!r}?" if near else ""
