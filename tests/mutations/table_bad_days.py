"""Mutations for the rows on answers that are late, doubtful or wrong, on limits, and on clocks."""

from .mutation import Mutation

JOB, SCHEDULER = "A queue-job or its node", "The scheduler"
ANSWERS = "tests/unit/test_bad_answers.py"
DECIDE = "tests/unit/test_decide.py"
DIALECT = "tests/unit/test_slurm_dialect.py"
SCHEDULER_TESTS = "tests/unit/test_scheduler.py"
DEADLINE = "tests/unit/test_worker_deadline.py"
RETRIES = "tests/dummies/test_retries.py"

MUTATIONS = [
    Mutation(
        SCHEDULER,
        "sbatch or qsub takes the jobs, and then fails, is killed, or says that it timed out",
        "slurm/dialect.py",
        "        return None if is_doubtful else Refusal.UNKNOWN\n",
        "        return Refusal.UNKNOWN\n",
        (f"{ANSWERS}::test_words_of_a_refusal",),
    ),
    Mutation(
        SCHEDULER,
        "sbatch or qsub takes the jobs, and then fails, is killed, or says that it timed out",
        "scheduler.py",
        "        refusal = None if completed.returncode < 0 else self.dialect.refusal(completed)\n",
        "        refusal = self.dialect.refusal(completed) or Refusal.LATER\n",
        (f"{SCHEDULER_TESTS}::test_array",),
    ),
    Mutation(
        SCHEDULER,
        "a site prints banners around the answers of all commands",
        "slurm/dialect.py",
        "        for line in lines[lines.index(_HEADER) + 1 :]:\n",
        "        for line in lines:\n",
        (f"{ANSWERS}::test_banners_around_the_queue",),
    ),
    Mutation(
        SCHEDULER,
        "a site prints banners around the answers of all commands",
        "sun_grid_engine/dialect.py",
        'text[start : text.rfind(">") + 1]',
        "text[start:]",
        (f"{ANSWERS}::test_banners_around_grid_engines_queue",),
    ),
    Mutation(
        SCHEDULER,
        "squeue or qstat fails, hangs, prints nothing, half a line, or rubbish",
        "slurm/dialect.py",
        '            raise ValueError(f"not a table of squeue: {text[:200]!r}")\n',
        "            return []\n",
        (f"{ANSWERS}::test_answer_without_beginning",),
    ),
    Mutation(
        SCHEDULER,
        "squeue reports a state that we do not know",
        "slurm/dialect.py",
        "    known = _STATES.get(state, JobState.UNKNOWN)\n",
        "    known = _STATES.get(state, JobState.FAILED)\n",
        (f"{DIALECT}::test_unknown_state_is_kept",),
    ),
    Mutation(
        SCHEDULER,
        "Slurm has forgotten a job that ended (MinJobAge), and may call its id invalid",
        "scheduler.py",
        "            if self.dialect.is_gone(completed):\n                return []\n",
        "",
        (f"{SCHEDULER_TESTS}::test_query_for_jobs_that_are_gone",),
    ),
    Mutation(
        SCHEDULER,
        "sacct or qacct is not there, is slow, is down, or prints rubbish",
        "scheduler.py",
        "            return self.dialect.parse_accounting(completed.stdout) if not completed.returncode else []\n"
        "        except (SchedulerError, ValueError):\n",
        "            return self.dialect.parse_accounting(completed.stdout) if not completed.returncode else []\n"
        "        except ValueError:\n",
        (f"{SCHEDULER_TESTS}::test_accounting_that_is_not_there",),
    ),
    Mutation(
        SCHEDULER,
        "the user, the account or the QOS may not have so many jobs in the queue",
        "ledger.py",
        "        self.submit_failures += not is_full\n",
        "        self.submit_failures += 1\n",
        (f"{ANSWERS}::test_no_room_is_waited_for",),
    ),
    Mutation(
        SCHEDULER,
        "the user, the account or the QOS may not have so many jobs in the queue",
        "ledger.py",
        "            self.jobs_cap += len(tasks_of(event.elements))  # there may be room for more by now\n",
        "            pass\n",
        (f"{ANSWERS}::test_room_that_comes_back",),
    ),
    Mutation(
        SCHEDULER,
        "Slurm itself may not have more jobs (MaxJobCount), and sbatch sleeps instead of answering",
        "scheduler.py",
        "            suspected = self.dialect.refusal(said) or Refusal.LATER\n",
        "            suspected = Refusal.LATER\n",
        (f"{ANSWERS}::test_submission_that_timed_out",),
    ),
    Mutation(
        SCHEDULER,
        "what is asked for can never run: no such partition, account, QOS or feature, or more than their limits",
        "slurm/dialect.py",
        "        return JobState.HOPELESS\n",
        "        return known\n",
        (f"{DIALECT}::test_reasons_to_wait",),
    ),
    Mutation(
        SCHEDULER,
        "what is asked for can never run: no such partition, account, QOS or feature, or more than their limits",
        "slurm/dialect.py",
        "        if _DENIED.search(text):\n            return Refusal.NEVER\n",
        "",
        (f"{ANSWERS}::test_words_of_a_refusal",),
    ),
    Mutation(
        SCHEDULER,
        "the user has set `SQUEUE_PARTITION` or the like",
        "scheduler.py",
        "        del kept[name]\n",
        "        pass\n",
        (f"{SCHEDULER_TESTS}::test_variables_of_commands",),
    ),
    Mutation(
        JOB,
        "it takes more memory than `mem`, and Slurm kills it",
        "ledger.py",
        "            self.levels[itask] = (mem + 1, time)\n",
        "            pass\n",
        (f"{DECIDE}::test_more_memory_after_out_of_memory",),
    ),
    Mutation(
        JOB,
        "the first tasks all crash alike",
        "decide.py",
        "        if len(tasks) >= max(k, min(10, ledger.n)):\n",
        "        if len(tasks) > ledger.n:\n",
        (f"{ANSWERS}::test_tasks_that_crash_alike",),
    ),
    Mutation(
        JOB,
        "it has to make room for others",
        "policy.py",
        "FREE_DEATHS = frozenset({Death.NODE_FAILED, Death.PREEMPTED, Death.CANCELLED})",
        "FREE_DEATHS = frozenset({Death.NODE_FAILED, Death.CANCELLED})",
        (f"{DECIDE}::test_free_deaths",),
    ),
    Mutation(
        JOB,
        "the clock of its node is wrong",
        "worker.py",
        "            return now - age + int(end) - int(begin) - (delay if is_plausible else 0.0) - 5.0\n",
        "            return now + int(end) - self.started - 5.0\n",
        (f"{DEADLINE}::test_clock_of_another_host",),
    ),
    Mutation(
        JOB,
        "its time goes by before its worker begins",
        "worker.py",
        "        now, age = time.monotonic(), _age_of_process()\n",
        "        now, age = time.monotonic(), 0.0\n",
        (f"{DEADLINE}::test_setup_that_took_long",),
    ),
    Mutation(
        JOB,
        "it runs into its time limit in the middle of a task",
        "ledger.py",
        "            self.levels[itask] = (mem, time + 1)\n",
        "            pass\n",
        (f"{RETRIES}::test_more_time_after_the_time_limit",),
    ),
    Mutation(
        "A task",
        "it raises one of `Retry(retry_exceptions=…)`",
        "engine/_collect.py",
        "    if not isinstance(error, kinds):\n        return None\n",
        "    if isinstance(error, Exception):\n        return None\n",
        (f"{RETRIES}::test_exceptions_that_are_no_final_answer[2-2]",),
    ),
]
