"""The tests of the daemons themselves use the same fixtures as all others."""

from tests.real.fixtures import grid_engine, slurm_cluster, slurm_small_arrays, slurm_with_accounting

__all__ = ["grid_engine", "slurm_cluster", "slurm_small_arrays", "slurm_with_accounting"]
