"""A pgbouncer in transaction mode before a private PostgreSQL: each transaction meets any session of the server."""

import os
import shutil
import subprocess
import time

import postgresql

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
PORT = 6432
SECONDS = 10 * int(os.environ.get("PATIENCE", 10))


class Pooler:
    """sessions: of the server, for all clients of a database. It ends with this process, whatever becomes of that."""

    def __init__(self, beside, sessions):
        if not os.path.exists(PROGRAM):
            raise postgresql.Missing("no pgbouncer: make deps-test installs it")
        self.folder = folder = beside.folder
        self.socket = folder / f".s.PGSQL.{PORT}"
        settings = {
            "pool_mode": "transaction", "default_pool_size": sessions, "max_client_conn": 200, "auth_type": "any", "admin_users": "postgres",
            "listen_addr": "", "unix_socket_dir": folder, "listen_port": PORT, "logfile": folder / "pooler.log",
        }  # fmt: skip
        text = f"[databases]\n* = host={folder} user=postgres\n[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        (folder / "pooler.ini").write_text(text)
        self.beside = beside
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "INT", PROGRAM, "-q", "pooler.ini"], **beside.options())
        deadline = time.monotonic() + SECONDS
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    def uri(self, database):
        return f"postgresql://postgres@/{database}?host={self.folder}&port={PORT}"

    def tell(self, command):
        """Its own commands; the rows, each a list of texts."""
        done = self.beside.run("psql", "-XqAt", "-F", "\x1f", "-p", str(PORT), "-d", "pgbouncer", "-c", command)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def clients(self, database):
        """Programs that are connected to this database."""
        return [row for row in self.tell("SHOW CLIENTS") if row[2] == database]

    def forget(self, database):
        """Ends what is left of the server's sessions, so that the database can be dropped."""
        if any(row[0] == database for row in self.tell("SHOW DATABASES")):
            self.tell(f"KILL {database}")

    def remove(self):
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)  # or the next one there would seem to have started
