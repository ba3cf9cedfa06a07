"""The text of the configuration files of a Slurm that lives in one folder on loopback."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CLUSTER = "party"
DATABASE = "slurm_acct_db"
RUN_PREFIX = Path("/tmp/party-run-")


@dataclass(frozen=True)
class Layout:
    """Where one cluster keeps its files; sockets are under `run`, as their paths have 107 bytes at most."""

    folder: Path

    @property
    def mark(self) -> str:
        """What the command line or the environment of each of this cluster's daemons contains."""
        return f"{self.folder}/"

    @property
    def conf(self) -> Path:
        """The file that SLURM_CONF names."""
        return self.folder / "slurm.conf"

    @property
    def slurmdbd_conf(self) -> Path:
        """The accounting daemon looks for this name beside the file that SLURM_CONF names."""
        return self.folder / "slurmdbd.conf"

    @property
    def key(self) -> Path:
        """The secret that this cluster's munged shares with nobody."""
        return self.folder / "munge.key"

    @property
    def state(self) -> Path:
        """The controller's memory."""
        return self.folder / "state"

    @property
    def database(self) -> Path:
        """The files of MariaDB."""
        return self.folder / "database"

    @property
    def log(self) -> Path:
        """The folder of all logs."""
        return self.folder / "log"

    @property
    def job_completions(self) -> Path:
        """One line of text for each job that ended (JobCompLoc)."""
        return self.log / "job_completions.txt"

    @property
    def run_link(self) -> Path:
        """The link by which another process finds `run`."""
        return self.folder / "run"

    @property
    def run(self) -> Path:
        """The short folder of pid files, sockets and spools; resolved, as the link's path may be long."""
        return self.run_link.resolve()

    @property
    def munge_socket(self) -> Path:
        """Where munged listens."""
        return self.run / "munge.sock"

    @property
    def database_socket(self) -> Path:
        """Where MariaDB listens."""
        return self.run / "mysql.sock"

    def pid_file(self, daemon: str) -> Path:
        """Where that daemon writes its pid."""
        return self.run / f"{daemon}.pid"


@dataclass(frozen=True)
class Shape:
    """What the simulated cluster looks like to its users."""

    nodes: int
    cpus_per_node: int
    memory_mb: int
    max_array_size: int
    min_job_age: int
    accounting: bool
    extra_conf: Sequence[str]

    @property
    def node_names(self) -> list[str]:
        """Name the nodes, n1 and so on."""
        return [f"n{i + 1}" for i in range(self.nodes)]

    @property
    def ports(self) -> int:
        """Count the ports in a row: controller, accounting, its database, and one for each node."""
        return 3 + self.nodes


def slurm_conf(at: Layout, shape: Shape, port: int) -> str:
    """Write slurm.conf; lines of `extra_conf` replace ours of the same key."""
    settings = {**_daemons(at, port), **_scheduling(shape), **_jobs(at)}
    if shape.accounting:
        settings |= _accounting(at, port)
    lines = []
    for line in shape.extra_conf:
        key, _, value = line.partition("=")
        if key in settings:
            settings[key] = value
        else:
            lines.append(line)
    return "\n".join([*(f"{key}={value}" for key, value in settings.items()), *_nodes(shape, port), *lines, ""])


def _daemons(at: Layout, port: int) -> dict[str, str]:
    user = getpass.getuser()
    return {
        "ClusterName": CLUSTER,
        "SlurmctldHost": "localhost(127.0.0.1)",
        "SlurmctldPort": str(port),
        "SlurmUser": user,
        "SlurmdUser": user,
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={at.munge_socket}",
        "CredType": "cred/munge",
        "StateSaveLocation": str(at.state),
        "SlurmdSpoolDir": f"{at.run}/spool/%n",
        "SlurmctldPidFile": str(at.pid_file("slurmctld")),
        "SlurmdPidFile": str(at.pid_file("slurmd-%n")),
        "SlurmctldLogFile": f"{at.log}/slurmctld.log",
        "SlurmdLogFile": f"{at.log}/slurmd-%n.log",
        "SlurmdParameters": "config_overrides",  # a node may claim more CPUs than this machine has
        "SlurmdTimeout": "15",  # seconds until a killed node is DOWN and its jobs NODE_FAIL
        "ReturnToService": "2",
    }


def _scheduling(shape: Shape) -> dict[str, str]:
    return {
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "SchedulerParameters": "sched_interval=1,bf_interval=1,sched_min_interval=0",
        "MaxArraySize": str(shape.max_array_size),
        "MaxJobCount": "100000",
        "MinJobAge": str(shape.min_job_age),
    }


def _jobs(at: Layout) -> dict[str, str]:
    return {
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "MpiDefault": "none",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": "1",
        "JobAcctGatherParams": "OverMemoryKill",
        "JobCompType": "jobcomp/filetxt",
        "JobCompLoc": str(at.job_completions),
        "KillWait": "2",
    }


def _accounting(at: Layout, port: int) -> dict[str, str]:
    return {
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": "localhost",
        "AccountingStoragePort": str(port + 1),
        "AccountingStoragePass": str(at.munge_socket),  # or else: "Protocol authentication error"
        "AccountingStorageEnforce": "associations,limits,qos",
    }


def _nodes(shape: Shape, port: int) -> list[str]:
    names, first = f"n[1-{shape.nodes}]", port + 3
    return [
        f"NodeName={names} NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{first}-{first + shape.nodes - 1}]"
        f" CPUs={shape.cpus_per_node} RealMemory={shape.memory_mb} State=UNKNOWN",
        "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=100",
    ]


def cgroup_conf(version: str) -> str | None:
    """Write cgroup.conf for the Slurms that insist on one ("slurm-wlm 24.11.5"), None for the older ones."""
    year = version.split()[-1].split(".")[0]
    return "CgroupPlugin=disabled\n" if year.isdigit() and int(year) >= 23 else None


def slurmdbd_conf(at: Layout, port: int) -> str:
    """Write slurmdbd.conf: it listens on the port after the controller's, the database on the next."""
    settings: Mapping[str, object] = {
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={at.munge_socket}",
        "DbdHost": "localhost",
        "DbdAddr": "127.0.0.1",
        "DbdPort": port + 1,
        "SlurmUser": getpass.getuser(),
        "StorageType": "accounting_storage/mysql",
        "StorageHost": "127.0.0.1",
        "StoragePort": port + 2,
        "StorageUser": "slurm",
        "StoragePass": "slurm",
        "StorageLoc": DATABASE,
        "LogFile": f"{at.log}/slurmdbd.log",
        "PidFile": at.pid_file("slurmdbd"),
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
