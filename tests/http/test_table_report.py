"""The member `table` of an evaluation: how good the samples of a model are as a synthetic table."""

import csv
import io
import random

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


def written(server, job, query):
    text = server.get(f"/v1/models/{job}/samples.csv?{query}").body.decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def kolmogorov_smirnov(x, y):
    at = numpy.concatenate([x, y])
    return abs(numpy.searchsorted(numpy.sort(x), at, "right") / len(x) - numpy.searchsorted(numpy.sort(y), at, "right") / len(y)).max()


def test_distances_are_those_of_the_samples(trained, rows):
    job = train(trained, rows, validation_fraction=0)
    table = report(trained, job)
    assert table["n"] == len(rows)
    samples = numpy.array(written(trained, job, f"n={len(rows)}&{SAMPLER}")[1:], float)
    assert [(column["name"], column["type"]) for column in table["columns"]] == [("a", "numeric"), ("b", "numeric"), ("c", "integer")]
    distances = [kolmogorov_smirnov(rows[:, j], samples[:, j]) for j in range(3)]
    assert [column["distance"] for column in table["columns"]] == pytest.approx(distances, abs=1e-9)
    assert [column["missing"] for column in table["columns"]] == [0, 0, 0]
    assert table["shape"]["value"] == pytest.approx(numpy.mean([column["distance"] for column in table["columns"]]))
    apart = abs(numpy.corrcoef(rows.T) - numpy.corrcoef(samples.T)) / 2
    assert {(pair["first"], pair["second"]) for pair in table["pairs"]} == {("a", "b"), ("a", "c"), ("b", "c")}
    for pair in table["pairs"]:
        assert pair["distance"] == pytest.approx(apart["abc".index(pair["first"]), "abc".index(pair["second"])], abs=1e-9)
    assert [pair["distance"] for pair in table["pairs"]] == sorted((pair["distance"] for pair in table["pairs"]), reverse=True)
    assert table["trend"]["value"] == pytest.approx(numpy.mean([pair["distance"] for pair in table["pairs"]]))
    assert 0.35 < table["detection"]["floor"] < 0.65 and table["detection"]["value"] < 0.95
    assert table["privacy"]["nearer_to_training"] == {"value": None, "floor": None}, "nothing is held out"
    copies = (samples[:, None] == rows[None]).all(2).any(1).mean()
    assert table["privacy"]["copies"]["value"] == pytest.approx(copies, abs=1e-9) and table["privacy"]["copies"]["floor"] is None
    assert report(trained, job, f"n=50&{SAMPLER}") == table, "the report does not depend on n"


def test_the_label_is_a_column(trained, rows):
    labels = numpy.where(rows[:, 0] == 0, "none", "some")
    table = report(trained, train(trained, rows, labels, validation_fraction=0.2))
    assert table["n"] == 480
    assert [column["name"] for column in table["columns"]] == ["a", "b", "c", "label"]
    assert table["columns"][3]["distance"] <= 1 / 480, "classes come in the proportion of the data"
    assert len(table["pairs"]) == 6
    wrong = {frozenset((pair["first"], pair["second"])): pair["distance"] for pair in table["pairs"]}
    assert wrong[frozenset(("a", "label"))] < 0.35
    privacy = table["privacy"]
    assert 0.3 < privacy["nearer_to_training"]["value"] < 0.7 and 0.3 < privacy["nearer_to_training"]["floor"] < 0.7
    assert 0 <= privacy["copies"]["value"] < 0.2 and 0 <= privacy["copies"]["floor"] < 0.2


def variation(x, y):
    """The total variation of two lists of cells."""
    return sum(abs(x.count(cell) / len(x) - y.count(cell) / len(y)) for cell in {*x, *y}) / 2


def table_of_all_types():
    """Missing cells, and two columns that follow from others."""
    draw = random.Random(5)
    names = {"1": "one", "2": "two", "": "none"}
    rows = []
    for i in range(500):
        level, kind = draw.choice(list(names)), draw.choice(["good", "good", "bad"])
        rows.append([str(i), level, names[level], draw.choice(["yes", "no"]), f"2024-03-{draw.randint(1, 28):02}", kind, kind[0]])
    return ["n", "size", "name", "open", "day", "kind", "code"], rows


def train_table(server, header, rows, query=""):
    raw = "\n".join(",".join(row) for row in [header, *rows]).encode()
    uploaded = server.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": "text/csv"}).json
    assert [column["name"] for column in uploaded["columns"] if column["follows"]] == ["name", "code"]
    job = server.submit({"dataset": {"id": uploaded["id"]}, "training": {**TRAINING, "epochs": 5, "validation_fraction": 0}})
    assert server.wait(job)["status"] == "succeeded"
    return job


def test_every_type_is_compared_as_it_is_written(trained):
    header, rows = table_of_all_types()
    job = train_table(trained, header, rows)
    table = report(trained, job)
    types = ["integer", "integer", "categorical", "boolean", "datetime", "categorical", "categorical"]
    assert [(column["name"], column["type"]) for column in table["columns"]] == list(zip(header, types))
    samples = written(trained, job, f"n=500&{SAMPLER}")[1:]
    distance = {column["name"]: column["distance"] for column in table["columns"]}
    for name in ("name", "open", "kind", "code"):
        j = header.index(name)
        assert distance[name] == pytest.approx(variation([row[j] for row in rows], [row[j] for row in samples]), abs=1e-9), name
    pairs = {frozenset((pair["first"], pair["second"])): pair["distance"] for pair in table["pairs"]}
    assert len(pairs) == 21 and pairs[frozenset(("kind", "code"))] == pytest.approx(distance["kind"]), "they never disagree"
    cells = [[row[2] + "|" + row[3] for row in some] for some in (rows, samples)]
    assert pairs[frozenset(("name", "open"))] == pytest.approx(variation(*cells), abs=1e-9)


def test_what_follows_from_the_labels_is_compared(trained):
    header, rows = table_of_all_types()
    job = train_table(trained, header, rows, "?label=kind")
    distance = {column["name"]: column["distance"] for column in report(trained, job)["columns"]}
    assert list(distance) == header and distance["kind"] == distance["code"] <= 1 / 500
    unlabeled = report(trained, job, f"n=100&guidance=0&{SAMPLER}")
    assert [column["name"] for column in unlabeled["columns"]] == ["n", "size", "name", "open", "day"]


def test_only_models_of_ranks_have_a_report(trained):
    assert report(trained, trained.job, "n=50") is None


def test_a_single_column_has_no_pairs(trained, rows):
    uploaded = trained.post("/v1/datasets", raw="\n".join(["a", *map(str, rows[:, 1])]).encode(), headers={"Content-Type": "text/csv"})
    job = trained.submit({"dataset": {"id": uploaded.json["id"]}, "training": {**TRAINING, "epochs": 2}})
    assert trained.wait(job)["status"] == "succeeded"
    table = report(trained, job)
    assert [column["name"] for column in table["columns"]] == ["a"]
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
