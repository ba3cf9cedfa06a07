"""A series of runs on one backend, in as many lanes as wanted, each with daemons of its own."""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.faults import ANYWHERE, Fault
from tests.chaos.faults_gridengine import GRID_ENGINE, MASTER
from tests.chaos.faults_slurm import SLURM
from tests.chaos.run import Report, run_scenario
from tests.chaos.scenario import draw_scenario
from tests.chaos.systems import System

Job = tuple[int, str]  # a seed, and the only fault that is wanted ("": any)


def faults_of(backend: str, allow_master_stop: bool = False) -> Mapping[str, Fault]:
    """Return the faults that can strike on a backend."""
    if backend.startswith("slurm"):
        return SLURM
    if backend.startswith("sge"):
        return {**GRID_ENGINE, **(MASTER if allow_master_stop else {})}
    return ANYWHERE


class Series:
    """Runs scenarios of one backend.

    Parameters
    ----------
    faults : mapping
        Those to choose from.
    longest : float
        Seconds that a map takes if nothing strikes it.
    told : callable
        Takes each report when it is there.
    """

    def __init__(
        self, backend: str, faults: Mapping[str, Fault], longest: float, told: Callable[[Report], None]
    ) -> None:
        self.backend, self.faults, self.longest, self.told = backend, faults, longest, told
        self.reports: list[Report] = []
        self._lock = threading.Lock()

    def run(self, jobs: Iterable[Job], systems: Iterable[System]) -> None:
        """Run these on the systems, one at a time on each."""
        free: queue.SimpleQueue[System] = queue.SimpleQueue()
        systems = list(systems)
        for system in systems:
            free.put(system)
        with ThreadPoolExecutor(len(systems)) as pool:
            for done in [pool.submit(self._run_one, job, free) for job in jobs]:
                done.result()

    def _run_one(self, job: Job, free: "queue.SimpleQueue[System]") -> None:
        seed, only = job
        scenario = draw_scenario(self.backend, seed, list(self.faults), only=only, longest=self.longest)
        system = free.get()
        try:
            report = run_scenario(scenario, system, self.faults, system.folder / f"run-{self.backend}-{seed}-{only}")
        finally:
            free.put(system)
        with self._lock:
            self.reports.append(report)
            self.told(report)

    def never_struck(self) -> list[str]:
        """Return the faults of the list that have not struck yet."""
        struck = {kind for report in self.reports for kind in report.fired}
        return [kind for kind in self.faults if kind not in struck]

    def run_until_all_struck(self, seed: int, systems: Iterable[System], rounds: int = 3) -> None:
        """Try again those faults for which the maps were over too soon."""
        for number in range(rounds):
            missing = self.never_struck()
            if not missing:
                return
            self.run([(seed + 1000 * (number + 1), kind) for kind in missing], systems)
