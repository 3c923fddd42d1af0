"""The member `table` of an evaluation: how good the samples of a model are as a synthetic table."""

import io

import numpy
import pytest
from conftest import Server

TRAINING = {"epochs": 60, "batch_size": 100, "normalization": "quantile", "learning_rate": 6e-3}
SAMPLER = "seed=5&sampler=dpmpp_2m&steps=25"


@pytest.fixture(scope="module")
def rows():
    """Two correlated columns, the first with 30 % zeros, and one that is independent of them."""
    random = numpy.random.default_rng(3)
    first = numpy.where(random.random(600) < 0.3, 0, numpy.round(random.gamma(2, 10, 600), 1))
    return numpy.stack([first, numpy.round(first + random.normal(size=600), 2), random.integers(0, 5, 600)], axis=1)


def train(server, rows, labels=None, **training):
    header = "a,b,c" + (",label" if labels is not None else "")
    lines = [",".join([*map(str, row), *([labels[i]] if labels is not None else [])]) for i, row in enumerate(rows)]
    uploaded = server.post("/v1/datasets", raw="\n".join([header, *lines]).encode(), headers={"Content-Type": "text/csv"})
    assert uploaded.status == 201, uploaded.body
    network = {"hidden_size": 32, "hidden_layers": 3, "input_features": 3}
    job = server.submit({"dataset": {"id": uploaded.json["id"]}, "network": network, "training": {**TRAINING, **training}})
    assert server.wait(job)["status"] == "succeeded"
    return job


def report(server, job, query=f"n=100&{SAMPLER}"):
    answer = server.get(f"/v1/models/{job}/evaluation?{query}")
    assert answer.status == 200, answer.body
    return answer.json["table"]


def kolmogorov_smirnov(x, y):
    at = numpy.concatenate([x, y])
    return abs(numpy.searchsorted(numpy.sort(x), at, "right") / len(x) - numpy.searchsorted(numpy.sort(y), at, "right") / len(y)).max()


def test_distances_are_those_of_the_samples(trained, rows):
    job = train(trained, rows, validation_fraction=0)
    table = report(trained, job)
    assert table["n"] == len(rows)
    samples = numpy.load(io.BytesIO(trained.get(f"/v1/models/{job}/samples.npy?n={len(rows)}&{SAMPLER}").body))
    assert [column["name"] for column in table["columns"]] == ["x", "y", "z"]
    distances = [kolmogorov_smirnov(rows[:, j].astype("float32"), samples[:, j].astype("float32")) for j in range(3)]
    assert [column["distance"] for column in table["columns"]] == pytest.approx(distances, abs=0.004)
    assert [column["missing"] for column in table["columns"]] == [0, 0, 0]
    assert table["shape"]["value"] == pytest.approx(numpy.mean([column["distance"] for column in table["columns"]]))
    apart = abs(numpy.corrcoef(rows.T) - numpy.corrcoef(samples.T.astype("float64"))) / 2
    assert {(pair["first"], pair["second"]) for pair in table["pairs"]} == {("x", "y"), ("x", "z"), ("y", "z")}
    for pair in table["pairs"]:
        assert pair["distance"] == pytest.approx(apart["xyz".index(pair["first"]), "xyz".index(pair["second"])], abs=1e-5)
    assert [pair["distance"] for pair in table["pairs"]] == sorted((pair["distance"] for pair in table["pairs"]), reverse=True)
    assert table["trend"]["value"] == pytest.approx(numpy.mean([pair["distance"] for pair in table["pairs"]]))
    assert 0.35 < table["detection"]["floor"] < 0.65 and table["detection"]["value"] < 0.95
    assert table["privacy"]["nearer_to_training"] == {"value": None, "floor": None}, "nothing is held out"
    copies = (samples[:, None] == rows[None].astype("float32")).all(2).any(1).mean()
    assert table["privacy"]["copies"]["value"] == pytest.approx(copies, abs=0.005) and table["privacy"]["copies"]["floor"] is None
    assert report(trained, job, f"n=50&{SAMPLER}") == table, "the report does not depend on n"


def test_the_label_is_a_column(trained, rows):
    labels = numpy.where(rows[:, 0] == 0, "none", "some")
    table = report(trained, train(trained, rows, labels, validation_fraction=0.2))
    assert table["n"] == 480
    assert [column["name"] for column in table["columns"]] == ["x", "y", "z", "label"]
    assert table["columns"][3]["distance"] <= 1 / 480, "classes come in the proportion of the data"
    assert len(table["pairs"]) == 6
    wrong = {frozenset((pair["first"], pair["second"])): pair["distance"] for pair in table["pairs"]}
    assert wrong[frozenset(("x", "label"))] < 0.35
    privacy = table["privacy"]
    assert 0.3 < privacy["nearer_to_training"]["value"] < 0.7 and 0.3 < privacy["nearer_to_training"]["floor"] < 0.7
    assert 0 <= privacy["copies"]["value"] < 0.2 and 0 <= privacy["copies"]["floor"] < 0.2


def test_only_models_of_ranks_have_a_report(trained):
    assert report(trained, trained.job, "n=50") is None


def test_a_single_column_has_no_pairs(trained, rows):
    uploaded = trained.post("/v1/datasets", raw="\n".join(["a", *map(str, rows[:, 1])]).encode(), headers={"Content-Type": "text/csv"})
    job = trained.submit({"dataset": {"id": uploaded.json["id"]}, "training": {**TRAINING, "epochs": 2}})
    assert trained.wait(job)["status"] == "succeeded"
    table = report(trained, job)
    assert [column["name"] for column in table["columns"]] == ["x"]
    assert table["pairs"] == [] and table["trend"] == {"value": None, "floor": None}


def test_a_report_costs_no_more_than_a_request_may(tmp_path):
    server = Server(str(tmp_path), "--max-sample-cost=1e9")
    job = server.submit({"dataset": {"name": "spiral", "n": 3000}, "training": {**TRAINING, "epochs": 2}})
    assert server.wait(job)["status"] == "succeeded"
    refused = server.get(f"/v1/models/{job}/evaluation?n=2048&steps=100&sampler=ddpm")
    most = int(refused.json["detail"].partition("n = ")[2].split()[0])
    assert report(server, job, "n=16&steps=100&sampler=ddpm")["n"] == most < 2048
    assert report(server, job, "n=16&steps=2&sampler=ddim")["n"] == 3000
    assert server.stop() == 0
