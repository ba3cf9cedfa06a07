"""What can strike a map on Slurm."""

from pathlib import Path

from tests.chaos.faults import ANYWHERE, Fault, kill_one
from tests.chaos.stage import Stage
from tests.chaos.systems import QueueJob, SlurmSystem
from tests.real.daemons import parent_of, program_of


def _slurm(stage: Stage) -> SlurmSystem:
    assert isinstance(stage.system, SlurmSystem)
    return stage.system


def _one_job(stage: Stage, *states: str) -> QueueJob | None:
    jobs = stage.queue(*states)
    return stage.draw.choice(jobs) if jobs else None


def kill_stepd(stage: Stage) -> str:
    """Kill the slurmstepd of one of the workers."""
    parents = [parent_of(pid) for pid in stage.supervisors()]
    stage.is_split = stage.has_zombies = True  # the worker lives on, and nobody knows when it ends
    return kill_one(stage, [pid for pid in parents if Path(program_of(pid)).name.startswith("slurmstepd")])


def kill_slurmd(stage: Stage) -> str:
    """Kill the daemon of a node on which the map runs, and start it again."""
    job, cluster = _one_job(stage, "RUNNING"), _slurm(stage).cluster
    if job is None or not job.node:
        return ""
    with stage.system.lock:
        stage.is_split = True
        cluster.kill_node(job.node)
        try:
            stage.pause(2, 25)
        finally:
            cluster.start_node(job.node)
    return f"slurmd of {job.node}"


def cancel_element(stage: Stage) -> str:
    """Cancel one queue-job, as its user or an administrator might."""
    job = _one_job(stage, "RUNNING", "PENDING")
    return job.job_id if job and stage.system.says_ok("scancel", job.job_id) else ""


def cancel_array(stage: Stage) -> str:
    """Cancel all queue-jobs of the map."""
    arrays = sorted({job.array_id for job in stage.queue("RUNNING", "PENDING")})
    return " ".join(arrays) if arrays and stage.system.says_ok("scancel", *arrays) else ""


def hold(stage: Stage) -> str:
    """Hold a queue-job that waits."""
    job = _one_job(stage, "PENDING")
    return job.job_id if job and stage.system.says_ok("scontrol", "hold", job.job_id) else ""


def requeue(stage: Stage) -> str:
    """Have the scheduler run a queue-job from its begin."""
    job = _one_job(stage, "RUNNING")
    stage.has_zombies = True  # if its worker leaves just now, it waits for two minutes to find nothing to do
    if job is None or not stage.system.says_ok("scontrol", "update", f"jobid={job.job_id}", "requeue=1"):
        return ""
    return job.job_id if stage.system.says_ok("scontrol", "requeue", job.job_id) else ""


def suspend(stage: Stage) -> str:
    """Stop a queue-job for some seconds, while its node's daemon is there: else Slurm may forget to wake it."""
    with stage.system.lock:
        job = _one_job(stage, "RUNNING")
        if job is None or not stage.system.says_ok("scontrol", "suspend", job.job_id):
            return ""
        stage.is_split = True
        try:
            stage.pause(1, 6)
        finally:
            stage.wait(lambda: stage.system.says_ok("scontrol", "resume", job.job_id) or stage.is_gone(job), 60)
            stage.go_on()
    return job.job_id


def _is_up(stage: Stage, node: str) -> bool:
    """Tell whether the node has come back by itself."""
    states = stage.system.run("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%t").stdout.split()
    return bool(states) and set(states) <= {"idle", "mix", "alloc"}


def down_node(stage: Stage) -> str:
    """Take a node down on which the map runs, and back again."""
    job = _one_job(stage, "RUNNING")
    if job is None or not job.node:
        return ""
    node = f"nodename={job.node}"
    with stage.system.lock:
        stage.is_split = True
        if not stage.system.says_ok("scontrol", "update", node, "state=down", "reason=chaos"):
            return ""
        try:
            stage.pause(1, 6)
        finally:
            resume = ("scontrol", "update", node, "state=resume")
            stage.wait(lambda: stage.system.says_ok(*resume) or _is_up(stage, job.node), 60)
    return job.node


def stop_controller(stage: Stage) -> str:
    """Stop slurmctld for some seconds."""
    cluster = _slurm(stage).cluster
    if stage.work_dir() is None:
        return ""
    with stage.system.lock:
        stage.is_split = True
        cluster.stop_controller()
        try:
            is_down = not cluster.is_up()
            stage.pause(5, 20)
        finally:
            cluster.start_controller()
    return "slurmctld" if is_down else ""


def delay_files(stage: Stage) -> str:
    """Prove that a file which a node makes is invisible here for some time, once its name was looked up."""
    cluster = _slurm(stage).cluster
    with stage.system.lock:
        is_hidden = cluster.hides(cluster.late / f"probe-{stage.scenario.seed}")
    return "a file was hidden" if is_hidden else ""


SLURM: dict[str, Fault] = {
    **ANYWHERE,
    "kill-stepd": kill_stepd,
    "kill-slurmd": kill_slurmd,
    "cancel-element": cancel_element,
    "cancel-array": cancel_array,
    "hold": hold,
    "requeue": requeue,
    "suspend": suspend,
    "down-node": down_node,
    "stop-controller": stop_controller,
    "late-files": delay_files,
}
