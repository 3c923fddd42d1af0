"""Nodes lose their way to the database for a while, under load: that costs waiting, and nothing else."""

import time

import pytest
from figures import durations, figure, size
from fleet import WORKER, Client, check_outcomes, eventually_within, expected, fleet  # noqa: F401
from test_outages import READY, is_ready

# What goes wrong between a node and the database.
FAULTS = {
    "cut": lambda network, dice: network.cut(),
    "cut within a message": lambda network, dice: setattr(network, "left", dice.randrange(20_000)),
    "silence": lambda network, dice: network.pause(),
    "delay": lambda network, dice: setattr(network, "delay", 0.2),
    "no way there": lambda network, dice: (setattr(network, "is_refusing", True), network.cut()),
    "server lost": lambda network, dice: network.lose_server(),
    "clients lost": lambda network, dice: network.lose_clients(),
}


@pytest.mark.row("partitions")
def test_partitions(fleet, expected):
    fleet(4, *WORKER, networks=True)
    client, ready = Client(fleet, pause=1), {fault: [] for fault in FAULTS}
    for number in range(size(7, 100)):
        time.sleep(fleet.dice.uniform(0.1, 1))
        node, fault = fleet.dice.choice(fleet.nodes), list(FAULTS)[number % len(FAULTS)]
        FAULTS[fault](node.between, fleet.dice)
        time.sleep(fleet.dice.choice(size((0, 0.5), (0, 0.5, 4))))  # within the lease, or beyond it
        node.between.heal()
        ready[fault].append(eventually_within(lambda node=node: is_ready(node)))
    client.finish()
    states, given_up = check_outcomes(fleet, client, expected)
    figure("partitions", "nodes cut off", sum(map(len, ready.values())))
    figure("partitions", "jobs, each with one outcome, in the same bytes", len(states))
    figure("partitions", "jobs that were given up, resumed", given_up)
    for fault, seconds in ready.items():
        durations("partitions", f"{fault}: the node ready after the end of it", seconds, at_most=READY)
