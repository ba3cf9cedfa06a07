"""Stage the states that a Slurm can be in and record what its commands say: python -m tests.real.record_slurm."""

import tempfile
from functools import partial
from pathlib import Path

from tests.real.daemons import kill, wait_until
from tests.real.record import DATA, Recorder
from tests.real.slurm import SlurmCluster

SQUEUE = ("squeue", "--noheader", "--states=all", "--format=%i|%j|%T|%Q|%N|%r")
SACCT = ("sacct", "--parsable2", "--format=JobID,JobName,State,ExitCode,DerivedExitCode,Reason,Elapsed,MaxRSS,NodeList")
HOG = "/usr/bin/python3 -c 'import time; hog = bytearray(300 << 20); time.sleep(60)'"


class Stage:
    """One cluster, its recorder, and short names for what the scenes do all the time."""

    def __init__(self, cluster: SlurmCluster, recorder: Recorder) -> None:
        self.cluster = cluster
        self.record = recorder.record

    def submit(self, name: str, command: str, *options: str) -> str:
        """Submit a queue-job of that name and give its id."""
        fixed = ("sbatch", "--parsable", "--output=/dev/null", f"--job-name={name}")
        done = self.cluster.run(*fixed, *options, f"--wrap={command}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def squeue(self, name: str, staged: str, *jobs: str) -> None:
        """Record what squeue says about these queue-jobs alone."""
        self.record(f"squeue-{name}", staged, *SQUEUE, f"--jobs={','.join(jobs)}")

    def states(self, job: str) -> list[str]:
        """List the states of the elements of a queue-job."""
        ask = ("squeue", "--noheader", "--states=all", "--array", "--format=%T", f"--jobs={job}")
        return self.cluster.run(*ask).stdout.split()

    def wait(self, job: str, *states: str, timeout: float = 60) -> None:
        """Wait until all elements of the queue-job are in one of these states, and each is taken by some."""
        reached = f"job {job} is {states}"
        log = self.cluster.log_tail
        wait_until(lambda: set(self.states(job)) == set(states), reached, timeout=timeout, on_timeout=log)

    def sacct(self, name: str, staged: str, *jobs: str) -> None:
        """Record what sacct says about these queue-jobs as soon as it knows that all of them have ended."""
        ask = ("sacct", "--noheader", "--parsable2", "--format=State,End,JobName", f"--jobs={','.join(jobs)}")
        wait_until(partial(self._has_ended, *ask), "sacct knows of the end")
        self.record(f"sacct-{name}", staged, *SACCT, f"--jobs={','.join(jobs)}")

    def _has_ended(self, *sacct: str) -> bool:
        rows = self.cluster.run(*sacct).stdout
        unfinished = ("RUNNING", "PENDING", "Unknown", "allocation")  # the last: an end came before its beginning
        return bool(rows) and not any(word in rows for word in unfinished)

    def cancel(self, *jobs: str) -> None:
        """Cancel queue-jobs and wait until they have left the nodes."""
        self.cluster.run("scancel", *jobs)
        left = ("squeue", "--noheader", "--format=%i", f"--jobs={','.join(jobs)}")
        wait_until(lambda: not self.cluster.run(*left).stdout, f"jobs {jobs} are gone")


def record_arrays(on: Stage) -> None:
    """Arrays that wait, run, are held, are cancelled in part, and lists of elements that squeue shortens."""
    on.record("squeue-empty", "nothing was ever submitted", *SQUEUE)
    on.record("sbatch-plain", "", "sbatch", "--parsable", "--output=/dev/null", "--wrap=true")
    throttled = on.submit("throttled", "sleep 600", "--array=0-19%2")
    on.wait(throttled, "RUNNING", "PENDING")
    on.squeue("array-throttled", "an array of 20, two at a time, two run", throttled)
    on.cluster.run("scancel", f"{throttled}_7", f"{throttled}_0")
    on.wait(throttled, "CANCELLED", "RUNNING", "PENDING")
    wait_until(lambda: on.states(throttled).count("RUNNING") == 2, "another one runs")
    on.squeue("array-elements-cancelled", "scancel of 7 (pending, no row is left) and 0 (running)", throttled)
    on.cancel(throttled)
    on.squeue("array-cancelled", "as before; scancel of the whole array", throttled)
    on.sacct("array-cancelled", "as before", throttled)
    on.record("scontrol-show-job-array-cancelled", "as before", "scontrol", "show", "job", throttled)

    held = on.submit("held", "sleep 600", "--hold", "--array=1-3")
    on.squeue("array-held-by-user", "sbatch --hold", held)
    on.cluster.run("scontrol", "release", f"{held}_2")
    on.wait(held, "PENDING", "RUNNING")
    on.squeue("array-element-released", "scontrol release of element 2", held)
    on.cluster.run("scontrol", "hold", f"{held}_3")
    on.squeue("array-element-held-by-admin", "scontrol hold of element 3, by root", held)
    on.cancel(held)

    sparse = on.submit("sparse", "true", "--hold", f"--array={','.join(str(i * i) for i in range(31))}%5")
    on.squeue("array-list-shortened", "an array of the square numbers up to 900, held", sparse)
    unbounded = ("env", "SLURM_BITSTR_LEN=0", *SQUEUE, f"--jobs={sparse}")
    on.record("squeue-array-list-in-full", "the same with SLURM_BITSTR_LEN=0", *unbounded)
    on.cancel(sparse)


def record_endings(on: Stage) -> None:
    """All ways for a queue-job to end, as squeue and as sacct see them."""
    over_time = on.submit("over_time", "sleep 600", "--time=1")
    completed = on.submit("completed", "true", "--array=0-2")
    failed = on.submit("failed", "exit 3", "--array=0-1")
    no_output = on.submit("no_output", "true", "--output=/nonexistent/out")
    suicide = on.submit("killed", "kill -9 $$")
    hog = on.submit("out_of_memory", HOG, "--mem=50M")
    cancelled = on.submit("cancelled", "sleep 600", "--array=0-1")
    on.wait(cancelled, "RUNNING")
    on.cancel(cancelled)
    stubborn = on.submit("stubborn", "trap '' TERM; while true; do sleep 1; done")
    on.wait(stubborn, "RUNNING")
    on.cluster.run("scancel", stubborn)
    on.wait(stubborn, "COMPLETING")
    on.squeue("completing", "scancel of a job that ignores SIGTERM, within KillWait", stubborn)
    for job, state in ((completed, "COMPLETED"), (failed, "FAILED"), (no_output, "FAILED"), (suicide, "FAILED")):
        on.wait(job, state)
    on.wait(hog, "FAILED")
    on.wait(over_time, "TIMEOUT", timeout=150)
    ended = {
        "completed": (completed, "the script ended with 0"),
        "failed": (failed, "the script ended with 3"),
        "output-folder-missing": (no_output, "--output in a folder that does not exist"),
        "killed": (suicide, "kill -9 of the script"),
        "out-of-memory": (hog, "300 MB with --mem=50M, under OverMemoryKill"),
        "cancelled": (cancelled, "scancel while it ran"),
        "timeout": (over_time, "over its --time=1"),
    }
    for name, (job, staged) in ended.items():
        on.squeue(name, staged, job)
        on.sacct(name, staged, job)


def record_reasons(on: Stage) -> None:
    """Why queue-jobs wait."""
    failed = on.submit("failed", "exit 1")
    on.wait(failed, "FAILED")
    running = on.submit("fills_it", "sleep 600", "--array=0-31")
    on.wait(running, "RUNNING")
    waiting = {
        "resources": on.submit("resources", "true"),
        "priority": on.submit("priority", "true", "--nice=1000"),
        "begin-time": on.submit("begin_time", "true", "--begin=now+1hour"),
        "dependency": on.submit("dependency", "true", f"--dependency=afterok:{running}"),
        "never": on.submit("never", "true", f"--dependency=afterok:{failed}"),
        "partition": on.submit("partition", "true", "--nodes=5"),
        "qos": on.submit("qos", "sleep 600", "--qos=few", "--array=0-1"),
    }
    wait_until(lambda: "Resources" in on.cluster.run(*SQUEUE).stdout, "the scheduler has thought about it")
    wait_until(lambda: "DependencyNeverSatisfied" in on.cluster.run(*SQUEUE).stdout, "about dependencies, too")
    on.squeue("reasons-full", "all CPUs are taken; one job for each reason to wait", *waiting.values())
    on.cancel(running, *(job for name, job in waiting.items() if name != "qos"))
    on.wait(waiting["qos"], "RUNNING", "PENDING")
    on.squeue("reason-qos", "two elements under a QOS that allows one CPU", waiting["qos"])
    on.cancel(waiting["qos"])
    on.cluster.run("scontrol", "update", "nodename=n2", "state=down", "reason=recording")
    absent = on.submit("absent", "true", "--nodelist=n2")
    whole = on.submit("whole", "true", "--nodes=4")
    wait_until(lambda: "UnavailableNodes" in on.cluster.run(*SQUEUE).stdout, "the scheduler has seen it")
    on.squeue("reasons-node-down", "node n2 is down; a job for n2, and one for all four nodes", absent, whole)
    on.cluster.run("scontrol", "update", "nodename=n2", "state=resume")
    on.cancel(absent, whole)


def record_faults(on: Stage) -> None:
    """Nodes that die, jobs that are requeued or suspended."""
    requeued = on.submit("requeued", "sleep 600", "--array=0-1")
    on.wait(requeued, "RUNNING")
    on.cluster.run("scontrol", "suspend", f"{requeued}_1")
    on.wait(requeued, "RUNNING", "SUSPENDED")
    on.squeue("suspended", "scontrol suspend of element 1", requeued)
    on.cluster.run("scontrol", "resume", f"{requeued}_1")
    on.cluster.run("scontrol", "requeue", f"{requeued}_0")
    wait_until(lambda: "PENDING" in on.states(requeued), "it is queued again")
    on.squeue("requeued", "scontrol requeue of element 0", requeued)
    on.cluster.run("scontrol", "requeuehold", f"{requeued}_1")
    wait_until(lambda: on.states(requeued) == ["PENDING", "PENDING"], "both are queued again")
    on.squeue("requeued-and-held", "scontrol requeuehold of element 1", requeued)
    on.cancel(requeued)

    comes_back = on.submit("comes_back", "sleep 600", "--nodelist=n3")
    stays = on.submit("node_fails", "sleep 600", "--nodelist=n3", "--no-requeue")
    for job in (comes_back, stays):
        on.wait(job, "RUNNING")
    on.cluster.kill_node("n3")
    kill(on.cluster.stepds("n3"))
    on.squeue("node-killed-and-not-missed-yet", "the node of two jobs was killed just now", comes_back, stays)
    on.wait(stays, "NODE_FAIL", timeout=120)
    on.squeue("node-failed", "as before, after SlurmdTimeout; the second has --no-requeue", comes_back, stays)
    on.record("sacct-node-failed", "as before", *SACCT, "--duplicates", f"--jobs={comes_back},{stays}")
    on.cluster.start_node("n3")
    on.cancel(comes_back)


def main() -> None:
    """Bring up a cluster, stage and record everything, take it down."""
    from tests.real.record_slurm_errors import record_errors, record_outages

    temporary = tempfile.TemporaryDirectory(prefix="party-record-")
    with temporary as folder, SlurmCluster(Path(folder) / "slurm", accounting=True) as cluster:
        version = cluster.run("sbatch", "--version").stdout.split()[-1]
        recorder = Recorder(DATA / f"slurm-{version}", cluster.run)
        recorder.start()
        on = Stage(cluster, recorder)
        cluster.run("sacctmgr", "-i", "add", "qos", "few", "MaxSubmitJobsPerUser=2", "MaxTRESPerUser=cpu=1")
        cluster.run("sacctmgr", "-i", "modify", "user", "root", "set", "qos+=few")
        for scene in (record_arrays, record_endings, record_reasons, record_faults, record_errors, record_outages):
            scene(on)
        about = f"Slurm {version}: four nodes of eight CPUs and 16000 MB, with slurmdbd; QOS few: 2 jobs, 1 CPU."
        recorder.finish(about, "python -m tests.real.record_slurm")


if __name__ == "__main__":
    main()
