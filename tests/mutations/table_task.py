"""Mutations for the rows on tasks."""

from .mutation import Mutation

SECTION = "A task"
DEATHS = "tests/unit/test_worker_deaths.py"
FAULTS = "tests/contract/test_beyond_faults.py"


def of(row: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests)


RUN_TASK = """\
        except BaseException as error:
            kind, value = RAISED, self.pickler.dump_exception(error)
"""

MUTATIONS = [
    of(
        "it raises",
        "payload.py",
        '    BaseException.__setattr__(error, "__cause__", cause)\n',
        "",
        "tests/unit/test_payload.py::test_remote_traceback_is_the_cause",
    ),
    of(
        "it raises",
        "worker.py",
        RUN_TASK,
        "        except BaseException:\n            raise\n",
        "tests/unit/test_worker.py::test_task_that_raises",
    ),
    of(
        "it calls `sys.exit`",
        "payload.py",
        "    if isinstance(error, SystemExit):\n",
        "    if False:\n",
        f"{FAULTS}::test_exit_in_a_task[local]",
    ),
    of(
        "it calls `sys.exit`",
        "worker.py",
        RUN_TASK,
        RUN_TASK.replace("BaseException", "Exception"),
        f"{DEATHS}::test_exit_of_a_task_is_its_outcome",
    ),
    of(
        "its result can be pickled, but not be loaded in the main process",
        "engine/_run.py",
        "        self._has_failures = self._has_failures or not all(success for _, success, _ in found.deliveries)\n",
        "        self._has_failures = self._has_failures or any(o is Outcome.RAISED for _, o in found.outcomes)\n",
        "tests/unit/test_notes.py::test_value_that_can_not_be_loaded_here_is_kept",
    ),
    of(
        "its result or exception can not be pickled",
        "worker.py",
        "            return RAISED, self.dump_exception(MaybeEncodingError(error, value))\n",
        "            raise\n",
        "tests/unit/test_worker.py::test_result_that_can_not_be_pickled",
    ),
    of(
        "its result or exception can not be pickled",
        "worker.py",
        """            described["pickle"] = self._stand_in(error)\n""",
        "            pass\n",
        "tests/contract/test_errors.py::test_exception_that_can_not_be_pickled[local]",
    ),
    of(
        "it kills its process, each time",
        "worker.py",
        "            elif self._bury(k, status, usage):\n                self._start(k)\n",
        "            elif self._bury(k, status, usage):\n                pass\n",
        f"{DEATHS}::test_task_that_kills_its_process",
    ),
    of(
        "it kills its process, each time",
        "decide.py",
        "    if ledger.attempts.get(itask, 0) > policy.max_num_resubmissions:\n        return True\n",
        "",
        "tests/unit/test_decide.py::test_attempts_are_limited",
    ),
    of(
        "it kills its process, each time",
        "engine/_collect.py",
        """said["host"], said["signal"], said["exit_code"], said["max_rss"], (evidence,), tail)\n""",
        "evidence=(evidence,))\n",
        "tests/unit/test_promises.py::test_task_that_is_lost_tells_how",
    ),
    of(
        "it kills its process, once",
        "decide.py",
        "    if ledger.attempts.get(itask, 0) > policy.max_num_resubmissions:\n        return True\n",
        "    return True\n",
        f"{FAULTS}::test_crash_that_does_not_come_again[local]",
    ),
    of(
        "it takes more memory than `mem` on this machine",
        "worker.py",
        "            setrlimit(RLIMIT_DATA, (limit, limit))\n",
        "",
        f"{DEATHS}::test_memory_is_limited",
    ),
    of(
        "it forks, and the copy comes back into our code",
        "worker.py",
        "            os._exit(0)  # a process that the task forked came back here\n",
        "            pass\n",
        f"{DEATHS}::test_task_that_forks_and_comes_back",
    ),
    of(
        "the function or a module of it can not be loaded, or the initializer raises",
        "worker.py",
        '            self.segments.append(DIED, NONE & (2**64 - 1), b"", value, self.out.take(), err)\n',
        "",
        f"{DEATHS}::test_function_that_can_not_be_loaded",
        f"{DEATHS}::test_initializer_that_fails",
    ),
    of(
        "the function or a module of it can not be loaded, or the initializer raises",
        "decide.py",
        "    if ledger.bad_environments >= k:\n",
        "    if False:\n",
        "tests/unit/test_decide.py::test_first_workers_that_can_not_be_set_up",
    ),
]
