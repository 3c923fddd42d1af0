"""denoised copy: all that is stored, from a file to PostgreSQL and back, and nothing else."""

import json
import os
import re
import signal
import sqlite3
import subprocess

import numpy
import pytest
from conftest import BINARY, ENDLESS, QUICK, Server, eventually
from stores import Existing
from test_images import idx
from test_payloads import MULTIPART, form, part
from test_start import run

JOBS = 10_000 if os.environ.get("SOAK") else 200
OTHERS = {"job_count", "offer", "node", "probe", "schema_migration"}  # not copied: made anew, or of the running servers


@pytest.fixture
def place(beside, request):
    """An empty database with the tables."""
    name = beside.create(re.sub(r"\W", "_", request.node.name)[:60].lower())
    uri = beside.uri(name)
    assert run("migrate", "--database", uri).returncode == 0
    yield uri
    beside.drop(name)


def copy(source, target):
    return run("copy", "--from", str(source), "--to", str(target))


# Rows that the next sweep deletes are left behind.
NAMED = {"blob": " WHERE refs > 0", "piece": " WHERE blob_id IN (SELECT id FROM blob WHERE refs > 0)"}


def contents(database):
    """All rows of all tables, by the names of the columns, as texts in one order."""
    connection = Existing(database).connect()
    try:
        rows = {}
        for table in sorted(connection.tables()):
            if table not in OTHERS:
                columns = sorted(connection.columns(table))
                quoted = ", ".join(f'"{column}"' for column in columns)
                rows[table] = sorted(repr(row) for row in connection.sql(f'SELECT {quoted} FROM "{table}"' + NAMED.get(table, "")))
        return rows
    finally:
        connection.close()


QUOTED = '"x,y"'
TABLE = "kind,size,when,note\n" + "".join(f"{'ab'[i % 2]},{i * 0.5},2024-01-{i % 28 + 1:02},{'' if i % 3 else QUOTED}\n" for i in range(60))


def fill(server):
    """Jobs of all kinds, data sets, models, evaluations; with keys."""
    made = {}
    upload = server.post("/v1/datasets?name=points", raw=b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(40)), headers={"Content-Type": "text/csv"})
    table = server.post("/v1/datasets?name=t%C3%A4ble", raw=TABLE.encode(), headers={"Content-Type": "text/csv", "Idempotency-Key": "the table"})
    images = server.post("/v1/datasets?name=images", raw=idx(numpy.arange(1500 * 784).reshape(1500, 28, 28) % 251), headers={"Content-Type": "application/octet-stream"})
    signs = form(part("images", idx(numpy.arange(640).reshape(40, 4, 4) % 251), "images"), part("labels", idx(numpy.arange(40) % 2), "labels"))
    labeled = server.post("/v1/datasets?name=signs", raw=signs, headers={"Content-Type": MULTIPART})
    assert upload.status == table.status == images.status == labeled.status == 201, table.body
    made["dataset"], made["table"] = upload.json["id"], table.json["id"]
    specs = [
        {**QUICK, "name": 'quoted " \\ \n ünï'},
        {**QUICK, "dataset": {"id": made["dataset"]}},
        {"dataset": {"id": made["table"]}, "training": {"epochs": 2}},
        {**QUICK, "training": {**QUICK["training"], "evaluate_every": 1}},
        {"dataset": {"id": labeled.json["id"]}, "network": {"channels": [16, 16]}, "training": {"epochs": 2}},
    ]
    jobs = [server.submit(spec) for spec in specs]
    for i in range(JOBS):
        answer = server.post("/v1/jobs", {**QUICK, "name": f"job {i}", "seed": i}, headers={"Idempotency-Key": f"key {i}"})
        assert answer.status == 201
        jobs.append(answer.json["id"])
    for job in jobs:
        server.wait(job)
    weights = server.get(f"/v1/models/{jobs[1]}/weights.safetensors").body
    imported = server.post("/v1/models?name=imported", raw=weights, headers={"Content-Type": "application/octet-stream", "Idempotency-Key": "import"})
    assert imported.status == 201, imported.body
    made["model"] = imported.json["id"]
    for model in (*jobs[:5], made["model"]):
        assert server.get(f"/v1/models/{model}/evaluation").status == 200
    assert server.post(f"/v1/jobs/{jobs[5]}/resume", {"epochs": QUICK["training"]["epochs"] + 1}, headers={"Idempotency-Key": "more"}).status in (200, 202)
    server.wait(jobs[5])
    assert server.request("DELETE", f"/v1/jobs/{jobs[-1]}").status == 204  # so that the last number is of no row
    cancelled = server.submit(ENDLESS)
    server.wait_for_epoch(cancelled, 2)
    server.post(f"/v1/jobs/{cancelled}/cancel")
    assert server.wait(cancelled)["status"] == "cancelled"
    made["jobs"] = jobs[:-1] + [cancelled]
    return made


def answers(server, made):
    found = {}

    def keep(path):
        answer = server.fetch("GET", path)
        body = answer.body
        if answer.headers["Content-Type"] == "application/json":
            body = re.sub(rb'"duration_seconds":[^,}]*', b"", body)
        found[path] = (answer.status, body)
        return answer

    images = next(item for item in server.get("/v1/datasets?kind=upload").json["items"] if item["name"] == "images")
    for path in ("images.png", "points.npy"):
        keep(f"/v1/datasets/{images['id']}/{path}")
    for kind in ("jobs", "models", "datasets"):
        path = f"/v1/{kind}?limit=100" + ("&counts=true" if kind == "jobs" else "")
        while True:
            page = keep(path).json
            if not page.get("has_more"):
                break
            path = f"/v1/{kind}?limit=100&after={page['next']}"
    for job in made["jobs"]:
        for path in ("", "/history", "/events.json"):
            keep(f"/v1/jobs/{job}{path}")
        keep(f"/v1/models/{job}")
    for model in (*made["jobs"][:5], made["model"]):
        for path in ("weights.safetensors", "evaluation", "samples.csv?n=5"):
            keep(f"/v1/models/{model}/{path}")
    for dataset in (made["dataset"], made["table"]):
        keep(f"/v1/datasets/{dataset}")
        keep(f"/v1/datasets/{dataset}/points.csv?n=50")
    assert len(found) > 4 * JOBS
    return found


def replay(server, made):
    """What was asked with a key before is found by it."""
    answer = server.post("/v1/jobs", {**QUICK, "name": "job 3", "seed": 3}, headers={"Idempotency-Key": "key 3"})
    assert answer.json["id"] == made["jobs"][5 + 3]
    answer = server.post("/v1/datasets?name=t%C3%A4ble", raw=TABLE.encode(), headers={"Content-Type": "text/csv", "Idempotency-Key": "the table"})
    assert answer.json["id"] == made["table"]


def test_there_and_back(tmp_path, place):
    """Every row is the same in all three, and so is every answer; numbers go on behind the last ones."""
    first, third = tmp_path / "first.db", tmp_path / "third.db"
    server = Server(str(tmp_path), "--max-queued", "100000", database=first)
    made = fill(server)
    last = server.submit({**QUICK, "name": "last"})
    server.wait(last)
    assert server.request("DELETE", f"/v1/jobs/{last}").status == 204
    before = answers(server, made)
    assert server.stop() == 0
    rows = contents(first)
    assert len(rows["job"]) == JOBS + 5 and all(rows.values()), {table: len(found) for table, found in rows.items()}
    for source, target in ((first, place), (place, third)):
        done = copy(source, target)
        assert done.returncode == 0, done.stderr
        assert contents(target) == rows
        assert contents(source) == rows
        server = Server(str(tmp_path), database=target)
        try:
            assert answers(server, made) == before
            replay(server, made)
        finally:
            assert server.stop() == 0
        assert contents(target) == rows
    with sqlite3.connect(third) as copied, sqlite3.connect(first) as original:
        counters = "SELECT name, seq FROM sqlite_sequence WHERE seq > 0 ORDER BY name"
        assert copied.execute(counters).fetchall() == original.execute(counters).fetchall()
        counts = "SELECT status, n FROM job_count ORDER BY status"
        assert copied.execute(counts).fetchall() == original.execute(counts).fetchall()
        assert copied.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copied.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_job_that_ran_goes_on_from_its_checkpoint(tmp_path, place):
    """After a crash of the server that trained it."""
    source = tmp_path / "a.db"
    server = Server(str(tmp_path), "--workers", "1", "--checkpoint-seconds", "0.05", database=source)
    job, queued = server.submit(ENDLESS), server.submit(QUICK)
    eventually(lambda: (server.sql("SELECT max(epoch) FROM checkpoint")[0][0] or 0) >= 2)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.log.close()
    done = copy(source, place)
    assert done.returncode == 0, done.stderr
    server = Server(str(tmp_path), "--workers", "1", database=place)
    try:
        state = server.wait(job, ("running",))
        assert state["progress"]["epoch"] >= 2 and server.get(f"/v1/jobs/{queued}").json["status"] == "queued"
        told = server.sql("SELECT status FROM event WHERE job = ? AND kind = 'status' ORDER BY id", job)
        assert told == [("queued",), ("running",), ("queued",), ("running",)]
        server.post(f"/v1/jobs/{job}/cancel")
        assert server.wait(queued)["status"] == "succeeded"
    finally:
        assert server.stop() == 0


def test_what_is_refused(tmp_path, place, beside):
    source, other = tmp_path / "a.db", tmp_path / "b.db"
    server = Server(str(tmp_path), database=source)
    server.wait(server.submit(QUICK))
    busy = copy(source, place)
    assert busy.returncode == 1 and "in use" in busy.stderr
    assert server.stop() == 0
    assert copy(source, place).returncode == 0
    assert copy(source, other).returncode == 0
    rows = contents(source)
    for target in (place, other):
        for origin in (source, place, other):
            again = copy(origin, target)
            assert again.returncode == 1, (origin, target)
            assert ("is not empty" in again.stderr) == (origin != target or "://" in str(target)), again.stderr
        assert contents(target) == rows
    server = Server(str(tmp_path), database=place)
    for origin, target in ((place, tmp_path / "d.db"), (source, place)):
        used = copy(origin, target)
        assert used.returncode == 1 and "servers use one of the two" in used.stderr, used.stderr
    assert server.stop() == 0
    bare = beside.create("bare")
    assert 'run "denoised migrate"' in copy(source, beside.uri(bare)).stderr
    missing = copy(tmp_path / "none.db", tmp_path / "c.db")
    assert missing.returncode == 1 and "none.db" in missing.stderr and not (tmp_path / "none.db").exists()
    assert not (tmp_path / "c.db").exists()


@pytest.mark.parametrize("arguments", [(), ("--from", "a.db"), ("--to", "a.db"), ("--from",), ("a.db", "b.db"), ("--from", "a.db", "--too", "b")])
def test_wrong_arguments(tmp_path, arguments):
    done = run("copy", *arguments, directory=tmp_path)
    assert done.returncode == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag, other", [("--from", "--to"), ("--to", "--from")])
def test_a_password_is_no_argument(tmp_path, flag, other):
    done = run("copy", flag, "postgresql://a:hunter2@b/c", other, "x.db", directory=tmp_path)
    assert done.returncode == 2 and "hunter2" not in done.stderr and "password" in done.stderr and not list(tmp_path.iterdir())


def test_one_may_come_from_the_environment(tmp_path, place):
    """Which may have a password."""
    source = tmp_path / "a.db"
    assert run("migrate", "--database", str(source)).returncode == 0
    done = run("copy", "--from", str(source), DENOISED_DATABASE=place.replace("postgres@", "postgres:hunter2@"))
    assert done.returncode == 0 and "hunter2" not in done.stderr + done.stdout, done.stderr
    assert not any(contents(place).values())


def test_a_copy_that_fails_leaves_nothing(tmp_path, place, beside):
    """A text that PostgreSQL does not take, in the last of the tables."""
    source = tmp_path / "a.db"
    server = Server(str(tmp_path), database=source)
    server.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "a"})
    eventually(lambda: server.get("/v1/jobs").json["items"][0]["status"] == "succeeded")
    assert server.stop() == 0
    with sqlite3.connect(source) as database:
        database.execute("INSERT INTO replay (operation, key, request, id) VALUES ('o', 'k', 'a' || char(0) || 'b', 'i')")
    done = copy(source, place)
    assert done.returncode == 1 and "replay" in done.stderr
    assert not any(contents(place).values())
    assert json.loads(beside.sql("SELECT json_agg(tgenabled) FROM pg_trigger WHERE NOT tgisinternal", place.split("/")[3].split("?")[0])[0][0]).count("O") > 5
    with sqlite3.connect(source) as database:
        database.execute("DELETE FROM replay")
    assert copy(source, place).returncode == 0
    assert subprocess.run([BINARY, "copy", "--from", place, "--to", place], capture_output=True).returncode == 1
