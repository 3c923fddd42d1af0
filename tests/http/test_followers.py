"""Columns that follow from others: not trained on, and filled in after sampling."""

import csv
import io
import json
import random
import struct

import pytest
from conftest import Server
from test_table_models import SMALL, trained, upload

HEADER = ["level", "degree", "zip", "country", "since", "open", "income"]
DEGREES = ["none", "school", "", "master, or more"]  # of the levels 1 to 4; that of level 3 is missing
COUNTRIES = {"01": "NL", "02": "NL", "10": "DE", "20": "FR", "NA": "unknown"}
DAYS = {"2024-01-31": "yes", "2024-02-01": "no", "2024-02-29": "yes"}


def rows(count=400):
    """Degree follows from level, country from zip, open from since; some zips are missing."""
    draw = random.Random(7)
    made = []
    for _ in range(count):
        level, zip_code, day = draw.randint(1, 4), draw.choice(list(COUNTRIES)), draw.choice(list(DAYS))
        income = draw.choice(["low", "high"])
        made.append([str(level), DEGREES[level - 1], zip_code, COUNTRIES[zip_code], day, DAYS[day], income])
    return made


def text(table, header=HEADER):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *table])
    return out.getvalue()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("followers")))
    yield server
    assert server.stop() == 0, server.read_log()


def sampled(server, identity, query="?n=3000"):
    answer = server.get(f"/v1/models/{identity}/samples.csv{query}")
    assert answer.status == 200, answer.body
    return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))


def by_name(dataset):
    return {column["name"]: column for column in dataset["columns"]}


@pytest.fixture(scope="module")
def table(store):
    return upload(store, text(rows()))


@pytest.fixture(scope="module")
def job(store, table):
    return trained(store, table)


def test_followers_are_no_coordinates(store, table):
    columns = by_name(table)
    assert {name: columns[name]["follows"] for name in HEADER if columns[name]["follows"]} == {
        "degree": "level", "country": "zip", "open": "since"}  # fmt: skip
    assert table["dim"] == 4 and len(table["statistics"]["mean"]) == 4
    assert [columns[name]["coordinate"] for name in HEADER] == [0, None, 1, None, 2, None, 3]
    (note,) = columns["degree"]["notes"]
    assert note == 'It follows from "level": each value there has always the same value here. So it is not trained on, but filled in after sampling.'
    # the map is in the values of both columns: places of levels, seconds, and null for a missing cell
    said = {a: None if b is None else columns["degree"]["levels"][b] for a, b in columns["degree"]["map"]}
    assert said == {1: "none", 2: "school", 3: None, 4: "master, or more"}
    levels = columns["zip"]["levels"]
    assert {"NA" if a is None else levels[a]: columns["country"]["levels"][b] for a, b in columns["country"]["map"]} == COUNTRIES
    assert [(a, columns["open"]["levels"][b]) for a, b in columns["open"]["map"]] == [
        (1706659200, "yes"), (1706745600, "no"), (1709164800, "yes")]  # fmt: skip
    back = store.get(f"/v1/datasets/{table['id']}/points.csv").body.decode()
    assert back.replace("\r\n", "\n") == text(rows())


def test_samples_have_them(store, job):
    header, *drawn = sampled(store, job["id"])
    assert header == HEADER
    seen = {tuple(row[:6]) for row in drawn}
    assert all(degree == DEGREES[int(level) - 1] for level, degree, *_ in seen)
    assert all(COUNTRIES[row[2]] == row[3] and DAYS[row[4]] == row[5] for row in seen)
    assert {row[0] for row in seen} == set("1234") and {row[2] for row in seen} == set(COUNTRIES)
    points = store.get(f"/v1/models/{job['id']}/samples?n=40").json
    assert points["columns"] == HEADER and points["dim"] == 4
    assert [[str(cell) if cell is not None else None for cell in row] for row in points["points"]] == [
        [None if cell == "" or (cell == "NA" and name == "zip") else cell for name, cell in zip(HEADER, row)] for row in drawn[:40]]  # fmt: skip
    model = store.get(f"/v1/models/{job['id']}").json
    assert model["dim"] == 4 and model["columns"] == ["level", "zip", "since", "income"]


def test_a_model_says_what_its_table_is(store, table, job):
    """What a client needs to ask for rows, without cells of the data."""
    said = store.get(f"/v1/models/{job['id']}").json["table"]
    assert said["label"] is None
    assert said["columns"] == [column | {"examples": [], "notes": [], "histogram": None} for column in table["columns"]]
    spiral = store.submit(SMALL | {"dataset": {"name": "spiral", "n": 100}, "training": {"epochs": 1}})
    assert store.wait(spiral)["status"] == "succeeded"
    assert store.get(f"/v1/models/{spiral}").json["table"] is None


def test_the_labels_decide_and_do_not_follow(store):
    """A code of the label is filled in from the class; a label that follows stays a class."""
    made = rows()
    numbered = [[*row, {"low": "7", "high": "9"}[row[6]]] for row in made]
    table = upload(store, text(numbered, [*HEADER, "code"]), "?label=income")
    columns = by_name(table)
    assert columns["code"]["follows"] == "income" and columns["income"]["follows"] is None and table["dim"] == 3
    assert columns["code"]["map"] == [[table["classes"].index("high"), 9], [table["classes"].index("low"), 7]]
    identity = trained(store, table)["id"]
    _, *drawn = sampled(store, identity)
    assert {(row[6], row[7]) for row in drawn} == {("low", "7"), ("high", "9")}
    _, *drawn = sampled(store, identity, "?n=20&guidance=0")  # samples without a class
    assert {(row[6], row[7]) for row in drawn} == {("", "")}
    table = upload(store, text(made), "?label=degree".replace("degree", "country"))
    assert table["label"] == "country" and by_name(table)["country"]["follows"] is None
    _, *drawn = sampled(store, trained(store, table)["id"], "?n=10&label=DE")
    assert {row[3] for row in drawn} == {"DE"}


def test_something_is_always_trained_on(store):
    """If all columns follow from the labels, none is left out; points of the plane have no followers."""
    both = "".join(f"{'ab'[i % 2]},{'xy'[i % 2]}\n" for i in range(100))
    table = upload(store, "label,code\n" + both)
    assert table["dim"] == 1 and by_name(table)["code"]["follows"] is None
    plane = upload(store, "x,y\n" + "".join(f"{i % 4},{i % 4 * 2}\n" for i in range(100)))
    assert plane["dim"] == 2 and not by_name(plane)["y"]["follows"]


def test_many_values_are_trained_on(store):
    """A map has at most 1024 entries."""
    for count, follows in ((1024, "x"), (1025, None)):
        lines = "".join(f"{k},{k % 3},{'no' if i % 2 else 'yes'}\n" for k in range(count) for i in range(20))
        assert by_name(upload(store, "x,third,z\n" + lines))["third"]["follows"] == follows


def test_spellings_are_one_value(store):
    """1 and 1.0 are the same number, and NA and an empty cell are both missing."""
    level = {"1": "a", "1.0": "a", "2": "b", "": "c", "NA": "c"}
    keys = [*level]
    lines = "".join(f"{keys[i % 5]},{level[keys[i % 5]]},{i % 7}\n" for i in range(350))
    table = upload(store, "x,name,z\n" + lines)
    name = by_name(table)["name"]
    assert {a: name["levels"][b] for a, b in name["map"]} == {None: "c", 1: "a", 2: "b"}
    level["1.0"] = "d"
    lines = "".join(f"{keys[i % 5]},{level[keys[i % 5]]},{i % 7}\n" for i in range(350))
    assert by_name(upload(store, "x,name,z\n" + lines))["name"]["follows"] is None


def test_types_change_what_follows(store):
    made = upload(store, text(rows()))
    path = f"/v1/datasets/{made['id']}"
    changed = store.request("PATCH", path, {"columns": {"level": {"type": "id"}}}).json
    assert by_name(changed)["degree"]["follows"] is None and by_name(changed)["degree"]["coordinate"] == 0


def patch(store, dataset, columns):
    return store.request("PATCH", f"/v1/datasets/{dataset['id']}", {"columns": columns})


def schema_form(table, schema):
    parts = (("file", "text/csv", table), ("schema", "application/json", json.dumps(schema)))
    body = "".join(f'--X\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n{data}\r\n' for name, kind, data in parts)
    return {"raw": (body + "--X--\r\n").encode(), "headers": {"Content-Type": "multipart/form-data; boundary=X"}}


def test_a_column_need_not_follow(store):
    """A client may know that the pairs of its rows are a coincidence: then the column is modeled like the others."""
    made = upload(store, text(rows()))
    assert not any(column["independent"] for column in made["columns"])
    changed = patch(store, made, {"degree": {"follows": None}})
    assert changed.status == 200, changed.body
    columns = by_name(changed.json)
    degree = columns["degree"]
    assert changed.json["dim"] == 5 and [columns[name]["coordinate"] for name in HEADER] == [0, 1, 2, None, 3, None, 4]
    assert (degree["follows"], degree["map"], degree["independent"]) == (None, None, True)
    assert degree["notes"] == ['It follows from "level": each value there has always the same value here. But it is trained on, as you chose, and samples may differ from that.']
    # it stays so when something else changes, whatever its type
    changed = patch(store, made, {"open": {"type": "categorical"}, "degree": {"type": None}}).json
    assert by_name(changed)["degree"]["independent"] and changed["dim"] == 5 and by_name(changed)["open"]["follows"] == "since"
    _, *drawn = sampled(store, trained(store, changed)["id"])
    pairs = {(row[0], row[1]) for row in drawn}
    assert len(pairs) > 4  # after one epoch the two hardly know of each other
    assert {degree for _, degree in pairs} == set(DEGREES)
    assert all(COUNTRIES[row[2]] == row[3] and DAYS[row[4]] == row[5] for row in drawn)


def test_a_column_follows_again(store):
    made = upload(store, text(rows()))
    both = patch(store, made, {"degree": {"follows": None}, "country": {"follows": None}}).json
    assert both["dim"] == 6
    assert patch(store, made, {"degree": {"follows": "level"}}).json["dim"] == 5
    assert patch(store, made, {"country": {"follows": "zip"}}).json == made == store.get(f"/v1/datasets/{made['id']}").json
    assert patch(store, made, {"degree": {"follows": "level"}}).json == made  # as it is


def test_an_upload_says_what_does_not_follow(store):
    answer = store.request("POST", "/v1/datasets", **schema_form(text(rows()), {"columns": {"degree": {"follows": None}, "income": {"follows": None}}}))
    assert answer.status == 201, answer.body
    columns = by_name(answer.json)
    assert answer.json["dim"] == 5 and columns["degree"]["coordinate"] == 1 and columns["country"]["follows"] == "zip"
    assert columns["income"]["independent"] and columns["income"]["notes"] == []  # it follows from none anyway


@pytest.mark.parametrize("name, column, detail", [
    ("degree", {"follows": "zip"}, 'column "degree": it follows from "level", not from "zip"'),
    ("income", {"follows": "zip"}, 'column "income": it does not follow from "zip"'),
    ("degree", {"follows": "degree"}, 'column "degree": it follows from "level", not from "degree"'),
    ("degree", {"follows": "leve"}, 'there is no column "leve"; did you mean "level"?'),
    ("degree", {"follows": 3}, '"follows" must be null or the name of a column'),
    ("degree", {"follow": None}, '"follow" is unknown: there are "type" and "follows"'),
    ("degree", 'x', 'must be an object such as {"type": "categorical"}'),
])  # fmt: skip
def test_a_wrong_source_changes_nothing(store, table, name, column, detail):
    answer = patch(store, table, {name: column})
    (error,) = answer.json["errors"]
    assert answer.status == 422 and error == {"pointer": f"/columns/{name}", "detail": detail}
    assert store.get(f"/v1/datasets/{table['id']}").json == table


def test_columns_that_say_the_same_are_both_trained_on(store):
    """Neither follows from the other one then; a column that does not follow anyway remains what others follow from."""
    made = upload(store, "code,name,x\n" + "".join(f"{i % 5},{'abcde'[i % 5]},{i % 7}\n" for i in range(350)))
    assert by_name(made)["name"]["follows"] == "code"
    changed = patch(store, made, {"code": {"follows": None}}).json
    assert by_name(changed)["name"]["follows"] == "code" and changed["dim"] == 2 and by_name(changed)["code"]["independent"]
    changed = patch(store, made, {"name": {"follows": None}}).json
    assert not any(column["follows"] for column in changed["columns"]) and changed["dim"] == 3


def test_a_column_follows_from_the_nearest_one_that_is_trained_on(store):
    """Else the country that is drawn could be on another continent than the city."""
    made = upload(store, "city,country,continent,x\n" + "".join(f"c{i % 20},{'abcdef'[i % 20 % 6]},{'NSW'[i % 20 % 6 % 3]},{i % 7}\n" for i in range(840)))
    assert {name: column["follows"] for name, column in by_name(made).items()} == {"city": None, "country": "city", "continent": "city", "x": None}
    patch(store, made, {"country": {"follows": None}})
    assert patch(store, made, {"country": {"follows": "city"}}).json == made
    changed = patch(store, made, {"country": {"follows": None}, "continent": {"follows": "country"}})
    assert changed.status == 200, changed.body
    columns = by_name(changed.json)
    assert columns["continent"]["follows"] == "country" and columns["country"]["independent"] and changed.json["dim"] == 3
    assert {columns["country"]["levels"][a]: columns["continent"]["levels"][b] for a, b in columns["continent"]["map"]} == dict(zip("abcdef", "NSWNSW"))
    _, *drawn = sampled(store, trained(store, changed.json)["id"])
    assert all(row[2] == "NSW"["abcdef".index(row[1]) % 3] for row in drawn)


def test_other_normalizations_cannot_fill_in(store):
    table = upload(store, "a,b,c\n" + "".join(f"{i % 7},{i % 7 // 2},{i % 11}\n" for i in range(700)))
    assert table["dim"] == 2 and by_name(table)["b"]["follows"] == "a"
    spec = {"dataset": {"id": table["id"]}, "training": {"normalization": "minmax"}}
    (error,) = store.post("/v1/jobs", spec).json["errors"]
    assert error["pointer"] == "/training/normalization" and 'from others follow the columns "b"' in error["detail"]
    assert store.get(f"/v1/datasets/{table['id']}/forward?n=50").status == 200


# ---------------------------------------------------------------- files


def exported(server, identity):
    raw = server.get(f"/v1/models/{identity}/weights.safetensors").body
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def packed(header, tensors, form):
    header["__metadata__"]["form"] = json.dumps(form)
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    return struct.pack("<Q", len(said)) + said + tensors


def post_model(server, raw):
    return server.post("/v1/models", raw=raw, headers={"Content-Type": "application/octet-stream"})


def test_a_file_fills_them_in(store, job):
    header, tensors = exported(store, job["id"])
    form = json.loads(header["__metadata__"]["form"])
    answer = post_model(store, packed(header, tensors, form))
    assert answer.status == 201, answer.body
    assert sampled(store, answer.json["id"], "?n=50&seed=2") == sampled(store, job["id"], "?n=50&seed=2")


@pytest.mark.parametrize("change", [
    lambda degree, form: degree.update(follows=None),
    lambda degree, form: degree.update(follows="degree"),
    lambda degree, form: degree.update(follows="nothing"),
    lambda degree, form: degree.update(follows="country"),  # which follows itself
    lambda degree, form: degree.update(map=[]),
    lambda degree, form: degree.update(map=[[1, 2, 3]]),
    lambda degree, form: degree.update(map=[[1, "a"]]),
    lambda degree, form: degree.update(map=[[2, 0], [1, 0]]),
    lambda degree, form: degree.update(map=[[1, 0], [None, 0]]),
    lambda degree, form: degree.update(map=[[k, 0] for k in range(1025)]),
    lambda degree, form: degree.update(map=7),
    lambda degree, form: degree.update(map=None),
    lambda degree, form: degree.update(coordinate=0),
    lambda degree, form: degree.update(follows="id") or form["columns"].append({"name": "id", "type": "id", "missing_text": ""}),
])  # fmt: skip
def test_a_wrong_map_is_refused(store, job, change):
    header, tensors = exported(store, job["id"])
    form = json.loads(header["__metadata__"]["form"])
    change(form["columns"][1], form)
    answer = post_model(store, packed(header, tensors, form))
    assert answer.status == 422 and answer.json["errors"][0]["pointer"].endswith("form"), answer.json
