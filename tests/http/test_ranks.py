"""The normalization "quantile": numbers come back as they were in the data."""

import csv
import io
import json

import numpy
import pytest
import safetensors
from conftest import ENDLESS

BINARY = {"Content-Type": "application/octet-stream"}
META = "/__metadata__/quantiles"
TRAINING = {"epochs": 300, "batch_size": 100, "normalization": "quantile", "validation_fraction": 0.1}


def column_of_zeros(n):
    """Zero in 40 % of the rows, a cap in 10 %, and something between them in the others."""
    random = numpy.random.default_rng(1)
    between = numpy.round(random.gamma(2, 40, n) + 20, 2)
    chosen = random.random(n)
    return numpy.where(chosen < 0.4, 0, numpy.where(chosen < 0.5, 500, numpy.minimum(between, 499)))


@pytest.fixture(scope="module")
def rows():
    first = column_of_zeros(800)
    random = numpy.random.default_rng(2)
    return numpy.stack([first, numpy.where(first == 0, 3, random.choice([0.1, 0.7, 12345.5], 800)), random.normal(size=800) * 1e-3], axis=1).astype("float32")


@pytest.fixture(scope="module")
def model(trained, rows):
    text = "amount,rate,error\n" + "\n".join(",".join(str(value) for value in row) for row in rows)
    uploaded = trained.post("/v1/datasets", raw=text.encode(), headers={"Content-Type": "text/csv"})
    assert uploaded.status == 201, uploaded.body
    spec = {
        "dataset": {"id": uploaded.json["id"]},
        "diffusion": {"ratio_min": 0.01, "ratio_max": 10},
        "network": {"hidden_size": 64, "hidden_layers": 3, "input_features": 3},
        "training": {**TRAINING, "timestep_focus": 0.3, "learning_rate": 6e-3},
    }
    job = trained.submit(spec)
    assert trained.wait(job)["status"] == "succeeded"
    return job


def sampled(server, model, query="n=8000&seed=1&sampler=dpmpp_2m&steps=50"):
    answer = server.get(f"/v1/models/{model}/samples.npy?{query}")
    assert answer.status == 200, answer.body
    return numpy.load(io.BytesIO(answer.body)).astype("float32")  # as the rows are


def test_samples_are_within_the_data_and_repeat_its_values(trained, model, rows):
    points = sampled(trained, model)
    assert (points.min(0) >= rows.min(0)).all() and (points.max(0) <= rows.max(0)).all()
    assert set(points[:, 1]) <= set(rows[:, 1])
    for column, value in (0, 0), (0, 500), (1, 3):
        expected = (rows[:, column] == numpy.float32(value)).mean()
        assert abs((points[:, column] == numpy.float32(value)).mean() - expected) < 0.05
    assert len(set(points[:, 2])) > 7000  # not the values of the data, but those between them
    assert ((points[:, 0] == 0) == (points[:, 1] == 3)).mean() > 0.85  # independent columns: 0.52
    answer = trained.get(f"/v1/models/{model}/samples.csv?n=40&seed=1&sampler=dpmpp_2m&steps=50").body.decode()
    table = numpy.array(list(csv.reader(io.StringIO(answer)))[1:], dtype="float32")
    assert (table == points[:40]).all()


def test_points_do_not_depend_on_their_number(trained, model):
    assert (sampled(trained, model, "n=7&seed=3") == sampled(trained, model, "n=1000&seed=3")[:7]).all()


def test_trajectories_and_evaluations_are_in_data_units(trained, model, rows):
    answer = trained.get(f"/v1/models/{model}/trajectories.npy?n=50&frames=5&seed=1&sampler=dpmpp_2m&steps=50")
    x = numpy.load(io.BytesIO(answer.body))
    assert (x >= rows.min(0)).all() and (x <= rows.max(0)).all()
    assert (abs(x[-1] - sampled(trained, model)[:50]) <= [0.00501, 0, 1e-9]).all()  # frames are not rounded to decimals
    noise = {"noise": [[1.5, 0.7, 0], [0, 12345.5, 1e-3], [1e9, -1e9, 0]], "seed": 1}
    answer = trained.post(f"/v1/models/{model}/samples", noise)
    assert answer.status == 200 and (numpy.array(answer.json["points"]) <= rows.max(0)).all()
    evaluation = trained.get(f"/v1/models/{model}/evaluation?n=300")
    assert evaluation.status == 200, evaluation.body


def test_a_built_in_pattern_keeps_its_bounds(trained):
    spec = {"dataset": {"name": "spiral", "n": 6000}, "training": {**TRAINING, "epochs": 15}}
    job = trained.submit({**spec, "preset": "default"})
    assert trained.wait(job)["status"] == "succeeded"
    points = sampled(trained, job, "n=2000")
    assert abs(points).max() <= 1 and abs(points).mean() > 0.1
    maps = json.loads(safetensors.read(trained.get(f"/v1/models/{job}/weights.safetensors").body)[0]["quantiles"])
    assert [len(column["values"]) for column in maps] == [len(column["shares"]) for column in maps]
    assert all(1000 < len(column["values"]) < 1100 for column in maps)  # not one for each of the points


def test_a_model_travels_with_its_maps(trained, model, server):
    data = trained.get(f"/v1/models/{model}/weights.safetensors").body
    answer = server.post("/v1/models", raw=data, headers=BINARY)
    assert answer.status == 201, answer.body
    there = answer.json["id"]
    assert (sampled(trained, model) == sampled(server, there)).all()
    assert server.get(f"/v1/models/{there}/weights.safetensors").body == data


def maps_of(change):
    def spoil(header):
        maps = json.loads(header["__metadata__"]["quantiles"])
        change(maps)
        header["__metadata__"]["quantiles"] = json.dumps(maps)

    return spoil


BAD = {
    "none": (lambda header: header["__metadata__"].pop("quantiles"), META),
    "not JSON": (lambda header: header["__metadata__"].update(quantiles="[1,"), META),
    "an object": (lambda header: header["__metadata__"].update(quantiles="{}"), META),
    "one column": (maps_of(lambda maps: maps.pop()), META),
    "numbers": (maps_of(lambda maps: maps.__setitem__(0, 1)), META),
    "no shares": (maps_of(lambda maps: maps[1].pop("shares")), META),
    "text": (maps_of(lambda maps: maps[0]["values"].__setitem__(0, "0")), META),
    "a short list": (maps_of(lambda maps: maps[0]["values"].pop()), META),
    "too many": (maps_of(lambda maps: maps[0].update(values=[0] * 5201, shares=[1] * 5201)), META),
    "missing is text": (maps_of(lambda maps: maps[0].update(missing="0")), META),
    "missing above 1": (maps_of(lambda maps: maps[0].update(missing=1.5)), ""),
    "no order": (maps_of(lambda maps: maps[1]["values"].reverse()), ""),
    "shares above 1": (maps_of(lambda maps: maps[0]["shares"].__setitem__(-1, 1.5)), ""),
    "all gone": (maps_of(lambda maps: maps[2].update(values=[], shares=[])), ""),
}


@pytest.mark.parametrize("name", BAD)
def test_maps_that_make_no_sense(trained, model, server, name):
    spoil, pointer = BAD[name]
    data = trained.get(f"/v1/models/{model}/weights.safetensors").body
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    spoil(header)
    answer = server.post("/v1/models", raw=safetensors.pack(json.dumps(header), data[8 + length :]), headers=BINARY)
    assert answer.status == 422, answer.body
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer], answer.json
    assert server.get("/v1/models").json["items"] == []


def test_a_job_that_is_resumed_ends_in_the_same_model(server):
    spec = {**ENDLESS, "training": {**ENDLESS["training"], **TRAINING, "epochs": 40, "lr_schedule": "constant"}}
    straight = server.submit(spec)
    assert server.wait(straight)["status"] == "succeeded"
    job = server.submit({**spec, "training": {**spec["training"], "epochs": 12}})
    assert server.wait(job)["status"] == "succeeded"
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 40}).status == 202
    assert server.wait(job)["status"] == "succeeded"
    files = [server.get(f"/v1/models/{one}/weights.safetensors").body for one in (straight, job)]
    (first, weights), (second, others) = map(safetensors.read, files)
    assert first["quantiles"] == second["quantiles"]
    assert all((weights[name] == others[name]).all() for name in weights)
