"""Pools on real schedulers, with nothing left behind."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pypoolparty
from tests.contract.helpers import processes_about, wait_until


@contextlib.contextmanager
def pool_on(cluster: Any, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Iterator[Any]:
    """Make a pool on a cluster, and see that nothing is left in its queue."""
    for variable, value in cluster.environment.items():
        monkeypatch.setenv(variable, value)
    module = pypoolparty
    for part in name.split("."):
        module = getattr(module, part)
    arguments = {"polling_interval": 0.5, **arguments}
    pool = module.Pool(arguments.pop("width", 4), work_dir=folder / "work", **arguments)
    try:
        yield pool
        pool.close()
        pool.join()
    finally:
        pool.terminate()
        pool.join()
        wait_until(lambda: not cluster.queue(), lambda: f"an empty queue: {cluster.queue()}", 60)
    assert [] == processes_about(folder / "work")


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind in the journals of the maps below a folder, of which there may be none yet."""
    lines = [line for log in folder.glob("*/log.jsonl") for line in log.read_text().splitlines()]
    return [event for event in map(json.loads, lines) if event["event"] == kind]
