"""Mutations for the rows on security."""

from .mutation import TEST_SECONDS, Mutation

SECTION = "Security"
SAFETY = "tests/unit/test_safety.py"
SECRETS = "tests/unit/test_secrets.py"
WORK_DIR = "tests/unit/test_work_dir.py"
FOREIGN = "a work_dir or a file in it belongs to another user, can be written by others, or is a link"


def of(row: str, file: str, old: str, new: str, *tests: str, seconds: int = TEST_SECONDS) -> Mutation:
    """Return a mutation for a row of this section."""
    return Mutation(SECTION, row, file, old, new, tests, seconds)


MUTATIONS = [
    of(
        "the umask lets others read, or nobody",
        "worker.py",
        "    os.fchmod(fd, 0o600)\n",
        "",
        f"{SAFETY}::test_files_of_a_worker_are_private[511]",
    ),
    of(
        "the umask lets others read, or nobody",
        "archive.py",
        "        os.fchmod(fd, 0o600)\n",
        "        pass\n",
        f"{WORK_DIR}::test_layout[511]",
    ),
    of(
        FOREIGN,
        "work_dir/_safety.py",
        "    if found.st_uid != os.getuid():\n",
        "    if False:\n",
        f"{SAFETY}::test_folder_that_is_not_ours_alone[another's-load]",
        f"{SAFETY}::test_file_that_is_not_ours_alone[another's-tasks.results.zip]",
        f"{SAFETY}::test_segment_of_another",
    ),
    of(
        FOREIGN,
        "work_dir/_safety.py",
        "    if found.st_mode & OTHERS_MAY_WRITE:\n",
        "    if False:\n",
        f"{SAFETY}::test_folder_that_is_not_ours_alone[group-writable-resume]",
        f"{SAFETY}::test_file_that_is_not_ours_alone[world-writable-session.json]",
    ),
    of(
        FOREIGN,
        "work_dir/_safety.py",
        "        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)\n",
        "        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)\n",
        f"{SAFETY}::test_folder_that_is_not_ours_alone[link-load]",
    ),
    of(
        FOREIGN,
        "work_dir/_safety.py",
        "    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)\n",
        "    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)\n",
        f"{SAFETY}::test_file_that_is_a_link",
    ),
    of(
        FOREIGN,
        "archive.py",
        "flags | os.O_NOFOLLOW | os.O_CLOEXEC",
        "flags | os.O_CLOEXEC",
        f"{SAFETY}::test_archive_that_is_a_link",
    ),
    of(
        "it is swapped after it was looked at",
        "work_dir/_safety.py",
        "    try:\n        _check(path, os.fstat(fd))\n    except BaseException:\n",
        "    try:\n        pass\n    except BaseException:\n",
        f"{SAFETY}::test_swapped_between_check_and_open",
    ),
    of(
        "it is swapped after it was looked at",
        "work_dir/_reduced.py",
        "        for member in scan(stream.fileno()):\n",
        "        for member in scan(path):\n",
        f"{SAFETY}::test_file_swapped_between_check_and_scan",
    ),
    of(
        "a worker finds such a file",
        "worker.py",
        "    if found.st_uid != os.getuid() or found.st_mode & 0o022:\n",
        "    if False:\n",
        f"{SAFETY}::test_worker_refuses_what_is_not_ours[environment.json-another's]",
        f"{SAFETY}::test_worker_refuses_what_is_not_ours[function.pickle-world-writable]",
    ),
    of(
        "variables, arguments, tasks or paths look like shell or Python",
        "work_dir/_work_dir.py",
        "python=$1 submission=$3\n",
        'python=$1 submission=$3\neval "true $python"\n',
        f"{SECRETS}::test_hostile_python_path_and_account[local-a; touch {{mark}} #]",
    ),
    of(
        "the name of a queue, an account or a QOS looks like an option",
        "arguments.py",
        '    if value.startswith("-"):\n',
        "    if False:\n",
        f"{SECRETS}::test_names_that_would_be_options[-help-partition]",
    ),
    of(
        "what a map is given is secret",
        "new_run.py",
        '            "arguments": dict(setting.arguments),\n',
        '            "arguments": dict(setting.arguments),\n'
        "            **(self.work_dir.log(dict(setting.env)) or {}),\n",
        f"{SECRETS}::test_secrets",
    ),
]
