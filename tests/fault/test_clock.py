"""The clock jumps (T18) by a day and back: nothing is rescued that lives, and no time is negative."""

import glob
import os
import time

import harness
import pytest
from harness import ENDED

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
SPEC = {
    "dataset": {"name": "spiral", "n": 1000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 2500, "batch_size": 50, "checkpoint_every": 10},
}


@pytest.mark.skipif(not LIBRARY or "sanitize" in harness.PRODUCT, reason="no libfaketime, or a sanitizer beside it")
def test_the_clock_jumps(tmp_path, start):
    golden = harness.undisturbed(tmp_path / "undisturbed", [SPEC])[0]
    left = set(glob.glob("/dev/shm/*faketime*"))
    clock = tmp_path / "clock"
    clock.write_text("+0")
    server = start("--workers", "1", LD_PRELOAD=LIBRARY[0], FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
                   DONT_FAKE_MONOTONIC="1")  # fmt: skip
    processes = {str(server.process.pid)}
    job = server.submit(SPEC)
    for epoch, jump in ((20, "+1d"), (40, "-1d"), (60, "+1d")):
        server.wait_for_epoch(job, epoch)
        clock.write_text(jump)
        time.sleep(0.1)
        if jump == "-1d":  # a start in the past: what runs belongs to a dead boot all the same
            server.kill()
            server.start()
            processes.add(str(server.process.pid))
        began, last = time.monotonic(), SPEC["training"]["epochs"] - 1
        assert server.ask("GET", f"/v1/jobs/{job}/history?after={last}&wait=1")[0] == 200
        assert time.monotonic() - began < 5 * harness.PATIENCE
    quick = server.submit(harness.QUICK)
    state = server.wait(job, ENDED)
    assert state["status"] == "succeeded" and state["attempt"] == 2, state
    assert server.wait(quick)["status"] == "succeeded"
    assert harness.outcome(server, job) == golden
    seconds = server.fetch("GET", f"/v1/jobs/{job}/history").json["data"]["seconds"]
    assert all(0 <= a < b < 600 for a, b in zip(seconds, seconds[1:]))
    listed = [item["id"] for item in server.ask("GET", "/v1/jobs")[1]["items"]]
    assert listed == [quick, job]
    metrics = server.ask("GET", "/metrics")[1].decode()
    assert not [line for line in metrics.splitlines() if not line.startswith("#") and line.split()[-1].startswith("-")]
    assert server.stop() == 0
    harness.check_integrity(server.database)
    for shared in set(glob.glob("/dev/shm/*faketime*")) - left:
        if shared.rsplit("_", 1)[1] in processes:
            os.unlink(shared)  # of a process that was killed
    harness.tell("clock: a day on, two back, and on again: one orphan resumed, the same bytes, no negative time")
