"""A PostgreSQL as somebody else has set it up: roles with few rights, settings of roles, files of services."""

import re

import pytest
import stores
from conftest import QUICK, Server, eventually
from test_start import run

OTHER_SCHEMA = 78  # the exit status
# None of them suits the server. It says what it needs for its own sessions.
SETTINGS = {
    "TimeZone": "Asia/Kolkata", "DateStyle": "German", "IntervalStyle": "sql_standard", "bytea_output": "escape",
    "extra_float_digits": -15, "standard_conforming_strings": "off", "default_transaction_isolation": "serializable",
    "client_encoding": "LATIN1", "statement_timeout": "1ms", "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms", "idle_session_timeout": "300ms",
}  # fmt: skip


class Place:
    """A database whose tables one role owns, in a schema that needs quotes, while another one serves."""

    def __init__(self, beside, name):
        self.beside, self.name = beside, beside.create(name)
        self.owner, self.role = f"{name}_owner", f"{name}_role"
        for role in (self.owner, self.role):
            self.sql(f"CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET search_path = 'Their Schema'")
        self.sql(f'CREATE SCHEMA "Their Schema" AUTHORIZATION {self.owner}; GRANT USAGE ON SCHEMA "Their Schema" TO {self.role}')

    def sql(self, text):
        return self.beside.sql(text, self.name)

    def uri(self, role):
        return self.beside.uri(self.name).replace("postgres@", f"{role}@")

    def as_owner(self, text):
        self.sql(f"SET ROLE {self.owner}; SET search_path = 'Their Schema'; {text}")

    def refused(self):
        """What the server says, which does not start."""
        answer = run("serve", "--port", "0", "--database", self.uri(self.role))
        assert answer.returncode == OTHER_SCHEMA and len(answer.stderr.splitlines()) == 1, answer.stderr
        return answer.stderr

    def remove(self):
        self.beside.drop(self.name)
        for role in (self.owner, self.role):
            self.beside.sql(f"DROP ROLE {role}")


@pytest.fixture
def place(beside, request):
    made = Place(beside, re.sub(r"\W", "_", request.node.name)[:40].lower())
    yield made
    made.remove()


def test_one_role_migrates_and_another_one_serves(place, tmp_path):
    """It is told what it lacks, and how to get that: no more than that is needed."""
    failed = run("migrate", "--database", place.uri(place.role))
    assert failed.returncode == 1 and "permission denied for schema Their Schema" in failed.stderr, "the reason, whatever the length of a migration"
    stores.migrate(place.uri(place.owner))
    grants = re.search(r'"(GRANT .*)"', place.refused()).group(1)
    place.as_owner(grants)
    server = Server(str(tmp_path), database=place.uri(place.role))
    try:
        job = server.submit(QUICK)
        assert server.wait(job)["status"] == "succeeded"
        assert server.get(f"/v1/models/{job}/samples?n=2").status == 200
        assert server.request("DELETE", f"/v1/jobs/{job}").status == 204
    finally:
        assert server.stop() == 0
    assert "level=error" not in server.read_log()
    assert place.sql("SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
                     f" AND relnamespace = '\"Their Schema\"'::regnamespace") == [["0"]]  # fmt: skip
    assert run("migrate", "--database", place.uri(place.role)).returncode == 0, "there is nothing to do"


def test_each_right_that_is_missing_is_noticed_at_the_start(place):
    """Rather than by the job that needs it. Tables of others in the same schema do not matter."""
    stores.migrate(place.uri(place.owner))
    place.as_owner("CREATE TABLE aaa_of_others (note text)")
    place.as_owner(re.search(r'"(GRANT .*)"', place.refused()).group(1))
    place.as_owner(f"REVOKE ALL ON aaa_of_others FROM {place.role}")
    place.as_owner("INSERT INTO schema_migration VALUES (9999, 'x', 1, 0)")
    assert "use a newer denoised" in place.refused(), "the rights are complete, so it is something else"
    kinds = place.sql("SELECT relname, relkind FROM pg_class WHERE relnamespace = '\"Their Schema\"'::regnamespace AND relkind IN ('r', 'v')")
    for name, kind in [*kinds, ["event_id_seq", "S"]]:
        if name == "aaa_of_others":
            continue
        writes = kind == "r" and name != "schema_migration"
        for right in ["SELECT", *(["INSERT", "UPDATE", "DELETE"] if writes and name in ("job", "probe", "judge") else ["UPDATE"] if writes else [])]:
            place.as_owner(f"REVOKE {right} ON {name} FROM {place.role}")
            assert f"the role {place.role} may not use {name}: " in place.refused(), right
            place.as_owner(f"GRANT {right} ON {name} TO {place.role}")


def test_settings_of_a_role_change_nothing(place, tmp_path):
    stores.migrate(place.uri(place.owner))
    for name, value in SETTINGS.items():
        place.sql(f"ALTER ROLE {place.owner} SET {name} = '{value}'")
    stores.migrate(place.uri(place.owner))
    server = Server(str(tmp_path), "--node-lease", "2", database=place.uri(place.owner))
    try:
        job = server.submit({**QUICK, "name": "Grüße \\ 'x' €"})
        state = server.wait(job)
        assert state["status"] == "succeeded" and state["name"] == "Grüße \\ 'x' €"
        columns = server.get(f"/v1/jobs/{job}/history").json["data"]
        exact = place.sql("SET extra_float_digits = 3; SELECT train_loss FROM \"Their Schema\".history ORDER BY epoch")
        assert columns["train_loss"] == [float(loss) for (loss,) in exact], "all digits"
        # By the role's setting, a session may not be idle for so long.
        idle = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{place.owner}' AND state_change < now() - interval '1 s'"
        eventually(lambda: place.sql(idle) != [["0"]])
    finally:
        assert server.stop() == 0
    assert "level=error" not in server.read_log() and "level=warn" not in server.read_log(), server.read_log()


def test_a_service_of_a_file_is_found_again_in_the_sandbox(place, tmp_path, monkeypatch):
    """Each connection reads the file again, also those that replace the first ones."""
    services = tmp_path / "services" / "pg_service.conf"
    services.parent.mkdir()
    services.write_text(f"[theirs]\nhost={place.beside.folder}\ndbname={place.name}\nuser={place.owner}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    uri = "postgresql:///?service=theirs"
    stores.migrate(uri)
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(str(folder), database=uri)
    try:
        assert server.wait(server.submit(QUICK))["status"] == "succeeded"
        sessions = f"FROM pg_stat_activity WHERE usename = '{place.owner}'"
        before = {pid for (pid,) in place.sql(f"SELECT pid {sessions}")}
        place.sql(f"SELECT pg_terminate_backend(pid) {sessions}")
        eventually(lambda: server.fetch("GET", "/readyz").status == 200 and {pid for (pid,) in place.sql(f"SELECT pid {sessions}")} - before)
        assert server.wait(server.submit(QUICK))["status"] == "succeeded"
    finally:
        assert server.stop() == 0
    assert "not found" not in server.read_log()
