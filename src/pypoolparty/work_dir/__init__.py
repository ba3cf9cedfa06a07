"""The work_dir: all names and formats on disk. Nobody else opens a file there (but the worker)."""

from ._layout import FORMAT_VERSION, Layout
from ._lock import Holder
from ._look import Look
from ._safety import read_session
from ._spool import Record, RecordKind, Segment
from ._tasks import TasksWriter
from ._work_dir import DISK_FULL, UNREADABLE, NewMap, WorkDir, escape_for_job_script, make_session_id

__all__ = [
    "DISK_FULL",
    "FORMAT_VERSION",
    "UNREADABLE",
    "Holder",
    "Layout",
    "Look",
    "NewMap",
    "Record",
    "RecordKind",
    "Segment",
    "TasksWriter",
    "WorkDir",
    "escape_for_job_script",
    "make_session_id",
    "read_session",
]
