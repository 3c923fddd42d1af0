"""Text that is accepted comes out of every format as it went in: of labels, columns, data sets, jobs and models."""

import csv
import io
import json
import re
import tempfile
import urllib.parse
import xml.etree.ElementTree

import pytest
from conftest import QUICK, Server
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from test_names import JSON, bring_changed, upload
from test_upload_properties import FORMULA, class_of

set_hypothesis_home_dir(tempfile.gettempdir())  # it keeps tables of Unicode
run = settings(max_examples=80, deadline=None, derandomize=True, database=None)

ODD = "\x00\x01\x08\t\n\x0b\r\x1b\x1f\x7f\x85\x9f\u202a\u202e\u2066\u2069\ufeff\ufffd\ufffe\uffff\u2028\U0001f600\U0010ffff<>&\"';,]=+-@'%"
letters = st.characters(blacklist_categories=("Cs",)) | st.sampled_from(ODD)
texts = st.text(letters, min_size=1, max_size=12).filter(lambda text: len(text.encode()) <= 64)
REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("texts")))
    made = upload(server, ["left", "right"] * 20)
    job = server.submit({**QUICK, "name": "a name", "dataset": {"id": made["id"]}, "training": {"epochs": 1, "batch_size": 10}})
    assert server.wait(job)["status"] == "succeeded"
    server.weights = server.get(f"/v1/models/{job}/weights.safetensors").body
    yield server
    assert server.stop() == 0, server.read_log()


def title_and_legend(svg):
    """An XML parser reads it; the title, and what stands after the dots of the legend."""
    space = "{http://www.w3.org/2000/svg}"
    root = xml.etree.ElementTree.fromstring(svg)
    parts = list(root)
    return root.findtext(space + "title"), [text.text for dot, text in zip(parts, parts[1:], strict=False) if dot.get("rx")]


def cells(answer):
    assert answer.status == 200
    return list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))


def guarded(text):
    """As CSV has it: no spreadsheet computes it."""
    is_formula = re.match(FORMULA, text) and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII)
    return "'" + text if is_formula else text


def check_refusal(answer, *given_texts):
    """True if it was refused, which needs a reason."""
    if answer.status in (200, 201):
        assert not any(REFUSED.search(text) for text in given_texts)
        return False
    assert answer.status in (400, 422), answer.body
    assert any(REFUSED.search(text) for text in given_texts), answer.body
    return True


@run
@given(name=texts, labels=st.lists(texts, min_size=2, max_size=4, unique_by=class_of))
@example(name="a]]>b", labels=["]]>", "<b>", "&amp;", "\ufffe"])
@example(name="x", labels=["a\rb", "a\r\nb", " a ", "'=1"])
def test_data_sets(store, name, labels):
    body = {"name": name, "points": [[i] for i in range(len(labels))], "labels": labels}
    made = store.request("POST", "/v1/datasets", raw=json.dumps(body).encode(), headers=JSON)
    if check_refusal(made, name, *labels):
        return
    path, names = f"/v1/datasets/{made.json['id']}", [class_of(label) for label in labels]
    assert made.json["name"] == name and set(made.json["classes"]) == set(names)
    assert store.get(path).json["name"] == name and store.get(path + "/points").json["labels"] == names
    assert [row[1] for row in cells(store.get(path + "/points.csv"))[1:]] == [guarded(each) for each in labels]
    title, legend = title_and_legend(store.get(path + "/points.svg").body)
    assert title == name and legend in ([], made.json["classes"])
    again = store.request("POST", "/v1/datasets?label=label", raw=store.get(path + "/points.csv").body, headers={"Content-Type": "text/csv"})
    assert again.status == 201 and again.json["classes"] == made.json["classes"]
    store.request("DELETE", path)


def taken_as_is(text):
    """Not a name that says something else: no name, labels, or an apostrophe that CSV takes off."""
    return not re.match(f"Unnamed: |'(?={FORMULA})|[ \t]*$", text) and text.lower() not in ("label", "class")


@run
@given(columns=st.lists(texts.filter(taken_as_is), min_size=2, max_size=4, unique=True))
@example(columns=["\ufeffx", "y"])
@example(columns=["#x", "y"])
@example(columns=["'-10.000)", "-"])
@example(columns=["-10.000)", "+44 20 7946"])
@example(columns=["-1 year", "-SUM(A1)"])
def test_columns(store, columns):
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerow(range(len(columns)))
    writer.writerow([1.5] * len(columns))
    made = store.request("POST", "/v1/datasets?header=true", raw=file.getvalue().encode(), headers={"Content-Type": "text/csv"})
    if check_refusal(made, *columns):
        return
    path = f"/v1/datasets/{made.json['id']}"
    assert [column["name"] for column in made.json["columns"]] == columns
    text = store.get(path + "/points.csv")
    assert cells(text)[0] == [guarded(column) for column in columns]
    again = store.request("POST", "/v1/datasets?header=true", raw=text.body, headers={"Content-Type": "text/csv"})
    assert [column["name"] for column in again.json["columns"]] == columns
    store.request("DELETE", path)


@run
@given(name=texts)
def test_jobs(store, name):
    made = store.post("/v1/jobs", {**QUICK, "name": name, "training": {"epochs": 1}})
    if check_refusal(made, name):
        return
    job = made.json["id"]
    assert store.wait(job)["status"] == "succeeded"
    assert store.get(f"/v1/jobs/{job}").json["name"] == name == store.get(f"/v1/models/{job}").json["name"]
    assert title_and_legend(store.get(f"/v1/jobs/{job}/history.svg").body)[0] == name
    store.request("DELETE", f"/v1/jobs/{job}")


@run
@given(name=texts, label=texts.filter(lambda text: text != "right"))
@example(name="é/..\\ü", label="é")
def test_models(store, name, label):
    quoted = json.dumps(label)[1:-1]
    made = bring_changed(store, store.weights, "spec", "left", quoted, name=name)
    if check_refusal(made, name, label):
        return
    path = f"/v1/models/{made.json['id']}"
    assert made.json["name"] == name and made.json["classes"] == [label, "right"]
    assert store.get(path + "/samples?n=2").json["labels"] == [label, "right"]
    assert store.get(f"{path}/samples?n=1&label={urllib.parse.quote(label)}").json["labels"] == [label]
    assert [row[-1] for row in cells(store.get(path + "/samples.csv?n=2"))[1:]] == [guarded(label), "right"]
    assert title_and_legend(store.get(path + "/samples.svg?n=2").body)[1] in ([], [label, "right"])
    export = store.get(path + "/weights.safetensors")
    assert export.status == 200
    plain, _, whole = re.fullmatch(r"attachment; filename=\"([\w-]+)\.safetensors\"(; filename\*=UTF-8''([\w%-]+)\.safetensors)?",
                                   export.headers["Content-Disposition"], re.ASCII).groups()  # fmt: skip
    safe = re.sub(r"[^\w-]", lambda m: m[0] if m[0] >= "\x80" else "_", name, flags=re.ASCII)
    assert urllib.parse.unquote(whole or plain) == safe
    store.request("DELETE", path)
