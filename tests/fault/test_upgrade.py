"""A new database is there in whole or not at all, wherever its making is killed; one of denoised 0.1.0 is left as it is."""

import itertools
import pathlib
import subprocess

import harness
import pytest
from harness import PATIENCE, QUICK, SOAK

NEWEST = int(max((pathlib.Path(__file__).parents[2] / "migrations/sqlite").glob("*.sql")).name[:4])
POINTS = ["migrate.before_commit", "migrate.committed", "vfs.write", "vfs.sync"]
PASSES = 40 if SOAK else 4


def is_killed(directory, page, point, passing):
    try:
        harness.Server(directory, page=page, DENOISED_FAULT_KILL=f"{point}:{passing}").kill()
        return False
    except AssertionError:
        return True


@pytest.mark.parametrize("point", POINTS)
def test_a_new_database_whose_making_is_killed(tmp_path, page, point):
    kills = 0
    for passing in itertools.islice(itertools.count(1), PASSES):
        directory = tmp_path / str(passing)
        if not is_killed(directory, page, point, passing):
            break
        kills += 1
        with harness.database(directory / "test.db") as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        assert (version, tables > 0) in ((0, False), (NEWEST, True)), "all of the schema or nothing of it"
        server = harness.Server(directory)
        job = server.submit(QUICK)
        assert server.wait(job)["status"] == "succeeded"
        assert server.stop() == 0
        harness.check_integrity(str(directory / "test.db"))
        with harness.database(directory / "test.db") as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (NEWEST,)
            (marks,) = connection.execute("SELECT group_concat(DISTINCT id >> 32) FROM event").fetchone()
            assert int(marks) > 0, "ids of events have one mark, of this database"
    assert kills > 0
    harness.tell(f"new database: {kills} kills at {point}, each time whole or not there")


@pytest.mark.parametrize("schema", [1, 12, 19])
def test_a_database_of_an_older_version(tmp_path, schema):
    path = tmp_path / "old.db"
    with harness.database(path) as connection:
        connection.execute(f"PRAGMA application_id = {0x64656E6F}")
        connection.execute(f"PRAGMA user_version = {schema}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE job (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT)")
        connection.execute("INSERT INTO job (id) VALUES ('kept')")
    before = path.read_bytes()
    refused = subprocess.run(
        [harness.PRODUCT, "serve", "--port", "0", "--database", path], capture_output=True, text=True, timeout=30 * PATIENCE
    )
    assert refused.returncode == 1
    assert "made by denoised 0.1.0" in refused.stderr and "another --database" in refused.stderr
    assert path.read_bytes() == before
