"""Within an epoch: progress, checkpoints, kills, stops, cancels, damage; the result has the same bytes."""

import re
import time

import pytest
from conftest import PATIENCE, SANITIZED, outcome, undisturbed

SLOW = {  # two epochs, each the better part of a second
    "dataset": {"name": "spiral", "n": 50000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 64 if SANITIZED else 256, "hidden_layers": 4},
    "training": {"epochs": 2, "batch_size": 64, "ema_decay": 0.99, "lr_schedule": "cosine", "keep_best": True,
                 "evaluate_every": 1},
    "seed": 5,
}  # fmt: skip
STEPS = 782  # of an epoch


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What an undisturbed training leaves."""
    from conftest import Server

    servers = []

    def start(directory):
        servers.append(Server(str(directory)))
        return servers[0]

    yield undisturbed(start, tmp_path_factory.mktemp("slow"), SLOW)
    assert servers[0].stop() == 0


def resumed_from(server):
    return [int(step) for step in re.findall(r'msg="training" .*from_step=(\d+)', server.read_log())]


def test_progress_moves_within_an_epoch(server):
    job = server.submit({**SLOW, "dataset": {"name": "spiral", "n": 1000000}})
    seen = set()
    deadline = time.monotonic() + 60 * PATIENCE
    while len(seen) < 4 and time.monotonic() < deadline:
        progress = server.get(f"/v1/jobs/{job}").json["progress"]
        assert progress["epoch"] == 0
        if progress["step"]:
            assert progress["fraction"] == progress["step"] / progress["steps"] and progress["eta_seconds"] > 0
            seen.add(progress["step"])
        time.sleep(0.05)
    assert len(seen) == 4
    assert server.post(f"/v1/jobs/{job}/cancel").status == 200
    began = time.monotonic()
    state = server.wait(job)
    print("cancelled in", time.monotonic() - began)
    assert state["status"] == "cancelled" and state["progress"]["epoch"] == 0
    # and it can go on from there
    assert [step for (step,) in server.sql("SELECT count(*) FROM checkpoint")] != [0]


def test_a_kill_within_an_epoch_costs_no_more_than_the_last_checkpoint(start, expected):
    server = start("--workers", "1", "--checkpoint-seconds", "0.1")
    job = server.submit(SLOW)
    for step in (50, STEPS // 2, STEPS + 100):
        server.wait_for_step(job, step)
        server.kill()
        server.start()
    state = server.wait(job)
    assert state["status"] == "succeeded" and state["progress"]["step"] == 2 * STEPS
    steps = resumed_from(server)
    assert steps[0] == 0 and steps == sorted(set(steps)) and any(step % STEPS for step in steps), steps
    assert outcome(server, job) == expected


def test_an_orderly_stop_loses_no_step(start, expected):
    server = start("--workers", "1", "--checkpoint-seconds", "1000")
    job = server.submit(SLOW)
    reached = 0
    for step in (30, 200, STEPS + 50):
        server.wait_for_step(job, step)
        began = time.monotonic()
        assert server.stop() == 0
        print("stopped in", time.monotonic() - began)
        ((status, at, attempt, stalls),) = server.sql("SELECT status, step, attempt, stalls FROM job")
        ((checkpoint,),) = server.sql("SELECT max(step) FROM checkpoint")
        assert (status, attempt, stalls) == ("queued", 0, 0) and checkpoint == at >= max(step, reached)
        reached = at
        server.start()
    assert server.wait(job)["attempt"] == 1
    assert outcome(server, job) == expected
    assert resumed_from(server)[-1] == reached


@pytest.mark.parametrize("damaged", ["newest", "both", "row", "piece"])
def test_a_damaged_checkpoint_costs_time_only(start, expected, damaged):
    server = start("--workers", "1", "--checkpoint-seconds", "0.1")
    job = server.submit(SLOW)
    server.wait_for_step(job, STEPS + 100)
    server.stop()
    newest, before = (step for (step,) in server.sql("SELECT step FROM checkpoint ORDER BY step DESC"))
    with server.store.connect() as database:
        if damaged == "row":  # whole, but not what the row says
            other = f"(SELECT blob_id FROM checkpoint WHERE step = {before})"
            database.sql(f"UPDATE checkpoint SET blob_id = {other}")
            database.sql(f"UPDATE blob SET refs = 2 WHERE id = {other}")
        elif damaged == "piece":  # is missing
            database.sql(f"DELETE FROM piece WHERE blob_id = (SELECT blob_id FROM checkpoint WHERE step = {newest})")
        else:
            where = "" if damaged == "both" else f" WHERE step = {newest}"
            pieces = f"SELECT piece.blob_id, number, bytes FROM piece JOIN checkpoint USING (blob_id){where}"
            for blob, number, piece in database.sql(pieces):
                piece = bytearray(piece)
                piece[len(piece) * 2 // 3] ^= 16
                database.sql("UPDATE piece SET bytes = ? WHERE blob_id = ? AND number = ?", bytes(piece), blob, number)
    server.start()
    assert server.wait(job)["status"] == "succeeded"
    assert outcome(server, job) == expected
    assert "checkpoint not usable" in server.read_log()
