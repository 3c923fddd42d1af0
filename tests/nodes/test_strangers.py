"""What other programs do on the same PostgreSQL: a transaction that is open for long, reading or writing, stalls nothing."""

import contextlib
import time

import pytest
import stores
from figures import figure, size
from fleet import at_once, fleet, harness  # noqa: F401
from test_events import follow

TINY = {
    "dataset": {"name": "spiral", "n": 50},
    "diffusion": {"timesteps": 5},
    "network": {"hidden_size": 4, "hidden_layers": 1},
    "training": {"epochs": 1, "batch_size": 50},
}
WINDOW = 15  # seconds in which claims are counted


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


@pytest.mark.row("strangers")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_claims_beside_an_old_snapshot(fleet):
    """There is always something in the queue."""
    fleet(4, "--workers", "2", "--max-queued", "100000")

    def submit(node, until):
        while time.monotonic() < until:
            if node.ask("POST", "/v1/jobs", TINY)[0] != 201:
                time.sleep(0.1)

    def claimed(database):
        return database.one("SELECT coalesce(sum(fence), 0) FROM job")

    def rate(database):
        before, began = claimed(database), time.monotonic()
        time.sleep(WINDOW)
        after, queued = claimed(database), database.one("SELECT count(*) FROM job WHERE status = 'queued'")
        assert queued > 0, "the queue ran dry: that was not the speed of claims"
        return float(after - before) / (time.monotonic() - began)

    def measure():
        with fleet.connect() as database:
            time.sleep(10)
            alone = rate(database)
            with old_snapshot(fleet):
                time.sleep(60 - WINDOW)
                beside = rate(database)
            return alone, beside

    until = time.monotonic() + 10 + 60 + WINDOW + 5
    *_, (alone, beside) = at_once([*[lambda node=node: submit(node, until) for node in fleet.nodes * 2], measure])
    figure("strangers", "claims/s of whole jobs, alone", alone)
    figure("strangers", "claims/s in the last of 60 s beside an old snapshot", beside, at_least=alone / 2)
