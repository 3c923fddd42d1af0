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
SECONDS = 60 * int(os.environ.get("PATIENCE", 10))  # that a start may take: recovery writes all that a crash left
# Durable, as the product requires; all else is for many small databases that live for a moment.
SETTINGS = {"listen_addresses": "", "max_connections": "200", "autovacuum_naptime": "5s", "max_wal_size": "256MB"}


class Missing(Exception):
    """There is no PostgreSQL on this machine."""


def user():
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)


class Cluster:
    def __init__(self):
        if not (PROGRAMS / "initdb").exists():
            raise Missing(f"no PostgreSQL 15 in {PROGRAMS}: make deps-test installs it")
        self.process = None
        self.settings = {}  # beside SETTINGS
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="denoised-pg-"))
        if os.geteuid() == 0:
            os.chown(self.folder, user().pw_uid, user().pw_gid)
        done = self.run("initdb", "-D", "data", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        assert done.returncode == 0, done.stderr

    def options(self):
        """How its programs are run."""
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGHOST": str(self.folder), "PGUSER": "postgres", "HOME": str(self.folder),
                       "PGPORT": str(self.settings.get("port", 5432))}
        identity = {"user": user().pw_uid, "group": user().pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, "env": environment, **identity}

    def run(self, *command, **options):
        """One of PostgreSQL's programs."""
        return subprocess.run([PROGRAMS / command[0], *command[1:]], capture_output=True, text=True, **self.options(), **options)

    def start(self):
        """It ends with this process, whatever becomes of that."""
        settings = {**SETTINGS, "unix_socket_directories": self.folder, **self.settings}
        command = ["setpriv", "--pdeathsig", "INT", PROGRAMS / "postgres", "-D", "data"]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self.options())
        deadline = time.monotonic() + SECONDS
        while self.run("psql", "-Xqc", "SELECT 1", "-d", "postgres").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        """SIGINT ends all connections, SIGQUIT also leaves all to the recovery at the next start."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(timeout=SECONDS)
            self.process = None

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def uri(self, database="postgres"):
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def sql(self, text, database="postgres"):
        """The rows of the last statement, each a list of texts."""
        done = self.run("psql", "-XqAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", database, input=text)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def create(self, name, template="template0"):
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        return name

    def drop(self, name):
        """Refused, after a few seconds, while somebody is connected."""
        self.sql(f"DROP DATABASE {name}")


@contextlib.contextmanager
def cluster():
    """For a test, which is skipped where there is none."""
    try:
        made = Cluster()
    except Missing as why:
        pytest.skip(str(why))
    try:
        made.start()
        yield made
    finally:
        made.remove()
