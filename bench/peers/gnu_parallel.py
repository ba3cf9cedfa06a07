"""GNU parallel in wide jobs: srun starts one on each node, and each takes its share of the lines."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench import one_task
from bench.peer import Peer

CORES = 8

PEERS = [
    Peer(
        "GNU parallel in srun",
        ("slurm",),
        "https://docs.nersc.gov/jobs/workflow/gnuparallel/",
        programs={"parallel": "parallel"},
    )
]

_DRIVER = """\
awk -v jobs="$SLURM_NTASKS" -v job="$SLURM_PROCID" 'NR % jobs == job' "$1/numbers" |
exec parallel --will-cite --jobs "$2" "$3" -m bench.one_task "$1" {}
"""


def map(
    func: Callable[[Any], Any], rounds: Iterable[Sequence[Any]], *, slots: int, folder: str, system: str
) -> Iterator[list[Any]]:
    """Start as many wide jobs as the slots take, in one srun, which waits for their end."""
    cores = min(CORES, slots)
    jobs = -(-slots // cores)
    for number, tasks in enumerate(rounds):
        place = os.path.join(folder, f"map-{number}")
        one_task.write_tasks(place, func, tasks)
        with open(os.path.join(place, "numbers"), "w") as stream:
            stream.writelines(f"{k}\n" for k in range(len(tasks)))
        srun = ["srun", "--quiet", f"--ntasks={jobs}", f"--cpus-per-task={cores}", "--kill-on-bad-exit=1"]
        subprocess.run([*srun, "bash", "-c", _DRIVER, "driver", place, str(cores), sys.executable], check=True)
        yield one_task.read_results(place, len(tasks))
