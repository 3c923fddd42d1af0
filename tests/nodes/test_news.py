"""What nodes tell each other by NOTIFY: it may be lost or late, and then costs time only."""

import contextlib
import itertools
import re
import select
import threading
import time

import stores
from conftest import ENDLESS, PATIENCE, QUICK, eventually
from fleet import at_once, fleet, with_job  # noqa: F401
from sse import Stream

# A training of which epochs, and so reports, are few.
SLOW = {**ENDLESS, "dataset": {"name": "spiral", "n": 20000}, "network": {"hidden_size": 32, "hidden_layers": 2}}
LISTENERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denoised'"
# A cancel is told on the same connection, and there is asked whether what was told can be.
LISTENERS += " AND (query LIKE 'LISTEN %' OR query LIKE 'SELECT pg_notify(%' OR query LIKE '%pg_stat_get_activity%')"
CHANNEL = "SELECT concat('denoised_', 'event'::regclass::oid)"


@contextlib.contextmanager
def listening(store):
    """All payloads that are told meanwhile, as a function that waits for one."""
    with store.connect() as connection:
        connection.sql("LISTEN " + connection.one(CHANNEL))
        heard = []

        def hears(payload):
            select.select([connection.native], [], [], 0.1)
            connection.native.poll()
            while connection.native.notifies:
                heard.append(connection.native.notifies.pop(0).payload)
            return payload in heard

        yield hears


def test_nodes_tell_events_and_cancels(fleet):  # noqa: F811
    two = fleet(2, "--workers", "1")
    store = two[0].store
    with listening(store) as hears:
        job = two[0].submit(SLOW)
        owner, (other,) = with_job(two, job)
        other.post(f"/v1/jobs/{job}/cancel", {})
        eventually(lambda: hears(f"c{job}"))
        assert other.wait(job)["status"] == "cancelled"
        with store.connect() as database:
            last = database.one("SELECT max(id) FROM event")
        eventually(lambda: hears(f"h{last}"))
        here = owner.submit(SLOW)
        owner, _ = with_job(two, here)
        owner.post(f"/v1/jobs/{here}/cancel", {})
        assert owner.wait(here)["status"] == "cancelled"
        assert not hears(f"c{here}"), "nobody else needs to know"


def test_a_cancel_that_is_told_too_late_stops_nothing(fleet):  # noqa: F811
    two = fleet(2, "--workers", "1")
    job = two[0].submit(SLOW)
    owner, (other,) = with_job(two, job)
    with owner.store.connect() as database:
        for payload in (f"c{job}", "c", "c" + 36 * "x", "", "h", "h-1", "hello", "x" * 7000):
            database.sql("SELECT pg_notify(?, ?)", database.one(CHANNEL), payload)
        assert database.one("SELECT count(*) " + LISTENERS) == 2
    assert other.submit(QUICK)  # starts on the other node after all those
    first = owner.get(f"/v1/jobs/{job}").json["progress"]["step"]
    owner.wait_for_step(job, first + 100)
    state = owner.get(f"/v1/jobs/{job}").json
    assert (state["status"], state["attempt"], state["node"]) == ("running", 1, owner.node)
    other.post(f"/v1/jobs/{job}/cancel", {})


@contextlib.contextmanager
def stranger(store):
    """The connection of a role that may connect to the database, and no more."""
    with store.connect() as database:
        database.sql("CREATE ROLE stranger LOGIN")
        try:
            with stores.PostgresqlConnection(store.name.replace("//postgres@", "//stranger@")) as connection:
                yield connection
        finally:
            database.sql("DROP ROLE stranger")


def test_two_services_in_one_database(fleet):  # noqa: F811
    """Each in a schema of its own, and beside them somebody who tells what is not so."""
    public = fleet.store.name
    schema = public + "&options=-csearch_path%3Dother"
    with fleet.connect() as database:
        database.sql("CREATE SCHEMA other")
    stores.migrate(schema)
    services = []
    for mark, name in enumerate((public, schema), 1):
        with stores.PostgresqlConnection(name) as database:
            database.sql("SELECT setval('event_id_seq', ?::bigint << 32)", 100 * mark)
        (node,) = fleet(1, "--workers", "1", database=name)
        node.wait(node.submit(QUICK))
        services.append((node, name))
    with stranger(fleet.store) as lying:
        tables = lying.sql("SELECT concat('denoised_', oid) FROM pg_class WHERE relname = 'event'")
        assert len(tables) == 2
        lies = [f"h{(100 * mark << 32) + id}" for mark in (1, 2, 3) for id in (3, 10**6)] + ["h9007199254740991"]
        for channel in [channel for (channel,) in tables] + ["denoised"]:
            for lie in lies:
                lying.sql("SELECT pg_notify(?, ?)", channel, lie)

        def follow(node, name):
            with stores.PostgresqlConnection(name) as database:
                first = database.one("SELECT max(id) FROM event")
                stream = Stream(node, "/v1/events")
                assert [stream.response.readline() for _ in range(2)][1] == b"id: %d\n" % first
                assert stream.response.readline() == b"\n"
                for _ in range(4):
                    state = node.wait(node.submit(QUICK))
                    assert (state["status"], state["attempt"]) == ("succeeded", 1)
                    lying.sql("SELECT pg_notify(?, ?)", tables[0][0], f"h{first + 1000}")
                told = database.sql("SELECT id, kind, job FROM event WHERE id > ? ORDER BY id", first)
            seen = [(identity, event, data["job"]) for identity, event, data in itertools.islice(stream, len(told))]
            stream.close()
            return seen == told

        assert at_once([lambda node=node, name=name: follow(node, name) for node, name in services]) == [True, True]


def test_nothing_depends_on_news(fleet):  # noqa: F811
    """The connections of all listeners are cut, again and again."""
    two = fleet(2, "--workers", "1")
    busy = two[0].submit(SLOW)
    owner, (other,) = with_job(two, busy)
    over = threading.Event()
    seen = []

    def cut():
        with owner.store.connect() as database:
            while not over.wait(0.05):
                database.sql("SELECT pg_terminate_backend(pid) " + LISTENERS)

    def listen(stream):
        with contextlib.suppress(OSError, AttributeError, ValueError):  # closed below
            for identity, event, data in stream:
                seen.append((identity, event, data["job"]))

    with owner.store.connect() as database:
        eventually(lambda: database.one("SELECT count(*) " + LISTENERS) == 2)
        last = database.one("SELECT max(id) FROM event")
        cutting = threading.Thread(target=cut)
        cutting.start()
        try:
            stream = Stream(owner, "/v1/events", last_id=last)
            threading.Thread(target=listen, args=(stream,), daemon=True).start()
            for _ in range(5):
                job = owner.submit(QUICK)
                state = owner.wait(job)
                assert (state["status"], state["attempt"]) == ("succeeded", 1)
                answer = owner.post("/v1/jobs", QUICK, headers={"Prefer": "wait=60"})
                assert answer.json["status"] == "succeeded", "heard of on the node that does not train it"
            other.post(f"/v1/jobs/{busy}/cancel", {})
            assert other.wait(busy)["status"] == "cancelled"
        finally:
            over.set()
            cutting.join()
        told = database.sql("SELECT id, kind, job FROM event WHERE id > ? ORDER BY id", last)
        eventually(lambda: seen == told)
        eventually(lambda: database.one("SELECT count(*) " + LISTENERS) == 2)
    stream.close()


def test_an_idle_node_asks_little(fleet):  # noqa: F811
    """At most two statements per second, of all its connections together."""
    (first,) = fleet(1)
    store = first.store
    with store.connect() as database:
        database.sql(f"ALTER DATABASE {store.database} SET log_statement = 'all'")
    assert first.stop() == 0
    fleet(1, "--node-lease", "15", "--workers", "8")

    def said(what):
        return len(re.findall(what, store.beside.log()))

    def is_quiet():
        began, before, renewals = time.monotonic(), said("(statement|execute [^:]*): "), said("UPDATE node SET lease_until")
        eventually(lambda: said("UPDATE node SET lease_until") >= renewals + 4)
        return said("(statement|execute [^:]*): ") - before <= 2 * (time.monotonic() - began) + 1

    eventually(is_quiet)  # once all that belongs to a start is done


def test_nodes_leave_when_a_migration_makes_them_too_old(fleet):  # noqa: F811
    two = fleet(2, "--workers", "1")
    job = two[0].submit(SLOW)
    owner, _ = with_job(two, job)
    owner.wait_for_epoch(job, 3)
    with owner.store.connect() as database:
        database.sql("INSERT INTO schema_migration (number, name, breaking, at) VALUES (9998, 'expand', 0, 0)")
        database.sql("INSERT INTO schema_migration (number, name, breaking, at) VALUES (9999, 'contract', 1, 0)")
        for node in two:
            assert node.process.wait(timeout=60 * PATIENCE) == 0, node.read_log()
        ((status, attempt, step),) = database.sql("SELECT status, attempt, step FROM job WHERE id = ?", job)
        assert (status, attempt) == ("queued", 0) and step > 0
        assert database.one("SELECT count(*) FROM node") == 0
        database.sql("DELETE FROM schema_migration WHERE number > 9000")


def test_a_node_has_no_more_connections_than_it_may(fleet):  # noqa: F811
    (node,) = fleet(1, "--database-connections", "6", "--samplers", "8", "--workers", "2")
    job = node.submit(QUICK)
    node.wait(job)
    node.submit(SLOW)
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denoised'"
    paths = [f"/v1/models/{job}/samples?n=2000", "/v1/jobs?search=spiral", "/metrics", f"/v1/jobs/{job}/events.json", "/v1/nodes", "/v1/models"]
    with node.store.connect() as database:

        def ask(path):
            answers = [node.get(path) for _ in range(8)]
            for answer in answers:
                assert answer.status == 200 or (answer.status, answer.json["code"]) == (503, "database_unavailable")
            return [answer.status for answer in answers]

        works = [lambda path=path: ask(path) for path in paths * 4]
        over = threading.Event()
        counts = []

        def count():
            while not over.wait(0.01):
                counts.append(database.one(mine))

        counting = threading.Thread(target=count)
        counting.start()
        answered = at_once(works)
        over.set()
        counting.join()
        assert sum(statuses.count(200) for statuses in answered) > len(works)
        assert 4 <= max(counts) <= 6
        assert node.stop() == 0
        eventually(lambda: database.one(mine) == 0)


def test_only_what_makes_events_takes_the_lock_of_writers(fleet):  # noqa: F811
    """A node of an earlier version holds it alone for a moment when it reads events: here, for long."""
    (node,) = fleet(1, "--workers", "1")
    job = node.submit({**QUICK, "network": {"hidden_size": 512, "hidden_layers": 2}})  # stored in pieces
    node.wait(job)
    model = node.get(f"/v1/models/{job}/weights.safetensors").body
    with node.store.connect() as reading, node.store.connect() as database:
        lease = "SELECT min(lease_until) FROM node"
        # Nothing else has anything to write.
        eventually(lambda: database.one("SELECT count(*) FROM blob WHERE refs = 0 AND writer IS NULL") == 0)
        until, pieces = database.one(lease), database.one("SELECT count(*) FROM piece")
        reading.sql("BEGIN")
        reading.sql("SELECT pg_advisory_xact_lock(1684369007, 'event'::regclass::oid::int4)")
        importing = threading.Thread(target=lambda: node.post("/v1/models", raw=model, headers={"Content-Type": "application/octet-stream"}))
        importing.start()
        eventually(lambda: database.one("SELECT count(*) FROM piece") > pieces)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1684369007 AND NOT granted"
        eventually(lambda: database.one(waiting) > 0)
        eventually(lambda: database.one(lease) > until)
        assert database.one("SELECT count(*) FROM model") == 1
        reading.sql("COMMIT")
        importing.join()
        assert database.one("SELECT count(*) FROM model") == 2
