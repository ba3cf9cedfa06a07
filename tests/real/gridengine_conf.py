"""The configuration of a one host Grid Engine, as edits of what it says itself."""

from collections.abc import Mapping

_HOST = """\
hostname localhost
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""
_HOST_GROUP = """\
group_name @allhosts
hostlist localhost
"""
_PARALLEL_ENVIRONMENT = """\
pe_name smp
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""
# What must be there, as: the option that lists the names, the name, the option that adds it, the text.
ADDITIONS = (
    ("-sel", "localhost", "-Ae", _HOST),
    ("-shgrpl", "@allhosts", "-Ahgrp", _HOST_GROUP),
    ("-spl", "smp", "-Ap", _PARALLEL_ENVIRONMENT),
)
QUEUE: Mapping[str, str] = {
    "qname": "all.q",
    "hostlist": "@allhosts",
    "shell": "/bin/sh",
    "shell_start_mode": "posix_compliant",
    "load_thresholds": "NONE",
    "pe_list": "smp",
}
SCHEDULER: Mapping[str, str] = {
    "schedule_interval": "0:0:1",
    "flush_submit_sec": "1",
    "flush_finish_sec": "1",
    "job_load_adjustments": "NONE",
}
GLOBAL: Mapping[str, str] = {  # jobs of root are welcome
    "min_uid": "0",
    "min_gid": "0",
    "enforce_user": "none",
}


def edited(text: str, settings: Mapping[str, str]) -> str:
    """Replace the values of these settings in a text that qconf showed."""
    lines, skipping = [], False
    for line in text.splitlines():
        continued, skipping = skipping, skipping and line.endswith("\\")
        if continued:
            continue
        key = line.split(maxsplit=1)[0] if line.strip() else ""
        if key in settings:
            skipping = line.endswith("\\")
            line = f"{key} {settings[key]}"
        lines.append(line)
    return "\n".join([*lines, ""])
