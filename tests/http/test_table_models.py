"""Models of tables: a job on columns of any type, and samples that are rows of the same form."""

import csv
import datetime
import io
import json
import random
import re
import struct

import numpy
import pytest
from conftest import Server

CSV = {"Content-Type": "text/csv"}
HEADER = ["id", "age", "zip", "born", "member", "height", "segment", "country", "balance"]
SMALL = {"network": {"hidden_size": 16, "hidden_layers": 1}, "diffusion": {"timesteps": 10}}


def people(count):
    """Age follows from the segment; every type, missing cells, a leading zero, a comma in a text."""
    draw = random.Random(4)
    rows = []
    for i in range(count):
        old = draw.random() < 0.3
        rows.append([
            str(i + 1), str(draw.randint(60, 79) if old else draw.randint(18, 30)), draw.choice(["00501", "00544", "10001"]),
            "" if draw.random() < 0.2 else str(datetime.date(1950 if old else 1995, 1, 1) + datetime.timedelta(draw.randint(0, 999))),
            draw.choice(["yes", "no", "no"]), "NA" if draw.random() < 0.1 else f"{draw.gauss(1.7, 0.1):.2f}",
            "retired, mostly" if old else "young", "NL", f"{draw.lognormvariate(5, 2):.1f}",
        ])  # fmt: skip
    return rows


def text(rows):
    out = io.StringIO()
    csv.writer(out).writerows([HEADER, *rows])
    return out.getvalue()


ROWS = people(600)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("table_models")))
    yield server
    assert server.stop() == 0, server.read_log()


def upload(server, raw, query=""):
    answer = server.post("/v1/datasets" + query, raw=raw.encode(), headers=CSV)
    assert answer.status == 201, answer.body
    return answer.json


def trained(server, dataset, sizes=SMALL, **training):
    """The job of a model of this data set."""
    spec = sizes | {"dataset": {"id": dataset["id"]}, "training": {"normalization": "quantile", "epochs": 3} | training}
    answer = server.post("/v1/jobs", spec, headers={"Prefer": "wait=60"})
    assert answer.status == 201, answer.body
    job = answer.json
    while job["status"] in ("queued", "running"):
        job = server.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json
    assert job["status"] == "succeeded", job
    return job


def train(server, dataset, sizes=SMALL, **training):
    return trained(server, dataset, sizes, **training)["id"]


@pytest.fixture(scope="module")
def model(store):
    """A model whose data set does not exist any more."""
    made = upload(store, text(ROWS), "?label=segment")
    identity = train(store, made)
    assert store.request("DELETE", f"/v1/datasets/{made['id']}").status == 204
    return identity


def sampled(server, identity, query=""):
    answer = server.get(f"/v1/models/{identity}/samples.csv{query}")
    assert answer.status == 200, answer.body
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert rows[0] == HEADER
    return rows[1:]


def test_samples_are_rows_of_the_table(store, model):
    """More than 100,000 cells: none has another type, range, number of decimals or category."""
    rows = sampled(store, model, "?n=12000&seed=3")
    columns, seen = [list(column) for column in zip(*rows)], [set(column) for column in zip(*ROWS)]
    assert len(rows) == 12000 and all(len(row) == len(HEADER) for row in rows)
    assert columns[0] == [str(i + 1) for i in range(12000)]
    for j in (1, 2, 4, 6, 7):  # every value was seen: few distinct values, or categories
        assert set(columns[j]) <= seen[j], HEADER[j]
    assert set(columns[2]) == seen[2] and set(columns[4]) == seen[4] and set(columns[6]) == seen[6]
    days = [datetime.date.fromisoformat(day) for day in columns[3] if day]
    assert min(seen[3] - {""}) <= str(min(days)) and str(max(days)) <= max(seen[3])
    for j, digits, missing in ((5, 2, "NA"), (8, 1, None)):
        numbers = [cell for cell in columns[j] if cell != missing]
        assert all(re.fullmatch(r"\d+\.\d{%d}" % digits, cell) for cell in numbers), HEADER[j]
        bounds = [float(cell) for cell in seen[j] if cell != missing]
        assert min(bounds) <= min(map(float, numbers)) and max(map(float, numbers)) <= max(bounds)
    assert "" in columns[3] and "NA" in columns[5]


def test_json_is_the_same_rows(store, model):
    answer = store.get(f"/v1/models/{model}/samples?n=300&seed=3").json
    assert answer["columns"] == [name for name in HEADER if name != "segment"] and answer["dim"] == 6
    rows = sampled(store, model, "?n=300&seed=3")
    cells = [[cell for name, cell in zip(HEADER, row) if name != "segment"] for row in rows]
    assert [row[6] for row in rows] == answer["labels"]

    def said(name, cell):
        return None if cell in ("", "NA") else float(cell) if name in ("id", "age", "height", "balance") else cell

    assert answer["points"] == [[said(name, cell) for name, cell in zip(answer["columns"], row)] for row in cells]
    array = numpy.load(io.BytesIO(store.get(f"/v1/models/{model}/samples.npy?n=300&seed=3").body))
    assert array.shape == (300, 6) and array.dtype == "<f8"
    for at, name in ((0, "age"), (4, "height"), (5, "balance")):
        place = answer["columns"].index(name)
        assert [None if numpy.isnan(x) else x for x in array[:, at]] == [row[place] for row in answer["points"]]
    zips = {"00501", "00544", "10001"}
    codes = {(int(code), row[2]) for code, row in zip(array[:, 1], answer["points"])}
    assert len(codes) == 3 and {name for _, name in codes} == zips
    assert numpy.isnan(array[:, 4]).tolist() == [row[5] is None for row in answer["points"]]


def test_any_number_of_rows_begins_alike(store, model):
    assert sampled(store, model, "?n=1500&seed=9")[:7] == sampled(store, model, "?n=7&seed=9")
    assert sampled(store, model, "?n=7&seed=9") != sampled(store, model, "?n=7&seed=10")


def test_a_class_is_a_cell(store, model):
    rows = sampled(store, model, "?n=50&label=retired,%20mostly")
    assert {row[6] for row in rows} == {"retired, mostly"}


def test_pictures_and_trajectories(store, model):
    for suffix in ("svg", "png", "txt"):
        assert store.get(f"/v1/models/{model}/samples.{suffix}?n=200").status == 200
    answer = store.get(f"/v1/models/{model}/trajectories?n=3").json
    assert all(isinstance(x, (int, float, type(None))) for frame in answer["x"] for point in frame for x in point)


def test_training_learns_the_table(store):
    """No row of the table is of a young person above 30, and samples have as many missing cells."""
    sizes = {"network": {"hidden_size": 128, "hidden_layers": 3, "input_features": 3}, "diffusion": {"timesteps": 50, "ratio_min": 0.01, "ratio_max": 10}}  # fmt: skip
    identity = train(store, upload(store, text(ROWS)), sizes, epochs=400, batch_size=64, learning_rate=0.004)
    rows = sampled(store, identity, "?n=2000&seed=1")
    wrong = sum((int(row[1]) > 45) != (row[6] != "young") for row in rows)
    assert wrong < 250, wrong  # 840 if they were independent
    for j, missing in ((3, ""), (5, "NA")):
        assert abs(sum(row[j] == missing for row in rows) / 2000 - sum(row[j] == missing for row in ROWS) / 600) < 0.08
    share = sum(row[6] != "young" for row in rows) / 2000
    assert abs(share - sum(row[6] != "young" for row in ROWS) / 600) < 0.1


def test_other_normalizations_need_numbers(store):
    made = upload(store, text(ROWS))
    for wanted in ({"preset": "sinai2022"}, {"training": {"normalization": "standardize"}}):
        problem = store.post("/v1/jobs", {"dataset": {"id": made["id"]}} | wanted)
        assert problem.status == 422
        (error,) = problem.json["errors"]
        assert error["pointer"] == "/training/normalization" and '"quantile"' in error["detail"] and '"zip"' in error["detail"]
    answer = store.post("/v1/jobs?validate_only=true", {"dataset": {"id": made["id"]}})
    assert answer.status == 200 and answer.json["spec"]["training"]["normalization"] == "quantile"
    both = {"dataset": [{"id": made["id"]}] * 2, "training": {"normalization": "quantile"}}
    assert "list of data sets" in store.post("/v1/jobs", both).json["errors"][0]["detail"]


@pytest.mark.parametrize("cell", ["", "z"])
def test_tables_are_evaluated(store, cell):
    made = upload(store, "a,b\n" + "".join(f"{i % 7},{i % 5 or cell}\n" for i in range(60)))
    assert store.get(f"/v1/models/{train(store, made)}/evaluation").status == 200


# ---------------------------------------------------------------- files


def exported(server, identity):
    raw = server.get(f"/v1/models/{identity}/weights.safetensors").body
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def packed(header, tensors):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + tensors


def test_a_file_has_the_form(store, model):
    header, tensors = exported(store, model)
    form = json.loads(header["__metadata__"]["form"])
    assert form["label"] == "segment" and [column["name"] for column in form["columns"]] == HEADER
    assert not any(column["examples"] or column["histogram"] for column in form["columns"])  # no cells of the data
    answer = store.post("/v1/models", raw=packed(header, tensors), headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 201, answer.body
    assert sampled(store, answer.json["id"], "?n=40&seed=2") == sampled(store, model, "?n=40&seed=2")


@pytest.mark.parametrize("change,reason", [
    (lambda form: form["columns"][1].update(coordinate=1), "coordinate"),
    (lambda form: form["columns"][1].update(format="%d"), "column 2 does not have"),
    (lambda form: form["columns"][1].update(min=5, max=4), "column 2 does not have"),
    (lambda form: form["columns"][1].update(max=1e300), "column 2 does not have"),
    (lambda form: form["columns"][2].update(levels=[]), "column 3 does not have"),
    (lambda form: form["columns"][2].update(levels=[1, 2, 3]), "column 3 does not have"),
    (lambda form: form["columns"][2].update(type="text"), "must be the form"),
    (lambda form: form["columns"][3].update(format="%Y" * 40), "column 4 does not have"),
    (lambda form: form["columns"][5].update(missing_text="x" * 99), "column 6 does not have"),
    (lambda form: form["columns"][0].update(name="a\u202eb"), "the name of column 1"),
    (lambda form: form["columns"].pop(), "all 6 coordinates"),
    (lambda form: form.update(label=None), "must name the column"),
    (lambda form: form.update(label="nothing"), "must be the form"),
    (lambda form: form.update(columns={}), "must be the form"),
])  # fmt: skip
def test_a_wrong_form_is_refused(store, model, change, reason):
    header, tensors = exported(store, model)
    form = json.loads(header["__metadata__"]["form"])
    change(form)
    header["__metadata__"]["form"] = json.dumps(form)
    answer = store.post("/v1/models", raw=packed(header, tensors), headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 422, answer.body
    assert reason in answer.json["errors"][0]["detail"] and answer.json["errors"][0]["pointer"].endswith("form"), answer.json


def test_numbers_too_small_for_decimals(store):
    """They come with an exponent, within their range, in CSV, JSON and npy."""
    draw = random.Random(8)
    rows = "".join(f"{draw.uniform(1, 9):.3f}e-{draw.choice([20, 21])},{draw.choice('ab')}\n" for _ in range(200))
    dataset = upload(store, "charge,kind\n" + rows)
    (charge,) = [column for column in dataset["columns"] if column["name"] == "charge"]
    job = train(store, dataset)
    text = store.get(f"/v1/models/{job}/samples.csv?n=500&seed=1").body.decode()
    cells = [row["charge"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert all(re.fullmatch(r"\d(\.\d{1,3})?e-2[01]", cell) for cell in cells), cells[:5]
    numbers = [float(cell) for cell in cells]
    assert charge["min"] <= min(numbers) < max(numbers) <= charge["max"] and len(set(numbers)) > 100
    assert [row[0] for row in store.get(f"/v1/models/{job}/samples?n=500&seed=1").json["points"]] == numbers
    array = numpy.load(io.BytesIO(store.get(f"/v1/models/{job}/samples.npy?n=500&seed=1").body))
    assert array[:, 0].tolist() == numbers
