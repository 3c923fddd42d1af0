"""The checkpoints of the past: which are kept, that they are what the model was, and that they go with it."""

import math
from io import BytesIO

import numpy
import pytest
from conftest import ENDLESS, QUICK

MOST = 32
LONG = {**QUICK, "training": {**QUICK["training"], "epochs": 100, "ema_decay": 0, "lr_schedule": "constant"}}


def kept(server, model):
    answer = server.get(f"/v1/models/{model}/checkpoints")
    assert answer.status == 200, answer.body
    assert answer.json["model"] == model
    return [item["epoch"] for item in answer.json["items"]]


def points(server, model, **query):
    text = "&".join(f"{name}={value}" for name, value in {"n": 50, **query}.items())
    answer = server.get(f"/v1/models/{model}/samples.npy?{text}")
    assert answer.status == 200, answer.body
    return numpy.load(BytesIO(answer.body))


def first_of_each_part(epochs, every=1):
    """The rule in its own words: 31 parts, the i-th begins at epochs (i / 31)^2; the first checkpoint in each is kept."""
    checkpoints = sorted({1, *range(every, epochs + 1, every), epochs})  # the first one comes at once
    starts = [epochs * (i / (MOST - 1)) ** 2 for i in range(MOST)]
    chosen = {}
    for epoch in checkpoints:
        part = max(i for i, start in enumerate(starts) if start <= epoch + 1e-9)
        chosen.setdefault(part, epoch)
    return sorted({*chosen.values(), epochs})


def rows(server):
    return server.sql("SELECT count(*) FROM snapshot")[0][0]


@pytest.mark.parametrize("epochs,every", [(3, 1), (100, 1), (100, 7), (500, 1)])
def test_they_are_spread_over_the_training(server, epochs, every):
    training = {**LONG["training"], "epochs": epochs, "checkpoint_every": every}
    job = server.submit({**LONG, "training": training})
    server.wait(job)
    epochs_kept = kept(server, job)
    assert epochs_kept == first_of_each_part(epochs, every)
    assert len(epochs_kept) <= MOST + 1 and epochs_kept[-1] == epochs


def test_they_are_the_model_of_that_epoch(server):
    """A training that ends there gives the same points."""
    long = server.submit(LONG)
    server.wait(long)
    tenth = kept(server, long)[9]
    for epoch in (1, tenth):
        short = server.submit({**LONG, "training": {**LONG["training"], "epochs": epoch}})
        server.wait(short)
        numpy.testing.assert_array_equal(points(server, long, epoch=epoch), points(server, short))
    numpy.testing.assert_array_equal(points(server, long, epoch=100), points(server, long))
    assert (points(server, long, epoch=tenth) != points(server, long)).any()


def test_every_answer_says_its_epoch(server):
    job = server.submit(LONG)
    server.wait(job)
    for path in ("samples", "trajectories", "evaluation"):
        assert server.get(f"/v1/models/{job}/{path}?n=20&epoch=4").json["epoch"] == 4
        assert server.get(f"/v1/models/{job}/{path}?n=20").json["epoch"] == 100
    assert server.post(f"/v1/models/{job}/samples", {"n": 3, "epoch": 4}).json["epoch"] == 4
    early, late = (server.get(f"/v1/models/{job}/evaluation?{q}").json["metrics"] for q in ("epoch=1", ""))
    assert early["denoising_loss"]["model"] > late["denoising_loss"]["model"]
    tags = [server.get(f"/v1/models/{job}/samples.csv?n=2&epoch={e}").headers["ETag"] for e in (1, 4)]
    assert tags[0] != tags[1]
    again = server.get(f"/v1/models/{job}/samples.csv?n=2&epoch=4", headers={"If-None-Match": tags[1]})
    assert again.status == 304


def test_the_latest_model_has_them_too(server):
    job = server.submit(QUICK)
    server.wait(job)
    assert server.get("/v1/models/latest/checkpoints").json["model"] == job
    assert len(points(server, "latest", epoch=2)) == 50


def test_an_epoch_without_one_is_told_which_there_are(server):
    job = server.submit({**LONG, "training": {**LONG["training"], "checkpoint_every": 30}})
    server.wait(job)
    for path in ("samples", "trajectories", "evaluation"):
        answer = server.get(f"/v1/models/{job}/{path}?n=20&epoch=31")
        assert answer.status == 422
        assert answer.json["errors"] == [
            {"pointer": "/epoch", "detail": "there is no checkpoint of epoch 31; available epochs: 1, 30, 60, 90, 100"}
        ]
    answer = server.get(f"/v1/models/{job}/samples?epoch=31", headers={"If-None-Match": "*"})
    assert answer.status == 422
    for value in ("0", "-1", "1.5", "x", "1000001", ""):
        assert server.get(f"/v1/models/{job}/samples?epoch={value}").status == 422


def test_an_imported_model_has_its_own(server):
    job = server.submit(QUICK)
    server.wait(job)
    file = server.get(f"/v1/models/{job}/weights.safetensors").body
    answer = server.post("/v1/models", raw=file, headers={"Content-Type": "application/octet-stream"})
    imported = answer.json["id"]
    assert kept(server, imported) == [3]
    assert server.get(f"/v1/models/{imported}/samples?epoch=3").status == 200
    assert server.get(f"/v1/models/{imported}/samples?epoch=1").status == 422


def test_an_extended_training_keeps_as_many_all_over(server):
    job = server.submit(LONG)
    server.wait(job)
    for epochs in (200, 1000):
        assert server.post(f"/v1/jobs/{job}/resume", {"epochs": epochs}).status == 202
        server.wait(job)
        epochs_kept = kept(server, job)
        assert len(epochs_kept) in (MOST, MOST + 1) and rows(server) == MOST
        assert epochs_kept[0] == 1 and epochs_kept[-1] == epochs
        roots = [math.sqrt(epoch) for epoch in epochs_kept]
        gaps = [b - a for a, b in zip(roots, roots[1:])]
        assert max(gaps) < 4 * math.sqrt(epochs) / MOST, epochs_kept


def test_they_outlive_a_crash_and_a_restart(start):
    server = start()
    job = server.submit({**ENDLESS, "training": {**ENDLESS["training"], "epochs": 400, "checkpoint_every": 1}})
    server.wait_for_epoch(job, 30)
    server.kill()
    server = start()
    server.wait(job)
    assert kept(server, job) == first_of_each_part(400)
    before = points(server, job, epoch=kept(server, job)[3])
    assert server.stop() == 0
    server = start()
    assert kept(server, job) == first_of_each_part(400)
    numpy.testing.assert_array_equal(points(server, job, epoch=kept(server, job)[3]), before)


def test_they_go_with_the_model_and_with_the_job(server):
    first, second = server.submit(QUICK), server.submit(QUICK)
    server.wait(second)
    assert rows(server) == 6
    assert server.request("DELETE", f"/v1/models/{first}").status == 204
    assert rows(server) == 3
    assert server.get(f"/v1/models/{first}/checkpoints").json["code"] == "model_deleted"
    assert server.request("DELETE", f"/v1/jobs/{second}").status == 204
    assert rows(server) == 0
    assert server.get(f"/v1/models/{second}/checkpoints").status == 404
    assert server.get("/v1/models/latest/checkpoints").status == 404


def test_all_of_a_large_model_stay_within_bounds(server):
    """Those of a model of 2 MB are fewer."""
    network = {"hidden_size": 512, "hidden_layers": 2}
    data = {"name": "spiral", "n": 64}
    job = server.submit({**LONG, "dataset": data, "network": network, "training": {**LONG["training"], "epochs": 40}})
    server.wait(job)
    sizes = [item["bytes"] for item in server.get(f"/v1/models/{job}/checkpoints").json["items"]]
    assert sizes[0] > 1_500_000 and sum(sizes[:-1]) <= 32 << 20 < sum(sizes) + 2 * sizes[0]
