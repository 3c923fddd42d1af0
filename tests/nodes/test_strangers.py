"""What other programs do on the same PostgreSQL: a transaction that is open for long, reading or writing, stalls nothing."""

import contextlib
import time

import pytest
import stores
from conftest import ENDLESS
from figures import figure, size
from fleet import eventually_within, fleet, harness  # noqa: F401
from test_events import follow
from test_horizon import AS_A_WRITER

TINY = {
    "dataset": {"name": "spiral", "n": 50},
    "diffusion": {"timesteps": 5},
    "network": {"hidden_size": 8, "hidden_layers": 1},
    "training": {"epochs": 1, "batch_size": 50},
}


@contextlib.contextmanager
def old_snapshot(fleet):
    """Of a reader who does not end: nothing that is deleted or changed can be cleaned up meanwhile."""
    with fleet.connect() as stranger:
        stranger.sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        stranger.sql("SELECT count(*) FROM job")
        yield
        stranger.sql("ROLLBACK")


@contextlib.contextmanager
def idle_writer(fleet):
    """In another database of the server: it has a transaction id, and so holds back all that goes by ids of transactions."""
    beside = fleet.store.beside
    database = beside.create(f"stranger_{fleet.store.database}")
    with stores.PostgresqlConnection(beside.uri(database)) as stranger:
        stranger.sql("CREATE TABLE mine (id bigint)")
        stranger.sql("BEGIN")
        stranger.sql("INSERT INTO mine VALUES (1)")
        yield
        stranger.sql("ROLLBACK")
    beside.drop(database)


@pytest.mark.row("strangers")
def test_streams_beside_strangers(fleet):
    fleet(4, "--workers", "1")
    fleet.nodes[0].wait(fleet.nodes[0].submit({"training": {"epochs": 1}}))
    with old_snapshot(fleet), idle_writer(fleet):
        listeners, told = follow(fleet, 1, lambda: time.sleep(size(1, 30)))
    delays = sorted(delay for listener in listeners for delay in listener.delays)
    figure("strangers", "events heard beside two open transactions of strangers", told)
    figure("strangers", "delay from the transaction to the client, median, s", delays[len(delays) // 2])
    figure("strangers", "the same, 99 %, s", delays[int(0.99 * len(delays))])


def queue_copies(fleet, job, count):
    """As if it had been submitted so often again, by one who may make events."""
    columns = "name, dataset, spec, epochs, steps, created_at, warnings, memory, words, form"
    with fleet.connect() as database:
        database.sql("BEGIN")
        database.sql(AS_A_WRITER)
        database.sql(
            f"INSERT INTO job (id, {columns}) SELECT substr(id, 1, 24) || lpad(to_hex(number), 12, '0'), {columns}"
            " FROM job, generate_series(1, ?) AS number WHERE id = ? ORDER BY number",
            count, job,
        )  # fmt: skip
        database.sql("COMMIT")
        database.sql("ANALYZE")


@pytest.mark.row("strangers")
def test_claims_beside_an_old_snapshot(fleet):
    """The queue is long enough for all the time, so the workers claim as fast as they can."""
    (node,) = fleet(1, "--workers", "1")
    endless = node.submit(ENDLESS)  # it holds the only worker
    node.wait_for_epoch(endless, 1)
    queue_copies(fleet, node.submit(TINY), size(2_000, 60_000))
    fleet(4, "--workers", "2")
    node.post(f"/v1/jobs/{endless}/cancel", {})
    window, held = size(1, 15), size(2, 60)  # seconds in which claims are counted, and of the snapshot

    def rate(database):
        claimed = "SELECT coalesce(sum(fence), 0) FROM job"
        before, began = database.one(claimed), time.monotonic()
        time.sleep(window)
        after, passed = database.one(claimed), time.monotonic() - began
        assert database.one("SELECT count(*) FROM job WHERE status = 'queued'") > 0, "that was not the speed of claims"
        assert after > before
        return float(after - before) / passed

    with fleet.connect() as database:
        eventually_within(lambda: database.one("SELECT count(*) FROM job WHERE status = 'succeeded'") > 100)
        alone = rate(database)
        with old_snapshot(fleet):
            time.sleep(held - window)
            beside = rate(database)
    figure("strangers", "claims/s of whole jobs, alone", alone)
    figure("strangers", f"claims/s in the last {window} of {held} s beside an old snapshot", beside, at_least=alone / 2)
