"""Streams of events of many nodes: whoever listens where, through kills and restarts, gets each event once and in order."""

import datetime
import http.client
import random
import threading
import time

import pytest
from figures import figure, size
from fleet import WORKER, Client, eventually_within, fleet, harness  # noqa: F401
from sse import Stream

STAY = 3  # seconds that a client stays with a node, at most
SILENCE = 60  # after which it looks for another one


class Listener(threading.Thread):
    """Listens to one node after another, until it has the event `last`."""

    def __init__(self, fleet, seed, first):
        super().__init__(daemon=True)
        self.fleet, self.dice = fleet, random.Random(seed)
        self.known, self.last = first, None
        self.seen, self.delays = [], []
        self.connections = 0
        self.start()

    def run(self):
        while self.last is None or self.known < self.last:
            try:
                self.listen(self.dice.choice(self.fleet.nodes))
            except (OSError, http.client.HTTPException, AssertionError, ValueError):  # its node is gone; an event was cut off
                time.sleep(0.02)

    def listen(self, node):
        stream = Stream(node, "/v1/events", last_id=self.known, timeout=SILENCE)
        until = time.monotonic() + self.dice.uniform(0, STAY)
        try:
            self.connections += stream.status == 200
            for identity, event, data in stream:
                if event == "shutdown":
                    return
                self.seen.append((identity, event, data["job"]))
                self.delays.append(time.time() - datetime.datetime.fromisoformat(data["at"].replace("Z", "+00:00")).timestamp())
                self.known = identity
                if time.monotonic() > until or self.known == self.last:
                    return
        finally:
            stream.close()


def follow(fleet, pause, disturb):
    """Eight clients follow a load while `disturb` runs; they hear of all that is stored. The clients."""
    with fleet.connect() as database:
        first = database.one("SELECT max(id) FROM event")
    listeners = [Listener(fleet, fleet.dice.random(), first) for _ in range(8)]
    client = Client(fleet, pause)
    disturb()
    client.finish()
    for job in client.acknowledged.values():
        harness.settle(fleet.living()[0], job)
    with fleet.connect() as database:
        told = database.sql("SELECT id, kind, job FROM event WHERE id > ? ORDER BY id", first)
    for listener in listeners:
        listener.last = told[-1][0]
    eventually_within(lambda: all(listener.known >= told[-1][0] for listener in listeners))
    for listener in listeners:  # which ends with its node
        assert listener.seen == told
    return listeners, len(told)


@pytest.mark.row("events")
def test_events_through_kills(fleet):
    fleet(4, *WORKER)
    fleet.nodes[0].wait(fleet.nodes[0].submit({"training": {"epochs": 1}}))
    kills = size(2, 100)

    def disturb():
        for number in range(kills):
            time.sleep(fleet.dice.uniform(0.1, 1.5))
            node = fleet.dice.choice(fleet.nodes)
            if number % 2:
                node.kill()
            else:
                assert node.stop() == 0, node.read_log()
            node.start()

    listeners, told = follow(fleet, 1, disturb)
    figure("events", f"events that each of 8 clients heard once and in order, through {kills} kills and restarts", told)
    figure("events", "of these, missing or twice", 0)
    figure("events", "connections of the clients", sum(listener.connections for listener in listeners))


@pytest.mark.row("events")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_delay_of_events(fleet):
    fleet(4, *WORKER)
    fleet.nodes[0].wait(fleet.nodes[0].submit({"training": {"epochs": 1}}))
    listeners, told = follow(fleet, 2, lambda: time.sleep(60))
    delays = sorted(delay for listener in listeners for delay in listener.delays)
    figure("events", "delay from the transaction to the client, median, s", delays[len(delays) // 2])
    figure("events", "the same, 99 %, s", delays[int(0.99 * len(delays))], at_most=0.25)
