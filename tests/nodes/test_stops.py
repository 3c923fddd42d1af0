"""Nodes stop in order, all at once and under load: nothing is lost, nothing of them is left, and all of it in time (exit status 0)."""

import signal
import threading
import time

import pytest
from figures import durations, figure, size
from fleet import WORKER, eventually_within, fleet, harness  # noqa: F401
from sse import Stream

NODES, WORKERS, STREAMS = 3, 2, 4
BUSY = {  # thousands of epochs in a second, each with a row and an event, and hundreds of models
    "dataset": {"name": "spiral", "n": 20},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 8, "hidden_layers": 1},
    "training": {"epochs": 1_000_000, "batch_size": 20, "checkpoint_every": 10},
}
LAST = """SELECT job.id, job.status, job.epoch, job.step, (SELECT max(step) FROM checkpoint WHERE job_seq = job.seq) FROM job"""
LEFT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'denoised' AND datname = current_database()"


class Listeners:
    """Streams that are open by now, and what each hears last."""

    def __init__(self, nodes):
        self.last = []
        streams = [Stream(node, "/v1/events", timeout=60 * harness.PATIENCE) for node in nodes for _ in range(STREAMS)]
        self.threads = [threading.Thread(target=self.hear, args=(stream,)) for stream in streams]
        for thread in self.threads:
            thread.start()

    def hear(self, stream):
        heard = None
        for _, heard, _ in stream:  # noqa: B007
            pass
        self.last.append(heard)

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.last


def stop_all(nodes):
    """Seconds until each was gone."""
    began, took = time.monotonic(), []
    for node in nodes:
        node.process.send_signal(signal.SIGTERM)
    for node in nodes:
        assert node.process.wait(timeout=60 * harness.PATIENCE) == 0, node.read_log()[-3000:]
        took.append(time.monotonic() - began)
        node.log.close()
    return took


@pytest.mark.row("stops")
def test_stops_under_load(fleet):
    nodes, took, seen = fleet(NODES, *WORKER[2:], "--workers", str(WORKERS)), [], {}
    for _ in range(NODES * WORKERS):
        job = nodes[0].submit(BUSY)
        seen[job] = 0
    for _ in range(size(2, 10)):
        with fleet.connect() as database:
            eventually_within(lambda: all(epoch > seen[job] + 2000 for job, _, epoch, _, _ in database.sql(LAST)))
            listeners = Listeners(nodes)
            seen = {job: epoch for job, _, epoch, _, _ in database.sql(LAST)}
            took += stop_all(nodes)
            heard = listeners.join()
            assert heard == ["shutdown"] * (NODES * STREAMS), heard
            for job, status, epoch, step, checkpoint in database.sql(LAST):
                assert status == "queued" and epoch >= seen[job], (job, status, epoch, seen[job])
                assert checkpoint == step, "the steps since the last checkpoint are lost"
            assert database.sql("SELECT id FROM node") == []
            eventually_within(lambda: database.one(LEFT) == 0)  # the server takes a moment to see that a connection is closed
        for node in nodes:
            node.start()
    with fleet.connect() as database:
        assert database.sql("SELECT id FROM job WHERE attempt > 1") == [], "a stop is no crash"
        for job in seen:
            nodes[0].post(f"/v1/jobs/{job}/cancel", {})
        eventually_within(lambda: database.sql("SELECT DISTINCT status FROM job") == [("cancelled",)])
        rows = "SELECT count(*), count(DISTINCT epoch), max(epoch), min(epoch) FROM history GROUP BY job_seq"
        for count, different, last, first in database.sql(rows):
            assert count == different == last and first == 1
    figure("stops", "of nodes, all with status 0", len(took))
    durations("stops", "SIGTERM to the end of the process", took, at_most=5)
