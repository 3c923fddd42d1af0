"""denoised migrate: the only one that changes a schema on PostgreSQL; what a server does with one that it does not fit."""

import pathlib
import re
import subprocess
import threading

import pytest
from conftest import BINARY, QUICK, Server, eventually
from postgresql import PROGRAMS
from test_start import refused, run

NEWEST = int(max((pathlib.Path(__file__).parents[2] / "migrations/postgresql").glob("*.sql")).name[:4])
OTHER_SCHEMA = 78  # the exit status


@pytest.fixture
def database(beside, request):
    name = beside.create(re.sub(r"\W", "_", request.node.name)[:60].lower())
    yield name
    beside.drop(name)


def numbers(beside, name):
    return [int(number) for (number,) in beside.sql("SELECT number FROM schema_migration ORDER BY number", name)]


def serve(uri):
    return run("serve", "--port", "0", "--database", uri)


def test_a_server_asks_for_the_schema_and_finds_it(beside, database, tmp_path):
    uri = beside.uri(database)
    empty = serve(uri)
    assert empty.returncode == OTHER_SCHEMA and 'run "denoised migrate"' in empty.stderr
    assert beside.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", database) == [["0"]]
    for _ in range(2):  # repeating it does no harm
        done = run("migrate", "--database", uri)
        assert done.returncode == 0 and "up to date" in done.stdout, done.stderr
    assert numbers(beside, database)[-1] == NEWEST
    server = Server(str(tmp_path), database=uri)
    try:
        assert server.wait(server.submit(QUICK))["status"] == "succeeded"
    finally:
        assert server.stop() == 0


def test_an_older_schema(beside, database):
    uri = beside.uri(database)
    assert run("migrate", "--database", uri).returncode == 0
    beside.sql(f"UPDATE schema_migration SET number = number - 1", database)
    old = serve(uri)
    assert old.returncode == OTHER_SCHEMA
    assert f"has schema {NEWEST - 1}, and this program needs {NEWEST}" in old.stderr and 'run "denoised migrate"' in old.stderr


@pytest.mark.parametrize("breaking", [0, 1])
def test_a_newer_schema(beside, database, tmp_path, breaking):
    """A server goes on with what was only added to."""
    uri = beside.uri(database)
    assert run("migrate", "--database", uri).returncode == 0
    beside.sql(f"INSERT INTO schema_migration VALUES ({NEWEST + 1}, 'later', {breaking}, 0), ({NEWEST + 2}, 'last', 0, 0)", database)
    if breaking:
        new = serve(uri)
        assert new.returncode == OTHER_SCHEMA and "use a newer denoised" in new.stderr
        assert run("migrate", "--database", uri).returncode == 1
    else:
        server = Server(str(tmp_path), database=uri)
        assert server.stop() == 0
        assert run("migrate", "--database", uri).returncode == 0
    assert numbers(beside, database)[-2:] == [NEWEST + 1, NEWEST + 2]


def test_many_at_once(beside, database):
    """Each migration is applied by one of them; the others wait."""
    command = [BINARY, "migrate", "--database", beside.uri(database)]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    said = [process.communicate()[1] for process in several]
    assert [process.returncode for process in several] == [0] * 5, said
    assert "".join(said).count(f"migration={NEWEST:04}_") == 1
    assert numbers(beside, database)[-1] == NEWEST


def test_it_waits_for_others_without_standing_in_their_way(beside, database):
    """A lock that somebody holds for longer than it waits: it tries again until that is gone."""
    uri = beside.uri(database)
    holder = subprocess.Popen(
        [PROGRAMS / "psql", "-Xqd", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **beside.options()
    )
    holder.stdin.write("BEGIN; SELECT pg_advisory_xact_lock(1684369005);\n\\echo held\n")
    holder.stdin.flush()
    while "held" not in holder.stdout.readline():
        pass
    process = subprocess.Popen([BINARY, "migrate", "--database", uri], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr))
    reader.start()
    eventually(lambda: any("waits for others" in line for line in said))
    assert process.poll() is None
    holder.communicate("COMMIT;\n")
    assert process.wait() == 0
    reader.join()
    assert numbers(beside, database)[-1] == NEWEST


def test_a_file_needs_none(tmp_path):
    done = run("migrate", "--database", str(tmp_path / "a.db"))
    assert done.returncode == 0 and "up to date" in done.stdout
    assert (tmp_path / "a.db").stat().st_mode & 0o77 == 0


# ------------------------------------------------------------------ names of databases, and passwords


PASSWORDS = [
    "postgresql://me:hunter2@db/name",
    "postgresql://me:hunter2@db,other:5433/name",
    "postgresql://me@db/name?password=hunter2",
    "postgresql://me@db/name?sslmode=require&password=hunter2",
    "postgresql://db/name?p%61ssword=hunter2",
    "postgresql:///name?sslpassword=hunter2",
    "postgresql://me:hunter2@",
]


@pytest.mark.parametrize("uri", PASSWORDS)
def test_a_password_is_no_argument(tmp_path, uri):
    said = refused(tmp_path, "--port", "0", "--database", uri)
    assert "must not hold a password" in said and "hunter2" not in said and "DENOISED_DATABASE" in said
    for command in ("migrate", "healthcheck"):
        done = run(command, "--database", uri)
        assert done.returncode == 2 and "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("uri", ["postgresql://me:hunter/2@127.0.0.1:1/name", "postgresql://me:hun@ter2@127.0.0.1:1/name"])
def test_a_password_that_would_be_read_as_a_host(tmp_path, uri):
    """libpq would print a part of it."""
    said = refused(tmp_path, "--port", "0", DENOISED_DATABASE=uri)
    assert "write %40 or %2F" in said and "ter" not in said and "hun" not in said


@pytest.mark.parametrize("uri", [*PASSWORDS[:4], "postgresql://me:hunter2@127.0.0.1:x/name", "postgresql://me:hunter2@127.0.0.1:1/n?sslmode=hm"])
def test_a_password_is_not_told(tmp_path, uri):
    """In a variable it is allowed; nobody listens there, and nothing says the password."""
    uri = uri.replace("@db,other:5433", "@127.0.0.1:1,127.0.0.1:2").replace("@db", "@127.0.0.1:1")
    said = refused(tmp_path, "--port", "0", DENOISED_DATABASE=uri)
    assert "hunter2" not in said and "the database at" in said


def test_a_password_in_the_environment_is_hidden_from_proc(beside, database, tmp_path, monkeypatch):
    uri = beside.uri(database).replace("postgres@", "postgres:hunter2@")
    monkeypatch.setenv("DENOISED_DATABASE", uri)
    monkeypatch.setenv("PGPASSWORD", "hunter3")
    assert run("migrate", DENOISED_DATABASE=uri).returncode == 0

    class ByVariable(Server):
        def start(self):
            self.database = str(tmp_path / "none.db")
            self.log = open(self.log_file, "ab")
            self.process = subprocess.Popen([BINARY, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=self.log)
            self.scheme, self.port = "http", int(self.process.stdout.readline().decode().rsplit(":", 1)[1])

    server = ByVariable(str(tmp_path))
    try:
        assert server.get("/readyz").status == 200
        folder = pathlib.Path(f"/proc/{server.process.pid}")
        shown = folder.joinpath("environ").read_bytes() + folder.joinpath("cmdline").read_bytes()
        assert b"DENOISED_DATABASE=***" in shown and b"PGPASSWORD=***" in shown and b"hunter" not in shown
        assert "hunter" not in server.read_log() and b"hunter" not in server.get("/metrics").body
    finally:
        assert server.stop() == 0
