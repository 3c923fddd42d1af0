"""Rows of a table of which some cells are known: texts, dates, missing values, the label."""

import csv
import datetime
import io
import json
import random

import numpy
import pytest
from conftest import Server

CSV = {"Content-Type": "text/csv"}
HEADER = ["id", "age", "zip", "born", "member", "height", "segment", "country", "level"]


def people(count):
    draw = random.Random(4)
    rows = []
    for i in range(count):
        old = draw.random() < 0.3
        rows.append([
            str(i + 1), str(draw.randint(60, 79) if old != (draw.random() < 0.02) else draw.randint(18, 30)), draw.choice(["00501", "00544", "10001"]),
            "" if draw.random() < 0.2 else str(datetime.date(1950 if old else 1995, 1, 1) + datetime.timedelta(draw.randint(0, 999))),
            draw.choice(["yes", "no", "no"]), "NA" if draw.random() < 0.1 else f"{draw.gauss(1.7, 0.1):.2f}",
            "retired, mostly" if old else "young", "NL", draw.choice(["1", "2", "3", "unknown"]),
        ])  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("given_tables")))
    yield server
    assert server.stop() == 0, server.read_log()


def upload(server, label):
    out = io.StringIO()
    csv.writer(out).writerows([HEADER, *people(800)])
    answer = server.post(f"/v1/datasets{label}", raw=out.getvalue().encode(), headers=CSV)
    assert answer.status == 201, answer.body
    return answer.json["id"]


def train(server, dataset, **training):
    spec = {
        "dataset": {"id": dataset},
        "network": {"hidden_size": 64, "hidden_layers": 2, "input_features": 3},
        "diffusion": {"timesteps": 20, "beta_schedule": "log_linear", "ratio_min": 0.01, "ratio_max": 10, "prediction_type": "v_prediction"},
        "training": {"normalization": "quantile", "conditioning": "any", "epochs": 200, "batch_size": 128, "learning_rate": 0.004} | training,
    }  # fmt: skip
    job = server.submit(spec)
    state = server.wait(job, seconds=120)
    assert state["status"] == "succeeded", state
    return job


@pytest.fixture(scope="module")
def model(store):
    return train(store, upload(store, ""))


@pytest.fixture(scope="module")
def labeled(store):
    return train(store, upload(store, "?label=segment"), epochs=20)


def ask(server, model, status=200, **body):
    answer = server.post(f"/v1/models/{model}/samples", body)
    assert answer.status == status, answer.body
    return answer.json


def rows_of(found):
    return [dict(zip(found["columns"], point)) for point in found["points"]]


KNOWN = {
    "age": 65, "zip": "00544", "born": "1951-02-03", "member": "yes", "height": 1.8125, "segment": "retired, mostly", "country": "NL",
    "level": "2", "id": "A-17",
}  # fmt: skip


def test_every_given_cell_comes_back_as_it_was(store, model):
    """One column at a time, and all at once; 1.8125 has more decimals than the table."""
    for name, value in KNOWN.items():
        rows = rows_of(ask(store, model, n=20, given={name: value}))
        assert [row[name] for row in rows] == [value] * 20, name
        assert all(len({json.dumps(row[other]) for row in rows}) > 1 for other in HEADER if other not in (name, "country", "segment", "member"))
    assert rows_of(ask(store, model, n=2, given=KNOWN)) == [KNOWN] * 2
    raw = store.post(f"/v1/models/{model}/samples.csv", {"n": 2, "given": KNOWN}).body.decode()
    lines = list(csv.reader(io.StringIO(raw, newline="")))
    assert lines[0] == HEADER and lines[1] == [str(KNOWN[name]) for name in HEADER] == lines[2]


def test_what_goes_with_a_given_cell(store, model):
    """Segments differ in age and in the date of birth."""
    for segment, old, least in ("young", False, 235), ("retired, mostly", True, 180):  # 210 and 90 if they were independent
        rows = rows_of(ask(store, model, n=300, given={"segment": segment}))
        assert sum((row["age"] > 45) == old for row in rows) > least
    rows = rows_of(ask(store, model, n=300, given={"born": "1996-01-01"}))
    assert sum(row["segment"] == "young" for row in rows) > 240


def test_other_spellings_of_the_same_cell(store, model):
    spelled = [
        ("member", True, "yes"), ("member", False, "no"), ("level", 2, "2"), ("level", 3.0, "3"), ("level", " unknown ", "unknown"),
        ("zip", 501, "00501"), ("height", "1.70", 1.7), ("age", "65", 65), ("age", 65.0, 65), ("id", 7, 7),
    ]  # fmt: skip
    for name, sent, said in spelled:
        assert rows_of(ask(store, model, n=1, given={name: sent}))[0][name] == said, name


def test_missing_can_be_known(store, model):
    """null is drawn; an empty text, the table's own and other words for missing values are known to be missing."""
    for sent in "", "NA", "n/a":
        rows = rows_of(ask(store, model, n=50, given={"height": sent}))
        assert [row["height"] for row in rows] == [None] * 50
    raw = store.post(f"/v1/models/{model}/samples.csv", {"n": 3, "given": {"height": "NA", "born": ""}}).body.decode()
    assert [(row["height"], row["born"]) for row in csv.DictReader(io.StringIO(raw, newline=""))] == [("NA", "")] * 3
    drawn = rows_of(ask(store, model, n=50, given={"height": None}))
    assert len({row["height"] for row in drawn}) > 5
    assert "must not be missing" in ask(store, model, 422, given={"age": ""})["errors"][0]["detail"]


def test_nothing_is_missing_if_it_never_may_be(store, model, labeled):
    """100,000 cells; other rows are as they were, and the cells go with the row's others."""
    few, many = (ask(store, model, n=n, seed=5, missing="never") for n in (7, 12000))
    assert few["points"] == many["points"][:7]
    assert all(cell is not None for point in many["points"] for cell in point)
    usual = ask(store, model, n=12000, seed=5)["points"]
    whole = [i for i, point in enumerate(usual) if None not in point]
    assert 6000 < len(whole) < 11000
    assert all(usual[i] == many["points"][i] for i in whole)
    for before, after in zip(usual, many["points"]):
        assert all(a == b for a, b in zip(before, after) if a is not None)
    filled = [row for row, before in zip(rows_of(many), usual) if before[3] is None]
    apart = sum((row["born"] > "1980") == (row["segment"] == "young") for row in filled) / len(filled)
    assert len(filled) > 1000 and apart > 0.7, apart  # 0.58 if they were independent
    raw = store.get(f"/v1/models/{labeled}/samples.csv?n=500&missing=never").body.decode()
    assert all(cell not in ("", "NA") for row in csv.DictReader(io.StringIO(raw, newline="")) for cell in row.values())
    numbers = numpy.load(io.BytesIO(store.get(f"/v1/models/{labeled}/samples.npy?n=500&missing=never").body))
    assert not numpy.isnan(numbers).any()
    known = rows_of(ask(store, model, n=20, missing="never", given={"height": "", "age": 65}))
    assert all(row["height"] is None and row["born"] is not None for row in known)
    assert ask(store, model, 422, missing="sometimes")["errors"][0]["pointer"] == "/missing"


def test_labels_can_be_missing_too(store):
    """They are a class, which is given as the table writes it, and not drawn with missing=never unless it is asked for."""
    rows = people(800)
    for row in rows[::4]:
        row[HEADER.index("segment")] = ""
    out = io.StringIO()
    csv.writer(out).writerows([HEADER, *rows])
    answer = store.post("/v1/datasets?label=segment", raw=out.getvalue().encode(), headers=CSV)
    assert answer.status == 201 and answer.json["classes"] == ["retired, mostly", "young", "missing"], answer.body
    model = train(store, answer.json["id"], epochs=3)

    def labels(**body):
        raw = store.post(f"/v1/models/{model}/samples.csv", {"n": 400, "seed": 3, **body}).body.decode()
        return [row["segment"] for row in csv.DictReader(io.StringIO(raw, newline=""))]

    usual, never = labels(), labels(missing="never")
    assert 90 < usual.count("") < 110 and "" not in never
    assert all(a == b for a, b in zip(usual, never) if a)
    assert labels(missing="never", balance=True)[:4] == ["retired, mostly", "young"] * 2
    assert set(labels(missing="never", label="missing")) == {""} == set(labels(given={"segment": ""})) == set(labels(given={"segment": "missing"}))
    for label in "", "missing":
        scored = store.post(f"/v1/models/{model}/score", {"points": [{"age": 25, "segment": label}]})
        assert scored.status == 200 and scored.json["label"] == "missing", scored.body
    turns = f"/v1/models/{model}/samples?n=6&seed=3&balance=true&missing=never"
    assert store.get(turns + "&shared_noise=true").json["labels"] == ["retired, mostly", "young"] * 3


def test_models_that_cannot_be_given_any_never_miss_either(store):
    plain = train(store, upload(store, ""), conditioning="none", epochs=5)
    points = ask(store, plain, n=2000, missing="never")["points"]
    assert all(cell is not None for point in points for cell in point)
    assert store.get(f"/v1/models/{plain}/trajectories?missing=never").status == 422


def test_holes_of_many_rows_are_filled(store, model):
    """The rows in their order, each as many times as draws, whatever the number of rows."""
    draw = random.Random(1)
    table = [dict(zip(HEADER, row)) for row in people(300)]
    rows = [{name: value for name, value in row.items() if draw.random() < 0.7} for row in table]
    filled = rows_of(ask(store, model, rows=rows, draws=2, seed=3))
    assert len(filled) == 600
    for i, row in enumerate(filled):
        for name, value in rows[i // 2].items():
            said = row[name]
            missing = value in ("", "NA")
            assert said is None if missing else (float(value) == said if name in ("id", "age", "height") else said == value), name
    assert any(a != b for a, b in zip(filled[::2], filled[1::2]))
    first = rows_of(ask(store, model, rows=rows[:5], draws=2, seed=3))
    assert first == filled[:10]


def test_ten_thousand_rows_are_one_request(store, model):
    rows = [{name: (float(cell) if name == "age" else cell) for name, cell in zip(HEADER, row) if name != "born"} for row in people(10000)]
    found = ask(store, model, rows=rows, steps=1)
    assert found["n"] == 10000
    assert [row["zip"] for row in rows_of(found)] == [row["zip"] for row in rows]


def test_the_label_is_a_cell(store, labeled):
    """Given, it is the class; each row has its own."""
    same = ask(store, labeled, n=10, given={"segment": "young"}, seed=2)
    assert same["labels"] == ["young"] * 10
    assert same["points"] == ask(store, labeled, n=10, given={}, label="young", seed=2)["points"]
    rows = [{"segment": "young", "age": 25}, {"segment": "retired, mostly"}, {"age": 70, "segment": None}]
    found = ask(store, labeled, rows=rows, draws=2)
    assert found["labels"][:4] == ["young", "young", "retired, mostly", "retired, mostly"]
    assert [point[found["columns"].index("age")] for point in found["points"]][:2] == [25, 25]
    raw = store.post(f"/v1/models/{labeled}/samples.csv", {"rows": rows}).body.decode()
    assert [row["segment"] for row in csv.DictReader(io.StringIO(raw, newline=""))][:2] == ["young", "retired, mostly"]
    for body, says in [
        ({"given": {"segment": "yuong"}}, 'did you mean \\"young\\"'),
        ({"given": {"segment": ""}}, "must not be missing: no label of the training data is"),
        ({"given": {"segment": "young"}, "label": "young"}, "leave out label"),
        ({"given": {"segment": "young"}, "class": 0}, "leave out label"),
        ({"given": {"segment": "young"}, "balance": True}, "leave out label"),
        ({"given": {"segment": "young"}, "guidance": 0}, "no effect with guidance = 0"),
    ]:
        assert says in json.dumps(ask(store, labeled, 422, n=3, **body)["errors"]), body


def test_columns_that_follow(store):
    """The grade decides the points; a quarter decides its half, not the other way round."""
    lines = ["grade,points,quarter,half,x"] + [f"{g},{3 * (ord(g) - 64)},Q{q},H{1 + (q > 2)},{g}{q}" for _ in range(60) for g in "ABC" for q in (1, 2, 3, 4)]
    lines = [line.rpartition(",")[0] + f",{i * 7 % 31}" if i else line for i, line in enumerate(lines)]
    answer = store.post("/v1/datasets", raw="\n".join(lines).encode(), headers=CSV)
    follows = {column["name"]: column["follows"] for column in answer.json["columns"]}
    assert follows["half"] == "quarter" and "grade" in (follows["points"], follows["grade"]) or follows["grade"] == "points"
    identity = train(store, answer.json["id"], epochs=5)
    rows = rows_of(ask(store, identity, n=9, given={"points": 6}))
    assert all(row["points"] == 6 and row["grade"] == "B" for row in rows)
    rows = rows_of(ask(store, identity, n=9, given={"grade": "C"}))
    assert all(row["points"] == 9 and row["grade"] == "C" for row in rows)
    rows = rows_of(ask(store, identity, n=2, given={"grade": "A", "points": 3, "half": "H2", "quarter": "Q4"}))
    assert [(row["grade"], row["points"], row["half"], row["quarter"]) for row in rows] == [("A", 3, "H2", "Q4")] * 2
    for given, says in ({"half": "H1"}, 'give "quarter"'), ({"half": "H1", "quarter": "Q3"}, "does not go with"), ({"grade": "A", "points": 6}, "does not go with"):  # fmt: skip
        assert says in ask(store, identity, 422, given=given)["errors"][0]["detail"]


def scores(server, model, points, status=200, **more):
    answer = server.post(f"/v1/models/{model}/score", {"points": points, "steps": 10} | more)
    assert answer.status == status, answer.body
    return answer.json


def test_rows_of_the_table_are_scored(store, model):
    """As objects, as arrays in the order of the columns, and as coordinates: the same. A wild cell is below 1%."""
    table = [dict(zip(HEADER, row)) for row in people(60)]
    typed = [{name: float(cell) if name == "age" else cell or None for name, cell in row.items()} for row in table]
    first = scores(store, model, typed)
    assert first["n"] == 60 and first["dim"] == 7
    assert scores(store, model, [list(row.values()) for row in typed])["log_density"] == first["log_density"]
    assert scores(store, model, [{k: v for k, v in row.items() if v is not None and k not in ("id", "country")} for row in typed])["log_density"] == first["log_density"]  # fmt: skip
    assert 15 < numpy.median(first["percentile"]) < 85
    for name, cell in ("age", 1000), ("height", 40.5):
        assert max(scores(store, model, [row | {name: cell} for row in typed[:5]])["percentile"]) <= 1, name
    assert scores(store, model, [{"segment": "yuong"}], 422)["errors"][0]["pointer"] == "/points/0/segment"
    assert scores(store, model, [{"Age": 3}], 422)["errors"][0]["pointer"] == "/points/0/Age"
    assert scores(store, model, [["x"] * 10], 422)["errors"][-1]["pointer"] == "/points/0/9"
    assert scores(store, model, [{"age": 30}, 5], 422)["errors"][0]["pointer"] == "/points/1"


def test_rows_with_their_class_are_scored(store, labeled):
    rows = [{"age": 25, "segment": "young"}, {"age": 22, "segment": "young"}]
    found = scores(store, labeled, rows)
    assert found["label"] == "young"
    assert found["log_density"] == scores(store, labeled, [{"age": 25}, {"age": 22}], label="young")["log_density"]
    assert "each class" in scores(store, labeled, rows + [{"segment": "retired, mostly"}], 422)["errors"][0]["detail"]
    assert scores(store, labeled, rows, 422, label="young")["errors"][0]["pointer"] == "/label"


WRONG = [
    ({"given": {"segment": "yuong"}}, "/given/segment", 'did you mean "young"'),
    ({"given": {"segment": "x"}}, "/given/segment", 'the values are'),
    ({"given": {"segment": True}}, "/given/segment", "is no value"),
    ({"given": {"zip": 502}}, "/given/zip", "is no value"),
    ({"given": {"member": "maybe"}}, "/given/member", "is no value"),
    ({"given": {"born": 5}}, "/given/born", "as the table writes it"),
    ({"given": {"born": "3.2.1951"}}, "/given/born", "as the table writes it"),
    ({"given": {"born": "2500-01-01"}}, "/given/born", "too far from the training data"),
    ({"given": {"age": 500}}, "/given/age", "too far from the training data"),
    ({"given": {"age": 20.5}}, "/given/age", "whole number"),
    ({"given": {"age": "old"}}, "/given/age", "whole number"),
    ({"given": {"age": [20]}}, "/given/age", "must be a number"),
    ({"given": {"height": True}}, "/given/height", "must be a number"),
    ({"given": {"height": "9" * 90}}, "/given/height", "at most 79 bytes"),
    ({"given": {"country": "BE"}}, "/given/country", "is no value"),
    ({"given": {"id": True}}, "/given/id", "a text or a number"),
    ({"given": {"Age": 20}}, "/given/Age", 'did you mean "age"'),
    ({"rows": [{}, {"zip": {}}]}, "/rows/1/zip", "must be a text"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "pointer", "says"), WRONG)
def test_what_is_no_cell_of_the_table(store, model, body, pointer, says):
    errors = ask(store, model, status=422, **body)["errors"]
    assert [error["pointer"] for error in errors] == [pointer], errors
    assert says in errors[0]["detail"], errors
