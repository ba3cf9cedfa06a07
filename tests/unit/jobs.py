"""Queue-jobs started by hand: the worker as the scheduler would run it, and what it leaves in the spool."""

import json
import os
import pickle
import subprocess
import sys

from pypoolparty import worker


class QueueJob:
    """One run of the worker on one element of a work_dir's first submission."""

    def __init__(self, work_dir, element="0", python=(sys.executable,), **variables):
        self.work_dir = work_dir
        argv = [*python, work_dir.layout.script, work_dir.path, "0001", *([] if element is None else [str(element)])]
        hidden = ("SLURM_ARRAY_TASK_ID", "SGE_TASK_ID", "SLURM_JOB_END_TIME", "COLOUR", "SLURMD_NODENAME")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, **variables},
            start_new_session=True,
            text=True,
        )

    def end(self, timeout=60):
        """Wait for the end; return the exit code and the raw stderr."""
        _, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, err


def run(work_dir, *args, **kwargs):
    """Run a queue-job to its end, which has to be in order, and return all records of the work_dir."""
    code, err = QueueJob(work_dir, *args, **kwargs).end()
    assert (0, "") == (code, err)
    return records_of(work_dir)


def records_of(work_dir):
    """Return all published records."""
    return [record for segment in work_dir.collect(refresh=False) for record in segment.records]


def returned(records):
    """Return the value of each task that returned."""
    return {r.itask: pickle.loads(r.value) for r in records if r.kind == worker.RETURNED}


def described(records, kind):
    """Return the content of the records of this kind, by task."""
    return {r.itask: pickle.loads(r.value) for r in records if r.kind == kind}


def said(records, kind):
    """Return the content of the one hello or goodbye."""
    [content] = [json.loads(record.value) for record in records if record.kind == kind]
    return content
