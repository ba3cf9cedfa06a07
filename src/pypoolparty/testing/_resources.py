"""Grid Engine's requests for resources: ``-l h_rt=3600,h_vmem=2G,hostname=!(n1|n2)``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from ._options import Refused

_FORMS = {
    "a time": re.compile(r"\d+|\d*(:\d*){1,2}|INFINITY", re.IGNORECASE),
    "a memory": re.compile(r"\d+(\.\d*)?[KMGTkmgt]?|INFINITY", re.IGNORECASE),
    "an integer": re.compile(r"\d+"),
    "a boolean": re.compile("true|false|1|0", re.IGNORECASE),
    "a text": re.compile(".*"),
}
_NAMES = {
    "a time": "cpu h_cpu h_rt s_cpu s_rt",
    "a memory": """h_core h_data h_fsize h_rss h_stack h_vmem mem_free mem_total mem_used s_core s_data s_fsize s_rss
    s_stack s_vmem swap_free swap_rate swap_rsvd swap_total swap_used virtual_free virtual_total virtual_used""",
    "an integer": "cores gpu num_proc slots sockets threads",
    "a boolean": "exclusive",
    "a text": "a arch h hostname q qname tmpdir",
}
RESOURCES = {name: kind for kind, names in _NAMES.items() for name in names.split()}


def _requests(text: str) -> list[tuple[str, str]]:
    pairs = (word.partition("=") for word in text.split(",")) if text else ()
    return [(name, value) for name, _, value in pairs]


def check_resources(text: str, nodes: Sequence[str]) -> None:
    """Refuse resources that nobody has configured, values of the wrong kind, and hosts that are not known."""
    for name, value in _requests(text):
        if name not in RESOURCES:
            raise Refused(f'Unable to run job: unknown resource "{name}"\nExiting.\n')
        kind = RESOURCES[name]
        if not _FORMS[kind].fullmatch(value):
            raise Refused(f'Unable to run job: attribute "{name}" is not {kind} value\nExiting.\n')
        if name in ("h", "hostname") and re.fullmatch(r"[\w.-]+", value) and value not in nodes:
            raise Refused(f'Unable to run job: can\'t resolve hostname "{value}"\nExiting.\n')


def excluded_hosts(text: str, nodes: Sequence[str]) -> list[str]:
    """Return the nodes that a request rules out."""
    expressions = [value for name, value in _requests(text) if name in ("h", "hostname")]
    return [node for node in nodes if not all(matches(expression, node) for expression in expressions)]


def matches(expression: str, node: str) -> bool:
    """Whether a node's name fulfills an expression of patterns with ``! & | ( )``."""
    tokens = re.findall(r"[!&|()]|[^!&|()\s]+", expression)
    return _any(tokens, node)


def _any(tokens: list[str], node: str) -> bool:
    value = _all(tokens, node)
    while tokens and tokens[0] == "|":
        tokens.pop(0)
        value = _all(tokens, node) or value
    return value


def _all(tokens: list[str], node: str) -> bool:
    value = _one(tokens, node)
    while tokens and tokens[0] == "&":
        tokens.pop(0)
        value = _one(tokens, node) and value
    return value


def _one(tokens: list[str], node: str) -> bool:
    token = tokens.pop(0) if tokens else ""
    if token == "!":
        return not _one(tokens, node)
    if token == "(":
        value = _any(tokens, node)
        tokens[:1] = []  # the closing one
        return value
    return fnmatchcase(node, token)
