"""A database over the network: TLS with a certificate of an authority of its own, a role that owns nothing else, and connections that
are opened again in the sandbox."""

import os
import re
import signal
import socket
import subprocess

import pytest
import stores
from conftest import BINARY, ENDLESS, QUICK, SANITIZED, Server, eventually
from postgresql import cluster, user

PASSWORD = "correct horse"


def openssl(*command):
    subprocess.run(["openssl", *command], check=True, capture_output=True)


def authority(folder, name):
    """A CA: its certificate, and a function that makes a key and a certificate for a name."""
    key, root = folder / f"{name}.key", folder / f"{name}.crt"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", root, "-days", "2",
            "-subj", f"/CN={name}")  # fmt: skip

    def issue(host, made):
        request, names = folder / "request", folder / "names"
        names.write_text(f"subjectAltName=DNS:{host}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made.with_suffix(".key"), "-out", request, "-subj", f"/CN={host}")
        openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", key, "-CAcreateserial", "-days", "2", "-extfile", names, "-out", made)

    return root, issue


class Remote:
    """A PostgreSQL at a port of this machine that takes only TLS and passwords there, and a role for the service."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.root, self.issue = authority(folder, "ours")
        self.stranger, _ = authority(folder, "stranger")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.passwords = folder / "passwords"
        self.passwords.write_text(f"*:{self.port}:*:denoised:{PASSWORD}\n")
        self.passwords.chmod(0o600)

    def certify(self, host):
        """The name that the server proves from its next start on."""
        made = self.server.folder / "server.crt"
        self.issue(host, made)
        for path in (made, made.with_suffix(".key")):
            path.chmod(0o600)
            if os.geteuid() == 0:
                os.chown(path, user().pw_uid, user().pw_gid)

    def begin(self):
        self.certify("localhost")
        self.server.settings = {"listen_addresses": "127.0.0.1", "port": self.port, "ssl": "on",
                                "ssl_cert_file": self.server.folder / "server.crt", "ssl_key_file": self.server.folder / "server.key"}  # fmt: skip
        rules = ["local all postgres trust", "hostssl all denoised 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 reject"]
        (self.server.folder / "data/pg_hba.conf").write_text("\n".join(rules) + "\n")
        self.restart()
        self.server.sql(f"CREATE ROLE denoised LOGIN PASSWORD '{PASSWORD}'")
        self.server.sql("CREATE DATABASE denoised OWNER denoised TEMPLATE template0 ENCODING 'UTF8'")

    def restart(self, how=signal.SIGINT):
        self.server.stop(how)
        self.server.start()

    def uri(self, host="localhost", mode="verify-full", root=None):
        return f"postgresql://denoised@{host}:{self.port}/denoised?sslmode={mode}&sslrootcert={root or self.root}"

    def environment(self):
        return {"PGPASSFILE": str(self.passwords)}


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    with cluster() as server:
        made = Remote(server, tmp_path_factory.mktemp("tls"))
        made.begin()
        yield made


class There(Server):
    """In this place, whatever database the others use, with the passwords of a file."""

    def __init__(self, uri, directory, **environment):
        self.uri = uri
        super().__init__(directory, **environment)

    def start(self):
        self.database = self.uri
        super().start()


@pytest.fixture
def migrated(remote, monkeypatch):
    monkeypatch.setenv("PGPASSFILE", str(remote.passwords))
    stores.migrate(remote.uri())
    return remote


@pytest.fixture
def there(migrated, tmp_path):
    server = There(migrated.uri(), str(tmp_path), **migrated.environment())
    yield server
    assert server.stop() == 0, server.read_log()


def refused(remote, uri):
    done = subprocess.run([BINARY, "serve", "--port", "0", "--database", uri], env={**os.environ, **remote.environment()}, capture_output=True, text=True)
    assert done.returncode in (1, 2, 78) and PASSWORD not in done.stderr, done
    return done.stderr


def connections(remote):
    """Those of the service, each with its TLS version or None."""
    return remote.server.sql(
        "SELECT a.pid, coalesce(s.version, '') FROM pg_stat_activity AS a LEFT JOIN pg_stat_ssl AS s ON s.pid = a.pid"
        " WHERE a.usename = 'denoised' ORDER BY 1"
    )


def test_every_connection_is_encrypted_and_the_role_owns_only_its_database(there, remote):
    job = there.submit(ENDLESS)
    there.wait_for_epoch(job, 1)
    seen = connections(remote)
    assert len(seen) >= 2 and {version for _, version in seen} <= {"TLSv1.2", "TLSv1.3"}, seen
    assert remote.server.sql("SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'denoised'") == [["f"] * 5]
    owners = remote.server.sql("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "denoised")
    assert owners == [["denoised"]]
    assert PASSWORD not in there.read_log()
    assert there.post(f"/v1/jobs/{job}/cancel").status in (200, 202)


def test_a_schema_of_its_own_in_a_database_of_others_is_enough(remote, tmp_path, monkeypatch):
    """The role may create nothing beside it."""
    remote.server.sql("CREATE DATABASE theirs TEMPLATE template0 ENCODING 'UTF8'")
    remote.server.sql("CREATE SCHEMA AUTHORIZATION denoised", "theirs")
    remote.server.sql("CREATE TABLE public.job (note text)", "theirs")
    monkeypatch.setenv("PGPASSFILE", str(remote.passwords))
    uri = remote.uri().replace("/denoised?", "/theirs?")
    stores.migrate(uri)
    server = There(uri, str(tmp_path), **remote.environment())
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    assert server.get(f"/v1/models/{job}/samples?n=2").status == 200
    assert server.stop() == 0
    schemas = remote.server.sql("SELECT DISTINCT relnamespace::regnamespace FROM pg_class WHERE pg_get_userbyid(relowner) = 'denoised' AND relkind = 'r'", "theirs")
    assert schemas == [["denoised"]]
    assert remote.server.sql("SELECT count(*) FROM public.job", "theirs") == [["0"]]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_connections_are_opened_again_in_the_sandbox(there, remote, how):
    """Which lets the server read the certificate and the passwords, and connect to this port: also after the start."""
    if not SANITIZED:  # which has no sandbox, and has to connect again all the same
        eventually(lambda: re.search(r'msg="?sandbox"? landlock=\d+', there.read_log()))
    job = there.submit(ENDLESS)
    there.wait_for_epoch(job, 1)
    before = {pid for pid, _ in connections(remote)}
    remote.restart(how)
    eventually(lambda: there.fetch("GET", f"/v1/jobs/{job}").status == 200)
    eventually(lambda: there.fetch("POST", f"/v1/jobs/{job}/cancel").status in (200, 202))
    eventually(lambda: there.fetch("GET", f"/v1/jobs/{job}").json["status"] == "cancelled")
    after = connections(remote)
    assert after and not before & {pid for pid, _ in after}
    assert {version for _, version in after} <= {"TLSv1.2", "TLSv1.3"}


def test_a_server_that_is_not_proven_to_be_ours_is_refused(migrated):
    remote = migrated
    assert "certificate verify failed" in refused(remote, remote.uri(root=remote.stranger))
    assert "does not match host name  127.0.0.1" in refused(remote, remote.uri(host="127.0.0.1"))
    assert "no encryption" in refused(remote, remote.uri(mode="disable")), "the rules of the server ask for TLS"
    assert "certificate verify failed" in refused(remote, remote.uri(mode="verify-ca", root=remote.stranger))
    assert "does not exist" in refused(remote, remote.uri(root=remote.folder / "nothing"))


def test_a_server_without_tls_gets_no_password(migrated):
    """Somebody who listens in its place."""
    remote = migrated
    with socket.create_server(("127.0.0.1", 0)) as liar:
        liar.settimeout(60)
        port = liar.getsockname()[1]
        command = [BINARY, "serve", "--port", "0", "--database", remote.uri().replace(f":{remote.port}/", f":{port}/")]
        process = subprocess.Popen(command, env={**os.environ, "PGPASSWORD": PASSWORD}, stderr=subprocess.PIPE, text=True)
        heard = b""
        connection, _ = liar.accept()
        with connection:
            heard += connection.recv(8)
            connection.sendall(b"N")  # no TLS here
            while more := connection.recv(1000):
                heard += more
        _, error = process.communicate()
    assert process.returncode != 0 and "does not support SSL" in error
    assert heard == bytes([0, 0, 0, 8, 4, 210, 22, 47]), "the question for TLS, and nothing after the answer"


def test_a_wrong_password_is_named_without_being_shown(migrated):
    remote = migrated
    environment = {**os.environ, "DENOISED_DATABASE": remote.uri().replace("denoised@", "denoised:geheim@")}
    done = subprocess.run([BINARY, "serve", "--port", "0"], env=environment, capture_output=True, text=True)
    assert done.returncode != 0 and "password authentication failed" in done.stderr and "geheim" not in done.stderr
