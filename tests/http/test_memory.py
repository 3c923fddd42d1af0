"""Memory is a budget: what a training takes is known before it begins, and more than there is is refused."""

import random
import re

import numpy
import pytest
import stores
import test_images
from conftest import QUICK, eventually
from test_bad_requests import check_problem
from test_streams import SANITIZED

MIB = 1 << 20
# The largest network that is allowed: 160 MB of weights.
LARGEST = {
    "network": {"hidden_size": 1024, "hidden_layers": 8, "time_embedding": "learned"},
    "diffusion": {"timesteps": 4000},
    "training": {"batch_size": 65536},
    "dataset": {"name": "moons", "n": 100000},
}


def estimate(server, spec):
    answer = server.post("/v1/jobs?validate_only=true", spec)
    assert answer.status == 200, answer.json
    return answer.json["estimate"]


def metric(server, name):
    return float(re.search(rf"^{name} (\S+)$", server.get("/metrics").body.decode(), re.M)[1])


def stored(server, table):
    """The sizes of what is stored."""
    return {size for (size,) in server.sql(f"SELECT blob.size FROM {table} JOIN blob ON blob.id = blob_id")}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"training": {**QUICK["training"], "ema_decay": 0, "keep_best": True, "evaluate_every": 1}},
        {"dataset": [{"name": "moons", "n": 200}, {"name": "spiral", "n": 100}]},
        {"network": {"hidden_size": 10, "hidden_layers": 1, "time_embedding": "learned", "conditioning": "add"}},
    ],
)
def test_the_estimated_sizes_are_those_that_are_stored(server, more):
    spec = {**QUICK, **more}
    said = estimate(server, spec)
    job = server.submit(spec)
    assert server.wait(job)["status"] == "succeeded"
    assert server.get(f"/v1/models/{job}").json["bytes"] == said["model_bytes"]
    assert stored(server, "checkpoint") == {said["checkpoint_bytes"]}


def test_the_estimate_grows_with_what_it_is_made_of(server):
    small = estimate(server, QUICK)
    assert 0 < small["seconds"] < 60 and small["memory_bytes"] < 32 * MIB
    assert estimate(server, QUICK) == small, "it is measured once"
    large = estimate(server, {**LARGEST, "training": {"batch_size": 256, "epochs": 1}})
    assert large["model_bytes"] > 4 * 40_000_000 and large["checkpoint_bytes"] > 4 * large["model_bytes"] - 4096
    # weights, gradients, two moments and the average; a checkpoint of four of these
    assert large["memory_bytes"] > 9 * large["model_bytes"] - 10000
    assert large["seconds"] > 1
    long, longer, threads = (
        estimate(server, {**QUICK, "training": {**QUICK["training"], **more}})["seconds"]
        for more in ({"epochs": 10000}, {"epochs": 1000000}, {"epochs": 10000, "threads": 64})
    )
    assert 90 * long < longer < 110 * long and threads <= long


def memory(server, name):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return 1024 * int(re.search(rf"{name}:\s+(\d+)", file.read())[1])


def test_a_table_takes_no_more_than_was_said(start):
    """A column of texts that do not repeat takes more than its values do."""
    server = start()
    draw = random.Random(1)
    lines = (",".join(f"{draw.random():.15f}" for _ in range(6)) for _ in range(200_000))
    answer = server.post("/v1/datasets", raw="\n".join(["a,b,c,d,e,f", *lines]).encode(), headers={"Content-Type": "text/csv"})
    assert answer.status == 201, answer.body
    assert server.stop() == 0
    server.start()  # an upload takes more memory than its training
    spec = {**QUICK, "dataset": {"id": answer.json["id"]}, "training": {"epochs": 1}}
    said, before = estimate(server, spec)["memory_bytes"], memory(server, "VmRSS")
    assert server.wait(server.submit(spec))["status"] == "succeeded"
    taken = memory(server, "VmHWM") - before
    assert SANITIZED or 0.5 * said < taken < said, (said, taken)
    # None of that stays beyond the next use of the connection.
    eventually(lambda: server.get("/v1/jobs").status == 200 and (SANITIZED or memory(server, "VmRSS") < before + (8 << 20)))


@pytest.mark.parametrize("threads", [1, 2])
def test_images_take_no_more_than_was_said(start, threads):
    """To the end, with the model and the checkpoint; and less than twice as much is reserved."""
    server = start()
    images = numpy.random.default_rng(1).integers(0, 256, (20_000, 28, 28), dtype="u1")
    answer = test_images.post_form(server, test_images.npy(images), test_images.npy(numpy.arange(20_000) % 10))
    assert answer.status == 201, answer.body
    assert server.stop() == 0
    server.start()  # an upload takes memory of its own
    spec = {"dataset": answer.json["id"], "network": {"channels": [16, 16]}, "training": {"epochs": 1, "threads": threads}}
    said, before = estimate(server, spec)["memory_bytes"], memory(server, "VmRSS")
    assert server.wait(server.submit(spec), seconds=240)["status"] == "succeeded"
    taken = memory(server, "VmHWM") - before
    assert SANITIZED or 0.5 * said < taken < said, (said, taken)


def test_what_does_not_fit_is_refused_with_the_figures(start):
    server = start("--max-training-memory", "32")
    assert metric(server, "denoised_training_memory_limit_bytes") == 32 * MIB
    for path in ("/v1/jobs", "/v1/jobs?validate_only=true"):
        detail = check_problem(server.post(path, LARGEST), 422, "too_large")["detail"]
        assert re.search(r"needs up to \d+\.\d GiB of memory; this server allows 32\.0 MiB for training", detail), detail
        assert "--max-training-memory" in detail
        for field in ("network.hidden_size", "network.hidden_layers", "diffusion.timesteps", "training.batch_size"):
            assert field in detail
    narrow = {**LARGEST, "training": {"batch_size": 32}}
    detail = check_problem(server.post("/v1/jobs", narrow), 422, "too_large")["detail"]
    assert "network.hidden_size" in detail and "dataset.n" not in detail and "batch_size" not in detail
    points = {"dataset": {"name": "moons", "n": 1000000}, "training": {"validation_fraction": 0.9, "epochs": 1}}
    detail = check_problem(server.post("/v1/jobs", points), 422, "too_large")["detail"]
    assert "dataset.n" in detail and "hidden_size" not in detail
    assert server.get("/v1/jobs").json["items"] == []
    for spec in ({}, {"preset": "sinai2022"}, QUICK):
        assert estimate(server, spec)["memory_bytes"] < 32 * MIB
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"


def test_a_budget_that_shrank_refuses_to_resume(start):
    server = start()
    job = server.submit(QUICK)
    server.wait(job)
    assert server.stop() == 0
    server = start("--max-training-memory", "1")
    more = {"epochs": QUICK["training"]["epochs"] + 1}
    check_problem(server.post(f"/v1/jobs/{job}/resume", more), 422, "too_large")
    assert server.get(f"/v1/jobs/{job}").json["status"] == "succeeded"
    check_problem(server.post("/v1/jobs", QUICK), 422, "too_large")


def test_the_default_is_a_share_of_what_there_is(server):
    log = server.read_log()
    said = re.search(r'msg="?memory"? mib=(\d+) max_training_mib=(\d+)', log)
    memory, budget = int(said[1]), int(said[2])
    assert 0.59 * memory <= budget <= 0.6 * memory
    assert budget == int(metric(server, "denoised_training_memory_limit_bytes") / MIB)


LONG = {  # a training that nobody waits for, of some 60 MiB
    "dataset": {"name": "spiral", "n": 200},
    "network": {"hidden_size": 512, "hidden_layers": 4},
    "training": {"epochs": 1000000, "batch_size": 50, "checkpoint_every": 1000000},
}


def test_what_does_not_fit_beside_what_runs_waits(start, tmp_path):
    one = estimate(start(directory=tmp_path), LONG)["memory_bytes"]
    directory = tmp_path / "small"
    directory.mkdir()
    server = start("--workers", "3", "--max-training-memory", str(int(1.5 * one / MIB)), directory=directory)
    first, second = server.submit(LONG), server.submit(LONG)
    server.wait_for_step(first, 1)
    assert one <= metric(server, "denoised_training_memory_bytes") <= 1.5 * one
    # There are idle workers, but no memory; a small job has room and overtakes it.
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"
    waiting = server.get(f"/v1/jobs/{second}").json
    assert waiting["status"] == "queued" and waiting["queue_position"] == 0
    server.post(f"/v1/jobs/{first}/cancel")
    server.wait_for_step(second, 1)
    server.stop()
    server.flags = ("--max-training-memory", str(int(0.5 * one / MIB)))
    server.start()
    if stores.KIND != "sqlite":  # it waits for a node with more memory, and small jobs do not wait for it
        assert server.wait(server.submit(QUICK))["status"] == "succeeded"
        assert server.get(f"/v1/jobs/{second}").json["status"] == "queued"
        return
    # A server with less memory says that it cannot train it.
    error = server.wait(second)["error"]
    assert error["code"] == "too_large" and "--max-training-memory" in error["detail"]
    refused = server.post(f"/v1/jobs/{second}/resume", {})
    assert refused.status == 422 and refused.json["code"] == "too_large"
