"""What Slurm's commands say when they refuse, and when the daemons are away."""

from typing import TYPE_CHECKING

from tests.real.daemons import running, stop

if TYPE_CHECKING:
    from tests.real.record_slurm import Stage

# name: (what is wrong, options of sbatch)
REFUSED = {
    "partition-unknown": ("no such partition", "--partition=nope"),
    "account-unknown": ("no such account", "--account=nope"),
    "qos-unknown": ("no such QOS", "--qos=nope"),
    "qos-limit": ("three jobs under MaxSubmitJobsPerUser=2", "--qos=few", "--array=0-2"),
    "array-too-large": ("MaxArraySize is 1001", "--array=0-1001"),
    "array-nonsense": ("not a list of numbers", "--array=abc"),
    "memory-over-node": ("more than any node has", "--mem=17000"),
    "memory-nonsense": ("not a number", "--mem=abc"),
    "cpus-over-node": ("more than any node has", "--cpus-per-task=9"),
    "time-nonsense": ("not a time", "--time=abc"),
    "dependency-nonsense": ("not a kind of dependency", "--dependency=nonsense:1"),
    "constraint-unknown": ("no node has it", "--constraint=nope"),
    "gres-unknown": ("no node has it", "--gres=gpu:1"),
    "node-unknown": ("no such node", "--nodelist=n9"),
    "reservation-unknown": ("no such reservation", "--reservation=nope"),
    "cluster-unknown": ("no such cluster", "--clusters=nope"),
    "option-unknown": ("no such option", "--nosuchoption"),
    "name-too-long": ("1025 characters", f"--job-name={'x' * 1025}"),
}


def record_errors(on: "Stage") -> None:
    """Refused submissions, unknown ids, and the configuration that says what is allowed."""
    for name, (wrong, *options) in REFUSED.items():
        argv = ("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap=true")
        on.record(f"sbatch-{name}", wrong, *argv)
    on.record("sbatch-script-missing", "no such file", "sbatch", "--parsable", "/nonexistent/script")
    on.record("sbatch-cluster", "", "sbatch", "--parsable", "--clusters=party", "--output=/dev/null", "--wrap=true")
    refused = ("squeue", "--noheader", "--states=all", "--format=%i|%j|%T|%r", "--name=refused")
    over = ("sbatch", "--parsable", "--job-name=refused", "--mem=17000", "--output=/dev/null", "--wrap=true")
    on.cluster.run(*over)
    on.record("squeue-refused", "sbatch --mem=17000 --job-name=refused had failed with 1 just before", *refused)
    on.record("squeue-job-unknown", "", "squeue", "--noheader", "--jobs=999999")
    on.record("squeue-jobs-unknown", "", "squeue", "--noheader", "--jobs=999998,999999")
    on.record("squeue-name-unknown", "", "squeue", "--noheader", "--name=nope")
    on.record("scancel-job-unknown", "", "scancel", "999999")
    on.record("scancel-job-unknown-verbose", "", "scancel", "-v", "999999")
    on.record("scancel-nonsense", "", "scancel", "abc")
    on.record("scancel-nothing", "", "scancel")
    on.record("scontrol-show-config", "", "scontrol", "show", "config")
    on.record("scontrol-show-job-unknown", "", "scontrol", "show", "job", "999999")
    on.record("sacct-job-unknown", "", "sacct", "--noheader", "--parsable2", "--jobs=999999")
    on.record("sinfo", "", "sinfo", "--noheader", "--Node", "--format=%N|%T|%c|%m|%E")
    on.record("version", "", "sbatch", "--version")


def record_outages(on: "Stage") -> None:
    """Each client without slurmdbd, without the controller, and without munge."""
    submit = ("sbatch", "--parsable", "--output=/dev/null", "--wrap=true")
    clients = {"sbatch": submit, "squeue": ("squeue", "--noheader"), "scancel": ("scancel", "1")}
    at = on.cluster.at
    stop(running(at.pid_file("slurmdbd"), at.mark))
    on.record("sacct-slurmdbd-down", "slurmdbd stopped", "sacct", "--noheader", "--parsable2")
    on.record("sbatch-slurmdbd-down", "slurmdbd stopped", *submit)
    on.cluster.stop_controller()
    for name, argv in clients.items():
        on.record(f"{name}-controller-down", "slurmctld stopped", *argv)
    on.record("scontrol-ping-controller-down", "slurmctld stopped", "scontrol", "ping")
    on.cluster.start_controller()
    stop(running(at.pid_file("munged"), at.mark))
    for name, argv in clients.items():
        on.record(f"{name}-munge-down", "munged of this host stopped", *argv)
