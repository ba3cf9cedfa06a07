"""Dummies of Slurm and Grid Engine, to test the full chain where neither is installed.

They are executables in the place of ``sbatch``, ``squeue``, ``scancel``, ``qsub``, ``qstat`` and ``qdel`` (and, to
ask for limits only, ``scontrol`` and ``qconf``).
They understand the real ones' command lines, print their texts, and act on one ``queue_state.json``.
Faults can be scripted, and each tells how often it took place.

::

    with Dummies("some/folder") as dummies:
        fault = dummies.add_fault(Die(element=3, signal=9))
        pool = pypoolparty.slurm.array.Pool(
            sbatch_path=dummies.path("sbatch"),
            squeue_path=dummies.path("squeue"),
            scancel_path=dummies.path("scancel"),
        )
        assert pool.map(sum, [[1, 2], [3, 4]]) == [3, 7]

They know nothing of the pools: nothing else of this package is imported here.
"""

from ._dummies import Dummies
from ._faults import Die, FailCall, Fault, GarbleCall, HangCall, LoseReply, Stuck, Vanish

__all__ = [
    "Die",
    "Dummies",
    "FailCall",
    "Fault",
    "GarbleCall",
    "HangCall",
    "LoseReply",
    "Stuck",
    "Vanish",
]
