"""Nodes that reach the database through pgbouncer in transaction mode: each transaction meets any session of the server."""

import os
import subprocess

import postgresql
import pytest
import stores
from conftest import BINARY, ENDLESS, PATIENCE, QUICK, eventually
from fleet import Fleet, with_job
from pooler import Pooler
from sse import Stream

pytestmark = pytest.mark.row("pooled")
SESSIONS = 4  # of the server, for all


@pytest.fixture
def pooled(tmp_path):
    """Starts nodes behind a pooler."""
    started = Fleet(tmp_path)
    store = started.store
    try:
        pooler = Pooler(store.beside, SESSIONS)
    except postgresql.Missing as why:
        pytest.skip(str(why))
    name = pooler.uri(store.database)
    yield lambda count, *flags: started(count, "--database-listen", store.name, *flags, database=name)
    for node in started.living():
        assert node.stop() == 0, node.read_log()
    pooler.remove()
    started.end()


def left_behind(node):
    """What a session of the server has kept of a client."""
    with stores.PostgresqlConnection(node.database) as database:
        names = ("statement_timeout", "idle_in_transaction_session_timeout", "default_transaction_read_only", "lock_timeout")
        found = [database.one(f"SHOW {name}") for name in names for _ in range(SESSIONS)]
        found.append(database.one("SELECT count(*) FROM pg_prepared_statements"))
    return set(found) - {"0", "off", 0}


def test_nodes_behind_a_pooler(pooled):
    three = pooled(3, "--workers", "1")
    jobs = [node.submit(QUICK) for node in three for _ in range(4)]
    stream = Stream(three[2], "/v1/events?after=0")
    for job in jobs:
        state = three[0].wait(job)
        assert (state["status"], state["attempt"]) == ("succeeded", 1)
        assert three[1].get(f"/v1/models/{job}/samples?n=10").status == 200
    told = [(event, data["job"]) for _, (_, event, data) in zip(range(2 * len(jobs)), stream, strict=False)]
    assert {job for _, job in told} <= set(jobs)
    stream.close()
    upload = three[0].post("/v1/datasets", raw=b"x,y\n" + b"1,2\n3,5\n4,1\n" * 20, headers={"Content-Type": "text/csv"})
    assert upload.status == 201 and three[1].get(f"/v1/datasets/{upload.json['id']}/points").status == 200

    endless = three[0].submit(ENDLESS)
    owner, others = with_job(three, endless)
    owner.wait_for_epoch(endless, 3)
    owner.kill()
    eventually(lambda: others[0].get(f"/v1/jobs/{endless}").json["node"] in [node.node for node in others])
    owner, (other,) = with_job(others, endless)
    other.post(f"/v1/jobs/{endless}/cancel", {})
    assert other.wait(endless)["status"] == "cancelled"
    assert not left_behind(owner), "others use these sessions, too"


def test_a_migration_goes_past_the_pooler(pooled):
    (node,) = pooled(1)
    assert node.stop() == 0
    settings = {"DENOISED_DATABASE": node.database, "DENOISED_DATABASE_LISTEN": node.store.name}
    done = subprocess.run([BINARY, "migrate"], env={**os.environ, **settings}, capture_output=True, text=True)
    assert done.returncode == 0 and "up to date" in done.stdout, done.stderr
    assert not left_behind(node), "others use these sessions, too"


def test_what_a_pooler_asks_for(tmp_path):
    for flags, why in (
        (["--database", str(tmp_path / "x.db"), "--database-listen", "postgresql://h/n"], "must both be"),
        (["--database", "postgresql://h/n", "--database-listen", str(tmp_path / "x.db")], "must both be"),
        (["--database", "postgresql://h/n", "--database-listen", "postgresql://u:secret@h/n"], "must not hold a password"),
    ):
        done = subprocess.run([BINARY, "serve", *flags], capture_output=True, text=True, timeout=60 * PATIENCE)
        assert done.returncode != 0 and why in done.stderr and "secret" not in done.stderr
