"""Samples given some of their coordinates: `given`, or `rows` and `draws`."""

import csv
import io
import json

import numpy
import pytest

MEAN = numpy.array([10.0, -3.0, 0.5])
FACTOR = numpy.array([[2.0, 0, 0], [0.8, 0.6, 0], [0.03, -0.05, 0.08]])
NAMES = ["height", "a/b~c", "0"]  # one that a JSON pointer has to escape


def table(n):
    return MEAN + numpy.random.default_rng(5).normal(size=(n, 3)) @ FACTOR.T


@pytest.fixture(scope="module")
def model(trained):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(NAMES)
    writer.writerows(table(4000).round(6).tolist())
    answer = trained.request("POST", "/v1/datasets?header=true", raw=text.getvalue().encode(), headers={"Content-Type": "text/csv"})
    assert answer.status == 201, answer.body
    spec = {
        "preset": "default",
        "dataset": {"id": answer.json["id"]},
        "diffusion": {"timesteps": 30},
        "network": {"hidden_size": 48, "hidden_layers": 3},
        "training": {"epochs": 150, "batch_size": 256, "conditioning": "any"},
    }
    job = trained.submit(spec)
    state = trained.wait(job, seconds=120)
    assert state["status"] == "succeeded", state
    return job


def ask(server, model, status=200, kind="samples", **body):
    answer = server.post(f"/v1/models/{model}/{kind}", body)
    assert answer.status == status, answer.body
    return answer.json


def test_the_model_names_its_columns(trained, model):
    described = trained.get(f"/v1/models/{model}").json
    assert described["columns"] == NAMES == described["spec"]["dataset"]["columns"]
    assert trained.get(f"/v1/models/{trained.job}").json["columns"] == ["x", "y"]


def test_given_has_the_conditional_moments(trained, model):
    """The closed form: mean and variance of two coordinates of a Gaussian, given the third."""
    cov = FACTOR @ FACTOR.T
    for j, value in (0, 12.0), (1, -4.0):
        found = ask(trained, model, n=4000, given={NAMES[j]: value})
        assert found["sampler"] == "dpmpp_2m_sde"
        points = numpy.array(found["points"])
        assert (points[:, j] == value).all()
        for k in {0, 1, 2} - {j}:
            mean = MEAN[k] + cov[k, j] / cov[j, j] * (value - MEAN[j])
            sd = (cov[k, k] - cov[k, j] ** 2 / cov[j, j]) ** 0.5
            assert abs(points[:, k].mean() - mean) < 0.25 * sd
            assert abs(points[:, k].std() / sd - 1) < 0.2


def test_rows_keep_what_they_have(trained, model):
    rows = [{"height": 11}, {"a/b~c": -3.25, "0": None}, {}, {"height": 9.5, "a/b~c": -3, "0": 0.5}]
    found = ask(trained, model, rows=rows, draws=3, seed=4)
    assert found["n"] == 12 == len(found["points"])
    for i, point in enumerate(found["points"]):
        for name, value in rows[i // 3].items():
            assert value is None or point[NAMES.index(name)] == value
    assert found["points"][0] != found["points"][1], "each draw is one of its own"
    assert found["points"][9] == found["points"][10] == [9.5, -3, 0.5]
    assert found["points"] == ask(trained, model, rows=rows, draws=3, seed=4, n=12)["points"]
    assert ask(trained, model, rows=rows, seed=4)["points"][0] == found["points"][0]


def test_many_rows_are_the_same_in_any_division(trained, model):
    """More points than a thread takes at a time; a point has its row wherever the request is cut."""
    values = numpy.linspace(5, 15, 700).round(3).tolist()
    whole = ask(trained, model, rows=[{"height": value} for value in values], steps=4)["points"]
    assert [point[0] for point in whole] == pytest.approx(values, rel=1e-7)
    assert ask(trained, model, rows=[{"height": value} for value in values[:3]], steps=4)["points"] == whole[:3]


@pytest.mark.parametrize("suffix", ["csv", "npy", "txt", "svg", "png"])
def test_every_format_has_it(trained, model, suffix):
    body = {"n": 50, "given": {"height": 12}, "seed": 2}
    answer = trained.post(f"/v1/models/{model}/samples.{suffix}", body)
    assert answer.status == 200, answer.body
    points = numpy.array(ask(trained, model, **body)["points"])
    if suffix == "npy":
        assert numpy.allclose(numpy.load(io.BytesIO(answer.body)), points, rtol=1e-6, atol=1e-6)
    if suffix == "csv":
        rows = list(csv.reader(io.StringIO(answer.body.decode())))[1:]
        assert numpy.allclose(numpy.array(rows, float), points, rtol=1e-6)


def test_trajectories_end_in_what_was_given(trained, model):
    found = ask(trained, model, kind="trajectories", n=5, steps=6, given={"a/b~c": -2.5}, sampler="heun")
    x, x0 = numpy.array(found["x"]), numpy.array(found["x0"])
    assert (x[-1, :, 1] == -2.5).all() and (x0[:, :, 1] == -2.5).all()
    assert len(set(x[0, :, 1])) == 5, "the first frame is noise"


def test_without_given_the_model_is_as_any_other(trained, model):
    points = numpy.array(ask(trained, model, n=4000)["points"])
    assert numpy.allclose(points.mean(0), MEAN, atol=0.2 * points.std(0).min() + 0.1)
    assert numpy.allclose(numpy.cov(points.T), FACTOR @ FACTOR.T, rtol=0.25, atol=0.1)


def test_the_label_goes_with_it(trained):
    points = numpy.random.default_rng(1).normal(size=(300, 2)).round(4)
    body = {"points": points.tolist(), "labels": ["low" if x < 0 else "high" for x in points[:, 0]]}
    data = trained.post("/v1/datasets", body).json["id"]
    spec = {"dataset": {"id": data}, "diffusion": {"timesteps": 5}, "training": {"epochs": 2, "conditioning": "any"}}
    job = trained.submit(spec)
    assert trained.wait(job)["status"] == "succeeded"
    name = trained.get(f"/v1/models/{job}").json["columns"][1]
    for guidance in 0, 1, 2:
        extra = {"label": "high"} if guidance else {}
        found = ask(trained, job, n=4, given={name: 0.25}, guidance=guidance, **extra)
        assert [point[1] for point in found["points"]] == [0.25] * 4


WRONG = [
    ({"given": {"heigth": 1}}, "/given/heigth", 'did you mean "height"'),
    ({"given": {"length": 1}}, "/given/length", '"height"'),
    ({"given": {"a/b~c": "x"}}, "/given/a~1b~0c", "must be a number"),
    ({"given": {"height": True}}, "/given/height", "must be a number"),
    ({"given": {"height": [1]}}, "/given/height", "must be a number"),
    ({"given": {"height": 1e30}}, "/given/height", "too far from the training data"),
    ({"given": {"0": -7}}, "/given/0", "too far from the training data"),
    ({"given": [1, 2, 3]}, "/given", "must be an object"),
    ({"given": 5}, "/given", "must be an object"),
    ({"given": None}, "/given", "must be an object"),
    ({"rows": []}, "/rows", "1 to 100000"),
    ({"rows": {"height": 1}}, "/rows", "1 to 100000"),
    ({"rows": [{"height": 11}, 5]}, "/rows/1", "must be an object"),
    ({"rows": [{"height": 11}, {"hight": 12}]}, "/rows/1/hight", 'did you mean "height"'),
    ({"rows": [{"height": 11}], "given": {"height": 11}}, "/rows", "only one of them"),
    ({"rows": [{"height": 11}], "draws": 0}, "/draws", "whole number"),
    ({"rows": [{"height": 11}], "draws": 1.5}, "/draws", "whole number"),
    ({"rows": [{"height": 11}], "draws": "3"}, "/draws", "whole number"),
    ({"rows": [{"height": 11}] * 2, "draws": 60000}, "/draws", "more than 100000"),
    ({"rows": [{"height": 11}] * 2, "n": 3}, "/n", "rows and draws mean 2"),
    ({"given": {"height": 11}, "draws": 2}, "/draws", "without rows"),
    ({"draws": 2}, "/draws", "without rows"),
]


@pytest.mark.parametrize(("body", "pointer", "says"), WRONG)
def test_what_cannot_be_given(trained, model, body, pointer, says):
    errors = ask(trained, model, status=422, **body)["errors"]
    assert pointer in [error["pointer"] for error in errors], errors
    assert says in json.dumps([error["detail"] for error in errors]).replace('\\"', '"'), errors


def test_a_model_that_was_not_trained_for_it_says_so(trained):
    for body in {"given": {"x": 1}}, {"rows": [{"x": 1}]}:
        (error,) = ask(trained, trained.job, status=422, **body)["errors"]
        assert "training.conditioning" in error["detail"]


def test_a_query_cannot_have_it(trained, model):
    answer = trained.get(f"/v1/models/{model}/samples?given=height")
    assert answer.status in (400, 422), answer.body


def test_an_imported_model_keeps_the_names(trained, model):
    weights = trained.get(f"/v1/models/{model}/weights.safetensors").body
    answer = trained.request("POST", "/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 201, answer.body
    copy = answer.json["id"]
    body = {"n": 20, "given": {"height": 12}, "seed": 2}
    assert ask(trained, copy, **body)["points"] == ask(trained, model, **body)["points"]
