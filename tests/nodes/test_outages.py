"""The database restarts, or is away for a while, under load: that costs waiting, and nothing else."""

import signal
import time

import pytest
from figures import durations, figure, size
from fleet import WORKER, Client, check_outcomes, eventually_within, expected, fleet  # noqa: F401
from test_events import follow

READY = 5  # seconds after which a node is ready again


def is_ready(node):
    """/readyz alone gives the database a few seconds."""
    return node.ask("GET", "/v1/jobs?limit=1")[0] == 200 == node.ask("GET", "/readyz")[0]


def restart(fleet, how, seconds):
    """Seconds from when the database takes connections again until all nodes are ready."""
    beside = fleet.store.beside
    beside.stop(how)
    time.sleep(seconds)
    beside.start()
    return eventually_within(lambda: all(is_ready(node) for node in fleet.nodes))


@pytest.mark.row("outages")
def test_outages(fleet, expected):
    fleet(4, *WORKER)
    client, ready = Client(fleet, pause=1), []
    outages = [(signal.SIGINT, 0), (signal.SIGQUIT, 0)] * size(1, 20) + [(signal.SIGINT, 30)] * size(0, 5)
    for how, seconds in outages:
        time.sleep(fleet.dice.uniform(0.5, 3))
        ready.append(restart(fleet, how, seconds))
    client.finish()
    states, given_up = check_outcomes(fleet, client, expected)
    assert given_up == 0, "an outage is no crash"
    with fleet.connect() as database:
        again = database.one("SELECT count(*) FROM job WHERE fence > 1")
    figure("outages", "restarts of the database, fast and immediate", sum(seconds == 0 for _, seconds in outages))
    figure("outages", "times that it was away for 30 s", sum(seconds > 0 for _, seconds in outages))
    durations("outages", "database back to all nodes ready", ready, at_most=READY)
    figure("outages", "jobs, each with one outcome, in the same bytes", len(states))
    figure("outages", "trainings that did not just wait", again, at_most=0)


@pytest.mark.row("outages")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_events_through_outages(fleet):
    fleet(4, *WORKER)
    fleet.nodes[0].wait(fleet.nodes[0].submit({"training": {"epochs": 1}}))

    def disturb():
        for how in (signal.SIGINT, signal.SIGQUIT) * 5:
            time.sleep(fleet.dice.uniform(0.5, 3))
            restart(fleet, how, 0)

    _, told = follow(fleet, 1, disturb)
    figure("outages", "events that each of 8 clients heard once and in order", told)
