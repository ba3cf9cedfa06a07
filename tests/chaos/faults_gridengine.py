"""What can strike a map on Grid Engine."""

from pathlib import Path

from tests.chaos.faults import ANYWHERE, Fault, kill_one
from tests.chaos.stage import Stage
from tests.chaos.systems import GridEngineSystem, QueueJob
from tests.real.daemons import parent_of, program_of


def _one_job(stage: Stage, *letters: str) -> QueueJob | None:
    """Return a queue-job whose state has one of these letters."""
    jobs = [job for job in stage.queue() if any(letter in job.state for letter in letters) and "d" not in job.state]
    return stage.draw.choice(jobs) if jobs else None


def kill_shepherd(stage: Stage) -> str:
    """Kill the sge_shepherd of one of the workers."""
    parents = [parent_of(pid) for pid in stage.supervisors()]
    stage.is_split = stage.has_zombies = True
    return kill_one(stage, [pid for pid in parents if Path(program_of(pid)).name.startswith("sge_shepherd")])


def delete_element(stage: Stage) -> str:
    """Delete one queue-job."""
    job = _one_job(stage, "r", "w")
    return job.job_id if job and stage.system.says_ok("qdel", job.job_id) else ""


def delete_array(stage: Stage) -> str:
    """Delete all queue-jobs of the map."""
    arrays = sorted({job.array_id for job in stage.queue() if "d" not in job.state})
    return " ".join(arrays) if arrays and stage.system.says_ok("qdel", *arrays) else ""


def hold(stage: Stage) -> str:
    """Hold a queue-job that waits, or one that runs, to which it does nothing."""
    job = _one_job(stage, "r", "w")
    return job.job_id if job and stage.system.says_ok("qhold", job.job_id) else ""


def suspend(stage: Stage) -> str:
    """Stop a queue-job for some seconds."""
    job = _one_job(stage, "r")
    if job is None or not stage.system.says_ok("qmod", "-sj", job.job_id):
        return ""
    stage.is_split = True
    try:
        stage.pause(1, 6)
    finally:
        stage.wait(lambda: stage.system.says_ok("qmod", "-usj", job.job_id) or stage.is_gone(job), 60)
        stage.go_on()
    return job.job_id


def requeue(stage: Stage) -> str:
    """Have the scheduler run a queue-job from its begin."""
    job = _one_job(stage, "r")
    stage.has_zombies = True  # if its worker leaves just now, it is started once more to find nothing to do
    return job.job_id if job and stage.system.says_ok("qmod", "-f", "-rj", job.job_id) else ""


def stop_master(stage: Stage) -> str:
    """Stop sge_qmaster for some seconds."""
    system = stage.system
    assert isinstance(system, GridEngineSystem)
    if stage.work_dir() is None:
        return ""
    with system.lock:
        stage.is_split = True
        system.engine.stop_master()
        try:
            is_down = not system.engine.is_up()
            stage.pause(5, 20)
        finally:
            system.engine.start_master()
    return "sge_qmaster" if is_down else ""


GRID_ENGINE: dict[str, Fault] = {
    **ANYWHERE,
    "kill-shepherd": kill_shepherd,
    "delete-element": delete_element,
    "delete-array": delete_array,
    "hold": hold,
    "suspend": suspend,
    "requeue": requeue,
}
MASTER: dict[str, Fault] = {"stop-master": stop_master}
