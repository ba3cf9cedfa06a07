"""All mutations."""

from . import (
    table_bad_days,
    table_bad_moments,
    table_file_system,
    table_going_on,
    table_main_process,
    table_queue_job,
    table_scheduler,
    table_security,
    table_task,
)

__all__ = ["MUTATIONS"]

MUTATIONS = [
    *table_task.MUTATIONS,
    *table_queue_job.MUTATIONS,
    *table_scheduler.MUTATIONS,
    *table_bad_days.MUTATIONS,
    *table_bad_moments.MUTATIONS,
    *table_file_system.MUTATIONS,
    *table_main_process.MUTATIONS,
    *table_going_on.MUTATIONS,
    *table_security.MUTATIONS,
]
