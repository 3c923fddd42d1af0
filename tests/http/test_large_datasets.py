"""Data sets are stored in pieces: those of before are moved there, and a slow PostgreSQL needs no long statement for a large one."""

import contextlib
import io
import json
import pathlib
import sqlite3
import subprocess

import numpy
import pytest
import stores
from conftest import BINARY, Server

MIGRATIONS = pathlib.Path(__file__).parents[2] / "migrations"
PIECE = 1 << 20
CSV = {"Content-Type": "text/csv"}
N = 300_000  # points in the plane, of 2.3 pieces
NAMES = [f"00000000-0000-7000-8000-00000000000{k}" for k in range(3)]
COLUMN = {"type": "numeric", "missing": 0, "distinct": 2, "min": 0, "max": 1, "mean": 0.5, "std": 0.5, "format": "0", "step": 0, "missing_text": "",
          "levels": None, "follows": None, "map": None, "independent": False, "histogram": {"start": None, "width": None, "counts": []},
          "examples": ["1"], "notes": []}  # fmt: skip
COLUMNS = json.dumps([{"name": name, "coordinate": k, **COLUMN} for k, name in enumerate("xy")])
STATISTICS = json.dumps({"min": [0, 0], "max": [1, 1], "mean": [0.5, 0.5], "std": [0.5, 0.5], "duplicates": 0, "class_counts": [N]})


def before_pieces(kind):
    """The texts that make the schema of then."""
    return [(int(file.name[:4]), file.read_text()) for file in sorted((MIGRATIONS / kind).glob("*.sql")) if file.name < "0028"]


@contextlib.contextmanager
def of_sqlite(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        for _, text in before_pieces("sqlite"):
            made.executescript(text)
        made.executescript("PRAGMA application_id = 0x64656e6f; PRAGMA user_version = 27; PRAGMA journal_mode = wal")
    with stores.SqliteConnection(path) as database:
        yield database


@contextlib.contextmanager
def of_postgresql(uri):
    with stores.PostgresqlConnection(uri) as database:
        for number, text in before_pieces("postgresql"):
            with database.native.cursor() as cursor:
                cursor.execute(text)
            database.sql("INSERT INTO schema_migration VALUES (?, 'then', 1, 1)", number)
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """An empty database of then, its name and how to reach it."""
    if request.param == "sqlite":
        name = str(tmp_path / "then.db")
        with of_sqlite(name) as database:
            yield name, database
        return
    beside = request.getfixturevalue("beside")
    name = beside.uri(beside.create("before_pieces"))
    with of_postgresql(name) as database:
        yield name, database


def test_data_sets_of_before(old, tmp_path):
    name, database = old
    points, few, cells = numpy.random.default_rng(3).random((N, 2), "f4"), numpy.ones((2, 2), "f4"), bytes(range(256)) * 5000
    insert = "INSERT INTO dataset (id, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, points, label, cells)"
    rows = [(NAMES[0], points, cells), (NAMES[1], few, None)]
    for identity, values, block in rows:
        labels = numpy.zeros(len(values), "i4")
        database.sql(
            insert + " VALUES (?, ?, 2, ?, '[\"a\"]', ?, ?, 1, 1, ?, ?, 'c', ?)",
            identity, len(values), COLUMNS, STATISTICS, "a" * 64, labels.tobytes(), values.tobytes(), block,
        )  # fmt: skip
    database.sql("INSERT INTO blob (size) VALUES (12)")
    (blob,) = database.sql("SELECT max(id) FROM blob")[0]
    database.sql("INSERT INTO piece VALUES (?, 0, ?)", blob, b"123456789abc")
    database.sql("UPDATE blob SET writer = 'me' WHERE id = ?", blob)
    database.sql(
        "INSERT INTO dataset (id, n, dim, columns, statistics, sha256, bytes, created_at, height, width, channels, blob_id)"
        " VALUES (?, 2, 6, '[]', ?, ?, 1, 1, 2, 3, 1, ?)", NAMES[2], STATISTICS, "a" * 64, blob,
    )  # fmt: skip
    if "://" in name:
        assert subprocess.run([BINARY, "migrate", "--database", name], capture_output=True).returncode == 0
    server = Server(str(tmp_path), database=name)
    try:
        for identity, values, _ in rows:
            found = numpy.load(io.BytesIO(server.get(f"/v1/datasets/{identity}/points.npy").body))
            assert len(found) >= 2 and {tuple(point) for point in found} <= {tuple(point) for point in values}
        image = numpy.load(io.BytesIO(server.get(f"/v1/datasets/{NAMES[2]}/points.npy").body))
        assert image.tobytes() == b"123456789abc"
        stored = "SELECT piece.bytes FROM piece JOIN dataset ON piece.blob_id = {} WHERE id = ? ORDER BY number"
        pieces = [bytes(piece) for (piece,) in database.sql(stored.format("cells_blob_id"), NAMES[0])]
        assert b"".join(pieces) == cells and [len(piece) for piece in pieces] == [PIECE, len(cells) - PIECE]
        pieces = [bytes(piece) for (piece,) in database.sql(stored.format("dataset.blob_id"), NAMES[0])]
        assert b"".join(pieces) == points.tobytes() and [len(piece) for piece in pieces] == [PIECE, PIECE, N * 8 - 2 * PIECE]
        assert database.sql("SELECT refs, writer FROM blob") == [(1, None)] * 4
        for identity in NAMES:
            assert server.request("DELETE", f"/v1/datasets/{identity}").status == 204
        assert database.sql("SELECT count(*) FROM blob WHERE refs > 0 OR writer IS NOT NULL") == [(0,)]
    finally:
        assert server.stop() == 0


def table(rows, columns):
    digits = numpy.random.default_rng(5).integers(0, 10, (rows, columns))
    lines = numpy.full((rows, 2 * columns), ord(","), "u1")
    lines[:, ::2], lines[:, -1] = digits + ord("0"), ord("\n")
    return (",".join(f"c{k}" for k in range(columns)) + "\n").encode() + lines.tobytes()


def test_a_change_takes_other_blobs(server):
    """The points of a large table change their number; its cells stay as they are."""
    made = server.post("/v1/datasets", raw=table(60_000, 6), headers=CSV)
    assert made.status == 201
    path = f"/v1/datasets/{made.json['id']}"
    before = server.get(path + "/points.csv").body
    ((values, cells),) = server.sql("SELECT blob_id, cells_blob_id FROM dataset")
    changed = server.request("PATCH", path, {"columns": {"c0": {"type": "categorical"}}})
    assert changed.status == 200
    assert server.get(path + "/points.csv").body == before
    ((other, same),) = server.sql("SELECT blob_id, cells_blob_id FROM dataset")
    assert other != values and same == cells
    assert dict(server.sql("SELECT id, refs FROM blob WHERE refs > 0")) == {other: 1, cells: 1}
    refused = server.request("PATCH", path, {"columns": {"nowhere": {"type": "numeric"}}})
    assert refused.status == 422 and dict(server.sql("SELECT id, refs FROM blob WHERE refs > 0")) == {other: 1, cells: 1}
    assert server.request("DELETE", path).status == 204
    assert server.sql("SELECT count(*) FROM blob WHERE refs > 0 OR writer IS NOT NULL") == [(0,)]


SLOW = """
    CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.9); RETURN new; END $$;
    CREATE TRIGGER slow_down BEFORE INSERT ON piece FOR EACH ROW EXECUTE FUNCTION slow_down()"""
SLOW_TO_READ = """
    CREATE FUNCTION slowly() RETURNS boolean LANGUAGE plpgsql COST 100000 AS $$ BEGIN PERFORM pg_sleep(0.9); RETURN true; END $$;
    ALTER TABLE piece RENAME TO fast;
    CREATE VIEW piece AS SELECT * FROM fast WHERE slowly()"""


def test_a_database_that_takes_longer_for_a_data_set_than_for_any_statement(beside, tmp_path):
    """15 pieces of 0.9 s: the server ends a statement after 12 s, and a reader waits 10 s for a sign."""
    name = beside.create("slow")
    stores.migrate(beside.uri(name))
    server = Server(str(tmp_path), database=beside.uri(name))
    try:
        beside.sql(SLOW, name)
        made = server.post("/v1/datasets", raw=table(240_000, 16), headers=CSV)
        assert made.status == 201, made.body
        assert int(beside.sql("SELECT count(*) FROM piece JOIN dataset USING (blob_id)", name)[0][0]) == 15
        beside.sql(SLOW_TO_READ, name)
        found = server.get(f"/v1/datasets/{made.json['id']}/points.npy")
        assert found.status == 200 and numpy.load(io.BytesIO(found.body)).shape[1] == 16
        assert "database error" not in server.read_log()
    finally:
        assert server.stop() == 0
        beside.drop(name)
