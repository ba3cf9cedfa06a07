"""A real Slurm on this machine: simulated nodes, loopback only, all of it in one folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.real import commands, packages, slurm_accounting
from tests.real.daemons import DaemonsUnavailable, free_ports, is_alive, kill, running, stop, tail, wait_until
from tests.real.slurm_conf import RUN_PREFIX, Layout, Shape, cgroup_conf, slurm_conf
from tests.real.slurm_jobs import job_processes, stepds


class SlurmCluster:
    """One Slurm: `up`, use it through `run` or `environment`, `down`; several may run side by side.

    It is found again by its folder: another process can take it down with `SlurmCluster(folder).down()`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounting: bool = False,
        max_array_size: int = 1001,
        min_job_age: int = 300,
        nodes: int = 4,
        cpus_per_node: int = 8,
        memory_mb: int = 16000,
        port: int | None = None,
        extra_conf: Sequence[str] = (),
    ) -> None:
        self.folder = Path(folder).absolute()
        self.at = Layout(self.folder)
        self.shape = Shape(
            nodes=nodes,
            cpus_per_node=cpus_per_node,
            memory_mb=memory_mb,
            max_array_size=max_array_size,
            min_job_age=min_job_age,
            accounting=accounting,
            extra_conf=tuple(extra_conf),
        )
        self.port = port

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this cluster needs in its environment."""
        return {"SLURM_CONF": str(self.at.conf)}

    @property
    def job_completions(self) -> Path:
        """The text file with one line for each job that ended."""
        return self.at.job_completions

    def __enter__(self) -> "SlurmCluster":
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    # -- up and down ---------------------------------------------------------------------------

    def up(self) -> None:
        """Bring up the daemons and wait until all nodes are idle; leave nothing behind when that fails."""
        packages.require(packages.SLURM)
        if self.shape.accounting:
            packages.require(packages.SLURM_ACCOUNTING)
        if self.is_up():
            raise DaemonsUnavailable(f"a Slurm is already up in {self.folder}")
        self.down()  # what a killed one may have left
        with commands.nothing_left_on_failure("Slurm", self.down, self.log_tail):
            self._make_folders()
            self._start_daemons()

    def is_up(self) -> bool:
        """Tell whether the controller of this folder runs."""
        return self._running("slurmctld") is not None

    def _make_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.at.state, self.at.database, self.at.log):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        run = Path(tempfile.mkdtemp(prefix=RUN_PREFIX.name, dir=RUN_PREFIX.parent))
        self.at.run_link.symlink_to(run)
        run.chmod(0o755)  # munged insists
        for name in self.shape.node_names:
            (run / "spool" / name).mkdir(parents=True)

    def _start_daemons(self) -> None:
        port = free_ports(self.shape.ports) if self.port is None else self.port
        self.at.conf.write_text(slurm_conf(self.at, self.shape, port))
        if text := cgroup_conf(self.run("slurmctld", "-V").stdout):
            (self.folder / "cgroup.conf").write_text(text)
        self._start_munge()
        if self.shape.accounting:
            slurm_accounting.start(self.at, self.environment, port)
        self.start_controller()
        for name in self.shape.node_names:
            self._launch("slurmd", "-N", name, "-f", str(self.at.conf))
        wait_until(self._all_idle, "all nodes are idle", timeout=60, on_timeout=self.log_tail)

    def _start_munge(self) -> None:
        self.at.key.unlink(missing_ok=True)
        with open(os.open(self.at.key, os.O_WRONLY | os.O_CREAT, 0o400), "wb") as file:
            file.write(os.urandom(1024))
        files = {
            "key-file": self.at.key,
            "socket": self.at.munge_socket,
            "pid-file": self.at.pid_file("munged"),
            "log-file": self.at.log / "munged.log",
            "seed-file": self.at.run / "munged.seed",
        }
        self._launch("munged", "--force", *(f"--{key}={path}" for key, path in files.items()))

    def down(self) -> None:
        """Cancel all jobs and stop every process of this cluster; its logs stay in the folder."""
        if not self.at.run_link.is_symlink():
            return
        nodes = {file.stem.removeprefix("slurmd-"): file for file in self.at.run.glob("slurmd-*.pid")}
        alive = {name: pid for name, file in nodes.items() if (pid := running(file, self.at.mark))}
        if self.is_up():
            self._cancel_all_jobs(alive)
        for pid in alive.values():
            stop(pid)
        # What could not be cancelled, because of a dead node or controller:
        kill(self.stepds())
        kill(job_processes(self.at))
        self.stop_controller()
        slurm_accounting.stop_all(self.at)
        stop(self._running("munged"))
        if str(self.at.run).startswith(str(RUN_PREFIX)):  # a link may lead anywhere
            shutil.rmtree(self.at.run, ignore_errors=True)
        self.at.run_link.unlink()
        for folder in (self.at.state, self.at.database):
            shutil.rmtree(folder, ignore_errors=True)

    def _cancel_all_jobs(self, nodes: Iterable[str]) -> None:
        """Cancel the jobs and wait until those on these nodes have ended."""
        with contextlib.suppress(DaemonsUnavailable, subprocess.SubprocessError):
            if masters := self._squeue("%F"):
                self.run("scancel", "--quiet", *set(masters), timeout=20)
            wait_until(lambda: not any(map(self.stepds, nodes)), "the jobs end", timeout=15)

    # -- faults --------------------------------------------------------------------------------

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._launch("slurmctld", "-f", str(self.at.conf))
        log = [self.at.log / "slurmctld.log"]
        wait_until(lambda: self._answers() or "fatal:" in tail(log), "slurmctld starts", on_timeout=self.log_tail)
        if not self._answers():
            raise DaemonsUnavailable(f"slurmctld does not start:\n{self.log_tail()}")

    def stop_controller(self) -> None:
        """Stop slurmctld: jobs run on, all commands fail."""
        stop(self._running("slurmctld"))

    def restart_controller(self) -> None:
        """Stop slurmctld and start it again from what it saved."""
        self.stop_controller()
        self.start_controller()

    def kill_node(self, name: str) -> None:
        """Kill the slurmd of that node; the stepds of its jobs live on: `stepds(name)`."""
        pid = self._running(f"slurmd-{name}")
        if pid is None:
            raise ValueError(f"node {name} does not run")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), f"the end of slurmd {name}")

    def start_node(self, name: str) -> None:
        """Start the slurmd of that node and wait until the controller takes it for healthy."""
        self._launch("slurmd", "-N", name, "-f", str(self.at.conf))
        healthy = {"idle", "mix", "alloc", "comp"}
        back = f"node {name} is back"
        wait_until(lambda: self._states(name) <= healthy, back, timeout=60, on_timeout=self.log_tail)

    def stepds(self, node: str = "*") -> list[int]:
        """List the slurmstepd processes, one for each running step, of one node or of all."""
        return stepds(self.at, node)

    # -- use -----------------------------------------------------------------------------------

    def run(self, *argv: str, timeout: float = 60, cwd: Path | None = None) -> commands.Completed:
        """Run a command as a client of this cluster."""
        return commands.run(argv, self.environment, timeout=timeout, cwd=cwd)

    def queue(self) -> list[str]:
        """List the ids of all jobs and array elements that wait, run or complete."""
        return self._squeue("%i")

    def log_tail(self) -> str:
        """Show the end of all logs, for the message of a failing test."""
        return tail(sorted(self.at.log.glob("*.log")))

    def _squeue(self, field: str) -> list[str]:
        done = self.run("squeue", "--noheader", "--array", f"--format={field}")
        done.check_returncode()  # no answer is not an empty queue
        return done.stdout.split()

    def _launch(self, *argv: str) -> None:
        """Run a daemon, which goes into the background by itself."""
        done = commands.launch(argv, self.environment, self.at.log / "start.log")
        if done.wait(timeout=60) != 0:
            raise DaemonsUnavailable(f"{' '.join(argv)} failed:\n{self.log_tail()}")

    def _running(self, daemon: str) -> int | None:
        return running(self.at.pid_file(daemon), self.at.mark)

    def _answers(self) -> bool:
        return "is UP" in self.run("scontrol", "ping").stdout

    def _states(self, *names: str) -> set[str]:
        nodes = [f"--nodes={','.join(names)}"] if names else []
        return set(self.run("sinfo", "--noheader", "--Node", "--format=%t", *nodes).stdout.split())

    def _all_idle(self) -> bool:
        return self._states() == {"idle"}
