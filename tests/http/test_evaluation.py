"""How good a model is: against the same numbers computed here from its own samples."""

import json
import socket

import numpy
import pytest
from conftest import QUICK, Server

CLASSES = ["moons", "checkerboard"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A server with three models: of a curve, of classes of different size, of Gaussians."""
    server = Server(str(tmp_path_factory.mktemp("judged")))
    mixture = [{"name": "moons", "n": 100}, {"name": "checkerboard", "n": 300}]
    server.curve = server.submit(dict(QUICK, seed=3))
    server.classes = server.submit(dict(QUICK, dataset=mixture))
    server.gaussians = server.submit(dict(QUICK, dataset={"name": "eight_gaussians", "n": 200}))
    for job in (server.curve, server.classes, server.gaussians):
        assert server.wait(job)["status"] == "succeeded"
    yield server
    assert server.stop() == 0


def evaluate(server, job, query=""):
    answer = server.get(f"/v1/models/{job}/evaluation{query}")
    assert answer.status == 200, answer.body
    return answer.json


def mean_distance(a, b):
    return numpy.sqrt(((a[:, None] - b[None]) ** 2).sum(2)).mean()


def energy(a, b):
    return 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)


def points(server, path):
    return numpy.array(server.get(path).json["points"])


def spiral():
    t = numpy.pi * numpy.linspace(1.5, 4.5, 20001)
    curve = numpy.stack([t * numpy.cos(t), t * numpy.sin(t)], 1)
    low = -11.04070801593
    return (curve - low) * 2 / (4.5 * numpy.pi - low) - 1


def moons_curve():
    t = numpy.linspace(0, numpy.pi, 5001)
    outer = numpy.stack([numpy.cos(t), numpy.sin(t)], 1)
    return (numpy.concatenate([outer, [1, 0.5] - outer]) + 1) * 2 / 3 - 1


def test_the_distance_to_the_curve_is_that_of_the_samples(judged):
    found = evaluate(judged, judged.curve, "?n=300&seed=5")
    samples = points(judged, f"/v1/models/{judged.curve}/samples?n=300&seed=5")
    distances = numpy.sqrt(((samples[:, None] - spiral()[None]) ** 2).sum(2)).min(1)
    curve = found["metrics"]["curve_distance"]
    assert abs(curve["mean"] - distances.mean()) < 1e-4
    assert abs(curve["p99"] - numpy.sort(distances)[296]) < 1e-4
    assert curve["floor"] < 1e-6 and curve["floor_p99"] < 1e-6
    steps = found["curve_distance_per_step"]
    assert [step["timestep"] for step in steps] == list(range(10, -1, -1))
    assert steps[-1]["x"] == pytest.approx(curve["mean"], rel=1e-9) and steps[-1]["x0"] is None
    whole = judged.get(f"/v1/models/{judged.curve}/trajectories?n=300&seed=5").json
    for key in ("x", "x0"):
        frame = numpy.array(whole[key][4])
        distances = numpy.sqrt(((frame[:, None] - spiral()[None]) ** 2).sum(2)).min(1)
        assert abs(steps[4][key] - distances.mean()) < 1e-4


def test_metrics_are_in_the_order_of_their_floors(judged):
    """A quick training is bad, and every metric can tell."""
    metrics = evaluate(judged, judged.curve, "?n=500")["metrics"]
    for name in ("energy_distance", "sliced_wasserstein", "wasserstein", "mmd", "chamfer"):
        assert metrics[name]["value"] > 2 * metrics[name]["floor"] > 0, name
    assert metrics["coverage"]["value"] < 0.9 < metrics["coverage"]["floor"]
    assert metrics["training_distance"]["value"] > metrics["training_distance"]["floor"] > 0
    loss = metrics["denoising_loss"]
    assert 0 < loss["optimal"] < loss["model"] and loss["excess"] > 0


def test_the_same_request_gives_the_same_numbers(judged):
    first, second = (evaluate(judged, judged.curve, "?n=100&seed=1") for _ in range(2))
    assert first["duration_seconds"] > 0
    first.pop("duration_seconds"), second.pop("duration_seconds")
    assert first == second
    other = evaluate(judged, judged.curve, "?n=100&seed=2")
    assert other["metrics"]["energy_distance"] != first["metrics"]["energy_distance"]


def test_classes_come_as_often_as_in_the_data(judged):
    found = evaluate(judged, judged.classes, "?n=200&seed=9")
    assert [(of["class"], of["n"]) for of in found["per_class"]] == [(0, 50), (1, 150)]
    names = judged.get(f"/v1/models/{judged.classes}").json["classes"]
    assert [of["label"] for of in found["per_class"]] == names
    for of in found["per_class"]:
        assert of["curve_distance"] > 0
        assert of["energy_distance"]["value"] > 0 and of["energy_distance"]["floor"] > 0
    assert found["metrics"]["curve_distance"]["mean"] <= max(of["curve_distance"] for of in found["per_class"])
    # the first 50 points of this seed, of class 0, against the moons
    samples = points(judged, f"/v1/models/{judged.classes}/samples?n=50&seed=9&class=0")
    distances = numpy.sqrt(((samples[:, None] - moons_curve()[None]) ** 2).sum(2)).min(1)
    assert abs(found["per_class"][0]["curve_distance"] - distances.mean()) < 1e-4


def test_guidance_in_an_interval(judged):
    """Both limits count, for what is drawn, for what is kept, and in the response."""
    path, answers = f"/v1/models/{judged.classes}/samples?n=50&seed=9&class=0", []
    for limits in ("", "&guidance_ratio_max=2", "&guidance_ratio_min=0.1", "&guidance_ratio_min=0.1&guidance_ratio_max=2"):
        found = evaluate(judged, judged.classes, "?n=200&seed=9&guidance=4" + limits)
        samples = judged.get(path + "&guidance=4" + limits).json
        for key in ("guidance", "guidance_ratio_min", "guidance_ratio_max"):
            assert found[key] == samples[key]
        nearest = abs(numpy.array(samples["points"])[:, None] - moons_curve()[None])
        distance = numpy.sqrt((nearest**2).sum(2)).min(1).mean()
        assert abs(found["per_class"][0]["curve_distance"] - distance) < 1e-4
        answers.append(found["metrics"])
    assert all(answers.count(each) == 1 for each in answers)
    plain = evaluate(judged, judged.curve, "?n=50")
    assert plain["guidance"] is plain["guidance_ratio_min"] is plain["guidance_ratio_max"] is None


def test_what_is_not_defined_is_null(judged):
    found = evaluate(judged, judged.gaussians, "?n=50")
    assert found["metrics"]["curve_distance"] is None and found["curve_distance_per_step"] is None
    assert found["metrics"]["wasserstein"]["value"] > 0 and found["per_class"] is None
    assert evaluate(judged, judged.curve, "?n=50")["per_class"] is None


def test_samplers_are_told_apart(judged):
    few = evaluate(judged, judged.curve, "?n=200&sampler=dpmpp_2m&steps=4")
    assert few["sampler"] == "dpmpp_2m" and few["steps"] == 4
    assert len(few["curve_distance_per_step"]) == 5
    assert few["metrics"] != evaluate(judged, judged.curve, "?n=200")["metrics"]
    unguided = evaluate(judged, judged.classes, "?n=100&guidance=0")["metrics"]
    assert unguided != evaluate(judged, judged.classes, "?n=100")["metrics"]


@pytest.mark.parametrize(
    "query, pointer",
    [
        ("n=15", "/n"), ("n=2049", "/n"), ("n=x", "/n"), ("seed=-1", "/seed"), ("sampler=best", "/sampler"),
        ("steps=11", "/steps"), ("steps=0", "/steps"), ("eta=0.5", "/eta"), ("guidance=2", "/guidance"),
        ("guidance_ratio_min=1", "/guidance_ratio_min"), ("guidance_ratio_max=0", "/guidance_ratio_max"),
        ("label=1", "/label"), ("noise=1", "/noise"), ("clip=1", "/clip"),
    ],
)
def test_wrong_requests(judged, query, pointer):
    answer = judged.get(f"/v1/models/{judged.curve}/evaluation?{query}")
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_model_that_is_not_there(judged):
    assert judged.get("/v1/models/00000000-0000-7000-8000-000000000000/evaluation").status == 404
    assert judged.get("/v1/models/best/evaluation").status == 404
    assert evaluate(judged, "latest", "?n=16")["n"] == 16


def test_a_stop_does_not_wait_for_it(start):
    server = start()
    job = server.submit(QUICK)
    server.wait(job)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET /v1/models/{job}/evaluation?n=2048 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert server.stop() == 0  # within five seconds


# ---------------------------------------------------------------- during a training


def weights(server, job):
    return server.sql("SELECT bytes FROM piece JOIN model USING (blob_id) WHERE model.id = ? ORDER BY number", job)


def trained_with(server, evaluate_every, **more):
    training = dict(QUICK["training"], epochs=5, evaluate_every=evaluate_every)
    job = server.submit(dict(QUICK, training=training, seed=4, **more))
    state = server.wait(job)
    assert state["status"] == "succeeded" and state["spec"]["training"]["evaluate_every"] == evaluate_every
    return job, server.get(f"/v1/jobs/{job}/history").json["data"]


@pytest.mark.parametrize("dataset", ["spiral", [{"name": "moons", "n": 80}, {"name": "heart", "n": 120}]])
def test_a_training_is_measured_and_not_changed(judged, dataset):
    plain, without = trained_with(judged, 0, dataset=dataset)
    job, history = trained_with(judged, 2, dataset=dataset)
    for column in ("curve_distance", "energy_distance"):
        assert without[column] == [None] * 5
        assert [value is not None for value in history[column]] == [False, True, False, True, True]
    assert history["train_loss"] == without["train_loss"] and history["val_loss"] == without["val_loss"]
    assert weights(judged, job) == weights(judged, plain)
    last = evaluate(judged, job, "?n=500&seed=4")["metrics"]
    assert history["curve_distance"][-1] == pytest.approx(last["curve_distance"]["mean"], rel=1e-12)
    assert history["energy_distance"][-1] == last["energy_distance"]["value"]
    rows = judged.get(f"/v1/jobs/{job}/history.csv").body.decode().splitlines()
    assert rows[0].endswith(",curve_distance,energy_distance")
    assert rows[1].endswith(",,") and float(rows[2].split(",")[-1]) == history["energy_distance"][1]


def test_gaussians_are_measured_without_curve(judged):
    job, history = trained_with(judged, 1, dataset="eight_gaussians")
    assert history["curve_distance"] == [None] * 5 and all(value > 0 for value in history["energy_distance"])
    events = judged.get(f"/v1/jobs/{job}/events").body.decode()
    told = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    told = [data["energy_distance"] for data in told if "energy_distance" in data]
    assert told == history["energy_distance"]


@pytest.mark.parametrize("value", [-1, 0.5, "often", 1000001])
def test_how_often_must_be_a_number_of_epochs(judged, value):
    answer = judged.post("/v1/jobs", {"training": {"evaluate_every": value}})
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "/training/evaluate_every"


# ---------------------------------------------------------------- of uploaded data


def test_models_of_uploads_are_held_against_the_upload(judged):
    draws = numpy.random.default_rng(1)
    points = draws.normal(size=(240, 3)).round(3).tolist()
    body = json.dumps({"points": points, "labels": ["ab"[i % 3 == 0] for i in range(240)]}).encode()
    made = judged.request("POST", "/v1/datasets", raw=body).json
    spec = {"preset": "default", **{key: QUICK[key] for key in ("diffusion", "network")}}
    job = judged.submit(dict(spec, dataset={"id": made["id"]}, training=dict(QUICK["training"], evaluate_every=3)))
    assert judged.wait(job)["status"] == "succeeded"
    found = evaluate(judged, job)
    assert found["n"] == 120 and found["metrics"]["curve_distance"] is None  # half of the points each
    assert {of["label"]: of["n"] for of in found["per_class"]}.keys() == {"a", "b"}
    assert sum(of["n"] for of in found["per_class"]) == 120
    for name in ("wasserstein", "energy_distance", "training_distance"):
        assert found["metrics"][name]["value"] > 0 and found["metrics"][name]["floor"] > 0
    history = judged.get(f"/v1/jobs/{job}/history").json["data"]
    assert history["curve_distance"] == [None] * 3 and history["energy_distance"][2] > 0
    assert judged.request("DELETE", f"/v1/datasets/{made['id']}").status == 204
    assert evaluate(judged, job) == found  # that is known
    answer = judged.get(f"/v1/models/{job}/evaluation?n=60")
    assert answer.status == 409 and answer.json["code"] == "dataset_missing"
