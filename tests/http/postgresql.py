"""A private PostgreSQL of the tests: its own folder, an unprivileged user, only a socket, stopped by its pid."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

PROGRAMS = pathlib.Path(os.environ.get("POSTGRESQL_BIN", "/usr/lib/postgresql/15/bin"))


def user():
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)


class Cluster:
    def __init__(self, folder):
        self.folder = folder

    def run(self, *command, **options):
        """One of PostgreSQL's programs."""
        who = user()
        identity = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGHOST": str(self.folder), "PGUSER": "postgres", "HOME": str(self.folder)}
        return subprocess.run(
            [PROGRAMS / command[0], *command[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, **identity, **options
        )

    def sql(self, text, database="postgres"):
        """The rows of the last statement, each a list of texts."""
        done = self.run("psql", "-XqAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", database, input=text)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def create(self, name):
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        return name


@contextlib.contextmanager
def cluster():
    if not (PROGRAMS / "initdb").exists():
        pytest.skip("no PostgreSQL 15 here: make deps-test installs it")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="denoised-pg-"))
    if os.geteuid() == 0:
        os.chown(folder, user().pw_uid, user().pw_gid)
    made = Cluster(folder)
    data = folder / "data"
    try:
        done = made.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        assert done.returncode == 0, done.stderr
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=60"
        done = made.run("pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "-t", "120", "start")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        with contextlib.suppress(FileNotFoundError):
            pid = int((data / "postmaster.pid").read_text().split("\n")[0])
            os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + 60
            while (data / "postmaster.pid").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        shutil.rmtree(folder, ignore_errors=True)
