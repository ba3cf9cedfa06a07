"""The benchmark: what it plans, writes down and reads, and one short run of it through the real command."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench.measure import calls_of
from bench.peer import SYSTEMS, all_peers
from bench.records import Record
from bench.systems import Local
from bench.watch import FolderWatch
from bench.workloads import WORKLOADS

from bench import accounts, child, measure, measured, records, report, run, targets
from tests.real.daemons import processes_mentioning

ROOT = Path(__file__).parents[2]
SDIAG = """\
Jobs submitted: 8
Remote Procedure Call statistics by message type
	REQUEST_PARTITION_INFO                  ( 2009) count:2      ave_time:110    total_time:221
	REQUEST_SUBMIT_BATCH_JOB                ( 4003) count:1      ave_time:4200   total_time:4200
	REQUEST_COMPLETE_BATCH_SCRIPT           ( 5018) count:9      ave_time:150    total_time:1350
	REQUEST_STATS_INFO                      ( 2035) count:3      ave_time:90     total_time:270

Remote Procedure Call statistics by user
	root            (       0) count:15     ave_time:500    total_time:7500
"""
COMPLETED = (
    "JobId=7 UserId=root(0) GroupId=root(0) Name=a b JobState=COMPLETED Partition=main TimeLimit=UNLIMITED "
    "StartTime=2026-01-02T03:04:05 EndTime={end} NodeList=n1 NodeCnt=1 ProcCnt=8 WorkDir=/ "
)
STRACE = """\
    calls    errors syscall
--------- --------- ----------------
      120        15 openat
        7           rename
--------- --------- ----------------
      127        15 total
"""


def a_run(peer, workload, repeat=0, status="ok", **values):
    """Return a record of a run on Slurm."""
    values = {
        "date": "2026-01-02T03:04:05+00:00",
        "command": "python -m bench run --system slurm",
        "wall": 1.0,
        "ideal": 0.5,
        "work": 5.0,
        **values,
    }
    return Record("run", "slurm", peer, workload, repeat, status, values)


def write(path, *found):
    """Write records to a file and return its path."""
    for record in found:
        records.append(str(path), record)
    return str(path)


def test_records_are_read_as_written(tmp_path):
    """What is appended is read again, also behind a line that a dying run left torn."""
    first, second = a_run("a | b", "one", error="a\n“b”"), a_run("c", "one", walls=[1.0, 2.0])
    path = write(tmp_path / "folder" / "r.jsonl", first)
    with open(path, "ab") as stream:
        stream.write(b'{"kind": "run", "sys')
    assert [first, second] == list(records.read(write(path, second)))
    assert [] == list(records.read(str(tmp_path / "none")))


def test_plan_goes_round_the_peers():
    """Each repeat measures all peers before the next one does, and none of them is measured twice."""
    steps = list(run.plan(["a", "b"], ["one", "64x1s", "10MB"], 2))
    assert [("one", "a"), ("one", "b"), ("64x1s", "a")] == [(s.workload, s.peer) for s in steps[:3]]
    assert [0] * 6 + [1] * 6 == [step.repeat for step in steps if step.kind == "run"]
    assert {"one", "64x1s"} == {step.workload for step in steps if step.kind == "strace"}
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize(
    ("earlier", "is_enough"),
    [
        ([], False),
        ([a_run("a", "one", 1)], True),
        ([a_run("a", "one", 0)], False),
        ([a_run("b", "one", 1), a_run("a", "10MB", 1)], False),
        ([a_run("a", "one", 0, "capped")], True),
        ([a_run("a", "one", 0, "refused")], True),
        ([a_run("a", "one", 0, "failed")], False),
        ([a_run("a", "one", 0, "failed"), a_run("a", "one", 2, "failed")], True),
        ([a_run("a", "one", 0, wall=40.0)], False),
        ([a_run("a", "one", 0, wall=40.0), a_run("a", "one", 2, wall=50.0)], True),
        ([a_run("a", "one", 0, wall=101.0)], True),
    ],
)
def test_what_is_measured_again(earlier, is_enough):
    """What is in the file is skipped, and so is what never ends well or takes too long to be repeated."""
    assert is_enough == run.is_enough(run.Step("run", 1, "one", "a"), earlier)


def test_refusals():
    """A peer with a queue-job for each task is not asked for a million; who failed at less is not asked for more."""
    peers, many = all_peers(), WORKLOADS["1000000"]
    assert "queue-jobs" in run.refusal(peers["submitit"], many, [], False)
    assert run.refusal(peers["pypoolparty"], many, [], False) is None
    assert run.refusal(peers["submitit"], WORKLOADS["500x10ms"], [], False) is None
    capped = [a_run("dask-jobqueue", "100000", status="capped")]
    assert "capped" in run.refusal(peers["dask-jobqueue"], many, capped, False)


@pytest.mark.parametrize(
    ("name", "tasks", "ideal"),
    [
        ("one", 1, 0.0),
        ("500x10ms", 500, 0.3125),
        ("64x1s", 64, 2.0),
        ("lognormal", 100, 7.182),
        ("10000x1ms", 10_000, 0.625),
        ("1000000", 10**6, 0.0),
        ("slow-import", 64, 0.4),
        ("iterated", 3200, 1.0),
    ],
)
def test_ideal(name, tasks, ideal):
    """The ideal is the work over the slots, or the longest task if that is more, and for a series the sum."""
    workload = WORKLOADS[name]
    rounds = workload.rounds()
    assert tasks == sum(map(len, rounds))
    assert ideal == pytest.approx(workload.ideal(rounds, workload.slots), rel=0.01)


def test_lognormal_work():
    """The lognormal tasks are the ones that earlier measurements had."""
    assert 82.39 == pytest.approx(WORKLOADS["lognormal"].work(WORKLOADS["lognormal"].rounds()), abs=0.01)


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "slow-import"])
def test_right_and_wrong_results(name):
    """The results of the function are right; others, or in another order, or one less, are wrong."""
    workload = WORKLOADS[name]
    tasks = workload.rounds(is_tiny=True)[0]
    if workload.sleeps:
        tasks = [task / 1000 for task in tasks]
    results = [workload.function(is_tiny=True)(task) for task in tasks]
    assert workload.is_right(tasks, results)
    assert not workload.is_right(tasks, results[:-1])
    assert not workload.is_right(tasks, [*results[:-1], b"wrong"])
    if len(results) > 1:
        assert not workload.is_right(tasks, results[::-1])


def test_peers_are_known_without_being_installed():
    """Each peer says where its documentation is and has pinned requirements; nothing of it is imported for that."""
    code = "import sys; from bench.peer import all_peers; print(len(all_peers()), *sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    count, *modules = done.stdout.split()
    assert int(count) == len(all_peers()) > 12
    assert not {"submitit", "dask", "cfut", "executorlib", "joblib", "pypoolparty"} & set(modules)
    for peer in all_peers().values():
        assert set(peer.systems) <= set(SYSTEMS)
        assert peer.documentation.startswith("https://") or (ROOT / peer.documentation).exists()
        if peer.requirements:
            pinned = (ROOT / "bench" / "requirements" / f"{peer.requirements}.txt").read_text().split()
            assert all("==" in line for line in pinned)
            assert any(line.startswith(f"{peer.distribution}==") for line in pinned)


def test_accounts_of_slurm():
    """Requests are read by kind, those of the daemons are told apart, and held is cores times seconds."""
    found = accounts.requests_by_kind(SDIAG)
    assert {"REQUEST_SUBMIT_BATCH_JOB": 1} == accounts.difference({**found, "REQUEST_SUBMIT_BATCH_JOB": 0}, found)
    assert 3 == accounts.of_clients(found)
    jobs = accounts.slurm_jobs("\n".join(COMPLETED.format(end=end) for end in ("2026-01-02T03:04:08", "Unknown")))
    assert (2, 24.0) == (len(jobs), accounts.held(jobs))


def test_accounts_of_slurm_in_milliseconds():
    """Where the controller's log has both ends of a job, they go before the whole seconds; else not."""
    line = COMPLETED.format(end="2026-01-02T03:04:08")
    number = re.search(r"JobId=(\d+)", line)[1]
    begun = f"[2026-01-02T03:04:05.900] sched: Allocate JobId=3_7({number}) NodeList=n1 #CPUs=1 Partition=main\n"
    over = f"[2026-01-02T03:04:08.400] _job_complete: JobId=3_7({number}) done\n"
    assert [2.5] == [job.seconds for job in accounts.slurm_jobs(line, begun + over)]
    assert [3.0] == [job.seconds for job in accounts.slurm_jobs(line, begun)]
    started = begun.replace("sched: Allocate", "sched/backfill: _start_job: Started").replace(f"3_7({number})", number)
    assert [2.5] == [job.seconds for job in accounts.slurm_jobs(line, started + over.replace(f"3_7({number})", number))]


def test_accounts_of_grid_engine():
    """Cores and times are read from a line of the accounting file; one that never began held nothing."""
    row = ["0"] * 45
    row[9], row[10], row[34] = "1700000000", "1700000003", "2"
    assert [(2, 3.0)] == accounts.grid_engine_jobs("# a comment\n" + ":".join(row))
    row[9] = "0"
    assert 0.0 == accounts.held(accounts.grid_engine_jobs(":".join(row)))


def test_calls_from_strace():
    """Calls are read with and without errors, and the total is no call."""
    assert {"openat": 120, "rename": 7} == calls_of(STRACE)


def test_folder_watch(tmp_path):
    """It keeps the peak when files are gone again."""
    watch = FolderWatch(str(tmp_path))
    (tmp_path / "below").mkdir()
    for name in ("a", "below/b"):
        (tmp_path / name).write_bytes(b"1234")
    watch.look()
    (tmp_path / "a").unlink()
    watch.look()
    assert (2, 8) == (watch.files, watch.bytes)


def test_page(tmp_path):
    """The table has medians, spread and ratios, the fastest first; who failed is below with the reason."""
    ours = [a_run("pypoolparty", "64x1s", k, wall=wall, ideal=2.0, held=96.0) for k, wall in enumerate((4.0, 3.0, 5.0))]
    others = [
        a_run("submitit", "64x1s", wall=16.0, ideal=2.0, held=526.0, requests=accounts.requests_by_kind(SDIAG)),
        a_run("clusterfutures", "64x1s", status="failed", error="died:\nwith | <a> reason"),
    ]
    path = write(tmp_path / "r.jsonl", *ours, *others)
    page = tmp_path / "page.md"
    argv = [sys.executable, "-m", "bench", "report", path, "--output", str(page), "--no-plots"]
    subprocess.run(argv, cwd=ROOT, check=True)
    text = page.read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| **pypoolparty**", "| submitit"))]
    assert "| **pypoolparty** | 4 | 3 … 5 | 3 | 2 | 1 | 96 |" in rows[0]
    assert "| submitit | 16 | 16 … 16 | 1 | 8 | 4 | 526 |  | 3 |" in rows[1]
    assert "- clusterfutures: failed. died: with \\| &lt;a&gt; reason" in text
    assert "python -m bench run --system slurm\npython -m bench report" in text


def test_targets():
    """A target is met, missed by a factor, or not measured."""
    found = [
        a_run("pypoolparty", "500x10ms", wall=3.0, requests={}),
        a_run("submitit", "500x10ms", wall=150.0),
        Record(
            "micro", "local", "pypoolparty", "worker start / bare python", 0, "ok", {"value": 2.0, "difference": 0.03}
        ),
    ]
    verdicts = {(t.what, t.text): verdict for t, _, verdict in targets.judged(measured.Measured(found))}
    assert "missed, 1.5 times the limit" == verdicts["500 × 10 ms", "seconds"]
    assert "met" == verdicts["500 × 10 ms", "× the time of submitit"]
    assert "met" == verdicts["worker start", "ms over the bare interpreter"]
    assert "not measured" == verdicts["64 × 1 s", "× ideal"]
    assert "met" == verdicts["any map", "submissions"]


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0, "0"), (0.12345, "0.123"), (1.5, "1.50"), (12.34, "12.3"), (12345.6, "12,346")]
)
def test_numbers(value, text):
    """Numbers have three digits or so."""
    assert text == report.number(value)


def test_run_through_the_command(tmp_path):
    """Two peers do a tiny workload, results checked, and a second run of the same command measures nothing."""
    output = tmp_path / "r.jsonl"
    argv = [sys.executable, "-m", "bench", "run", "--system", "local", "--peers", "multiprocessing", "pypoolparty"]
    argv += ["--workloads", "one", "iterated", "--repeats", "1", "--tiny", "--no-strace"]
    argv += ["--output", str(output), "--folder", str(tmp_path)]
    assert 4 == len(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert ["ok"] * 4 == [row["status"] for row in found]
    assert {"multiprocessing", "pypoolparty"} == {row["peer"] for row in found}
    for row in found:
        values = row["values"]
        assert 0 < values["wall"] < 60
        assert 1 << 20 < values["memory_peak"] < 1 << 30
        assert (row["workload"] == "iterated") == (len(values.get("walls", [])) == 2)
    assert "" == subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ["r.jsonl"] == [path.name for path in tmp_path.iterdir()]


def test_failure_through_the_command(tmp_path):
    """What a peer raises is in the record."""
    code = (
        "import sys, runpy, multiprocessing\n"
        "multiprocessing.Pool = None\n"
        "sys.argv[0] = 'bench.child'\n"
        "runpy.run_module('bench.child', run_name='__main__')\n"
    )
    output = tmp_path / "o"
    argv = [sys.executable, "-c", code, "multiprocessing", "one", "local", str(tmp_path), str(output)]
    assert 1 == subprocess.run(argv, cwd=ROOT, check=False).returncode
    found = json.loads(output.read_text())
    assert "failed" == found["status"]
    assert "TypeError" in found["error"]
    assert "multiprocessing_pool.py" in found["traceback"]


def test_cap(tmp_path, monkeypatch):
    """What takes too long is ended with all its processes, its folder is removed, and it is recorded as capped."""
    monkeypatch.setattr(measure, "CAP_SECONDS", 0.3)
    peer = all_peers()["multiprocessing"]
    status, values = measure.measure(Local(), peer, "64x1s", folders=str(tmp_path), is_tiny=True)
    assert "capped" == status
    assert "wall" not in values
    assert [] == list(tmp_path.iterdir())
    assert [] == processes_mentioning(str(tmp_path))


def test_cut_series(tmp_path, monkeypatch):
    """Of a series that takes long, some maps are measured, and the whole is told at the same pace."""
    monkeypatch.setattr(child, "SERIES_SECONDS", 0.0)
    peer, workload = all_peers()["multiprocessing"], WORKLOADS["iterated"]
    found = child.measure(peer, workload, "local", str(tmp_path), True, str(tmp_path / "begun"))
    assert (1, 1, 2) == (len(found["walls"]), found["extrapolated_from"], found["rounds"])
    assert found["wall"] == pytest.approx(2 * found["walls"][0], rel=0.01)
