"""Nodes whose clocks are wrong: all times are those of the database's clock, so nothing is out of order or deleted too early."""

import glob
import os
import time
from datetime import datetime

import pytest
from conftest import QUICK, eventually
from fleet import fleet, harness  # noqa: F401

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
WRONG = ("+3d", "-3d")
NEAR_SECONDS = 60 * harness.PATIENCE  # much less than that


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture
def nodes(fleet, tmp_path):  # noqa: F811
    """One with the right clock, and those whose clock is in a file."""
    left = set(glob.glob("/dev/shm/*faketime*"))
    clocks = []
    for number, wrong in enumerate(WRONG):
        clocks.append(tmp_path / f"clock{number}")
        clocks[-1].write_text(wrong)
        fleet(1, "--workers", "1", "--keep-jobs-days", "1", LD_PRELOAD=LIBRARY[0], FAKETIME_TIMESTAMP_FILE=str(clocks[-1]),
              FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1")  # fmt: skip
    fleet(1, "--workers", "1", "--keep-jobs-days", "1")
    pids = {str(node.process.pid) for node in fleet.nodes}
    yield fleet.nodes, clocks
    for shared in set(glob.glob("/dev/shm/*faketime*")) - left:
        if shared.rsplit("_", 1)[1] in pids:
            os.unlink(shared)


@pytest.mark.skipif(not LIBRARY or "sanitize" in harness.PRODUCT, reason="no libfaketime, or a sanitizer beside it")
def test_clocks_that_are_wrong(nodes):
    three, clocks = nodes
    assert "clock differs from the database's" in three[0].read_log() and "clock differs" not in three[2].read_log()
    starts = [seconds(node["started_at"]) for node in three[2].get("/v1/nodes").json["items"]]
    assert len(starts) == 3 and max(starts) - min(starts) < NEAR_SECONDS
    jobs = []
    for jump in (WRONG, WRONG[::-1]):  # the second time, the clocks jump while the nodes run
        for clock, wrong in zip(clocks, jump):
            clock.write_text(wrong)
        for asked in three:
            began = time.time()
            jobs.append(asked.submit(QUICK))
            state = asked.wait(jobs[-1])
            assert state["status"] == "succeeded"
            created, started, ended = (seconds(state[name]) for name in ("created_at", "started_at", "finished_at"))
            assert began - 1 <= created <= started + 1 <= ended + 2 and ended < began + NEAR_SECONDS, state
            # Each round trip leaves a doubt of its own length about the other clock.
            for node in three:
                eventually(lambda: node.get("/v1/models/latest").json["id"] == jobs[-1])
    for node in three:
        assert [job["id"] for job in node.get("/v1/jobs?limit=100").json["items"]] == jobs[::-1], "the newest one first"
    # The nodes look at their start for what is too old, which nothing is: also for one that starts now.
    for node in three[:2]:
        assert node.stop() == 0
        node.start()
        eventually(lambda: node.get("/readyz").status == 200)
    time.sleep(1)
    assert [job["id"] for job in three[2].get("/v1/jobs?limit=100").json["items"]] == jobs[::-1]
