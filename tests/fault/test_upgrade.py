"""Databases of every schema there has been (T20), also when the upgrade is killed half-way: the data stays."""

import itertools
import pathlib
import sqlite3

import harness
import pytest
from harness import ENDED, QUICK, SOAK

MIGRATIONS = sorted((pathlib.Path(__file__).parents[2] / "migrations").glob("*.sql"))
APPLICATION_ID = 0x64656E6F
# Of the first schema. What later ones have is added by the migrations.
TABLES = ("job", "history", "model")
SPEC = {**QUICK, "training": {**QUICK["training"], "epochs": 6}}
POINTS = ["migrate.before_commit", "migrate.committed", "vfs.write", "vfs.sync"]


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A database of this version with one job that is done; and what it had trained to."""
    server = harness.Server(tmp_path_factory.mktemp("today"))
    job = server.submit(SPEC)
    assert server.wait(job)["status"] == "succeeded"
    outcome = harness.outcome(server, job)
    assert server.stop() == 0
    return server.database, job, outcome


def columns(connection, schema, table):
    return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")]


def make_old(path, version, today):
    """The rows of today's database in an old one, and a job that was running when that server was killed."""
    with harness.database(path) as connection:
        for migration in MIGRATIONS[:version]:
            connection.executescript(migration.read_text())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("ATTACH ? AS today", (today,))
        for table in TABLES:
            both = ", ".join(set(columns(connection, "main", table)) & set(columns(connection, "today", table)))
            connection.execute(f"INSERT INTO main.{table} ({both}) SELECT {both} FROM today.{table}")
        connection.execute(
            "INSERT INTO main.job (id, dataset, spec, status, epochs, steps, attempt, stalls, fence, owner, created_at, started_at)"
            " SELECT 'f' || substr(id, 2), dataset, spec, 'running', epochs, steps, 1, 1, 1, 'a dead boot/0', 1, 1 FROM main.job"
        )


def upgrade(directory, version, today, page=None, **kill):
    """False if the kill did not happen."""
    database, job, outcome = today
    directory.mkdir()
    path = str(directory / "test.db")
    make_old(path, version, database)
    died = False
    if kill:
        try:
            harness.Server(directory, page=page, **kill).kill()
        except AssertionError:
            died = True
    server = harness.Server(directory)
    for id in (job, "f" + job[1:]):
        state = server.wait(id, ENDED)
        assert state["status"] == "succeeded", state
        assert harness.outcome(server, id) == outcome
    assert server.stop() == 0
    harness.check_integrity(path)
    with harness.database(path) as connection:
        (now,) = connection.execute("PRAGMA user_version").fetchone()
        assert now == len(MIGRATIONS)
    return died


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_an_old_database(tmp_path, version, today):
    upgrade(tmp_path / "old", version, today)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_upgrade(tmp_path, page, point, today):
    kills = 0
    for version in range(1, len(MIGRATIONS)) if SOAK else (1,):
        for passing in itertools.count(1) if SOAK else (1, 4):
            directory = tmp_path / f"{version}-{passing}"
            if not upgrade(directory, version, today, page, DENOISED_FAULT_KILL=f"{point}:{passing}"):
                break
            kills += 1
    assert kills > 0
    harness.tell(f"upgrade: {kills} kills at {point}, the data of every schema stayed")
