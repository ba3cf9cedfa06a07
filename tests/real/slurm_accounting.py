"""Slurm's accounting: a MariaDB and a slurmdbd of the cluster's own."""

import getpass
import subprocess
from collections.abc import Sequence

from tests.real.daemons import DaemonsUnavailable, is_alive, running, stop, tail, wait_until
from tests.real.slurm_conf import CLUSTER, DATABASE, Layout, slurmdbd_conf

_GRANTS = f"""
create database {DATABASE};
create user slurm@'127.0.0.1' identified by 'slurm';
create user slurm@localhost identified by 'slurm';
grant all on {DATABASE}.* to slurm@'127.0.0.1';
grant all on {DATABASE}.* to slurm@localhost;
"""


def start(at: Layout, environment: dict[str, str], port: int) -> None:
    """Bring up the database, then the daemon in front of it, and make the cluster known there."""
    _create_database(at, environment)
    _start_database(at, environment, port + 2)
    at.slurmdbd_conf.touch(mode=0o600)  # slurmdbd refuses a file that others may read
    at.slurmdbd_conf.write_text(slurmdbd_conf(at, port))
    _checked(["slurmdbd"], environment)
    add = ["sacctmgr", "--immediate", "add", "cluster", CLUSTER]
    wait_until(lambda: _succeeds(add, environment), "slurmdbd answers", on_timeout=lambda: log_tail(at))


def stop_all(at: Layout) -> None:
    """Stop slurmdbd, then its database."""
    for daemon in ("slurmdbd", "mariadbd"):
        stop(running(at.pid_file(daemon), at.mark))


def log_tail(at: Layout) -> str:
    """Show the end of both logs."""
    return tail([at.log / "slurmdbd.log", at.log / "mariadbd.log"])


def _options(at: Layout) -> list[str]:
    return ["--no-defaults", f"--user={getpass.getuser()}", f"--datadir={at.database}"]


def _create_database(at: Layout, environment: dict[str, str]) -> None:
    ours = ["--skip-test-db", "--auth-root-authentication-method=normal"]
    _checked(["mariadb-install-db", *_options(at), *ours], environment)


def _start_database(at: Layout, environment: dict[str, str], port: int) -> None:
    files = [f"--socket={at.database_socket}", f"--pid-file={at.pid_file('mariadbd')}"]
    listen = [f"--port={port}", "--bind-address=127.0.0.1"]
    careless = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]  # nothing in it has to last
    with open(at.log / "mariadbd.log", "ab") as log:
        daemon = subprocess.Popen(
            ["mariadbd", *_options(at), *files, *listen, *careless],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    client = ["mariadb", "--no-defaults", f"--socket={at.database_socket}", "--user=root"]
    wait_until(
        lambda: _succeeds(client, environment) or not is_alive(daemon.pid),
        "MariaDB answers",
        on_timeout=lambda: log_tail(at),
    )
    _checked(client, environment, _GRANTS)


def _succeeds(argv: Sequence[str], environment: dict[str, str]) -> bool:
    done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.returncode == 0


def _checked(argv: Sequence[str], environment: dict[str, str], text: str = "") -> None:
    done = subprocess.run(argv, env=environment, input=text, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise DaemonsUnavailable(f"{argv[0]} failed: {done.stdout}{done.stderr}")
