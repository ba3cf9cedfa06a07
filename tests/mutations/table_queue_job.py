"""Mutations for the rows on queue-jobs and nodes."""

from .mutation import Mutation

SECTION = "A queue-job or its node"
DEATHS = "tests/unit/test_worker_deaths.py"
DECIDE = "tests/unit/test_decide.py"
LEDGER = "tests/unit/test_ledger.py"
FOUND = "tests/chaos/test_found.py"
PROMISES = "tests/unit/test_promises.py"
LINGERING = "tests/unit/test_lingering.py"
CAUSE = "tests/unit/test_cause.py"


def of(row: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests)


FREE = "frozenset({Death.NODE_FAILED, Death.PREEMPTED, Death.CANCELLED})"
STUCK = "        if stuck:\n            self._cancel([batch], stuck)\n"
SUSPICIOUS = "    return job.state.is_final or job.state in (JobState.ERROR, JobState.HOPELESS)\n"

MUTATIONS = [
    of(
        "a worker's process is killed",
        "worker.py",
        '        self.own.append(DIED, itask & (2**64 - 1), b"", self._describe_death(status, usage), out, err)\n',
        "",
        f"{DEATHS}::test_task_that_kills_its_process",
    ),
    of(
        "a worker's process is killed",
        "ledger.py",
        "            if place:\n                self._free(place, [event.itask])\n",
        "",
        f"{LEDGER}::test_what_is_charged",
    ),
    of(
        "a worker's supervisor is killed",
        "worker.py",
        "        if os.getppid() != self.parent:\n            return ORPHANED\n",
        "",
        f"{DEATHS}::test_supervisor_is_killed",
    ),
    of(
        "a worker's supervisor is killed",
        "ledger.py",
        "            freed += self._free(table, tasks_of(self.batches[table].chunks[ichunk]))\n",
        "            pass\n",
        f"{LEDGER}::test_dead_queue_job_frees_what_it_has_claimed",
    ),
    of(
        "slurmstepd is killed",
        "decide.py",
        "    if traces and all(trace.is_complete for trace in traces):\n",
        "    if element.suspect_since is not None and traces and all(trace.is_complete for trace in traces):\n",
        f"{DECIDE}::test_goodbye_is_believed_when_all_segments_are_there",
    ),
    of(
        "sge_shepherd is killed",
        "batches.py",
        "(row is None and element.missing >= 2) or ",
        "",
        f"{DECIDE}::test_absence_counts_only_twice_in_a_row",
    ),
    of(
        "slurmd is killed, and comes back soon or late",
        "ledger.py",
        "        if self.outcomes[itask]:\n            return False\n",
        "",
        f"{LEDGER}::test_first_outcome_wins",
    ),
    of(
        "slurmd is killed, and comes back soon or late",
        "engine/_collect.py",
        "record.itask in taken or ledger.outcomes[record.itask]",
        "record.itask in taken",
        f"{PROMISES}::test_first_outcome_is_kept",
    ),
    of(
        "slurmd is killed, and comes back soon or late",
        "decide.py",
        "    return _report_of(element), True\n",
        "    return None\n",
        f"{DECIDE}::test_state_of_a_silent_queue_job",
    ),
    of(
        "a node is taken down",
        "policy.py",
        FREE,
        FREE.replace("Death.NODE_FAILED, ", ""),
        f"{DECIDE}::test_free_deaths",
    ),
    of(
        "somebody cancels a queue-job, or all of them",
        "policy.py",
        FREE,
        FREE.replace(", Death.CANCELLED", ""),
        f"{DECIDE}::test_free_deaths",
    ),
    of(
        "somebody cancels a queue-job, or all of them",
        "decide.py",
        "    if ledger.free_attempts.get(itask, 0) > policy.retry.max_free_resubmissions:\n        return True\n",
        "",
        f"{PROMISES}::test_cancelled_again_and_again",
    ),
    of(
        "a waiting queue-job is held",
        "batches.py",
        SUSPICIOUS,
        "    return job.state.is_final or job.state is JobState.HOPELESS\n",
        f"{DECIDE}::test_held_queue_job_needs_no_grace",
    ),
    of("a waiting queue-job is held", "engine/_run.py", STUCK, "", f"{PROMISES}::test_held_queue_jobs_are_cancelled"),
    of(
        "a queue-job is requeued",
        "decide.py",
        "        return None, not all(_is_exhausted(trace) for trace in element.traces.values())\n",
        "        return None, False\n",
        f"{FOUND}::test_queue_job_that_ran_twice",
    ),
    of(
        "a queue-job is requeued",
        "batches.py",
        "            batch.risen.add(k)\n",
        "            pass\n",
        f"{FOUND}::test_requeued_after_its_end",
    ),
    of(
        "a queue-job is requeued",
        "decide.py",
        "        is_waiting = element.state is JobState.PENDING\n",
        "        is_waiting = False\n",
        f"{PROMISES}::test_requeued_one_is_judged_at_once",
    ),
    of(
        "a queue-job is requeued",
        "engine/_run.py",
        "                self._cancel([batch], risen)\n",
        "                pass\n",
        f"{PROMISES}::test_requeued_queue_job_is_cancelled",
    ),
    of(
        "many queue-jobs die on one node",
        "ledger.py",
        "        return bad if self.nodes - set(bad) else []\n",
        "        return bad\n",
        f"{FOUND}::test_only_node_is_not_left_out",
    ),
    of(
        "many queue-jobs die on one node",
        "ledger.py",
        "Death.TIME_LIMIT, Death.VANISHED)\n",
        "Death.TIME_LIMIT)\n",
        f"{FOUND}::test_deletion_of_an_array_blames_no_node",
    ),
    of(
        "many queue-jobs die on one node",
        "engine/_run.py",
        "            excluded_nodes=self.ledger.bad_nodes(self.policy.retry.exclude_after),\n",
        "",
        f"{PROMISES}::test_bad_node_is_left_out",
    ),
    of(
        "a queue-job is suspended for a while",
        "batches.py",
        SUSPICIOUS,
        SUSPICIOUS.replace("JobState.HOPELESS)", "JobState.HOPELESS, JobState.SUSPENDED)"),
        f"{DECIDE}::test_state_of_a_silent_queue_job",
    ),
    of(
        "a queue-job is suspended for a while",
        "slurm/dialect.py",
        '    "SUSPENDED": JobState.SUSPENDED,\n',
        '    "SUSPENDED": JobState.FAILED,\n',
        "tests/unit/test_slurm_recordings.py::test_recorded_queue[suspended]",
    ),
    of(
        "the time limit comes near",
        "worker.py",
        "            return OUT_OF_TIME\n",
        "            return None\n",
        f"{DEATHS}::test_leaves_before_its_time_is_over",
    ),
    of(
        "the time limit comes near",
        "decide.py",
        '    if goodbye.reason == "out of time":\n        return None, True\n',
        '    if goodbye.reason == "out of time":\n        return None, False\n',
        f"{PROMISES}::test_what_was_left_for_lack_of_time_is_looked_for",
    ),
    of(
        "two workers want one chunk",
        "worker.py",
        "            return os.stat(path).st_ino == os.stat(self.identity).st_ino\n",
        "            return True\n",
        "tests/unit/test_claims.py::test_each_chunk_is_claimed_once[links]",
    ),
    of(
        "it dies while it waits (as `linger` says) for the next map of its pool",
        "lingering.py",
        "            if at is not None:\n                guest_id",
        "            if False:\n                guest_id",
        f"{LINGERING}::test_query_tells_of_a_guest_under_its_new_name",
    ),
    of(
        "its pool ends, or its main process dies, while it waits",
        "lingering.py",
        "            if targets:\n                self.inner.cancel(targets)",
        "            pass",
        f"{LINGERING}::test_end_cancels_who_waits",
    ),
    of(
        "its pool ends, or its main process dies, while it waits",
        "worker.py",
        "            if not has_left and time.time() >= self.until:",
        "            if False:",
        f"{LINGERING}::test_waiting_ends_by_itself",
    ),
    of(
        "its pool ends, or its main process dies, while it waits",
        "lingering.py",
        "                    self._whereabouts[Origin.of(job_id)] = at",
        "                    pass",
        f"{LINGERING}::test_guests_of_a_dead_main_process",
    ),
    of(
        "it ends before its worker began, and its stderr says that python, the work_dir or a module is not there; "
        "Grid Engine knows no more",
        "cause.py",
        "    if sign:\n",
        "    if False:\n",
        f"{CAUSE}::test_queue_job_without_a_worker",
    ),
    of(
        "it is killed for lack of memory or time, and the pool asked for no `mem` or `time` that could be raised",
        "decide.py",
        " or n_deaths >= retry.alike_deaths  #",
        "  #",
        f"{DECIDE}::test_nothing_that_could_be_raised",
    ),
]
