"""Slurm's accounting: a MariaDB and a slurmdbd of the cluster's own."""

import getpass
from collections.abc import Mapping

from tests.real.commands import checked, launch, run
from tests.real.daemons import is_alive, running, stop, tail, wait_until
from tests.real.slurm_conf import CLUSTER, DATABASE, Layout, slurmdbd_conf

_GRANTS = f"""
create database {DATABASE};
create user slurm@'127.0.0.1' identified by 'slurm';
create user slurm@localhost identified by 'slurm';
grant all on {DATABASE}.* to slurm@'127.0.0.1';
grant all on {DATABASE}.* to slurm@localhost;
"""


def start(at: Layout, environment: Mapping[str, str], port: int) -> None:
    """Bring up the database, then the daemon in front of it, and make the cluster known there."""
    _start_database(at, port + 2)
    at.slurmdbd_conf.touch(mode=0o600)  # slurmdbd refuses a file that others may read
    at.slurmdbd_conf.write_text(slurmdbd_conf(at, port))
    checked(["slurmdbd"], environment)
    add = ["sacctmgr", "--immediate", "add"]
    known = [*add, "cluster", CLUSTER]
    wait_until(lambda: run(known, environment).returncode == 0, "slurmdbd answers", on_timeout=lambda: log_tail(at))
    if getpass.getuser() != "root":  # who is known from the beginning
        checked([*add, "user", getpass.getuser(), "account=root"], environment)


def stop_all(at: Layout) -> None:
    """Stop slurmdbd, then its database."""
    for daemon in ("slurmdbd", "mariadbd"):
        stop(running(at.pid_file(daemon), at.mark))


def log_tail(at: Layout) -> str:
    """Show the end of both logs."""
    return tail([at.log / "slurmdbd.log", at.log / "mariadbd.log"])


def _start_database(at: Layout, port: int) -> None:
    common = ["--no-defaults", f"--user={getpass.getuser()}", f"--datadir={at.database}"]
    checked(["mariadb-install-db", *common, "--skip-test-db", "--auth-root-authentication-method=normal"], {})
    files = [f"--socket={at.database_socket}", f"--pid-file={at.pid_file('mariadbd')}"]
    listen = [f"--port={port}", "--bind-address=127.0.0.1"]
    careless = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]  # nothing in it has to last
    daemon = launch(["mariadbd", *common, *files, *listen, *careless], {}, at.log / "mariadbd.log")
    client = ["mariadb", "--no-defaults", f"--socket={at.database_socket}", "--user=root"]
    wait_until(
        lambda: run(client, {}).returncode == 0 or not is_alive(daemon.pid),
        "MariaDB answers",
        on_timeout=lambda: log_tail(at),
    )
    checked(client, {}, text=_GRANTS)
