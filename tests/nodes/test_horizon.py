"""Events in the order of their ids, although many transactions make them at once: one that takes long delays what was committed
meanwhile, and neither requests nor other writers nor what comes later."""

import contextlib
import itertools
import re
import threading

import pytest
from conftest import ENDLESS, QUICK, eventually
from fleet import fleet as nodes  # noqa: F401
from sse import Stream

AS_A_WRITER = "SELECT pg_advisory_xact_lock_shared(1684369007, 'event'::regclass::oid::int4)"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@contextlib.contextmanager
def writer(node):
    """The connection of another node, in a transaction that may make events."""
    with node.store.connect() as connection:
        connection.sql("BEGIN")
        connection.sql(AS_A_WRITER)
        yield connection


def await_look(node):
    """Until a node has begun to look for new events, and ended, after now."""
    looked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denoised'"
    looked += " AND state = 'idle' AND query LIKE '%string_agg(virtualtransaction%' AND query_start > ?::timestamptz"
    with node.store.connect() as database:
        now = database.one("SELECT clock_timestamp()::text")
        eventually(lambda: database.one(looked, now) > 0)


@pytest.fixture
def node(nodes):
    """A node with a job that has ended, before which nothing is told any more."""
    (started,) = nodes(1, "--workers", "1")
    started.done = started.submit(QUICK)
    started.wait(started.done)
    return started


def cancelled_by_hand(writing, job):
    """The id of an event that another node makes."""
    writing.sql("UPDATE job SET status = 'cancelled' WHERE id = ?", job)
    return writing.one("SELECT max(id) FROM event WHERE job = ? AND status = 'cancelled'", job)


def events_after(node, last):
    """The ids of all that are stored beyond this one."""
    with node.store.connect() as database:
        return [identity for (identity,) in database.sql("SELECT id FROM event WHERE id > ? ORDER BY id", last)]


def test_what_was_committed_beside_a_transaction_waits_for_it_alone(node):
    """There is always another one at work by then, which has begun later."""
    last = events_after(node, 0)[-1]
    stream = Stream(node, "/v1/events", last_id=last)
    with writer(node) as older:
        first = cancelled_by_hand(older, node.done)
        job = node.submit(QUICK)
        node.wait(job)
        await_look(node)
        assert node.get(f"/v1/events.json?after={last}").json["items"] == []
        with writer(node) as newer:
            older.sql("COMMIT")
            told = events_after(node, last)
            assert told[0] == first and len(told) > 3
            assert [identity for identity, _, _ in itertools.islice(stream, len(told))] == told
            newer.sql("ROLLBACK")
    stream.close()


def test_an_event_that_is_rolled_back_delays_nothing(node):
    last = events_after(node, 0)[-1]
    stream = Stream(node, "/v1/events", last_id=last)
    with writer(node) as writing:
        lost = cancelled_by_hand(writing, node.done)
        job = node.submit(QUICK)
        writing.sql("ROLLBACK")
    node.wait(job)
    told = events_after(node, last)
    assert lost not in told
    assert [identity for identity, _, _ in itertools.islice(stream, len(told))] == told
    stream.close()


def test_a_node_that_starts_while_others_write_tells_nothing_again(node, nodes):  # noqa: F811
    """It knows the last event only when all writers that were there have ended."""
    assert node.stop() == 0
    with node.store.connect() as database, writer(node) as writing:
        last = database.one("SELECT max(id) FROM event")

        def end():
            await_look(node)  # in vain
            writing.sql("COMMIT")

        ending = threading.Thread(target=end)
        ending.start()
        (second,) = nodes(1)
        ending.join()
    stream = Stream(second, "/v1/events")
    assert [stream.response.readline() for _ in range(2)][1] == b"id: %d\n" % last
    stream.close()


def test_a_node_starts_and_tells_beside_transactions_that_take_long(node, nodes):  # noqa: F811
    """There is always one, as when many nodes report many epochs to a busy database."""
    over = threading.Event()

    def write(offset):
        with node.store.connect() as database:
            database.sql("SELECT pg_sleep(?)", offset)
            while not over.is_set():
                database.sql("BEGIN")
                database.sql(AS_A_WRITER)
                database.sql("SELECT pg_sleep(0.3)")
                database.sql("COMMIT")

    writers = [threading.Thread(target=write, args=(0.1 * i,)) for i in range(3)]
    for thread in writers:
        thread.start()
    try:
        (second,) = nodes(1)
        stream = Stream(second, "/v1/events")
        job = node.submit(QUICK)
        kinds = [(event, data.get("status")) for _, event, data in itertools.islice((one for one in stream if one[2]["job"] == job), 6)]
        assert kinds[:2] == [("status", "queued"), ("status", "running")]
        stream.close()
    finally:
        over.set()
        for thread in writers:
            thread.join()


def test_nobody_waits_for_a_transaction_that_hangs(node):
    """Neither requests for events, nor those who write."""
    with writer(node) as hanging, node.store.connect() as database:
        job = node.submit(QUICK)
        node.wait(job)
        busy = node.submit(ENDLESS)
        eventually(lambda: node.get(f"/v1/jobs/{busy}").json["progress"]["epoch"] > 0)
        for _ in range(20):
            assert node.get(f"/v1/jobs/{job}/events.json").json["items"] == [], "they are not settled"
            stream = Stream(node, "/v1/events")
            assert stream.status == 200
            stream.close()
            assert database.one(WAITING) == 0
        hanging.sql("COMMIT")
    eventually(lambda: len(node.get(f"/v1/jobs/{job}/events.json").json["items"]) >= 6)
    node.post(f"/v1/jobs/{busy}/cancel", {})


def test_busy_nodes_leave_events_unread_until_somebody_waits_for_them(node, nodes):  # noqa: F811
    """They would all read those of all others."""
    store = node.store
    with store.connect() as database:
        database.sql(f"ALTER DATABASE {store.database} SET log_statement = 'all'")
    assert node.stop() == 0
    two = nodes(2, "--workers", "1")
    jobs = [two[0].submit(ENDLESS) for _ in two]
    with store.connect() as database:
        eventually(lambda: database.one("SELECT count(DISTINCT owner) FROM job WHERE status = 'running'") == 2)

        def read():
            return len(re.findall(r"FROM event WHERE +id > \$1 AND id <= \$2", store.beside.log()))

        def are_left_unread():
            before, reports = read(), database.one("SELECT sum(report) FROM job")
            eventually(lambda: database.one("SELECT sum(report) FROM job") >= reports + 6)
            return read() == before

        eventually(are_left_unread)  # once the workers have begun
    for one in two:
        stream, waited_for = Stream(one, "/v1/events"), set(jobs)
        for _, event, data in stream:
            waited_for -= {data["job"]} if event == "epoch" else set()
            if not waited_for:
                break
        stream.close()
    answer = two[0].post("/v1/jobs", QUICK, headers={"Prefer": "wait=1"})
    assert answer.json["status"] == "queued"
    for job in (*jobs, answer.json["id"]):
        two[0].post(f"/v1/jobs/{job}/cancel", {})
