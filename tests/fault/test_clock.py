"""The clock jumps (T18) by a day and back: nothing is rescued that lives, and no time is negative."""

import glob
import os
import time

import harness
import pytest
from harness import ENDED

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
SPEC = {  # nobody waits for its end
    "dataset": {"name": "spiral", "n": 1000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 1_000_000, "batch_size": 20, "checkpoint_every": 10},
}
COMPARED = 80  # epochs


def history(server, job, columns):
    data = server.fetch("GET", f"/v1/jobs/{job}/history?limit={COMPARED}").json["data"]
    return [data[name] for name in columns]


@pytest.mark.skipif(not LIBRARY or "sanitize" in harness.PRODUCT, reason="no libfaketime, or a sanitizer beside it")
def test_the_clock_jumps(tmp_path, start):
    undisturbed = start("--workers", "1", directory=tmp_path / "undisturbed")
    golden = undisturbed.submit(SPEC)
    undisturbed.wait_for_epoch(golden, COMPARED)
    left = set(glob.glob("/dev/shm/*faketime*"))
    clock = tmp_path / "clock"
    clock.write_text("+0")
    server = start("--workers", "2", LD_PRELOAD=LIBRARY[0], FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
                   DONT_FAKE_MONOTONIC="1")  # fmt: skip
    processes = {str(server.process.pid)}
    job = server.submit(SPEC)
    epoch = 0
    for jump in ("+1d", "-1d", "+1d"):
        epoch = server.wait_for_epoch(job, epoch + 10)["progress"]["epoch"]
        clock.write_text(jump)
        time.sleep(0.1)
        if jump == "-1d":  # a start in the past: what runs belongs to a dead boot all the same
            server.kill()
            server.start()
            processes.add(str(server.process.pid))
        assert server.ask("GET", f"/v1/jobs/{job}/history?after=999999&wait=1")[0] == 200
    quick = server.submit(harness.QUICK)
    assert server.wait(quick)["status"] == "succeeded"
    server.wait_for_epoch(job, COMPARED)
    assert history(server, job, harness.EXACT) == history(undisturbed, golden, harness.EXACT)
    (seconds,) = history(server, job, ["seconds"])
    assert all(0 <= a < b < 600 for a, b in zip(seconds, seconds[1:]))
    listed = [item["id"] for item in server.ask("GET", "/v1/jobs")[1]["items"]]
    assert listed == [quick, job]
    metrics = server.ask("GET", "/metrics")[1].decode()
    assert not [line for line in metrics.splitlines() if not line.startswith("#") and line.split()[-1].startswith("-")]
    assert server.ask("POST", f"/v1/jobs/{job}/cancel")[0] == 200
    state = server.wait(job, ENDED)
    assert state["status"] == "cancelled" and state["attempt"] == 2, state
    assert server.stop() == 0
    harness.check_integrity(server.database)
    for shared in set(glob.glob("/dev/shm/*faketime*")) - left:
        if shared.rsplit("_", 1)[1] in processes:
            os.unlink(shared)  # of a process that was killed
    harness.tell("clock: a day on, two back, and on again: one orphan resumed, the same bytes, no negative time")
