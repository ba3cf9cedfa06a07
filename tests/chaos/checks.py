"""What is promised, whatever struck the map."""

import json
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypoolparty
from tests.chaos.scenario import MAX_NUM_RESUBMISSIONS, Scenario
from tests.chaos.stage import Stage, waited, workers_of
from tests.chaos.tasks import begins, expected_text, expected_value

Outcome = tuple[str, list[Any]]
LEAVE_SECONDS = 60.0


def check(
    stage: Stage, outcome: Outcome | None, done_before: list[tuple[frozenset[int], Counter[int]]], marks: Path
) -> list[str]:
    """Return what is not as it should be, in words; and remove what a kept work_dir left."""
    losses: list[str] = []
    if outcome is not None:
        losses += check_values(stage.scenario, *outcome)
    losses += check_left_behind(stage)
    losses += check_attempts(stage, done_before, begins(marks))
    if outcome is not None:
        losses += check_work_dir(stage)
    if not losses:
        shutil.rmtree(stage.parent, ignore_errors=True)
    return losses


def check_values(scenario: Scenario, order: str, values: list[Any]) -> Iterator[str]:
    """Check that each task's result is there once, as itself and in its place."""
    expected = [_expected(scenario, task) for task in scenario.tasks("")]
    found = [value[:2] if isinstance(value[0], str) else value for value in values]
    if len(found) != len(expected):
        yield f"{len(found)} results of {len(expected)} tasks"
    elif order == "list":
        wrong = [i for i, value in enumerate(expected) if found[i] != value]
        if wrong:
            yield f"wrong results of tasks {wrong[:10]}: {[str(values[i])[:300] for i in wrong[:3]]}"
    else:
        left = Counter(expected)
        left.subtract(Counter(found))
        wrong_values = [str(value)[:200] for value, count in left.items() if count]
        if wrong_values:
            yield f"lost, doubled or wrong: {wrong_values[:5]}"


def _expected(scenario: Scenario, task: Any) -> Any:
    return (task.error, (task.itask, "on purpose")) if task.error else expected_value(task)


def check_left_behind(stage: Stage) -> Iterator[str]:
    """Check that no process and no queue-job is left."""
    if not waited(lambda: not workers_of(stage.parent), LEAVE_SECONDS):
        yield f"worker processes are left: {workers_of(stage.parent)}"
    if stage.has_zombies:
        stage.system.cancel(stage.queue())
    if not waited(lambda: _is_empty(stage), LEAVE_SECONDS):
        yield f"queue-jobs are left: {stage.queue()}"


def check_left_by_leaving(stage: Stage) -> Iterator[str]:
    """Check that a main process that was asked to end took its queue-jobs and workers with it."""
    if stage.is_split or stage.system.lock.locked():
        return  # the scheduler itself can not be relied on just now
    if not waited(lambda: _is_empty(stage) and not workers_of(stage.parent), LEAVE_SECONDS):
        yield f"left behind by a main process that was asked to end: {stage.queue()}, {workers_of(stage.parent)}"


def _is_empty(stage: Stage) -> bool:
    try:
        return not stage.system.queue(stage.session())
    except subprocess.SubprocessError:
        return False


def check_attempts(
    stage: Stage, done_before: list[tuple[frozenset[int], Counter[int]]], begun: Counter[int]
) -> Iterator[str]:
    """Check how often tasks were begun, and that none was that had been finished before a resumption."""
    scenario = stage.scenario
    for itask in range(scenario.n):
        if begun[itask] > MAX_NUM_RESUBMISSIONS + 1:
            yield f"task {itask} was begun {begun[itask]} times"
    for done, before in done_before:
        again = sorted(itask for itask in done if begun[itask] > before[itask])
        if again and not stage.is_split:
            yield f"finished before a resumption, yet begun again after it: {again[:20]}"


def check_work_dir(stage: Stage) -> Iterator[str]:
    """Check that the work_dir is gone if it should be, and holds what it should if it was kept."""
    scenario, tasks = stage.scenario, stage.scenario.tasks("")
    is_kept = scenario.options["keep_work_dir"] or bool(scenario.errors) or any(task.err for task in tasks)
    left = sorted(path.name for path in stage.parent.iterdir())
    if not is_kept:
        if left:
            yield f"left in the folder of the work_dirs: {left}"
        return
    work_dir = stage.work_dir()
    if work_dir is None or len(left) != 1:
        yield f"one work_dir should have been kept; there is {left}"
        return
    yield from _check_content(scenario, work_dir)


def _check_content(scenario: Scenario, work_dir: Path) -> Iterator[str]:
    snapshot = pypoolparty.load(work_dir)
    tasks = scenario.tasks("")
    wrong = [t.itask for t in tasks if not t.error and snapshot.results.get(t.itask) != expected_value(t)]
    wrong += [t.itask for t in tasks if t.error and type(snapshot.exceptions.get(t.itask)).__name__ != t.error]
    if wrong:
        yield f"the kept work_dir has no or wrong outcomes of tasks {wrong[:20]}"
    if "damage-archive" not in scenario.kinds:
        for stream, texts in (("stdout", snapshot.stdout), ("stderr", snapshot.stderr)):
            different = [t.itask for t in tasks if texts.get(t.itask, "") != expected_text(t, stream)]
            if different:
                yield f"the kept work_dir has another {stream} of tasks {different[:20]}"
    for name, ending in (("results", ".pickle"), ("exceptions", ".pickle"), ("stdout", ".txt"), ("stderr", ".txt")):
        yield from _check_archive(work_dir / f"tasks.{name}.zip", ending)
    events = [json.loads(line)["event"] for line in (work_dir / "log.jsonl").read_text().splitlines()]
    if events[-1] != "Closed":
        yield f"the last event of the map is {events[-1]}"


def _check_archive(archive: Path, ending: str) -> Iterator[str]:
    """Check that an archive is an ordinary zip in which each task is once."""
    if not archive.exists():
        return
    with zipfile.ZipFile(archive) as opened:
        counts = Counter(name for name in opened.namelist() if name.endswith(ending))
    doubled = [name for name, count in counts.items() if count > 1]
    if doubled:
        yield f"more than once in {archive.name}: {doubled[:20]}"
