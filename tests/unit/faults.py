"""What may go wrong in `tests.unit.world`, and what to call it when it did."""

from dataclasses import dataclass, fields

# Everything that the histories are to have met; the test fails for one that never came.
KINDS = (
    "accepted without an answer",
    "not accepted, no answer",
    "accepted late",
    "refused for now",
    "refused: limit on jobs",
    "refused: limit on arrays",
    "taken in part",
    "controller away: query",
    "controller away: submit",
    "controller away: cancel",
    "query fails",
    "slow call",
    "cancel fails",
    "cancel done, but not answered",
    "absent from a query",
    "forgotten (MinJobAge)",
    "vanished",
    "unknown state",
    "held",
    "hopeless",
    "suspended",
    "requeued",
    "node dies",
    "FAILED",
    "OUT_OF_MEMORY",
    "TIME_LIMIT",
    "NODE_FAILED",
    "PREEMPTED",
    "CANCELLED",
    "task crashes",
    "task raises",
    "environment can not be loaded",
    "leaves before its time limit",
    "goodbye is missing",
    "clock skew",
    "late file",
    "file later than the grace",
    "damaged segment",
    "full disk: workers",
    "full disk: main process",
    "main process dies",
)


@dataclass(frozen=True)
class Faults:
    """How likely it is that something goes wrong: of each task, worker, query, call, file or submission."""

    task_raises: float = 0.0
    task_crashes: float = 0.0
    job_dies: float = 0.0
    node_dies: float = 0.0
    out_of_time: float = 0.0
    not_loaded: float = 0.0
    goodbye_is_missing: float = 0.0
    requeued: float = 0.0
    held: float = 0.0
    hopeless: float = 0.0
    suspended: float = 0.0
    odd_state: float = 0.0
    vanishes: float = 0.0
    hides: float = 0.0
    query_fails: float = 0.0
    away: float = 0.0
    slow: float = 0.0
    cancel_fails: float = 0.0
    refused: float = 0.0
    doubted: float = 0.0
    doubted_is_taken: float = 0.6
    damaged: float = 0.0
    no_room: float = 0.0
    array_limit: float = float("inf")
    job_limit: float = float("inf")
    file_delay: float = 0.0
    skew: float = 0.0  # seconds by which the clocks of nodes differ
    memory: float = 300.0  # seconds for which the scheduler remembers what has ended

    @property
    def lies(self):
        """Whether the scheduler's answers may be wrong, or files come when they are not expected any more."""
        return bool(self.vanishes or self.hides or self.doubted or self.requeued or self.odd_state or self.is_late)

    @property
    def is_late(self):
        """Whether files may appear after the grace."""
        return self.file_delay > 10.0

    @property
    def may_leave_jobs(self):
        """Whether a queue-job may run or wait without our knowledge for a while."""
        return bool(self.lies or self.cancel_fails or self.away or self.slow)


NO_CHANCES = {"array_limit", "job_limit", "file_delay", "memory", "skew", "doubted_is_taken"}
CHANCES = [item.name for item in fields(Faults) if item.name not in NO_CHANCES]
# Where these come nearly always, nothing is ever learned or written, which is no fault of ours.
NOT_TOO_OFTEN = ("query_fails", "hides", "odd_state", "away", "no_room", "damaged")
