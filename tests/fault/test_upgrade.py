"""Databases of every schema there has been (T20), also when the upgrade is killed half-way: the data stays."""

import itertools
import pathlib
import sqlite3

import harness
import pytest
from harness import ENDED, QUICK, SOAK

MIGRATIONS = sorted((pathlib.Path(__file__).parents[2] / "migrations").glob("*.sql"))
APPLICATION_ID = 0x64656E6F
PIECES = 12  # the schema from which on bytes are stored apart, in pieces
# Tables and the schema from which on there is what the rows of today can be put into. Later ones are the migrations' work.
TABLES = (("job", 1), ("history", 1), ("blob", PIECES), ("piece", PIECES), ("model", 1), ("snapshot", 7), ("checkpoint", 8))
SPEC = {**QUICK, "training": {**QUICK["training"], "epochs": 6}}
POINTS = ["migrate.before_commit", "migrate.committed", "vfs.write", "vfs.sync"]


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A database of this version with one job that is done; and what it had trained to."""
    server = harness.Server(tmp_path_factory.mktemp("today"))
    job = server.submit(SPEC)
    assert server.wait(job)["status"] == "succeeded"
    outcome = harness.outcome(server, job), description(server, job)
    assert server.stop() == 0
    return server.database, job, outcome


def description(server, job):
    """What the model is, and that its checkpoints can be had."""
    model = server.get(f"/v1/models/{job}").json
    items = server.get(f"/v1/models/{job}/checkpoints").json["items"]
    return [model[key] for key in ("dim", "parameters", "transform", "bytes")], [item["epoch"] for item in items]


def columns(connection, schema, table):
    return [row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")]


def make_old(path, version, today):
    """The rows of today's database in an old one, and a job that was running when that server was killed."""
    with harness.database(path) as connection:
        connection.create_function("fold", 1, str.casefold, deterministic=True)  # one of the server's own
        for migration in MIGRATIONS[:version]:
            connection.executescript(migration.read_text())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("ATTACH ? AS today", (today,))
        for table, since in TABLES:
            if version < since:
                continue
            there = columns(connection, "main", table)
            rows = {column: column for column in set(there) & set(columns(connection, "today", table))}
            if version < PIECES and "bytes" in there:  # one piece, they are small
                rows["bytes"] = f"(SELECT bytes FROM today.piece WHERE piece.blob_id = {table}.blob_id)"
            if table == "blob":  # who names it is counted anew
                rows["refs"] = "0"
            connection.execute(
                f"INSERT INTO main.{table} ({', '.join(rows)}) SELECT {', '.join(rows.values())} FROM today.{table}"
            )
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
        assert harness.outcome(server, id) == outcome[0]
    model, checkpoints = description(server, job)
    assert model == outcome[1][0] and set(checkpoints) <= set(outcome[1][1])
    assert server.get(f"/v1/models/{job}/samples?n=3&epoch={checkpoints[0]}").json["points"]
    assert server.stop() == 0
    harness.check_integrity(path)
    with harness.database(path) as connection:
        (now,) = connection.execute("PRAGMA user_version").fetchone()
        assert now == len(MIGRATIONS)
        (marks,) = connection.execute("SELECT group_concat(DISTINCT id >> 32) FROM event").fetchone()
        assert int(marks) > 0, "ids of events have one mark, of this database"
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
