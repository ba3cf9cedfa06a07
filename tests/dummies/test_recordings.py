"""The dummies against what the real ones were recorded to say (see ``tests/data``)."""

import re
import shlex
from pathlib import Path

import pytest

from tests.dummies.conftest import USER

DATA = Path(__file__).parents[1] / "data"
SLURM, GRID_ENGINE = DATA / "slurm-22.05.8", DATA / "gridengine-8.1.9"
CHANGING = (
    (re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "<time>"),
    (re.compile(r"(?<=>)\d\.\d{5}|\b0\.\d{5}\b"), "<priority>"),
    (re.compile(r"\b4294\d{6}\b"), "<priority>"),
    (re.compile(r"\[\d+:\d+\]"), "[<pid>]"),
)

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="there are no recordings")


def commands(folder):
    """Read the table of a folder: file, exit code and command of each recording."""
    found = {}
    for line in (folder / "README.md").read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]
        if len(cells) > 4 and cells[1].split(",")[0].endswith(".txt"):
            found[cells[1].split(",")[0].removesuffix(".txt")] = (int(cells[2]), cells[3].strip("`"))
    return found


def recorded(folder, name):
    """Return stdout and stderr of a recording, as if this user had made it."""
    paths = (folder / f"{name}{kind}.txt" for kind in ("", ".stderr"))
    texts = (path.read_text() if path.exists() else "" for path in paths)
    return tuple(re.sub(r"\broot\b", USER, text.replace(" root         ", f" {USER:12.12s} ")) for text in texts)


def constant(text):
    """Return a text without what changes from time to time: times, priorities and pids."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


SAID_BY_SLURM = [
    "sbatch-array-nonsense",
    "sbatch-array-too-large",
    "sbatch-cluster-unknown",
    "sbatch-memory-nonsense",
    "sbatch-name-too-long",
    "sbatch-option-unknown",
    "sbatch-partition-unknown",
    "sbatch-script-missing",
    "sbatch-time-nonsense",
    "scancel-job-unknown",
    "scancel-nonsense",
    "scancel-nothing",
    "squeue-empty",
    "squeue-job-unknown",
    "squeue-jobs-unknown",
    "squeue-name-unknown",
]
SAID_BY_GRID_ENGINE = [
    "qdel-job-unknown",
    "qdel-name-unknown",
    "qstat-empty",
    "qstat-job-unknown",
    "qstat-job-unknown-xml",
    "qsub-array-from-zero",
    "qsub-array-nonsense",
    "qsub-array-too-large",
    "qsub-host-unknown",
    "qsub-memory-nonsense",
    "qsub-name-with-blank",
    "qsub-name-with-digit",
    "qsub-name-with-slash",
    "qsub-option-unknown",
    "qsub-output-with-colon",
    "qsub-output-with-comma",
    "qsub-pe-unknown",
    "qsub-queue-unknown",
    "qsub-resource-unknown",
    "qsub-script-missing",
    "qsub-time-nonsense",
]
CASES = [(SLURM, name) for name in SAID_BY_SLURM] + [(GRID_ENGINE, name) for name in SAID_BY_GRID_ENGINE]


@pytest.mark.parametrize(("folder", "name"), CASES, ids=[name for _, name in CASES])
def test_same_words(cluster, folder, name):
    """The same call gets the same answer: code, stdout and stderr."""
    code, command = commands(folder)[name]
    argv = shlex.split(command)
    if name == "sbatch-name-too-long":  # the table has it shortened
        argv = ["sbatch", "--job-name=" + "x" * 1025, "--wrap=true"]
    done = cluster(*argv)
    assert (code, *recorded(folder, name)) == (done.returncode, done.stdout, done.stderr)


DOWN = [
    (SLURM, "sbatch-controller-down"),
    (SLURM, "squeue-controller-down"),
    (GRID_ENGINE, "qsub-master-down"),
    (GRID_ENGINE, "qstat-master-down"),
    (GRID_ENGINE, "qdel-master-down"),
]


@pytest.mark.parametrize(("folder", "name"), DOWN, ids=[name for _, name in DOWN])
def test_same_words_when_nobody_answers(cluster, folder, name):
    """Closed dummies say what the real ones say when their daemon is down."""
    code, command = commands(folder)[name]
    cluster.dummies.close()
    done = cluster(*shlex.split(command))
    assert (code, *recorded(folder, name)) == (done.returncode, done.stdout, done.stderr)


# -- Slurm's rows --------------------------------------------------------------------------------------


def rows_of(cluster, name, number, **variables):
    """Call the recorded squeue for another job; return its rows and the recorded ones, sorted and comparable."""
    words = shlex.split(commands(SLURM)[name][1])
    words = words[words.index("squeue") + 1 :]
    old = next(word for word in words if word.startswith("--jobs=")).removeprefix("--jobs=")
    text = cluster.ask(
        "squeue", *(word for word in words if not word.startswith("--jobs=")), f"--jobs={number}", **variables
    )
    clean = [re.sub(r"^\d+", "<number>", line) for line in constant(text).splitlines()]
    expected = [re.sub(rf"^{old}", "<number>", line) for line in constant(recorded(SLURM, name)[0]).splitlines()]
    return sorted(clean), sorted(expected)


def test_rows_of_an_array(make_cluster):
    """An array that runs, loses elements, and is cancelled has the recorded rows all the time."""
    cluster = make_cluster(nodes=["n1"], slots=8)
    number = cluster.sbatch("-J", "throttled", "-o", "/dev/null", "--array=0-19%2", cluster.script("exec sleep 100"))
    found, expected = rows_of(cluster, "squeue-array-throttled", number)
    assert expected == found
    cluster.ask("scancel", f"{number}_7", f"{number}_0")
    found, expected = rows_of(cluster, "squeue-array-elements-cancelled", number)
    assert expected == found
    cluster.ask("scancel", number)
    found, expected = rows_of(cluster, "squeue-array-cancelled", number)
    assert expected == found


def test_rows_of_waiting_arrays(cluster):
    """Held and long arrays have the recorded rows."""
    number = cluster.sbatch("-J", "held", "--hold", "--array=1-3", cluster.script())
    found, expected = rows_of(cluster, "squeue-array-held-by-user", number)
    assert expected == found
    squares = ",".join(str(index**2) for index in range(31))
    number = cluster.sbatch("-J", "sparse", "--hold", f"--array={squares}%5", cluster.script())
    found, expected = rows_of(cluster, "squeue-array-list-shortened", number)
    assert expected == found
    found, expected = rows_of(cluster, "squeue-array-list-in-full", number, SLURM_BITSTR_LEN="0")
    assert expected == found


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("completed", ["--array=0-2"], "exit 0"),
        ("failed", ["--array=0-1"], "exit 3"),
        ("killed", [], "kill -9 $$"),
        ("output-folder-missing", ["-o", "/nowhere/out", "-J", "no_output"], "exit 0"),
    ],
)
def test_rows_of_ended_jobs(make_cluster, name, words, line):
    """Jobs that have ended have the recorded states and reasons."""
    cluster = make_cluster(nodes=["n1"], min_job_age=99)
    number = cluster.sbatch("-J", name, "-o", "/dev/null", *words, cluster.script(line))
    cluster.run_all()
    found, expected = rows_of(cluster, f"squeue-{name}", number)
    assert expected == found


# -- Grid Engine's tables ------------------------------------------------------------------------------


def test_tables_of_an_array(make_cluster):
    """An array of which two tasks run has the recorded XML, table and list, and its deletion the recorded words."""
    cluster = make_cluster(nodes=["localhost"], slots=16)
    number = re.search(r"<JB_job_number>(\d+)<", recorded(GRID_ENGINE, "qstat-array")[0])[1]
    with cluster.dummies._store.change() as state:
        state.next_number = int(number)
    script = cluster.script("exec sleep 100")
    cluster.qsub("-N", "throttled", "-t", "1-6", "-tc", "2", "-o", "/dev/null", "-j", "y", script)
    load = re.compile(r"(?<=16) +\d+\.\d\d +(?=lx)")
    for name in ("qstat-array", "qstat-array-by-range", "qstat-text", "qstat-f", "qdel-element-pending"):
        found = cluster.ask(*shlex.split(commands(GRID_ENGINE)[name][1]))
        assert load.sub("", constant(recorded(GRID_ENGINE, name)[0])) == load.sub("", constant(found))
    assert recorded(GRID_ENGINE, "qdel-array")[0].startswith(cluster.ask("qdel", number))


def test_held_jobs_and_their_deletion(cluster):
    """Held jobs have the recorded XML, and their deletion the recorded words."""
    for name in ("qsub-plain", "qsub-array"):
        found = cluster.ask(*shlex.split(commands(GRID_ENGINE)[name][1]))
        assert re.sub(r"^\d+", "", recorded(GRID_ENGINE, name)[0]) == re.sub(r"^\d+", "", found)
    number = re.compile(r"(?<=JB_job_number>)\d+|(?<=job )\d+")
    for name in ("qstat-held", "qdel-pending"):
        found = cluster.ask(*shlex.split(commands(GRID_ENGINE)[name][1]))
        assert number.sub("", constant(recorded(GRID_ENGINE, name)[0])) == number.sub("", constant(found))


def test_jobs_in_error(make_cluster):
    """Jobs in the error state have the recorded XML and the recorded reasons."""
    cluster = make_cluster(slots=16)
    script = cluster.script("exit 100")
    quiet = ("-o", "/dev/null", "-j", "y")
    cluster.qsub("-N", "no_folder", "-t", "1-2", "-wd", "/nonexistent/folder", *quiet, script)
    cluster.qsub("-N", "no_output", "-o", "/nonexistent/folder/out", "-j", "y", script)
    cluster.qsub("-N", "hundred", *quiet, script)
    cluster.step_until(lambda rows: [row[2] for row in rows] == ["Eqw"] * 4, cluster.qstat)
    number = re.compile(r"(?<=JB_job_number>)\d+")
    text = cluster.ask(*shlex.split(commands(GRID_ENGINE)["qstat-error"][1]))
    assert number.sub("", constant(recorded(GRID_ENGINE, "qstat-error")[0])) == number.sub("", constant(text))
    for job, name in (("1", "folder-missing"), ("2", "output-missing"), ("3", "exit-100")):
        reasons = re.compile("^error reason.*$", re.MULTILINE)
        expected = reasons.findall(constant(recorded(GRID_ENGINE, f"qstat-j-error-{name}")[0]))
        assert expected == reasons.findall(constant(cluster.ask("qstat", "-j", job)))
