"""A release with a new schema is rolled out under load: nodes go on while it is added to, one after another is replaced, and who is
too old leaves by itself."""

import threading
import time

import psycopg2
import pytest
from figures import figure, size
from fleet import WORKER, Client, check_outcomes, expected, fleet, harness  # noqa: F401

# As a migration that only adds to the schema does it: it waits for locks for a moment only, again and again.
EXPAND = """BEGIN; SET LOCAL lock_timeout = '2s'; ALTER TABLE job ADD COLUMN later bigint; CREATE INDEX job_later ON job (later);
            INSERT INTO schema_migration (number, name, breaking, at) VALUES (9000, 'later', 0, 0); COMMIT"""
BREAK = "INSERT INTO schema_migration (number, name, breaking, at) VALUES (9001, 'last', 1, 0)"


def expand(database):
    while True:
        try:
            return database.sql(EXPAND)
        except psycopg2.errors.LockNotAvailable:
            database.sql("ROLLBACK")


@pytest.mark.row("upgrade")
def test_upgrade(fleet, expected):
    nodes = fleet(2, *WORKER)
    polled, over = {}, threading.Event()

    def poll():
        while not over.is_set():
            status, _ = fleet.ask("GET", "/v1/jobs?limit=5")
            polled[status] = polled.get(status, 0) + 1
            time.sleep(0.02)

    poller = threading.Thread(target=poll)
    poller.start()
    client = Client(fleet, pause=1)
    with fleet.connect() as database:
        try:
            time.sleep(size(0.5, 20))
            expand(database)
            newer = fleet(2, *WORKER)  # as those of the next release: they start on the newer schema
            time.sleep(size(0.5, 20))
            for node in nodes:
                assert node.stop() == 0, node.read_log()
                node.start()
            client.finish()
            states, given_up = check_outcomes(fleet, client, expected)
        finally:
            over.set()
            poller.join()
        assert all(state["attempt"] == 1 for state in states.values()) and given_up == 0
        assert set(polled) <= {0, 200, 503}, polled  # 0: of a node that had stopped
        database.sql(BREAK)
        for node in nodes + newer:
            assert node.process.wait(timeout=60 * harness.PATIENCE) == 0, node.read_log()
        database.sql("DELETE FROM schema_migration WHERE number >= 9000; ALTER TABLE job DROP COLUMN later")
    figure("upgrade", "requests while the schema grows and nodes are replaced", sum(polled.values()))
    figure("upgrade", "of these, errors other than 503", 0)
    figure("upgrade", "jobs, each with one outcome, in the same bytes", len(states))
    figure("upgrade", "nodes that left when they were too old", 4)
