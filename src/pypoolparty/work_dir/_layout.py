"""The names of all that is in a work_dir."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Layout:
    """Paths in the work_dir `path`."""

    path: str

    def _at(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    @property
    def session(self) -> str:
        """Format version, pool kind, python version, number of tasks, options."""
        return self._at("session.json")

    @property
    def script(self) -> str:
        """The worker, verbatim."""
        return self._at("script.py")

    @property
    def bytecode(self) -> str:
        """The worker, compiled: for nodes that run the same python."""
        return self._at("__pycache__", f"script.{sys.implementation.cache_tag}.pyc")

    @property
    def job_script(self) -> str:
        """What is submitted: the user's setup lines, then the worker."""
        return self._at("job.sh")

    @property
    def environment(self) -> str:
        """The user's variables, cwd and sys.path."""
        return self._at("environment.json")

    @property
    def function(self) -> str:
        """Func and initializer."""
        return self._at("function.pickle")

    @property
    def library(self) -> str:
        """Cloudpickle, for nodes that lack it."""
        return self._at("lib.zip")

    @property
    def tasks(self) -> str:
        """The pickled tasks."""
        return self._at("tasks.zip")

    @property
    def tasks_index(self) -> str:
        """Where in tasks.zip each task is."""
        return self._at("tasks.index")

    @property
    def log(self) -> str:
        """The journal."""
        return self._at("log.jsonl")

    @property
    def lock(self) -> str:
        """Which driver works here."""
        return self._at("driver.lock")

    @property
    def stats(self) -> str:
        """A row for each task."""
        return self._at("tasks.stats.csv")

    @property
    def spool_new(self) -> str:
        """Published segments."""
        return self._at("spool", "new")

    @property
    def spool_tmp(self) -> str:
        """Segments that are being written."""
        return self._at("spool", "tmp")

    @property
    def workers(self) -> str:
        """The raw output of the queue-jobs."""
        return self._at("workers")

    def reduced(self, name: str) -> str:
        """Return the path of ``tasks.results.zip`` and its kin."""
        return self._at(f"tasks.{name}.zip")

    @property
    def submissions(self) -> str:
        """A folder for each submission."""
        return self._at("submissions")

    def submission(self, number: int, *names: str) -> str:
        """Return a path in the folder of a submission."""
        return self._at("submissions", f"{number:04d}", *names)

    @property
    def folders(self) -> list[str]:
        """All folders, outer ones first."""
        return [
            self.path,
            self._at("spool"),
            self.spool_new,
            self.spool_tmp,
            self.workers,
            self._at("__pycache__"),
            self.submissions,
        ]
