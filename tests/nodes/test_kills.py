"""Nodes that are killed and frozen at random, under load: nothing acknowledged is lost, nothing is done twice, and the results
are the same bytes."""

import re
import signal
import time

import pytest
from conftest import ENDLESS
from figures import durations, figure, size
from fleet import LEASE, WORKER, Client, check_outcomes, eventually_within, expected, fleet, with_job  # noqa: F401


@pytest.mark.row("kills")
def test_kills(fleet, expected):
    nodes, kills = fleet(4, *WORKER), size(6, 300)
    client = Client(fleet, pause=1)
    for _ in range(kills):
        time.sleep(fleet.dice.uniform(0.1, 1.5))
        node = fleet.dice.choice(nodes)
        node.kill()
        node.start()
    client.finish()
    states, given_up = check_outcomes(fleet, client, expected)
    with fleet.connect() as database:
        if given_up == 0:
            assert database.sql("SELECT id FROM job WHERE attempt <> fence") == [], "nobody gave one back"
        takeovers = database.one("SELECT coalesce(sum(fence - 1), 0) FROM job")
    figure("kills", "nodes killed", kills)
    figure("kills", "jobs, each with one outcome, in the same bytes", len(states))
    figure("kills", "of these, acknowledged", len(client.acknowledged))
    figure("kills", "trainings that went on elsewhere", int(takeovers))
    figure("kills", "jobs that three nodes had died with, resumed", given_up)


def take_over(fleet, lease, times):
    """Seconds from each kill until another node trains the job."""
    fleet(4, "--workers", "1", *lease)
    job = fleet.nodes[0].submit(ENDLESS)
    seconds, epoch = [], 0
    for _ in range(times):
        owner, others = with_job(fleet.nodes, job)
        epoch = owner.wait_for_epoch(job, epoch + 1)["progress"]["epoch"]
        owner.kill()
        seconds.append(eventually_within(lambda: others[0].get(f"/v1/jobs/{job}").json["node"] not in (None, owner.node)))
        owner.start()
    others[0].post(f"/v1/jobs/{job}/cancel", {})
    return seconds


@pytest.mark.row("takeover")
def test_takeover(fleet):
    seconds = take_over(fleet, (), size(1, 100))
    durations("takeover", f"kill to training elsewhere, lease {LEASE} s", seconds, at_most=LEASE + 2)


@pytest.mark.row("takeover")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_takeover_with_the_default_lease(fleet):
    seconds = take_over(fleet, ("--node-lease", "15"), 5)
    durations("takeover", "kill to training elsewhere, defaults", seconds, at_most=20)


def in_training(fleet):
    """A node that trains a job."""
    found = []
    with fleet.connect() as database:
        eventually_within(lambda: found.extend(database.sql("SELECT split_part(owner, '/', 1) FROM job WHERE status = 'running'")) or found)
    return fleet.dice.choice(found)[0]


@pytest.mark.row("zombies")
def test_zombies(fleet, expected):
    """Each is frozen until the others have taken it for dead, and then goes on."""
    nodes, times = fleet(4, *WORKER), size(1, 50)
    client = Client(fleet, pause=1.5)
    for _ in range(times):
        frozen = in_training(fleet)
        (node,) = [node for node in nodes if node.node == frozen]
        node.process.send_signal(signal.SIGSTOP)
        try:
            with fleet.connect() as database:
                eventually_within(lambda: database.sql("SELECT 1 FROM node WHERE id = ?", frozen) == [])
        finally:
            node.process.send_signal(signal.SIGCONT)
    client.finish()
    states, given_up = check_outcomes(fleet, client, expected)
    figure("zombies", "nodes frozen for longer than their lease", times)
    figure("zombies", "jobs, each with one outcome, in the same bytes", len(states))
    figure("zombies", "trainings that were not theirs any more", sum(len(re.findall("ending=(lost|store_broken)", node.read_log())) for node in nodes))
    figure("zombies", "jobs that were given up, resumed", given_up)
