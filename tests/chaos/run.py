"""One run: a main process, the faults that strike it, its resumption, and what is checked at the end."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypoolparty
from tests.chaos import checks
from tests.chaos.faults import Fault
from tests.chaos.scenario import Plan, Scenario
from tests.chaos.stage import Stage
from tests.chaos.systems import System
from tests.chaos.tasks import begins
from tests.real.commands import environment_with

ROOT = Path(__file__).parents[2]
LONGEST = 240.0
AGAIN_SECONDS = 0.3


@dataclass
class Report:
    """What became of a run: the faults that struck, and what was lost."""

    scenario: Scenario
    fired: dict[str, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    resumptions: int = 0
    begun_again: int = 0
    seconds: float = 0.0
    log_tail: str = ""

    @property
    def missed(self) -> list[str]:
        """The faults for which the map was over too soon."""
        return [kind for kind in self.scenario.kinds if kind not in self.fired]


@dataclass
class Run:
    """Drives one scenario to its end."""

    stage: Stage
    faults: Mapping[str, Fault]
    report: Report
    done_before: list[tuple[frozenset[int], Counter[int]]] = field(default_factory=list)
    n_started: int = 0

    @property
    def marks(self) -> Path:
        """The file with the marks of the tasks."""
        return self.stage.folder / "marks"

    def to_the_end(self) -> None:
        """Start the map, go on with it as often as it is struck down, until it has an outcome."""
        deadline = time.monotonic() + LONGEST
        self._start([])
        threads = [threading.Thread(target=self._inject, args=(plan,)) for plan in self.stage.scenario.faults]
        for thread in threads:
            thread.start()
        try:
            while not self._has_outcome(deadline):
                self._resume()
        except _Lost as loss:
            self.report.losses.append(str(loss))
        finally:
            self.stage.is_over.set()
            for thread in threads:
                thread.join(120)
            if any(thread.is_alive() for thread in threads):
                self.report.losses.append("a fault did not come to its end")

    def _start(self, words: list[str]) -> None:
        folder = self.stage.folder
        self.n_started += 1
        with open(folder / f"program-{self.n_started}.log", "wb") as log:
            self.stage.program = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.program", str(folder), *words],
                cwd=ROOT,
                env=environment_with({**self.stage.system.environment, "PYTHONPATH": str(ROOT)}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _has_outcome(self, deadline: float) -> bool:
        """Wait for the end of the main process; tell whether that of the map has come."""
        program = self.stage.program
        assert program is not None
        stage_has_begun = lambda: self.stage.work_dir() or program.poll() is not None  # noqa: E731
        self.stage.wait(stage_has_begun, 60)
        try:
            code = program.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGKILL)
            program.wait()
            raise _Lost(f"the map did not end within {LONGEST:g} s") from None
        if (self.stage.folder / "outcome.pickle").exists():
            return True
        if not self.stage.expects_end.is_set() and not self._found_no_room():
            raise _Lost(f"the main process ended with {code} by itself: {self._last_words()}")
        if code == 0:
            raise _Lost("the main process ended without an outcome")
        return False

    def _found_no_room(self) -> bool:
        """Tell whether it could not even begin, as the disk was full, and said so: its user tries again."""
        return self.stage.scenario.place == "disk" and "No space left on device" in self._last_words()

    def _last_words(self) -> str:
        log = self.stage.folder / f"program-{self.n_started}.log"
        return log.read_text(errors="replace")[-3000:]

    def _resume(self) -> None:
        """Let some time pass without a main process, then start another."""
        stage = self.stage
        assert stage.program is not None
        if stage.program.returncode != -signal.SIGKILL:
            self.report.losses += checks.check_left_by_leaving(stage)
        stage.pause(0, 2.0)
        actions, stage.before_resume[:] = list(stage.before_resume), []
        for action in actions:
            action()
        if stage.scenario.place == "disk":
            stage.wait(lambda: not list(stage.system.place("disk").glob("ballast-*")), 30)
        work_dir = stage.work_dir()
        if work_dir is None:  # it had not even been written down: then its user starts anew
            words = []
            for beginning in stage.parent.iterdir():
                shutil.rmtree(beginning)
        else:
            words = [str(work_dir)]
            snapshot = pypoolparty.load(work_dir)
            done = frozenset({*snapshot.results, *snapshot.exceptions})
            # What a damage has destroyed since then has to be done again.
            self.done_before = [(earlier & done, begun) for earlier, begun in self.done_before]
            self.done_before.append((done, begins(self.marks)))
            self.report.resumptions += 1
        stage.expects_end.clear()
        self._start(words)

    def _inject(self, plan: Plan) -> None:
        """Strike at the planned moment, or as soon after it as there is something to strike."""
        stage, fault = self.stage, self.faults[plan.fault]
        stage.is_over.wait(plan.at)
        while not stage.is_over.is_set():
            try:
                words = fault(stage)
            except Exception:
                self.report.losses.append(f"fault {plan.fault} broke: {traceback.format_exc()[-1500:]}")
                return
            if words:
                self.report.fired[plan.fault] = words
                return
            stage.is_over.wait(AGAIN_SECONDS)


class _Lost(Exception):
    """The map has no outcome."""


def run_scenario(scenario: Scenario, system: System, faults: Mapping[str, Fault], folder: Path) -> Report:
    """Run a scenario in a folder of its own, and check all that is promised."""
    started = time.monotonic()
    folder.mkdir(parents=True)
    parent = system.place(scenario.place) / f"{scenario.backend}-{scenario.seed}-{os.urandom(3).hex()}"
    parent.mkdir(mode=0o700)
    (folder / "parent").write_text(str(parent))
    (folder / "scenario.pickle").write_bytes(pickle.dumps(scenario))
    report = Report(scenario)
    stage = Stage(scenario, system, folder, parent)
    run = Run(stage, faults, report)
    work_dirs: set[str] = set()
    try:
        run.to_the_end()
        system.heal()
        work_dirs = {path.name for path in parent.iterdir()}
        report.losses += checks.check(stage, _outcome(folder), run.done_before, run.marks)
    except Exception:
        report.losses.append(f"the run broke: {traceback.format_exc()[-3000:]}")
    report.begun_again = sum(begins(run.marks).values()) - scenario.n
    report.seconds = round(time.monotonic() - started, 1)
    if report.losses:
        report.log_tail = "".join(log_tail(parent / name) for name in sorted(work_dirs)) + system.logs()
    return report


def _outcome(folder: Path) -> tuple[str, list[Any]] | None:
    file = folder / "outcome.pickle"
    return pickle.loads(file.read_bytes()) if file.exists() else None


def log_tail(work_dir: Path, lines: int = 25) -> str:
    """Return the last events of a map."""
    log = work_dir / "log.jsonl"
    if not log.exists():
        return ""
    return "\n".join([f"--- {log}", *(line[:400] for line in log.read_text().splitlines()[-lines:]), ""])
