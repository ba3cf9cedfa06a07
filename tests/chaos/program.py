"""The main process of a map: made to be killed. Started as ``python -m tests.chaos.program FOLDER [WORK_DIR]``."""

import importlib
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypoolparty
from tests.chaos import tasks
from tests.chaos.scenario import Scenario

Outcome = tuple[str, list[Any]]


def main(folder: Path, work_dir: str | None) -> None:
    """Start the map, or go on with it; write down what came out."""
    scenario: Scenario = pickle.loads((folder / "scenario.pickle").read_bytes())
    if work_dir is None:
        outcome = start(scenario, folder)
    else:
        outcome = "list", pypoolparty.resume(work_dir, on_error="return", verbose=True)
    part = folder / "outcome.part"
    part.write_bytes(pickle.dumps((outcome[0], [described(value) for value in outcome[1]])))
    os.rename(part, folder / "outcome.pickle")


def start(scenario: Scenario, folder: Path) -> Outcome:
    """Run the map and return what it gave, as a list in order or as it came."""
    module, _, name = scenario.pool.rpartition(".")
    pool_class = getattr(importlib.import_module(module), name)
    inputs = scenario.tasks(str(folder / "marks"))
    parent = (folder / "parent").read_text()
    with pool_class(work_dir=parent, verbose=True, **scenario.options) as pool:
        if scenario.call == "imap_unordered":
            return "as it came", list(unordered(pool.imap_unordered(tasks.compute, inputs, scenario.chunksize or 1)))
        if scenario.call == "starmap":
            pairs = [(task, task.itask) for task in inputs]
            values = pool.starmap(tasks.compute_starred, pairs, scenario.chunksize, on_error="return")
        else:
            values = pool.map(tasks.compute, inputs, scenario.chunksize, on_error="return")
        pool.close()
        pool.join()
        return "list", values


def unordered(iterator: Iterator[Any]) -> Iterator[Any]:
    """Yield values and exceptions alike."""
    while True:
        try:
            yield next(iterator)
        except StopIteration:
            return
        except Exception as error:
            yield error


def described(value: Any) -> Any:
    """Return what can be read without the classes of the exceptions."""
    if isinstance(value, BaseException):
        return type(value).__name__, value.args, str(value)
    return value


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
