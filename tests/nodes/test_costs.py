"""What nodes cost: queries of an idle one, connections of a busy one, memory, and how fast requests are beside SQLite."""

import contextlib
import http.client
import json
import os
import re
import threading
import time

import postgresql
import pytest
from conftest import ENDLESS, QUICK, Answer
from figures import figure, size
from fleet import at_once, eventually_within, fleet, harness  # noqa: F401
from sse import Stream

CONNECTIONS = 8  # of a node, at most
REFUSED = 0.01  # of the requests of 16 clients, at most
LOADED = "shared_preload_libraries"


@pytest.fixture
def counted(fleet):
    """A fleet whose database counts queries."""
    beside, library = fleet.store.beside, "pg_stat_statements"
    if not os.path.exists(f"/usr/lib/postgresql/15/lib/{library}.so"):
        pytest.skip("PostgreSQL does not come with what counts queries")
    beside.stop()
    postgresql.SETTINGS[LOADED] = library
    beside.start()
    beside.sql(f"CREATE EXTENSION IF NOT EXISTS {library}", fleet.store.database)
    yield fleet
    del postgresql.SETTINGS[LOADED]


def resident(node):
    """MB."""
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


@pytest.mark.row("numbers")
def test_idle_nodes(counted):
    nodes, seconds = counted(4, "--node-lease", "15"), size(3, 60)
    nodes[0].wait(nodes[0].submit(QUICK))
    with counted.connect() as database:
        calls = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"
        before, began = database.one(calls), time.monotonic()
        time.sleep(seconds)
        queries = float(database.one(calls) - before) / (time.monotonic() - began) / len(nodes)
        figure("numbers", "queries/s of an idle node", queries, at_most=2)
        if queries > 2:
            top = "SELECT calls, left(query, 100) FROM pg_stat_statements ORDER BY calls DESC LIMIT 8"
            print(*database.sql(top), sep="\n")
    figure("numbers", "MB resident of an idle node", max(resident(node) for node in nodes))


@pytest.mark.row("numbers")
def test_busy_workers(fleet):
    """What the reports of trainings cost the server, with those who look for their events."""
    nodes, seconds = fleet(4, "--workers", "1", "--node-lease", "15"), size(2, 30)
    jobs = [node.submit({"training": {"epochs": 1_000_000}}) for node in nodes]
    for job in jobs:
        nodes[0].wait_for_epoch(job, 1)
    with fleet.connect() as database:
        sums = "SELECT xact_commit, (SELECT wal_sync FROM pg_stat_wal), (SELECT count(*) FROM event) FROM pg_stat_database"
        sums += " WHERE datname = current_database()"
        ((commits, flushes, events),), began = database.sql(sums), time.monotonic()
        time.sleep(seconds)
        ((commits_then, flushes_then, events_then),), passed = database.sql(sums), time.monotonic() - began
    for what, count, most in (
        ("flushes to the disk/s", flushes_then - flushes, 5),
        ("transactions/s", commits_then - commits, None),
        ("events/s", events_then - events, None),
    ):
        figure("numbers", f"{what} for each busy worker", count / passed / len(jobs), at_most=most)
    assert events_then > events
    for job in jobs:
        nodes[0].post(f"/v1/jobs/{job}/cancel", {})


@pytest.mark.row("numbers")
def test_idle_with_sqlite(tmp_path):
    server = harness.Server(tmp_path / "sqlite")
    server.fetch("GET", "/readyz")
    figure("numbers", "MB resident of an idle server with SQLite", resident(server), at_most=20)
    assert server.stop() == 0


def refusals_of(server):
    """The codes of those that say: nothing has happened, try again after Retry-After seconds."""
    problems = server.get("/openapi.json").json["x-problems"]
    return {each["code"] for each in problems if each["status"] == 503 and "Retry-After" in each["description"]}


def per_second(server, seconds, requests):
    """How many requests/s 16 clients get, each with the next of these, and which share of all was refused for lack of room."""
    until, done, refusals = time.monotonic() + seconds, [], refusals_of(server)

    def ask():
        served, refused = 0, 0
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            while time.monotonic() < until:
                method, path, body = requests()
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                answer = Answer(connection.getresponse())
                if answer.status in (200, 201):
                    served += 1
                    continue
                assert answer.status == 503 and answer.json["code"] in refusals, (answer.status, answer.body)
                assert int(answer.headers["Retry-After"]) > 0
                refused += 1
                time.sleep(0.1)
        done.append((served, refused))

    at_once([ask] * 16)
    served, refused = map(sum, zip(*done))
    assert served > refused
    return served / seconds, refused / (served + refused)


@pytest.mark.row("numbers")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_speed_beside_sqlite(fleet, tmp_path):
    """Polls of many jobs in turn, of which no answer is kept, and submissions that are on the disk."""
    flags = ("--workers", "1", "--max-queued", "1000000")
    server = harness.Server(tmp_path / "sqlite", *flags, binary=harness.FAULTS)
    (node,) = fleet(1, *flags)
    polls, submissions, refused = {}, {}, []
    for name, one in (("SQLite", server), ("PostgreSQL", node)):
        one.submit(ENDLESS)  # it holds the only worker
        jobs = [one.submit(QUICK) for _ in range(300)]
        turn = iter(range(10**9))
        polls[name], polls_refused = per_second(one, 10, lambda jobs=jobs, turn=turn: ("GET", f"/v1/jobs/{jobs[next(turn) % len(jobs)]}", None))
        submissions[name], submissions_refused = per_second(one, 10, lambda: ("POST", "/v1/jobs", json.dumps(QUICK)))
        refused += [polls_refused, submissions_refused]
    for name in polls:
        figure("numbers", f"polls/s of one job, {name}", polls[name])
        figure("numbers", f"durable submissions/s, {name}", submissions[name])
    figure("numbers", "requests refused for lack of room, as a share, at most", max(refused), at_most=REFUSED)
    figure("numbers", "polls, as a share of SQLite's", polls["PostgreSQL"] / polls["SQLite"], at_least=0.25)
    assert server.stop() == 0


@pytest.mark.row("connections")
def test_connections(fleet):
    """Of a node that trains, is asked much and has streams; and none once it has stopped."""
    (node,) = fleet(1, "--workers", "2")
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    most, over = [0], threading.Event()

    def watch():
        with fleet.connect() as database:
            while not over.is_set():
                most[0] = max(most[0], database.one(count))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        jobs = [node.submit(ENDLESS) for _ in range(2)]
        streams = [Stream(node, "/v1/events") for _ in range(16)]
        turn = iter(range(10**9))
        paths = ("/v1/jobs", "/v1/models", f"/v1/jobs/{jobs[0]}", f"/v1/jobs/{jobs[1]}/history", "/v1/nodes", "/v1/jobs?counts=true")
        asked, refused = per_second(node, size(2, 20), lambda: ("GET", f"{paths[next(turn) % len(paths)]}", None))
        for stream in streams:
            stream.close()
        for job in jobs:
            node.post(f"/v1/jobs/{job}/cancel", {})
    finally:
        over.set()
        watcher.join()
    assert node.stop() == 0
    with fleet.connect() as database:
        eventually_within(lambda: database.one(count) == 0)
    figure("connections", "connections of a node, at most", most[0], at_most=CONNECTIONS)
    figure("connections", "requests/s meanwhile", asked)
    figure("connections", "requests refused for lack of room, as a share", refused, at_most=REFUSED)
    figure("connections", "connections left after SIGTERM", 0)
