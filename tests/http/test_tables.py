"""Tables with columns of any type: what is understood of them, and how they are given back."""

import csv
import io
import json
import os
import pathlib
import re

import numpy
import pytest
from conftest import Server

CSV = {"Content-Type": "text/csv"}
PEOPLE = (
    "id,age,zip,born,member,height,segment,country\n"
    "1,39,00501,1990-01-31,yes,1.80,low,NL\n"
    "2,,00544,1985-12-01,no,1.75,high,NL\n"
    "3,41,00501,,no,NA,low,NL\n"
    "4,39,00501,2001-02-28,yes,1.60,low,NL\n"
)
FOLDER = os.environ.get("DENOISED_TABLES")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("tables")))
    yield server
    assert server.stop() == 0, server.read_log()


def upload(server, raw, query="", content_type="text/csv"):
    raw = raw.encode() if isinstance(raw, str) else raw
    answer = server.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": content_type})
    assert answer.status == 201, answer.body
    return answer.json


def by_name(made):
    return {column["name"]: column for column in made["columns"]}


def test_a_table_is_understood(store):
    made = upload(store, PEOPLE)
    found = by_name(made)
    assert {name: column["type"] for name, column in found.items()} == {
        "id": "id", "age": "integer", "zip": "categorical", "born": "datetime", "member": "boolean", "height": "numeric",
        "segment": "categorical", "country": "constant",
    }  # fmt: skip
    assert [column["coordinate"] for column in made["columns"]] == [None, 0, 1, 2, 3, 4, 5, None] and made["dim"] == 6
    assert [column["missing"] for column in made["columns"]] == [0, 1, 0, 1, 0, 1, 0, 0]
    assert (found["age"]["min"], found["age"]["max"], found["age"]["distinct"]) == (39, 41, 2)
    assert found["age"]["mean"] == pytest.approx(119 / 3, rel=1e-15)
    assert (found["born"]["min"], found["born"]["max"], found["born"]["format"]) == ("1985-12-01", "2001-02-28", "%Y-%m-%d")
    assert found["born"]["step"] == 86400 and found["height"]["format"] == "0.00" and found["height"]["missing_text"] == "NA"
    assert found["zip"]["levels"] == ["00501", "00544"] and "leading zeros" in found["zip"]["notes"][0]
    assert found["member"]["levels"] == ["no", "yes"] and found["member"]["examples"] == ["yes", "no"]
    assert store.get("/v1/datasets/" + made["id"]).json == made
    assert made["label"] is None and upload(store, PEOPLE, "?label=segment")["label"] == "segment"


def test_a_table_comes_back_as_it_was(store):
    made = upload(store, PEOPLE, "?label=member")
    path = f"/v1/datasets/{made['id']}/points"
    assert store.get(path + ".csv").body.decode().replace("\r\n", "\n") == PEOPLE
    answer = store.get(path + ".json").json
    assert answer["columns"] == ["id", "age", "zip", "born", "height", "segment", "country"]
    assert answer["points"][:2] == [["1", 39, "00501", "1990-01-31", 1.8, "low", "NL"], ["2", None, "00544", "1985-12-01", 1.75, "high", "NL"]]
    assert answer["labels"] == ["yes", "no", "no", "yes"]
    array = numpy.load(io.BytesIO(store.get(path + ".npy").body))
    assert array.shape == (4, 5) and numpy.isnan(array[1, 0]) and array[:, 1].tolist() == [0, 1, 0, 0]
    drawn = list(csv.reader(io.StringIO(store.get(path + ".csv?n=3&seed=2").body.decode())))
    rows = list(csv.reader(io.StringIO(PEOPLE)))
    assert drawn[0] == rows[0] and len(drawn) == 4 and all(row in rows[1:] for row in drawn[1:])


def test_no_digit_is_lost(store):
    raw = "day,id2,lat\n20200131,100000001,48.85837009\n20200201,100000002,48.85837110\n20200229,100000003,48.85837200\n"
    made = upload(store, raw)
    assert store.get(f"/v1/datasets/{made['id']}/points.csv").body.decode().replace("\r\n", "\n") == raw
    assert by_name(made)["day"]["type"] == "datetime" and by_name(made)["lat"]["min"] == 48.85837009
    assert store.get(f"/v1/datasets/{made['id']}/points").json["points"][0] == ["20200131", 100000001, 48.85837009]


def test_what_cannot_be_trained_on_is_named(store):
    made = upload(store, PEOPLE)
    problem = store.post("/v1/jobs", {"dataset": {"id": made["id"]}})
    assert problem.status == 422
    detail = problem.json["errors"][0]["detail"]
    assert all(f'"{name}"' in detail for name in ("zip", "born", "member", "segment", "age", "height")) and '"id"' not in detail
    for process in ("forward", "optimal"):
        answer = store.get(f"/v1/datasets/{made['id']}/{process}")
        assert answer.status == 422 and '"zip"' in answer.json["detail"]


@pytest.mark.parametrize("raw,types", [
    ("x,y\n1,2\n3,\n", ["integer", "integer"]),
    ("NaN,NaN\n3,4\n", ["integer", "integer"]),
    ("1,cat\n2,dog\n", ["integer", "id"]),
    ("p,q\nTRUE,1\nFALSE,2\n", ["boolean", "integer"]),
    ("v,k\nNA,1\n2,2\nx,3\nx,4\nNA,5\ny,6\n", ["categorical", "integer"]),
    ("k,v\n1,1\n2,2\n3,3\n4+,4\n1,5\n2,6\n3,7\n4+,8\n", ["categorical", "integer"]),
    ("k,v\nNone,1\n7,2\n", ["integer", "integer"]),
])  # fmt: skip
def test_types(store, raw, types):
    assert [column["type"] for column in upload(store, raw)["columns"]] == types


def test_arrays_and_records_with_holes(store):
    file = io.BytesIO()
    numpy.save(file, numpy.array([[1, 2], [3, numpy.nan]]))
    assert [column["missing"] for column in upload(store, file.getvalue(), content_type="application/octet-stream")["columns"]] == [0, 1]
    records = json.dumps([{"a": 1, "k": "x"}, {"a": 2}, {"k": "x", "a": 3}])
    assert [column["missing"] for column in upload(store, records, content_type="application/json")["columns"]] == [0, 1]


# ---------------------------------------------------------------- real files

ANSWERS = json.loads((pathlib.Path(__file__).parent / "tables.json").read_text())


@pytest.mark.skipif(not FOLDER, reason="DENOISED_TABLES names no folder of real tables")
def test_real_tables(store):
    """Files that people have: the types of nearly all columns are right, and every cell comes back."""
    right = total = 0
    for name, expected in ANSWERS.items():
        raw = (pathlib.Path(FOLDER) / name).read_bytes()
        kind = {".json": "application/json", ".tsv": "text/tab-separated-values"}.get(pathlib.Path(name).suffix, "text/csv")
        answer = store.post("/v1/datasets", raw=raw, headers={"Content-Type": kind})
        if isinstance(expected, str):
            assert answer.status in (400, 422) and expected in json.dumps(answer.json["errors"] or answer.json), (name, answer.json)
            continue
        assert answer.status == 201, (name, answer.json)
        types = {column["name"]: column["type"] for column in answer.json["columns"]}
        assert list(types) == list(expected), name
        total += len(expected)
        right += sum(types[column] == wanted for column, wanted in expected.items())
        if kind == "application/json":
            continue
        back = list(csv.reader(io.StringIO(store.get(f"/v1/datasets/{answer.json['id']}/points.csv").body.decode(), newline="")))
        back = [[re.sub("^'(?='*[=+@-])", "", cell) for cell in row] for row in back]  # what keeps it from being a formula
        rows = [[cell.strip() for cell in row] for row in read(raw, name) if row]
        assert back[1:] == rows[-answer.json["n"] :], name
        assert len(rows) == answer.json["n"] or [cell or "row" for cell in rows[0]] == back[0], name
        store.request("DELETE", f"/v1/datasets/{answer.json['id']}")
    assert right >= 0.95 * total and len([each for each in ANSWERS.values() if not isinstance(each, str)]) >= 33


def read(raw, name):
    text = raw.decode("utf-8-sig")
    if name in BLANKS:
        return [line.split() for line in text.splitlines()]
    delimiter = "\t" if name.endswith(".tsv") else ";" if ";" in text.splitlines()[0] else ","
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


BLANKS = {"linnerud_exercise.csv", "diabetes_raw.csv"}
