"""Rows sent as CSV: their holes are filled, or they are scored, with the parameters in the query."""

import csv
import gzip
import io
import random
import re
import threading

import pytest
from conftest import Server
from test_bad_requests import check_problem
from test_given_tables import CSV, HEADER, people, train, upload
from test_streams import SANITIZED, memory

TSV = {"Content-Type": "text/tab-separated-values"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("file_rows")))
    yield server
    assert server.stop() == 0, server.read_log()


@pytest.fixture(scope="module")
def model(store):
    return train(store, upload(store, ""), epochs=10)


@pytest.fixture(scope="module")
def labeled(store):
    return train(store, upload(store, "?label=segment"), epochs=10)


@pytest.fixture(scope="module")
def points(store):
    """A model of numbers called x and y."""
    draw = random.Random(2)
    raw = "x,y\n" + "".join(f"{draw.gauss(0, 1):.3f},{draw.gauss(5, 2):.3f}\n" for _ in range(300))
    made = store.post("/v1/datasets", raw=raw.encode(), headers=CSV).json["id"]
    job = store.submit({"dataset": made, "training": {"epochs": 3, "conditioning": "any"}})
    assert store.wait(job)["status"] == "succeeded"
    return job


def written(rows, header=HEADER, **dialect):
    out = io.StringIO()
    csv.writer(out, **dialect).writerows([header, *rows])
    return out.getvalue().encode()


def holes(count, seed=1):
    """Rows of people of which three cells in ten are empty or NA."""
    draw = random.Random(seed)
    return [[cell if draw.random() < 0.7 else draw.choice(["", "NA"]) for cell in row] for row in people(count)]


def known(rows, header=HEADER):
    """The same for a body of JSON; an id is never missing."""
    return [{name: cell for name, cell in zip(header, row) if name == "id" or cell not in ("", "NA")} for row in rows]


def fill(server, model, raw, query="", headers=CSV):
    return server.request("POST", f"/v1/models/{model}/samples{query}", raw=raw, headers=headers)


def test_a_file_is_filled(store, model):
    """As the same rows in JSON are; what was there stays as it was written, and what was not is drawn."""
    rows = holes(200)
    answer = fill(store, model, written(rows), ".csv?draws=2&seed=3&missing=never")
    assert answer.status == 200, answer.body
    header, *filled = csv.reader(io.StringIO(answer.body.decode(), newline=""))
    assert header == HEADER and len(filled) == 400
    for i, row in enumerate(filled):
        for name, before, after in zip(HEADER, rows[i // 2], row):
            assert after == before if before not in ("", "NA") or name == "id" else after not in ("", "NA"), (name, before, after)
    same = store.post(f"/v1/models/{model}/samples", {"rows": known(rows), "draws": 2, "seed": 3, "missing": "never"}).json
    other = fill(store, model, written(rows), "?draws=2&seed=3&missing=never").json
    assert other["n"] == 400 and other["points"] == same["points"]
    once = fill(store, model, written(rows), "?seed=3").json
    assert once["points"] == store.post(f"/v1/models/{model}/samples", {"rows": known(rows), "seed": 3}).json["points"]


def test_any_dialect_is_read(store, model):
    """Columns in another order, only some of them, other delimiters, a byte order mark, gzip, UTF-16."""
    header = ["segment", "age", "born"]
    rows = [["young", "25", ""], ["", "70", "1951-02-03"], ["retired, mostly", "", ""]]
    wanted = store.post(f"/v1/models/{model}/samples", {"rows": known(rows, header)}).json["points"]
    plain = written(rows, header)
    for raw, headers in [
        (plain, CSV), (plain.replace(b"\r\n", b"\n"), CSV), (b"\xef\xbb\xbf" + plain, CSV), (gzip.compress(plain), CSV),
        (written(rows, header, delimiter=";"), CSV), (written(rows, header, delimiter="\t"), TSV),
        (plain.decode().encode("utf-16"), {"Content-Type": "text/csv; charset=utf-16"}),
    ]:  # fmt: skip
        answer = fill(store, model, raw, headers=headers)
        assert answer.status == 200 and answer.json["points"] == wanted, answer.body


def test_the_label_is_a_column(store, labeled):
    rows = [["young", "25"], ["retired, mostly", ""], ["", "70"]]
    found = fill(store, labeled, written(rows, ["segment", "age"]), "?draws=2").json
    assert found["labels"][:4] == ["young"] * 2 + ["retired, mostly"] * 2
    wanted = store.post(f"/v1/models/{labeled}/samples", {"rows": known(rows, ["segment", "age"]), "draws": 2}).json
    assert (found["points"], found["labels"]) == (wanted["points"], wanted["labels"])


def test_numbers_are_filled(store, points):
    answer = fill(store, points, b"y,x\n5.5,\n,0.25\n", "?steps=2")
    assert answer.status == 200, answer.body
    wanted = store.post(f"/v1/models/{points}/samples", {"rows": [{"y": 5.5}, {"x": 0.25}], "steps": 2}).json
    assert answer.json["points"] == wanted["points"] and answer.json["points"][0][1] == 5.5


def test_many_rows_are_read_on_the_pool(store, model):
    rows = [row[:3] for row in people(20000)]
    found = fill(store, model, written(rows, HEADER[:3]), "?steps=1").json
    assert [point[2] for point in found["points"]] == [row[2] for row in rows]


WRONG = [
    (b"age,zip\n65,00544\nold,00544\n", "", "/rows/1/age", "line 3: must be a whole number, or null to be drawn"),
    (b"# people\nage,zip\n65,00544\n65,99999\n", "", "/rows/1/zip", 'line 4: "99999" is no value of this column'),
    (b"born\n1951-02-03\n3 Feb 1951\n", "", "/rows/1/born", "line 3: must be a date as the table writes it"),
    (b"aeg,zip\n65,00544\n66,00544\n", "", "/rows/0/aeg", 'is no column; did you mean "age"?'),
    (b"age\n65\n3000\n", "", "/rows/1/age", "line 3: is 3000, too far from the training data"),
    (b"age,zip\n65\n", "", "/points/0", "line 2: 1 field"),
    (b"age,age\n65,65\n", "", "/columns", 'both called "age"'),
    (b"age,zip\n", "", "/points", "there are no rows"),
    (b"age\n65\n", "?draws=0", "/draws", "must be"),
    (b"age\n65\n66\n", "?draws=60000", "/draws", "makes 120000 points of 2 rows, more than 100000"),
    (b"age\n65\n", "?n=2", "/n", "means 2 points, but rows and draws mean 1"),
    (b"age\n65\n", "?given=1", "/given", "JSON body only"),
    (b"age\n65\n", "?balance=true&class=0", "/balance", "no effect when one class is drawn"),
    (b"age\n" + b"65\n" * 100_001, "", "", "100001 rows of 1 columns are too many: there can be 100000 rows, and 400000 cells"),
]


@pytest.mark.parametrize("raw, query, pointer, says", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_line(store, model, raw, query, pointer, says):
    answer = fill(store, model, raw, query)
    check_problem(answer, 422, "invalid_fields")
    assert answer.json["errors"][0]["pointer"] == pointer and says in answer.json["errors"][0]["detail"], answer.json
    assert pointer != "/rows/0/aeg" or len(answer.json["errors"]) == 1


MANY = {
    "unknown columns": (b"q,r,s,u\n" + b"1,2,3,4\n" * 100_000, "4 fields are invalid", 4),
    "unknown levels": (b"zip\n" + b"9\n" * 100_000, "at least 65 fields are invalid; the first 64 are listed", 64),
    "no numbers": (b"age,height\n" + b"old,tall\n" * 100_000, "at least 65 fields are invalid; the first 64 are listed", 64),
}


@pytest.mark.parametrize("path", ["samples", "score"])
@pytest.mark.parametrize("raw, detail, listed", MANY.values(), ids=MANY)
def test_many_wrong_cells_take_little_memory(store, model, path, raw, detail, listed):
    with open(f"/proc/{store.process.pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the peak of memory begins here
    before = memory(store)
    answer = store.request("POST", f"/v1/models/{model}/{path}", raw=raw, headers=CSV)
    check_problem(answer, 422, "invalid_fields")
    assert answer.json["detail"] == detail and len(answer.json["errors"]) == listed
    assert SANITIZED or memory(store) - before < 100 << 20


def test_the_memory_for_rows_counts(store):
    """A small file of one column is a row of all columns for each of its lines."""
    width, rows = 64, 5_000 if SANITIZED else 50_000
    names = ",".join(f"c{k}" for k in range(width))
    draw = random.Random(5)
    raw = names + "\n" + "".join(",".join(f"{draw.gauss(0, 1):.2f}" for _ in range(width)) + "\n" for _ in range(50))
    made = store.post("/v1/datasets", raw=raw.encode(), headers=CSV).json["id"]
    wide = store.submit({"dataset": made, "training": {"epochs": 1, "conditioning": "any"}})
    assert store.wait(wide)["status"] == "succeeded"

    def held():
        return float(re.search(r"^denoised_http_answer_bytes (\S+)$", store.get("/metrics").body.decode(), re.M)[1])

    answers = []
    request = threading.Thread(target=lambda: answers.append(fill(store, wide, b"c0\n" + b"1\n" * rows, ".svg")))
    request.start()
    seen = 0
    while request.is_alive():
        seen = max(seen, held())
    request.join()
    drawn = rows * width * 4 * 4 + rows * 128  # the picture and its points, which were counted before
    assert answers[0].status == 200 and seen > drawn + rows * width * (8 + 8), (seen, drawn)


@pytest.mark.parametrize("path", ["samples", "score"])
def test_files_that_cannot_be_read(store, model, path):
    for raw, headers, status, code in [
        (b'age\n"65\n', CSV, 400, "invalid_csv"),
        (b"\x93NUMPY\x01\x00", CSV, 400, "invalid_csv"),
        (b'[{"age": 65}]', CSV, 400, "invalid_csv"),
        (b"age\n\xff\xfe\n", CSV, 400, "invalid_csv"),
        (gzip.compress(b"age\n65\n" * 100)[:-9], CSV, 400, "invalid_upload"),
        (b"age\n65\n", {"Content-Type": "text/csv; charset=klingon"}, 415, "unsupported_media_type"),
        (b"age\n65\n", {"Content-Type": "application/x-ndjson"}, 415, "unsupported_media_type"),
        (gzip.compress(b"age\n" + b"65\n" * 3_000_000), CSV, 413, "body_too_large"),
    ]:  # fmt: skip
        check_problem(store.request("POST", f"/v1/models/{model}/{path}", raw=raw, headers=headers), status, code)
    answer = store.request("POST", f"/v1/models/{model}/{path}", raw=b"", headers=CSV)
    assert answer.status in (400, 422), answer.body
    check_problem(store.request("POST", f"/v1/models/{model}/trajectories", raw=b"age\n65\n", headers=CSV), 415, "unsupported_media_type")


def test_parameters_of_a_query_count_beside_json_too(store, model):
    """Unless the body has them, or they mean nothing."""
    body = {"rows": [{"age": 65}, {"zip": "00544"}]}
    path = f"/v1/models/{model}/samples"
    wanted = store.post(path, {**body, "draws": 2, "seed": 3}).json["points"]
    assert store.request("POST", path + "?draws=2&seed=3&n=4", body).json["points"] == wanted
    assert store.request("POST", path + "?draws=7&seed=4", {**body, "draws": 2, "seed": 3}).json["points"] == wanted
    assert store.request("POST", path + "?n=5", {}).json["n"] == 5 and store.post(path, {}).json["n"] == 1000
    scored = store.post(f"/v1/models/{model}/score", {"points": body["rows"], "steps": 2}).json["log_density"]
    assert store.request("POST", f"/v1/models/{model}/score?steps=2", {"points": body["rows"]}).json["log_density"] == scored
    for query, said, pointer in (
        ("?draws=2", {}, "/draws"), ("?draws=2", {"given": {"age": 65}}, "/draws"), ("?n=5", body, "/n"), ("?rows=1", {}, "/rows"), ("?sede=1", {}, "/sede"),
    ):  # fmt: skip
        answer = store.request("POST", path + query, said)
        check_problem(answer, 422, "invalid_fields")
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    check_problem(store.request("GET", path + "?draws=2"), 422, "invalid_fields")


# ---------------------------------------------------------------- scores


def test_a_file_is_scored(store, model):
    """As its rows in JSON are: null is a missing cell."""
    rows = holes(50, 7)
    answer = store.request("POST", f"/v1/models/{model}/score?steps=8", raw=written(rows), headers=CSV)
    assert answer.status == 200, answer.body
    wanted = store.post(f"/v1/models/{model}/score", {"points": known(rows), "steps": 8}).json
    assert answer.json["n"] == 50 and answer.json["log_density"] == wanted["log_density"] and answer.json["percentile"] == wanted["percentile"]
    table = store.request("POST", f"/v1/models/{model}/score.csv?steps=8&percentiles=false", raw=written(rows), headers=CSV).body.decode()
    assert [float(row["log_density"]) for row in csv.DictReader(io.StringIO(table))] == wanted["log_density"]


def test_a_file_of_numbers_is_scored(store, points):
    answer = store.request("POST", f"/v1/models/{points}/score?units=data", raw=b"y,x\n5.5,0.25\n4,-1\n", headers=CSV)
    assert answer.status == 200, answer.body
    wanted = store.post(f"/v1/models/{points}/score", {"points": [[0.25, 5.5], [-1, 4]], "units": "data"}).json
    assert answer.json["log_density"] == wanted["log_density"]
    for raw, pointer, says in [
        (b"x,y\n1,2\n1,a\n", "/points/1/y", "line 3: must be a number"),
        (b"x,y\n1,2\n1,\n", "/points/1/y", "line 3: must be a number: the model has not seen missing values"),
        (b"y,x\n1,2\n\n1,\n", "/points/1/x", "line 4: must be a number: the model has not seen missing values"),
        (b"x,z\n1,2\n1,2\n", "/points/0/z", "is no column; the columns are \"x\", \"y\""),
    ]:
        answer = store.request("POST", f"/v1/models/{points}/score", raw=raw, headers=CSV)
        check_problem(answer, 422, "invalid_fields")
        assert answer.json["errors"][0]["pointer"] == pointer and says in answer.json["errors"][0]["detail"], answer.json


def test_the_class_of_a_file_is_scored(store, labeled):
    raw = written([["young", "25"], ["", "70"]], ["segment", "age"])
    answer = store.request("POST", f"/v1/models/{labeled}/score", raw=raw, headers=CSV)
    assert answer.status == 200 and answer.json["label"] == "young", answer.body
    raw = written([["young", "25"], *[["retired, mostly", "70"], ["young", "25"]] * 40], ["segment", "age"])
    answer = store.request("POST", f"/v1/models/{labeled}/score", raw=raw, headers=CSV)
    check_problem(answer, 422, "invalid_fields")
    assert len(answer.json["errors"]) == 1 and "line 3: is another class than that of the rows before" in answer.json["errors"][0]["detail"]
