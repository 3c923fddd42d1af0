"""denoised backup FILE: a whole copy of a database at work, that a server goes on from."""

import contextlib
import os
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import BINARY, QUICK, only_sqlite, outcome, undisturbed
from test_steps import SLOW

pytestmark = only_sqlite("denoised backup copies files of SQLite")


def backup(server, file):
    return subprocess.run([BINARY, "backup", file, "--database", server.database], capture_output=True, text=True)


def copied(directory):
    directory.mkdir()
    return directory / "test.db"


def test_a_copy_of_a_server_at_work_goes_on_to_the_same_bytes(start, tmp_path):
    server = start("--workers", "1", "--checkpoint-seconds", "0.1")
    job = server.submit(SLOW)
    waiting = [server.submit(QUICK) for _ in range(5)]
    server.wait_for_step(job, 100)
    file = copied(tmp_path / "copy")
    acknowledged, stop = [], threading.Event()

    def submit_all_the_time():
        while not stop.is_set():
            acknowledged.append(server.submit({**QUICK, "name": "meanwhile"}))

    client = threading.Thread(target=submit_all_the_time)
    client.start()
    while len(acknowledged) < 3:
        time.sleep(0.01)
    first = acknowledged.copy()
    made = backup(server, file)
    stop.set()
    client.join()
    assert made.returncode == 0 and made.stdout == made.stderr == "", made.stderr
    assert os.listdir(file.parent) == ["test.db"] and file.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (status, step), = database.execute("SELECT status, step FROM job WHERE id = ?", (job,)).fetchall()
        assert status == "running" and step >= 100
        assert {*waiting, *first} <= {id for (id,) in database.execute("SELECT id FROM job")}
    server.kill()
    other = start("--workers", "1", directory=file.parent)
    assert other.wait(job)["status"] == "succeeded"
    assert "from_step=0 " not in [line for line in other.read_log().splitlines() if job in line][0]
    for one in [*waiting, *first]:
        assert other.wait(one)["status"] == "succeeded"
    assert outcome(other, job) == undisturbed(start, tmp_path, SLOW)


def test_what_is_there_is_not_overwritten(server, tmp_path):
    file = copied(tmp_path / "copy")
    file.write_text("mine")
    refused = backup(server, file)
    assert refused.returncode == 1 and "not overwritten" in refused.stderr
    assert file.read_text() == "mine" and os.listdir(file.parent) == ["test.db"]
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nowhere")
    assert backup(server, dangling).returncode == 1


@pytest.mark.parametrize("path,message", [("/nonexistent/a.db", "unable to open"), ("/proc/a.db", "unable to open")])
def test_where_nothing_can_be_written(server, path, message):
    refused = backup(server, path)
    assert refused.returncode == 1 and message in refused.stderr


def test_only_databases_of_ours(tmp_path):
    run = lambda *words: subprocess.run([BINARY, "backup", *words], capture_output=True, text=True)  # noqa: E731
    foreign, file = tmp_path / "foreign.db", tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE mine (a)")
    for source in (foreign, tmp_path / "missing.db"):
        assert run(file, "--database", source).returncode == 1
        assert not file.exists() and not (tmp_path / "missing.db").exists()
    assert run().returncode == 2 and run("--database", foreign).returncode == 2
    assert run(file, "--databse", foreign).returncode == 2


def test_of_a_server_that_was_killed(start, tmp_path):
    """What was acknowledged is in the log alone, and is copied, too."""
    server = start()
    job = server.submit(QUICK)
    server.kill()
    file = copied(tmp_path / "copy")
    assert backup(server, file).returncode == 0
    assert start(directory=file.parent).wait(job)["status"] == "succeeded"
