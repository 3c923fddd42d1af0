"""Nodes of two instruction sets, killed at random: each training ends in the bytes of the one that it began with, and waits if
there is no node of it."""

import time

import pytest
from conftest import ENDLESS
from figures import figure, size
from fleet import SPECS, WORKER, Client, all_end, eventually_within, fleet, harness  # noqa: F401

CLASSES = ("avx2", "baseline")


@pytest.fixture(scope="module")
def has_both():
    if not all(f" {name} " in open("/proc/cpuinfo", encoding="ascii").read() for name in ("avx2", "fma")):
        pytest.skip("this machine has no AVX2")


@pytest.fixture(scope="module")
def expected(tmp_path_factory, has_both):
    """What each training leaves, for each instruction set."""
    return {name: undisturbed(tmp_path_factory.mktemp(name), "--simd", name) for name in CLASSES}


def undisturbed(directory, *flags):
    server = harness.Server(directory, "--workers", "1", *flags)
    jobs = [server.submit(spec) for spec in SPECS]
    outcomes = [server.wait(job) and harness.outcome(server, job) for job in jobs]
    assert server.stop() == 0
    return outcomes


def class_of(state):
    return state["arithmetic"].split("/")[0]


@pytest.mark.row("kernels")
@pytest.mark.skipif(not size(False, True), reason="SOAK=1 has the time for it")
def test_kernels(fleet, expected):
    for name in CLASSES * 2:
        fleet(1, *WORKER, "--simd", name)
    client, kills = Client(fleet, pause=1), 60
    began = {}  # with which each job began
    with fleet.connect() as database:
        for _ in range(kills):
            time.sleep(fleet.dice.uniform(0.1, 1.5))
            node = fleet.dice.choice(fleet.nodes)
            node.kill()
            node.start()
            for job, arithmetic in database.sql("SELECT id, arithmetic FROM job WHERE arithmetic IS NOT NULL"):
                assert began.setdefault(job, arithmetic) == arithmetic, "it changed its class"
    client.finish()
    states, given_up = all_end(fleet, client)
    for key, state in states.items():
        assert state["status"] == "succeeded" and began.get(state["id"], state["arithmetic"]) == state["arithmetic"]
        assert harness.outcome(fleet.nodes[0], state["id"]) == expected[class_of(state)][int(key.split("-")[1]) % len(SPECS)]
    for name in CLASSES:
        figure("kernels", f"jobs in the bytes of {name}", sum(class_of(state) == name for state in states.values()))
    figure("kernels", "jobs that were given up, resumed", given_up)


@pytest.mark.row("kernels")
def test_a_class_without_nodes_waits_and_says_so(fleet, has_both):
    (owner,) = fleet(1, *WORKER, "--simd", "avx2")
    job = owner.submit(ENDLESS)
    owner.wait_for_epoch(job, 3)
    (other,) = fleet(1, *WORKER, "--simd", "baseline")
    owner.kill()
    eventually_within(lambda: other.get(f"/v1/jobs/{job}").json["status"] == "queued")
    state = other.get(f"/v1/jobs/{job}").json
    assert state["queue_position"] is None and [warning["code"] for warning in state["warnings"]] == ["waits_for_kernels"]
    owner.start()
    eventually_within(lambda: other.get(f"/v1/jobs/{job}").json["node"] == owner.node)
    state = other.get(f"/v1/jobs/{job}").json
    assert class_of(state) == "avx2" and state["warnings"] == [] and state["progress"]["epoch"] >= 1
    other.post(f"/v1/jobs/{job}/cancel", {})
