"""Tables as people have them: each small file has one thing that went wrong somewhere, and gets the right table or a clear error."""

import csv
import gzip
import io
import json

import pytest
from conftest import Server

CSV, TSV, JSON = "text/csv", "text/tab-separated-values", "application/json"
MADE = [f"{i},{i * 7 % 5 + 0.5}" for i in range(8)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("messy")))
    yield server
    assert server.stop() == 0, server.read_log()


def send(server, raw, kind=CSV, query=""):
    raw = raw.encode() if isinstance(raw, str) else raw
    return server.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": kind})


def count(server):
    return server.sql("SELECT count(*) FROM dataset")[0][0]


# What was sent, then the columns and the rows that are understood of it.
RIGHT = [
    # ---------------------------------------------------------------- values that float32 would change
    ("days as digits", "day,v\n20200131,1\n20200201,2\n20200229,3\n", CSV, {"day": "datetime", "v": "integer"},
     [["20200131", "1"], ["20200201", "2"], ["20200229", "3"]]),
    ("long ids", "key2,v\n100000001,1\n100000002,2\n100000003,3\n", CSV, {"key2": "integer", "v": "integer"},
     [["100000001", "1"], ["100000002", "2"], ["100000003", "3"]]),
    ("seconds since 1970", "ts,v\n1577836800,1\n1577836860,2\n1577836920,3\n", CSV, {"ts": "integer", "v": "integer"},
     [["1577836800", "1"], ["1577836860", "2"], ["1577836920", "3"]]),
    ("milliseconds since 1970", "ts,v\n1577836800001,1\n1577836800002,2\n1577836800003,4\n", CSV, {"ts": "integer", "v": "integer"},
     [["1577836800001", "1"], ["1577836800002", "2"], ["1577836800003", "4"]]),
    ("places within a meter", "lat,v\n48.85837009,1\n48.85837110,2\n48.85837200,3\n", CSV, {"lat": "numeric", "v": "integer"},
     [["48.85837009", "1"], ["48.85837110", "2"], ["48.85837200", "3"]]),
    # ---------------------------------------------------------------- names
    ("the row numbers of pandas", ",x,y\n0,5.1,3.5\n1,4.9,3.0\n", CSV, {"row": "id", "x": "numeric", "y": "numeric"},
     [["0", "5.1", "3.5"], ["1", "4.9", "3.0"]]),
    ("a name that is also a missing value", "na,none,x\n1,2,3\n4,5,6\n", CSV, {"na": "integer", "none": "integer", "x": "integer"},
     [["1", "2", "3"], ["4", "5", "6"]]),
    ("numbers of columns as names", "label,0,1,2\na,4,5,7\nb,6,7,1\na,5,5,5\n", CSV,
     {"label": "categorical", "0": "integer", "1": "integer", "2": "integer"}, [["a", "4", "5", "7"], ["b", "6", "7", "1"], ["a", "5", "5", "5"]]),
    # ---------------------------------------------------------------- codes
    ("zip codes", "zip,v\n00501,1\n00544,2\n00501,3\n00544,4\n", CSV, {"zip": "categorical", "v": "integer"},
     [["00501", "1"], ["00544", "2"], ["00501", "3"], ["00544", "4"]]),
    # ---------------------------------------------------------------- dialects
    ("decimal commas", "x;y\n5,1;3,5\n4,9;3,0\n", CSV, {"x": "numeric", "y": "numeric"}, [["5,1", "3,5"], ["4,9", "3,0"]]),
    ("decimal commas without names", "1,5;2,5\n2,5;3,5\n", CSV, {"x": "numeric", "y": "numeric"}, [["1,5", "2,5"], ["2,5", "3,5"]]),
    ("decimal commas in quotes", 'x,y\n"1,5","2,5"\n"2,5","3,5"\n', CSV, {"x": "numeric", "y": "numeric"}, [["1,5", "2,5"], ["2,5", "3,5"]]),
    ("comments", "# station 7\n# units: m\nx,y\n1,2\n3,5\n", CSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("sep=", "sep=;\nx;y\n1;2\n3;5\n", CSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("a delimiter at each end", "x,y,\n1,2,\n3,5,\n", CSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("bars", "x|y\n1|2\n3|5\n", CSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("blanks", "x   y\n1   2\n30  5\n", CSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["30", "5"]]),
    ("tabs", "x\ty\n1\t2\n3\t5\n", TSV, {"x": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("latin-1", "größe,y\n1,2\n3,5\n".encode("latin-1"), CSV + "; charset=ISO-8859-1", {"größe": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("Unicode text of Excel", "größe\ty\r\n1\t2\r\n3\t5\r\n".encode("utf-16"), CSV, {"größe": "integer", "y": "integer"}, [["1", "2"], ["3", "5"]]),
    ("UTF-16 without a mark", "name\ty\r\nß\t2\r\nž\t5\r\nß\t7\r\n".encode("utf-16-le"), CSV, {"name": "categorical", "y": "integer"},
     [["ß", "2"], ["ž", "5"], ["ß", "7"]]),
    ("the same, big-endian", "name\ty\r\nß\t2\r\nž\t5\r\nß\t7\r\n".encode("utf-16-be"), CSV, {"name": "categorical", "y": "integer"},
     [["ß", "2"], ["ž", "5"], ["ß", "7"]]),
    ("records, one a line", '{"x": 1, "y": "a"}\n{"x": 2, "y": "b"}\n{"x": 4, "y": "a"}\n', "application/x-ndjson",
     {"x": "integer", "y": "categorical"}, [["1", "a"], ["2", "b"], ["4", "a"]]),
    # ---------------------------------------------------------------- values
    ("thousands", 'x,y\n"1,234.50",1\n"2,000.25",2\n', CSV, {"x": "numeric", "y": "integer"}, [["1,234.50", "1"], ["2,000.25", "2"]]),
    ("yes and no", "p,q\nTRUE,1\nFALSE,2\nTRUE,3\n", CSV, {"p": "boolean", "q": "integer"}, [["TRUE", "1"], ["FALSE", "2"], ["TRUE", "3"]]),
    ("the category None", "p,q\nNone,1\nbird,2\nNone,3\nbird,7\n", CSV, {"p": "categorical", "q": "integer"},
     [["None", "1"], ["bird", "2"], ["None", "3"], ["bird", "7"]]),
    ("two columns of text", "p,q,v\na,x,1\nb,y,2\na,y,3\nb,x,4\n", CSV, {"p": "categorical", "q": "categorical", "v": "integer"},
     [["a", "x", "1"], ["b", "y", "2"], ["a", "y", "3"], ["b", "x", "4"]]),
    ("a mark in some cells", "p,q\nx,1\n,2\nx,4\n,8\n", CSV, {"p": "categorical", "q": "integer"}, [["x", "1"], ["", "2"], ["x", "4"], ["", "8"]]),
    ("times of day", "t,q\n9:05 AM,1\n12:30 PM,2\n12:00 AM,4\n", CSV, {"t": "datetime", "q": "integer"},
     [["9:05 AM", "1"], ["12:30 PM", "2"], ["12:00 AM", "4"]]),
    ("long ids", "post,q\n999999999999999999,1\n1234567890123456789,2\n1234567890123456790,4\n", CSV, {"post": "id", "q": "integer"},
     [["999999999999999999", "1"], ["1234567890123456789", "2"], ["1234567890123456790", "4"]]),
    ("labels that are missing", "x,label\n1,a\n2,\n3,b\n5,a\n", CSV, {"x": "integer", "label": "categorical"}, [["1", "a"], ["2", ""], ["3", "b"], ["5", "a"]]),
]  # fmt: skip


@pytest.mark.parametrize("raw,kind,types,rows", [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT])
def test_the_right_table(store, raw, kind, types, rows):
    made = send(store, raw, kind)
    assert made.status == 201, made.body
    assert {column["name"]: column["type"] for column in made.json["columns"]} == types
    back = list(csv.reader(io.StringIO(store.get(f"/v1/datasets/{made.json['id']}/points.csv").body.decode(), newline="")))
    assert back == [list(types), *rows]


# What was sent, what its type says, and what the one error says: what is wrong, and what would help.
WRONG = [
    ("years as names", "2019,2020,2021\n1.5,2.5,3.5\n2.5,3.5,4.5\n", CSV, ["line 1", "?header=false or ?header=true"]),
    ("two columns with one name", "x,x,y\n1,2,3\n4,5,7\n", CSV, ['columns 1 and 2 are both called "x"', "rename one"]),
    ("text among numbers", "k,v\n" + "".join(f"{i},{'?!' if i == 7 else i}\n" for i in range(40)), CSV,
     ['column "v": 1 of 40 cells', '"?!"', "line 9"]),
    ("percent", "k,v\n1,12%\n2,13%\n3,7.5%\n", CSV, ['column "v"', "percent sign", "save them without it"]),
    ("currency", "k,v\n1,$12\n2,$13\n3,$7.5\n", CSV, ['column "v"', "currency sign"]),
    ("a minus sign that is none", "k,v\n1,−1.5\n2,−2.5\n3,4\n", CSV, ['column "v"', "minus sign"]),
    ("a row of sums", "\n".join(["k,v", *MADE, "Total,20"]), CSV, ['column "k"', '"Total"', "summary, remove it"]),
    ("a row of units", "x,y\ns,m\n1,2\n3,4\n5,7\n", CSV, ["line 2", "units of the columns, remove the row"]),
    ("an unclear mark", "v;k\n1,234;1\n2,345;2\n", CSV, ['column "v"', "unclear decimal mark", "?decimal=comma"]),
    ("marks that contradict", "v;k\n1.234.567;1\n2.5;2\n", CSV, ["contradict", 'or give the column the type "id"']),
    ("long ids that repeat", "user,k\n1234567890123456789,1\n1234567890123456789,2\n1234567890123456790,3\n", CSV,
     ['column "user"', "the largest number that can be used is 1e18", 'the type "categorical" or "id"']),
    ("too many labels", "x,label\n" + "".join(f"{i},c{i % 65}\n" for i in range(300)), CSV,
     ['column "label"', "more than 64 different labels", 'or none, {"label": null}']),
    ("many more labels", "x,label\n" + "".join(f"{i},c{i}\n" for i in range(300)), CSV, ["more than 64 different labels"]),
    ("fewer bytes than an npy file begins with", b"BZh", "application/octet-stream", ["not an .npy file", "bzip2"]),
    ("gzip in gzip", gzip.compress(gzip.compress(b"x,y\n1,2\n3,5\n")), CSV, ["compressed twice"]),
    ("records, one a line, as JSON", '{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n', "application/json", ["JSON lines", "application/x-ndjson"]),
    ("a list of records as lines", '[{"x": 1, "y": 2},\n{"x": 2, "y": 3}]', "application/x-ndjson", ["send it as application/json"]),
    ("objects in records", '[{"x": 1, "y": {"z": 2}}, {"x": 2, "y": [3]}]', "application/json", ['column "y"', "a column of its own", "first of 2"]),
    ("a short row", "x,y\n1,2\n3\n4,5\n", CSV, ["line 3: 1 field, but the row of names has 2", "complete the row or remove it"]),
    ("a web page", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", CSV, ["HTML"]),
    ("records in CSV", '{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n', CSV, ["JSON"]),
    ("one row", "x,y\n1,2\n", CSV, ["only one row", "could only repeat it"]),
    ("not UTF-8", "größe,y\n1,2\n".encode("latin-1"), CSV, ["UTF-8", "charset="]),
]  # fmt: skip


@pytest.mark.parametrize("raw,kind,parts", [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_clear_error(store, raw, kind, parts):
    before = count(store)
    answer = send(store, raw, kind)
    assert answer.status in (400, 422), answer.body
    errors = [error["detail"] for error in answer.json.get("errors") or [{"detail": answer.json["detail"]}]]
    assert len(errors) == 1, errors
    for part in parts:
        assert part in errors[0], errors
    assert count(store) == before


def test_what_is_only_suspicious_is_noted(store):
    rows = "a,b\n" + "".join(f"{i},{-999 if i % 3 == 0 else i}\n" for i in range(30))
    notes = send(store, rows).json["columns"][1]["notes"]
    assert len(notes) == 1 and "10 cells are -999" in notes[0] and "leave them empty" in notes[0]
    days = send(store, "when;v\n31.12;1\n01.01;2\n15.03;3\n15.03;4\n").json["columns"][0]
    assert days["type"] in ("categorical", "datetime"), days  # no numbers, because of 01.01


@pytest.mark.parametrize("table,query,notes", [
    ("v;k\n1.234;1\n12.500;2\n;3\n", "", "?decimal=comma"),
    ("v;k\n1.234;1\n500;2\n", "", "?decimal=comma"),
    ("v;k\n1.234;1\n12.500;2\n", "?decimal=point", None),
    ("v;k\n1.234;1\n12.500;2\n", "?decimal=comma", None),
    ("v,k\n1.234,1.5\n12.500,2\n", "", None),  # elsewhere, a point cannot mark thousands
    ("v,k\n1.234,1\n12.5,2\n", "", None),
    ("v,k\n0.234,1\n12.500,2\n", "", None),
    ("v,k\n9007199254740992,1\n-9007199254740992,2\n", "", None),
    ("v,k\n9007199254740994,1\n2,2\n", "", "more than 15 digits"),
])  # fmt: skip
def test_what_numbers_may_not_mean_is_noted(store, table, query, notes):
    found = send(store, table, query=query).json["columns"][0]["notes"]
    assert len(found) == bool(notes) and (not notes or notes in found[0]), found


def test_labels_by_any_spelling_of_a_number_are_one_class(store):
    made = send(store, "x,label\n1,01\n2,1\n3,1.0\n4,2\n", query="?label=label").json
    assert made["classes"] == ["1", "2"]


def test_a_wide_column_of_text_is_one_error(store):
    """And not one for each of its cells."""
    answer = send(store, "k,v\n" + "".join(f"{i},{'n/k' if i % 7 == 0 else i * 3}\n" for i in range(5000)))
    assert answer.status == 422 and len(answer.json["errors"]) == 1
    assert "715 of 5000 cells (14%)" in answer.json["errors"][0]["detail"], json.dumps(answer.json)


def test_the_columns_to_leave_out_are_enough(store):
    """A column that another one follows from is no help: without it, the other one would have to be learned."""
    names = [f"c{j}" for j in range(64)]
    rows = [[str((i * (j + 3) * 7919) % 997) for j in range(64)] + (["b", "B"] if i % 50 == 0 else ["a", "A"]) for i in range(200)]
    table = "\n".join(",".join(row) for row in [names + ["code", "name"], *rows])
    (error,) = send(store, table).json["errors"]
    column = error["pointer"].removeprefix("/columns/")
    assert column in names
    schema = json.dumps({"columns": {column: {"type": "id"}}})
    parts = f'--X\r\nContent-Disposition: form-data; name="schema"\r\n\r\n{schema}\r\n--X\r\n'
    parts += f'Content-Disposition: form-data; name="file"\r\nContent-Type: text/csv\r\n\r\n{table}\r\n--X--\r\n'
    made = send(store, parts, "multipart/form-data; boundary=X")
    assert made.status == 201 and made.json["dim"] == 64, made.body
