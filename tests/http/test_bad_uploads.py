"""Files that cannot be used: each gets the right problem, names the place, and leaves no row."""

import io
import json
import sqlite3
import struct

import numpy
import pytest
from conftest import Server

CSV, JSON, NPY = "text/csv", "application/json", "application/octet-stream"
CODES = {CSV: "invalid_csv", JSON: "invalid_json", NPY: "invalid_npy"}


def npy(array):
    file = io.BytesIO()
    numpy.save(file, array, allow_pickle=True)
    return file.getvalue()


def raw_npy(header, data=b"", version=1, length=None):
    """An .npy file with just this header."""
    header = header if isinstance(header, bytes) else header.encode()
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size) + header + data


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
POINTS = bytes(16)
LONG = "x" * 65

# (content type, body, query, [(pointer, part of the detail), ..]); no pointers: 400, with part of the detail
CASES = [
    # ---------------------------------------------------------------- CSV that is none
    (CSV, '"1,2\n3,4\n', "", "no closing quote"),
    (CSV, '1,"2\n', "", "no closing quote"),
    (CSV, '1,2\n3,"4"5\n', "", "line 2: something other than a delimiter"),
    (CSV, '"a""b"c,1\n', "", "line 1: something other than a delimiter"),
    (CSV, b"1,2\n\xff,4\n", "", "UTF-8"),
    (CSV, b"1,2\n3,\xc0\xaf\n", "", "UTF-8"),
    (CSV, b"1,2\n3,\x00\n", "", "NUL"),
    (CSV, "1,2\n".encode("utf-16"), "", "UTF-16"),
    (CSV, b"\xfe\xff" + "1,2\n".encode("utf-16-be"), "", "UTF-16"),
    (CSV, b"\x93NUMPY\x01\x00", "", "UTF-8"),
    # ---------------------------------------------------------------- CSV without points
    (CSV, "", "", [("/points", "no points")]),
    (CSV, "\n\n\r\n", "", [("/points", "no points")]),
    (CSV, "   \n", "", [("/points", "no points")]),
    (CSV, b"\xef\xbb\xbf", "", [("/points", "no points")]),
    (CSV, "x,y\n", "", [("/points", "no points")]),
    (CSV, "1,2\n", "?header=true", [("/points", "no points")]),
    (CSV, "label\na\nb\n", "", [("/points/0", "1 to 64 coordinates, not 0")]),
    (CSV, "1\n2\n", "?label=0", [("/points/0", "1 to 64 coordinates, not 0")]),
    (CSV, ",".join("1" * 65) + "\n", "", [("/points/0", "1 to 64 coordinates, not 65")]),
    (CSV, ",".join("1" * 66) + "\n", "?label=0", [("/points/0", "66 columns are too many")]),
    (CSV, ",".join("1" * 1000) + "\n", "", [("/points/0", "1000 columns are too many")]),
    # ---------------------------------------------------------------- CSV fields
    (CSV, "1,2\n3,x\n", "", [("/points/1/1", 'line 2, column "y": "x" is not a number')]),
    (CSV, "a,b\n1,2\n3,x\n", "", [("/points/1/1", 'line 3, column "b": "x" is not a number')]),
    (CSV, "1,2\n3,\n", "", [("/points/1/1", "the field is empty")]),
    (CSV, ",2\n3,4\n", "", [("/points/0/0", 'line 1, column "x": the field is empty')]),
    (CSV, '1,2\n3,""\n', "", [("/points/1/1", "the field is empty")]),
    (CSV, "1,2\n3,nan\n", "", [("/points/1/1", "nan cannot be used for training")]),
    (CSV, "NaN,NaN\n3,4\n", "", [("/points/0/0", "NaN cannot"), ("/points/0/1", "NaN cannot")]),
    (CSV, "1,2\n3,inf\n", "", [("/points/1/1", "inf cannot")]),
    (CSV, "1,2\n3,-Infinity\n", "", [("/points/1/1", "-Infinity cannot")]),
    (CSV, "1,2\n3,NA\n", "", [("/points/1/1", "NA cannot")]),
    (CSV, "1,2\n3,1e400\n", "", [("/points/1/1", "infinite, or too large")]),
    (CSV, "1,2\n3,1.1e18\n", "", [("/points/1/1", "1.1e+18 is too large; at most 1e+18")]),
    (CSV, "1,2\n-1e19,3\n", "", [("/points/1/0", "-1e+19 is too large")]),
    (CSV, "1,2\n3,0x10\n", "", [("/points/1/1", '"0x10" is not a number')]),
    (CSV, "1,2\n3,1e\n", "", [("/points/1/1", '"1e" is not a number')]),
    (CSV, "1,2\n3,1e+\n", "", [("/points/1/1", '"1e+" is not a number')]),
    (CSV, "1,2\n3,.\n", "", [("/points/1/1", '"." is not a number')]),
    (CSV, "1,2\n3,-\n", "", [("/points/1/1", '"-" is not a number')]),
    (CSV, "1,2\n3,--4\n", "", [("/points/1/1", '"--4" is not a number')]),
    (CSV, "1,2\n3,4 5\n", "", [("/points/1/1", '"4 5" is not a number')]),
    (CSV, "1,2\n3,1_000\n", "", [("/points/1/1", '"1_000" is not a number')]),
    (CSV, "1,2\n3,4f\n", "", [("/points/1/1", '"4f" is not a number')]),
    (CSV, "1;2\n3,5;4\n", "", [("/points/1/0", '"3,5" is not a number')]),
    (CSV, "1,2\n3,٣\n", "", [("/points/1/1", '"٣" is not a number')]),
    (CSV, "1,2\n3," + "é" * 50 + "\n", "", [("/points/1/1", '"' + "é" * 20 + '" is not a number')]),
    (CSV, "1,2\n3,true\n", "", [("/points/1/1", '"true" is not a number')]),
    (CSV, "1,cat\n2,dog\n", "", [("/points/0/1", "add ?label="), ("/points/1/1", "add ?label=")]),
    (CSV, "1,2\n\n\n3,x\n", "", [("/points/1/1", "line 4,")]),
    (CSV, "1,2\r\n3,x\r\n", "", [("/points/1/1", "line 2,")]),
    (CSV, "1,2\r3,x\r", "", [("/points/1/1", "line 2,")]),
    (CSV, '"a\nb",c\n1,2\n3,x\n', "", [("/points/1/1", "line 4,")]),
    (CSV, "x,y\n1,2\n", "?header=false", [("/points/0/0", '"x" is not'), ("/points/0/1", '"y" is not')]),
    # ---------------------------------------------------------------- ragged CSV
    (CSV, "1,2\n3\n", "", [("/points/1", "line 2: 1 fields, but the first row has 2")]),
    (CSV, "1,2\n3,4,5\n", "", [("/points/1", "line 2: 3 fields, but the first row has 2")]),
    (CSV, "1,2\n3,4,\n", "", [("/points/1", "line 2: 3 fields")]),
    (CSV, "a,b,c\n1,2\n", "", [("/points/0", "line 2: 2 fields, but the first row has 3")]),
    (CSV, "1,2\n3;4\n", "", [("/points/1", "line 2: 1 fields")]),
    (CSV, "1,2\n" + "," * 500 + "\n", "", [("/points/1", "line 2: 501 fields")]),
    (CSV, "1,2\n3\n4,x\n5\n", "", [("/points/1", "line 2"), ("/points/2/1", "line 3"), ("/points/3", "line 4")]),
    # ---------------------------------------------------------------- labels in CSV
    (CSV, "x,y,label\n1,2,\n", "", [("/labels/0", 'line 2, column "label": the label is empty')]),
    (CSV, f"x,y,label\n1,2,{LONG}\n", "", [("/labels/0", "longer than 64 bytes")]),
    (CSV, "x,y,label\n1,2,a\n3,4\n", "", [("/points/1", "2 fields")]),
    (CSV, "x,label\n" + "".join(f"{i},c{i}\n" for i in range(65)), "", [("/labels/64", '"c64" is one class too many')]),
    (CSV, "1,2\n", "?label=2", [("/label", "there is no column 2")]),
    (CSV, "1,2\n", "?label=-3", [("/label", "there is no column -3")]),
    (CSV, "1,2\n", "?label=99999999999999999999", [("/label", "there is no column 9999")]),
    (CSV, "1,2\n", "?label=kind", [("/label", "have no names")]),
    (CSV, "1,2\n", "?label=1.5", [("/label", "is not a column")]),
    (CSV, "x,y\n1,2\n", "?label=kind", [("/label", 'there is no column "kind"')]),
    # ---------------------------------------------------------------- tables that other programs have saved
    (CSV, ",x,y\n0,1.5,2\n1,3,4\n", "", [("/points/0", "column 1 has no name; if it counts the rows, save the table without it (pandas: to_csv(index=False)")]),
    (CSV, '"","x","y"\n"1",1.5,2\n"2",3,4\n', "", [("/points/0", "R: row.names = FALSE")]),
    (CSV, "\tx\ty\n0\t1.5\t2\n", "", [("/points/0", "column 1 has no name; if it counts")]),
    (CSV, ",x,label\n0,1.5,a\n", "?label=label", [("/points/0", "column 1 has no name; if it counts")]),
    (CSV, "Unnamed: 0,x\n0,1.5\n", "", [("/points/0", "column 1 has no name of its own; if it counts")]),
    (CSV, "x,y,\n1,2,\n", "", [("/points/0", "column 3 has no name")]),
    (CSV, "a,,\n1,2,3\n", "", [("/points/0", "column 2 has no name"), ("/points/0", "column 3 has no name")]),
    (CSV, ",0,1\n0,1.5,2\n1,3,4\n", "", [("/points/0", "the first one has no name; if that counts the rows")]),
    (CSV, ",0,1,label\n0,1.5,2,a\n", "", [("/points/0", "the first one has no name; if that counts the rows")]),
    (CSV, '"x","y"\n"1",0.5,2\n', "", [("/points/0", "3 fields, but the first row has 2; if the first field counts the rows")]),
    (CSV, "0,1\n0.5,0.25\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,2\n3,4,5\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,2\n3,4,5\n", "?label=-1", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,label\n.5,.25,a\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,label\n.5,.25,a\n", "?label=2", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0\n0.5\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "# x,y\n1,2\n", "", [("/points/0", "line 1: it begins with #")]),
    (CSV, "# made today\n1,2\n3,4\n", "", [("/points/0", "line 1: it begins with #")]),
    (CSV, "#x,y\n1,2\n", "?header=true", [("/points/0", "line 1: it begins with #")]),
    (CSV, "x,y,x\n1,2,3\n", "", [("/points/0", 'columns 1 and 3 are both called "x"')]),
    (CSV, "x,y,x\n1,2,3\n", "?label=x", [("/points/0", 'columns 1 and 3 are both called "x"')]),
    (CSV, "1,1\n1,2\n", "?header=true", [("/points/0", 'columns 1 and 2 are both called "1"')]),
    (CSV, "label,x,kind\n1,2,a\n", "?label=kind", [("/points/0", 'column 1 is called "label", but column 3 has the labels')]),
    (CSV, "Label,x,label\n1,2,a\n", "", [("/points/0", 'column 3 is called "label", but column 1 has the labels')]),
    (CSV, "a" * 63 + "é,b\n1,2\n", "", [("/points/0", "the name of column 1 is longer than 64 bytes")]),
    (CSV, "x,label\na,b\n", "", [("/points/0/0", '"a" is not a number')]),
    # ---------------------------------------------------------------- JSON that is none
    (JSON, "", "", "ends too early"),
    (JSON, "{", "", "a member must start"),
    (JSON, '{"points":[[1,2]', "", "expected"),
    (JSON, '{"points":[[1,2', "", "expected"),
    (JSON, '{"points":[[1,2]],}', "", "a member must start with its name in double quotes"),
    (JSON, '{"points":[[1,2],]}', "", "a value was expected"),
    (JSON, '{"points":[[1,]]}', "", "a value was expected"),
    (JSON, '{"points":[[1 2]]}', "", "expected"),
    (JSON, '{"points":[[1,2]]} x', "", "there is more text after"),
    (JSON, '{"points" [[1,2]]}', "", "':' must follow"),
    (JSON, "{points:[[1,2]]}", "", "double quotes"),
    (JSON, '{"points":[[01,2]]}', "", "expected"),
    (JSON, '{"points":[[1.,2]]}', "", "digits must follow"),
    (JSON, '{"points":[[.5,2]]}', "", "a value was expected"),
    (JSON, '{"points":[[+1,2]]}', "", "a value was expected"),
    (JSON, '{"points":[[NaN,2]]}', "", "a value was expected"),
    (JSON, '{"points":[[Infinity,2]]}', "", "a value was expected"),
    (JSON, '{"points":[[-Infinity,2]]}', "", "not a number"),
    (JSON, '{"points":[[0x1,2]]}', "", "expected"),
    (JSON, b'{"name":"\xff","points":[[1,2]]}', "", "UTF-8"),
    (JSON, b'\xef\xbb\xbf\xef\xbb\xbf{"points":[[1,2]]}', "", "a value was expected"),
    (JSON, '{"name":"a\nb","points":[[1]]}', "", "control character"),
    (JSON, '{"name":"\\u0000","points":[[1]]}', "", "u0000"),
    (JSON, '{"points":[[1,2]],"labels":["a]}', "", "not closed"),
    (JSON, '{"points":[[1,' + "[" * 100 + "]" * 100 + "]]}", "", "nested too deeply"),
    (JSON, '{"points":' + "[" * 100000, "", "nested too deeply"),
    # ---------------------------------------------------------------- JSON with other contents
    (JSON, "[[1,2]]", "", [("", "must be an object")]),
    (JSON, "5", "", [("", "must be an object")]),
    (JSON, "{}", "", [("/points", "is missing")]),
    (JSON, '{"points":5}', "", [("/points", "must be an array")]),
    (JSON, '{"points":{"x":[1]}}', "", [("/points", "must be an array")]),
    (JSON, '{"points":null}', "", [("/points", "must be an array")]),
    (JSON, '{"points":[]}', "", [("/points", "no points")]),
    (JSON, '{"points":[1,2]}', "", [("/points/0", "must be an array"), ("/points/1", "must be an array")]),
    (JSON, '{"points":[[]]}', "", [("/points/0", "1 to 64 coordinates, not 0")]),
    (JSON, json.dumps({"points": [[1] * 65]}), "", [("/points/0", "1 to 64 coordinates, not 65")]),
    (JSON, json.dumps({"points": [[1] * 5000]}), "", [("/points/0", "1 to 64 coordinates, not 5000")]),
    (JSON, '{"points":[[1,2],[3]]}', "", [("/points/1", "1 coordinates, but the first point has 2")]),
    (JSON, '{"points":[[1,2],[3,4,5]]}', "", [("/points/1", "3 coordinates")]),
    (JSON, '{"points":[[1,2],[]]}', "", [("/points/1", "0 coordinates")]),
    (JSON, '{"points":[[1,"2"]]}', "", [("/points/0/1", "must be a number")]),
    (JSON, '{"points":[[1,null],[true,{}]]}', "", [("/points/0/1", ""), ("/points/1/0", ""), ("/points/1/1", "")]),
    (JSON, '{"points":[[1,[2]]]}', "", [("/points/0/1", "must be a number")]),
    (JSON, '{"points":[[1,1e400]]}', "", [("/points/0/1", "infinite, or too large")]),
    (JSON, '{"points":[[1,-2e18]]}', "", [("/points/0/1", "-2e+18 is too large")]),
    (JSON, '{"points":[[1,2]],"labels":[]}', "", [("/labels", "0 labels for 1 points")]),
    (JSON, '{"points":[[1,2]],"labels":["a","b"]}', "", [("/labels", "2 labels for 1 points")]),
    (JSON, '{"points":[[1,2]],"labels":"a"}', "", [("/labels", "must be an array")]),
    (JSON, '{"points":[[1,2]],"labels":[null]}', "", [("/labels/0", "text or a number")]),
    (JSON, '{"points":[[1,2]],"labels":[""]}', "", [("/labels/0", "the label is empty")]),
    (JSON, json.dumps({"points": [[1, 2]], "labels": [LONG]}), "", [("/labels/0", "longer than 64")]),
    (JSON, '{"labels":["\\ud800"],"points":[[1]]}', "", "half of a surrogate pair"),
    (JSON, json.dumps({"labels": list(range(65)), "points": [[0]] * 65}), "", [("/labels/64", "one class too many")]),
    (JSON, '{"points":[[1]],"points":[[1]]}', "", [("/points", "given more than once")]),
    (JSON, '{"points":[[1]],"Labels":["a"]}', "", [("", 'no "Labels"')]),
    (JSON, '{"name":5,"points":[[1]]}', "", [("/name", "must be a string")]),
    (JSON, json.dumps({"name": "x" * 101, "points": [[1]]}), "", [("/name", "at most 100 bytes")]),
    (JSON, '{"points":[[1,2]]}', "?label=1", [("/label", "is for CSV and npy")]),
    # ---------------------------------------------------------------- npy that is none
    (NPY, b"", "", "not an .npy file"),
    (NPY, b"1,2\n3,4\n", "", "not an .npy file"),
    (NPY, b"\x93NUMPY", "", "not an .npy file"),
    (NPY, b"PK\x03\x04" + bytes(100), "", "not an .npy file"),
    (NPY, raw_npy(GOOD, POINTS, version=4), "", "version"),
    (NPY, raw_npy(GOOD, POINTS, version=0), "", "version"),
    (NPY, raw_npy(GOOD, POINTS, length=65535), "", "longer than the file"),
    (NPY, raw_npy(GOOD, POINTS, version=2, length=2**32 - 1), "", "longer than the file"),
    (NPY, raw_npy("", POINTS), "", "not a dictionary"),
    (NPY, raw_npy("[]", POINTS), "", "not a dictionary"),
    (NPY, raw_npy("{}", POINTS), "", "must have descr, fortran_order and shape"),
    (NPY, raw_npy("{'descr': '<f4', 'fortran_order': False}", POINTS), "", "must have"),
    (NPY, raw_npy("{'descr': '<f4', 'shape': (2, 2)}", POINTS), "", "must have"),
    (NPY, raw_npy(GOOD + "x", POINTS), "", "there is more text after"),
    (NPY, raw_npy(GOOD[:-1], POINTS), "", "string in quotes"),
    (NPY, raw_npy(GOOD.replace("'shape'", "'size'"), POINTS), "", "a key other than"),
    (NPY, raw_npy(GOOD.replace("'shape'", "shape"), POINTS), "", "string in quotes"),
    (NPY, raw_npy(GOOD.replace(": (", " ("), POINTS), "", "':' must follow"),
    (NPY, raw_npy(GOOD.replace("False", "0"), POINTS), "", "True or False"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "4"), POINTS), "", "tuple of integers"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(4)"), POINTS), "", "tuple of integers"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "[2, 2]"), POINTS), "", "tuple of integers"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(-2, 2)"), POINTS), "", "tuple of integers"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(2.0, 2)"), POINTS), "", "shape in the header"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(99999999999999999999, 2)"), POINTS), "", "much too large"),
    (NPY, raw_npy(GOOD.replace("'<f4'", "'<f4"), POINTS), "", "header"),
    (NPY, raw_npy(GOOD.replace("'<f4'", "''"), POINTS), "", "empty, too long, or not closed"),
    (NPY, raw_npy(GOOD.replace("'<f4'", "'" + "f" * 1000 + "'"), POINTS), "", "too long"),
    (NPY, raw_npy(GOOD.replace("'descr'", "'shape': (2, 2), 'descr'"), POINTS), "", "once"),
    (NPY, raw_npy(GOOD.replace("'descr'", "'descr': '<f4', 'descr'"), POINTS), "", "descr is given more than once"),
    (NPY, raw_npy(GOOD.replace("'<f4'", "[('x', '<f4'), ('y', '<f4')]"), POINTS), "", "structured"),
    (NPY, raw_npy(b"\xff\xfe" + GOOD.encode(), POINTS), "", "not a dictionary"),
    (NPY, raw_npy(GOOD, POINTS[:-1]), "", "does not have the 15 bytes"),
    (NPY, raw_npy(GOOD, POINTS + b"x"), "", "does not have the 17 bytes"),
    (NPY, raw_npy(GOOD), "", "does not have the 0 bytes"),
    # 4194305 * 2 * 2199022206978 * 4 would wrap to a small number
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(4611686018427387905, 4)"), POINTS), "", "does not have"),
    (NPY, raw_npy(GOOD.replace("(2, 2)", "(4294967296, 4294967296)"), b""), "", "does not have"),
    (NPY, npy(numpy.zeros((5, 2), "f4"))[:-8], "", "does not have"),
    # ---------------------------------------------------------------- npy with other contents
    (NPY, npy(numpy.array([[1, None]], object)), "", [("/points", "type '|O'")]),
    (NPY, npy(numpy.zeros((2, 2), "c8")), "", [("/points", "type '<c8'")]),
    (NPY, npy(numpy.zeros((2, 2), "f2")), "", [("/points", "type '<f2'")]),
    (NPY, npy(numpy.zeros((2, 2), "?")), "", [("/points", "type '|b1'")]),
    (NPY, npy(numpy.array([["a", "b"]])), "", [("/points", "type '<U1'")]),
    (NPY, npy(numpy.zeros((2, 2), "M8[s]")), "", [("/points", "type '<M8[s]'")]),
    (NPY, npy(numpy.float32(5)), "", [("/points", "the array has 0 dimensions")]),
    (NPY, npy(numpy.zeros((2, 2, 2))), "", [("/points", "the array has 3 dimensions")]),
    (NPY, npy(numpy.zeros((0, 2))), "", [("/points", "no points")]),
    (NPY, npy(numpy.zeros((2, 0))), "", [("/points/0", "1 to 64 coordinates, not 0")]),
    (NPY, npy(numpy.zeros((2, 65))), "", [("/points/0", "1 to 64 coordinates, not 65")]),
    (NPY, npy(numpy.zeros((2, 1000))), "", [("/points/0", "1000 columns are too many")]),
    (NPY, npy(numpy.zeros((1000001, 1), "u1")), "", [("/points", "more than 1000000 points")]),
    (NPY, npy(numpy.zeros((270000, 64), "u1")), "", [("/points", "16777216 coordinates in all")]),
    (NPY, npy(numpy.array([[1, 2], [3, numpy.nan]])), "", [("/points/1/1", "row 1, column 1: NaN")]),
    (NPY, npy(numpy.array([[1, 2], [numpy.inf, 4]], "f4")), "", [("/points/1/0", "row 1, column 0: the number is inf")]),
    (NPY, npy(numpy.array([1, -1e300])), "", [("/points/1/0", "-1e+300 is too large")]),
    (NPY, npy(numpy.array([[1, 2]], "f4")), "?label=2", [("/label", "there is no column 2")]),
    (NPY, npy(numpy.array([[1, 2]], "f4")), "?label=kind", [("/label", "no names")]),
    (NPY, npy(numpy.array([1, 2], "f4")), "?label=0", [("/points/0", "not 0")]),
    (NPY, npy(numpy.array([[1, numpy.inf]])), "?label=1", [("/labels/0", "row 0, column 1: a label must be a finite number")]),
    (NPY, npy(numpy.array([[1, numpy.nan]])), "?label=1", [("/labels/0", "a label must be a finite number")]),
]  # fmt: skip


def rows(server):
    with sqlite3.connect(server.database) as database:
        return database.execute("SELECT count(*) FROM dataset").fetchone()[0]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("bad")))
    yield server
    assert server.get("/readyz").status == 200
    assert rows(server) == 0
    assert server.stop() == 0


@pytest.mark.parametrize("content_type,body,query,expected", CASES, ids=range(len(CASES)))
def test_a_bad_file_is_refused_with_its_place(alone, content_type, body, query, expected):
    raw = body if isinstance(body, bytes) else body.encode()
    answer = alone.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": content_type})
    problem = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json" and problem["status"] == answer.status
    if isinstance(expected, str):
        assert (answer.status, problem["code"]) == (400, CODES[content_type]), problem
        assert expected in problem["detail"], problem
    else:
        assert (answer.status, problem["code"]) == (422, "invalid_data"), problem
        found = [(error["pointer"], error["detail"]) for error in problem["errors"]]
        assert [pointer for pointer, detail in found] == [pointer for pointer, part in expected], problem
        for (_, detail), (_, part) in zip(found, expected, strict=True):
            assert part in detail, problem
    assert rows(alone) == 0


def test_of_many_wrong_values_the_first_are_listed_and_all_are_counted(alone):
    raw = b"1,2\n" + b"x,y\n" * 5000
    problem = alone.post("/v1/datasets", raw=raw, headers={"Content-Type": CSV}).json
    assert len(problem["errors"]) == 32 and problem["detail"].startswith("10000 values cannot be used")
    assert problem["errors"][0]["pointer"] == "/points/1/0"


@pytest.mark.parametrize("query", ["?label=" + "x" * 65, "?name=" + "x" * 101, "?header=yes", "?labels=1", "?name=a&name=b"])
def test_bad_queries(alone, query):
    answer = alone.post("/v1/datasets" + query, raw=b"1,2\n", headers={"Content-Type": CSV})
    assert answer.status == 422 and answer.json["code"] == "invalid_fields"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/csvx"])
def test_other_content_types_are_refused(alone, content_type):
    answer = alone.post("/v1/datasets", raw=b"1,2\n", headers={"Content-Type": content_type})
    assert answer.status == 415 and "text/csv" in answer.json["detail"]
    assert alone.post("/v1/datasets").status == 415


def test_a_file_may_have_so_many_bytes_and_no_more(start):
    server = start("--max-upload", "1")
    head = b"x,y\n"
    fits = head + b"1,2\n" * ((2**20 - len(head)) // 4)
    assert len(fits) == 2**20
    assert server.post("/v1/datasets", raw=fits, headers={"Content-Type": CSV}).status == 201
    answer = server.post("/v1/datasets", raw=fits + b"1", headers={"Content-Type": CSV})
    assert answer.status == 413 and answer.json["code"] == "body_too_large" and rows(server) == 1
