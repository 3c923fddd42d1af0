"""Tables with columns of any type: what is understood of them, and how they are given back."""

import csv
import datetime
import io
import json
import os
import pathlib
import random
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


def test_a_preview_shows_rows_from_the_whole_file(store):
    table = "x,name\n" + "".join(f"{i},{'even' if i % 2 == 0 else ''}\n" for i in range(1234))
    answer = store.post("/v1/datasets?validate_only=true", raw=table.encode(), headers=CSV)
    assert answer.json["rows"] == [[i, "even" if i % 2 == 0 else None] for i in (k * 1234 // 500 for k in range(500))]


def test_histograms_count_every_value_once(store):
    random = numpy.random.default_rng(5)
    size = random.lognormal(size=500)
    count = random.poisson(40, 500)
    day = numpy.datetime64("2020-01-30") + random.integers(0, 45, 500)
    kind = random.choice(["plum", "apple", "fig"], 500, p=[0.5, 0.3, 0.2])
    gaps = random.random((500, 4)) < 0.1
    rows = [
        ",".join("" if gap else str(cell) for cell, gap in zip(row, holes)) + f",{i},same\n"
        for i, (row, holes) in enumerate(zip(zip(size, count, day, kind), gaps))
    ]
    found = by_name(upload(store, "size,count,day,kind,id,one\n" + "".join(rows)))
    assert found["id"]["histogram"] is None and found["one"]["histogram"] is None
    seconds = day.astype("datetime64[s]").astype(float)
    for j, (name, values, unit) in enumerate([("size", size, None), ("count", count, 1), ("day", seconds, 86400)]):
        values = values[~gaps[:, j]]
        start, width, counts = (found[name]["histogram"][key] for key in ("start", "width", "counts"))
        assert start == values.min() and 10 < len(counts) <= 20 and sum(counts) == len(values)
        if unit:
            assert width % unit == 0 and start + len(counts) * width > values.max()
        else:
            assert width == pytest.approx((values.max() - values.min()) / 20)
        place = numpy.minimum((values - start) // width, len(counts) - 1).astype(int)
        assert counts == numpy.bincount(place, minlength=len(counts)).tolist()
    levels, histogram = found["kind"]["levels"], found["kind"]["histogram"]
    assert sorted(levels) == ["apple", "fig", "plum"] and histogram["start"] is histogram["width"] is None
    assert histogram["counts"] == [int(((kind == level) & ~gaps[:, 3]).sum()) for level in levels]
    alike = by_name(upload(store, "x,y\n7.5,1\n7.5,2\n7.5,9\n"))
    assert alike["x"]["histogram"] == {"start": 7.5, "width": 1, "counts": [3]}
    assert alike["y"]["histogram"] == {"start": 1, "width": 1, "counts": [1, 1, 0, 0, 0, 0, 0, 0, 1]}
    assert all(each["histogram"] is None for each in store.get("/v1/datasets/moons").json["columns"])


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
    assert answer["points"][:2] == [[1, 39, "00501", "1990-01-31", 1.8, "low", "NL"], [2, None, "00544", "1985-12-01", 1.75, "high", "NL"]]
    assert answer["labels"] == ["yes", "no", "no", "yes"]
    array = numpy.load(io.BytesIO(store.get(path + ".npy").body))
    assert array.shape == (4, 5) and array.dtype == "<f8" and numpy.isnan(array[1, 0]) and array[:, 1].tolist() == [0, 1, 0, 0]
    drawn = list(csv.reader(io.StringIO(store.get(path + ".csv?n=3&seed=2").body.decode())))
    rows = list(csv.reader(io.StringIO(PEOPLE)))
    assert drawn[0] == rows[0] and len(drawn) == 4 and all(row in rows[1:] for row in drawn[1:])


@pytest.mark.parametrize("ids, wanted", [
    (["3", "1", "20", "-4"], [3, 1, 20, -4]), (["007", "1", "20", "4"], None), (["1.0", "2.0", "3.0", "5.0"], None), (["A1", "2", "3", "5"], None),
    (["10000000000000000001", "2", "3", "5"], None), (["0", "10", "999999999999999", "5"], [0, 10, 999999999999999, 5]),
])  # fmt: skip
def test_ids_are_numbers_in_json_if_they_are_integers(store, ids, wanted):
    """In points and in samples alike; all other names of rows are texts."""
    raw = "id,x,y\n" + "".join(f"{name},{i / 7:.2f},{'ab'[i % 2]}\n" for i, name in enumerate(ids))
    schema = {"columns": {"id": {"type": "id"}}}
    made = store.request("POST", "/v1/datasets", **form(schema, raw)).json
    assert by_name(made)["id"]["format"] == ("0" if wanted else None)
    points = store.get(f"/v1/datasets/{made['id']}/points").json["points"]
    assert [row[0] for row in points] == (wanted or ids)
    assert store.get(f"/v1/datasets/{made['id']}/points.csv").body.decode().replace("\r\n", "\n") == raw
    job = store.submit({"dataset": made["id"], "network": {"hidden_size": 8}, "training": {"epochs": 1}})
    assert store.wait(job)["status"] == "succeeded"
    path = f"/v1/models/{job}/samples"
    assert [row[0] for row in store.get(path + "?n=3").json["points"]] == ([1, 2, 3] if wanted else ["1", "2", "3"])
    given = store.post(path, {"rows": [{"id": 17}, {"id": "B7"}, {}]}).json["points"]
    assert [row[0] for row in given] == ([17, "B7", 3] if wanted else ["17", "B7", "3"])


def test_a_long_table_comes_back_in_pieces(store):
    """Many more bytes than a piece has, with texts that hardly repeat and texts that do, quotes, and labels."""
    rows = ["name,x,share,class"]
    rows += [f"\"n {i // 3}, {i % 3}\",{i * 7919 % 100003 / 1000:.3f},{i % 9 or ''},{'abc'[i % 3]}" for i in range(70000)]
    raw = "\n".join(rows) + "\n"
    made = upload(store, raw, "?label=class")
    path = f"/v1/datasets/{made['id']}/points"
    assert store.get(path + ".csv").body.decode().replace("\r\n", "\n") == raw
    answer = store.get(path + "?n=50000").json
    assert len(answer["points"]) == len(answer["labels"]) == 50000 and answer["classes"] == ["a", "b", "c"]
    known = {row[0]: row[1:] for row in csv.reader(rows[1:])}
    for (name, x, share), label in zip(answer["points"], answer["labels"]):
        assert known[name] == [f"{x:.3f}", str(share or ""), label]
    assert [column["distinct"] for column in made["columns"]] == [70000, len({row[0] for row in known.values()}), 8, 3]


def test_a_page_of_tables_with_many_levels_ends_early(tmp_path):
    """Descriptions of a megabyte each, made longer with SQL to save time: a page ends with the one beyond four."""
    server = Server(str(tmp_path))
    made = [upload(server, "x,y\n1,2\n3,5\n4,6\n")["id"] for _ in range(7)]
    assert server.stop() == 0
    longer = json.dumps("x" * 600_000)
    server.sql("UPDATE dataset SET columns = replace(columns, '\"notes\":[]', ?)", f'"notes":[{longer}]')
    size = server.sql("SELECT max(length(columns)) FROM dataset")[0][0]
    assert size > 1_000_000
    server.start()
    pages, after = [], ""
    while after is not None:
        page = server.get(f"/v1/datasets?kind=upload&limit=200{after and '&after=' + after}").json
        pages.append([item["id"] for item in page["items"]])
        after = page["next"]
    assert sum(pages, []) == made[::-1] and len(pages) > 1
    assert all((len(page) - 1) * size <= 4 << 20 for page in pages) and len(pages[0]) * size > 4 << 20
    first = server.get("/v1/datasets?limit=200").json  # the patterns come first
    assert len(first["items"]) > len(pages[0]) and first["next"] == pages[0][-1]
    assert server.stop() == 0


def test_no_digit_is_lost(store):
    raw = "day,id2,lat\n20200131,100000001,48.85837009\n20200201,100000002,48.85837110\n20200229,100000003,48.85837200\n"
    made = upload(store, raw)
    assert store.get(f"/v1/datasets/{made['id']}/points.csv").body.decode().replace("\r\n", "\n") == raw
    assert by_name(made)["day"]["type"] == "datetime" and by_name(made)["lat"]["min"] == 48.85837009
    assert store.get(f"/v1/datasets/{made['id']}/points").json["points"][0] == ["20200131", 100000001, 48.85837009]


def test_what_cannot_be_trained_on_is_named(store):
    made = upload(store, PEOPLE)
    problem = store.post("/v1/jobs", {"dataset": {"id": made["id"]}, "training": {"normalization": "standardize"}})
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


def test_levels_are_in_the_order_of_what_they_come_with(store):
    """Sizes and grades go together, whatever the order of their frequencies and names."""
    rows, sizes, grades = ["size,grade,years,mass"], ["tiny", "small", "middle", "large", "huge"], ["B", "E", "A", "D", "C"]
    for i in range(600):
        k = (i * i) % 97 * 5 // 97
        rows.append(f"{sizes[k]},{grades[min(4, k + i % 2)]},{8 + 3 * k},{10 * k + i % 13}")
    found = by_name(upload(store, "\n".join(rows) + "\n"))
    for name, wanted in (("size", sizes), ("grade", grades)):
        assert found[name]["levels"] in (wanted, wanted[::-1]), found[name]["levels"]
    assert (found["size"]["follows"], found["years"]["follows"]) in ((None, "size"), ("years", None))
    follower = next(column for column in found.values() if column["follows"])
    assert follower["coordinate"] is None and follower["notes"][0].startswith(f'It follows from "{follower["follows"]}": ')


def test_npy_of_a_table_is_exact(store):
    """Seconds and milliseconds since 1970 and long numbers, which float32 changes; in the file's order, and in one that the seed draws."""
    raw = "day,ms,serial,kind,share\n" + "".join(f"2023-{i % 12 + 1:02d}-{i % 28 + 1:02d},{1577836800000 + 1000 * i},{100000000 + 3 * i},{'ab'[i % 2]},{i / 7!r}\n" for i in range(900))
    made = upload(store, raw)
    path = f"/v1/datasets/{made['id']}/points"
    for query in "", "?n=500&seed=4":
        array = numpy.load(io.BytesIO(store.get(path + ".npy" + query).body))
        rows = list(csv.DictReader(io.StringIO(store.get(path + ".csv" + query).body.decode(), newline="")))
        days = [datetime.datetime.fromisoformat(row["day"] + "+00:00").timestamp() for row in rows]
        assert array.dtype == "<f8" and array.shape == (len(rows), 5)
        assert array[:, 0].tolist() == days and array[:, 3].tolist() == [by_name(made)["kind"]["levels"].index(row["kind"]) for row in rows]
        for j, name in (1, "ms"), (2, "serial"), (4, "share"):
            assert array[:, j].tolist() == [float(row[name]) for row in rows]
    drawing = upload(store, "x,y\n0.5,1\n2,0.1\n")
    assert numpy.load(io.BytesIO(store.get(f"/v1/datasets/{drawing['id']}/points.npy").body)).dtype == "<f4"


def test_too_many_columns(store):
    """Those that say least are named, each with what would help; what is not trained on does not count."""
    draw = random.Random(4)
    names = [f"c{j}" for j in range(67)]
    still = {"c5": 0.99, "c30": 0.9, "c66": 0.8}
    lines = [["n" if i == 0 else f"id {i}" for i in range(101)]]
    for name in names:
        share = still.get(name, 0)
        lines.append([name, *(f"{0 if i < 100 * share else draw.random():.3f}" for i in range(100))])
    raw = "\n".join(",".join(row) for row in zip(*lines)) + "\n"
    answer = store.request("POST", "/v1/datasets", raw=raw.encode(), headers=CSV)
    assert answer.status == 422, answer.body
    assert {error["pointer"]: error["detail"] for error in answer.json["errors"]} == {
        f"/columns/{name}": f'column "{name}": only 64 columns can be learned, not 67, and in {100 * share:.0f}% of the rows this one is the same: '
        'choose the type "id", with which it is not trained on, for this or another column, or remove one' for name, share in still.items()}  # fmt: skip
    answer = store.request("POST", "/v1/datasets", **form({"columns": {name: {"type": "id"} for name in ("c1", "c2", "c3")}}, raw))
    assert answer.status == 201 and answer.json["dim"] == 64 and by_name(answer.json)["c66"]["coordinate"] == 63
    assert store.request("PATCH", f"/v1/datasets/{answer.json['id']}", {"columns": {"c1": {"type": "numeric"}}}).json["errors"][0]["pointer"] == "/columns/c5"


# ---------------------------------------------------------------- what the client knows better


def form(schema, raw=PEOPLE):
    """The body of a form with a file and a schema, and its headers."""
    parts = [("file", raw, "text/csv"), ("schema", schema if isinstance(schema, str) else json.dumps(schema), "application/json")]
    body = "".join(f'--X\r\nContent-Disposition: form-data; name="{n}"; filename="f"\r\nContent-Type: {t}\r\n\r\n{v}\r\n' for n, v, t in parts)
    return {"raw": (body + "--X--\r\n").encode(), "headers": {"Content-Type": "multipart/form-data; boundary=X"}}


def test_types_are_changed_until_a_job_uses_them(store):
    made = upload(store, PEOPLE)
    path = f"/v1/datasets/{made['id']}"
    changed = store.request("PATCH", path, {"columns": {"id": {"type": "integer"}, "age": {"type": "categorical"}}, "label": "member"})
    assert changed.status == 200 and changed.json == store.get(path).json
    types = {name: column["type"] for name, column in by_name(changed.json).items()}
    assert (types["id"], types["age"], types["zip"]) == ("integer", "categorical", "categorical")
    assert changed.json["label"] == "member" and changed.json["classes"] == ["no", "yes"] and changed.json["dim"] == 6
    assert store.get(path + "/points.csv").body.decode().replace("\r\n", "\n") == PEOPLE
    again = store.request("PATCH", path, {"columns": {"id": {"type": None}, "age": {"type": None}}, "label": None})
    assert again.json == made
    assert store.request("PATCH", path, {}).json == made
    ids = {"columns": {name: {"type": "id"} for name in ("zip", "born", "member", "segment", "age", "height", "country")}}
    assert store.request("PATCH", path, ids).status == 422  # nothing would be left
    assert store.request("PATCH", path, {"columns": {**ids["columns"], "id": {"type": "numeric"}}}).json["dim"] == 1
    job = store.post("/v1/jobs", {"dataset": {"id": made["id"]}, "training": {"epochs": 1}})
    assert job.status == 201
    refused = store.request("PATCH", path, {"label": "member"})
    assert (refused.status, refused.json["code"]) == (409, "dataset_in_use")


def test_decimal_commas_survive_a_change(store):
    made = upload(store, "x;y;k\n1,234;1;a\n2,345;2;b\n", "?decimal=comma")
    changed = store.request("PATCH", f"/v1/datasets/{made['id']}", {"label": "k"}).json
    assert by_name(changed)["x"] == by_name(made)["x"] and changed["classes"] == ["a", "b"]


def test_a_form_with_a_schema(store):
    answer = store.request("POST", "/v1/datasets", **form({"columns": {"age": {"type": "categorical"}}, "label": "segment"}))
    assert answer.status == 201 and by_name(answer.json)["age"]["type"] == "categorical"
    assert answer.json["label"] == "segment" and answer.json["classes"] == ["high", "low"]


def test_what_would_be_understood(store):
    before = len(store.get("/v1/datasets?kind=upload&limit=200").json["items"])
    answer = store.request("POST", "/v1/datasets?validate_only=true&label=segment", raw=PEOPLE.encode(), headers=CSV)
    made = upload(store, PEOPLE, "?label=segment")
    kept = {key: made[key] for key in list(answer.json)[1:-1]}
    assert answer.status == 200 and answer.json == {"valid": True, **kept, "rows": answer.json["rows"]}
    assert answer.json["rows"][:2] == [[1, 39, "00501", "1990-01-31", "yes", 1.8, "low", "NL"], [2, None, "00544", "1985-12-01", "no", 1.75, "high", "NL"]]
    assert len(answer.json["rows"]) == 4
    assert len(store.get("/v1/datasets?kind=upload&limit=200").json["items"]) == before + 1


BAD_SCHEMAS = [
    ({"columns": {"height": {"type": "integer"}}}, "/columns/height", "it has fractions"),
    ({"columns": {"zip": {"type": "boolean"}}}, "/columns/zip", "such as true and false"),
    ({"columns": {"segment": {"type": "numeric"}}}, "/columns/segment", '4 of 4 cells (100%) are text ("low", "high"'),
    ({"columns": {"segment": {"type": "datetime"}}}, "/columns/segment", "not all its values are dates"),
    ({"columns": {"age": {"type": "constant"}}}, "/columns/age", "more than one value"),
    ({"columns": {"agee": {"type": "id"}}}, "/columns/agee", 'did you mean "age"?'),
    ({"columns": {"age": {"type": "number"}}}, "/columns/age", "must be null or one of"),
    ({"columns": {"age": {"kind": "id"}}}, "/columns/age", '"kind" is unknown'),
    ({"columns": {"age": "id"}}, "/columns/age", "must be an object"),
    ({"columns": ["age"]}, "/columns", "must be an object"),
    ({"label": 3}, "/label", "must be the name of a column"),
    ({"label": "nothing"}, "/label", 'there is no column "nothing"'),
    ({"types": {}}, "", '"types" is unknown'),
    ([], "", "must be an object"),
]


@pytest.mark.parametrize("schema,pointer,says", BAD_SCHEMAS)
def test_bad_schemas(store, schema, pointer, says):
    made = upload(store, PEOPLE)
    path = f"/v1/datasets/{made['id']}"
    for answer in (store.request("PATCH", path, schema), store.request("POST", "/v1/datasets", **form(schema))):
        assert answer.status == 422, answer.body
        assert answer.json["errors"][0]["pointer"] == pointer and says in answer.json["errors"][0]["detail"]
    assert store.get(path).json == made


def test_what_cannot_be_changed(store):
    assert store.request("PATCH", "/v1/datasets/spiral", {}).json["code"] == "dataset_built_in"
    assert store.request("PATCH", "/v1/datasets/" + "0" * 36, {}).status == 404
    assert store.request("PATCH", f"/v1/datasets/{upload(store, PEOPLE)['id']}", raw=b"{", headers={"Content-Type": "application/json"}).status == 400
    assert store.request("POST", "/v1/datasets", **form("{")).status == 400
    path = f"/v1/datasets/{upload(store, PEOPLE)['id']}"
    assert store.request("PATCH", path, raw=b"{}", headers={"Content-Type": "text/csv"}).status == 415
    assert store.request("PATCH", path, raw=b" " * (300 << 10), headers={"Content-Type": "application/json"}).status == 413
    assert store.request("PATCH", path + "?label=age", {}).status == 422


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
