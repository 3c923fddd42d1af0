"""Files that cannot be used: each gets the right problem, names the place, and leaves no row."""

import io
import json
import struct

import numpy
import pytest
from conftest import Server

CSV, JSON, LINES, NPY = "text/csv", "application/json", "application/x-ndjson", "application/octet-stream"
CODES = {CSV: "invalid_csv", JSON: "invalid_json", LINES: "invalid_json", NPY: "invalid_npy"}


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
    # ---------------------------------------------------------------- CSV without points
    (CSV, "", "", [("/points", "there are no rows")]),
    (CSV, "\n\n\r\n", "", [("/points", "there are no rows")]),
    (CSV, "   \n", "", [("/points", "there are no rows")]),
    (CSV, b"\xef\xbb\xbf", "", [("/points", "there are no rows")]),
    (CSV, "x,y\n", "", [("/points", "there are no rows")]),
    (CSV, "x,y1,23,4", "", [("/points", "no line ends, so all of it is one row: with curl, use --data-binary")]),
    (CSV, ",".join("1" * 1000), "", [("/points", "no line ends")]),
    (CSV, "1,2\n", "?header=true", [("/points", "there are no rows")]),
    (CSV, "label\na\nb\n", "", [("/columns", "no column to train on")]),
    (CSV, "1\n2\n", "?label=0", [("/columns", "no column to train on")]),
    (CSV, ",".join("1" * 65) + "\n", "", [("/columns/x64", "only 64 columns can be learned, not 65")]),
    (CSV, ",".join("1" * 66) + "\n", "?label=0", [("/columns/x64", "only 64 columns can be learned, not 65")]),
    (CSV, ",".join("1" * 257) + "\n", "", [("/columns", "257 columns are too many")]),
    (CSV, ",".join("1" * 1000) + "\n", "", [("/columns", "1000 columns are too many")]),
    (CSV, ",".join(f"c{i}" for i in range(300)) + "\n", "", [("/columns", "300 columns are too many")]),
    # ---------------------------------------------------------------- CSV fields: one error per column
    (CSV, "1,2\n3,x\n", "", [("/columns/y", 'column "y": 1 of 2 cells (50%) is text ("x"; the first is in line 2)')]),
    (CSV, "a,b\n1,2\n", "", [("/points", "there is only one row: a model of it could only repeat it")]),
    (CSV, "a,b\n1,2\n3,x\n", "", [("/columns/b", 'column "b": 1 of 2 cells (50%) is text ("x"; the first is in line 3)')]),
    (CSV, "1,2\n3,inf\n", "", [("/columns/y", 'is infinite ("inf"')]),
    (CSV, "1,2\n3,-Infinity\n", "", [("/columns/y", 'is infinite ("-Infinity"')]),
    (CSV, "1,2\n3,1e400\n", "", [("/columns/y", 'is too large ("1e400"')]),
    (CSV, "1,2\n3,1.1e18\n", "", [("/columns/y", 'is too large ("1.1e18"; the first is in line 2): the largest number that can be used is 1e18')]),
    (CSV, "1,2\n-1e19,3\n", "", [("/columns/x", 'is too large ("-1e19"')]),
    (CSV, "1,2\n3,0x10\n", "", [("/columns/y", 'is text ("0x10"')]),
    (CSV, "1,2\n3,1e+\n", "", [("/columns/y", 'is text ("1e+"')]),
    (CSV, "1,2\n3,.\n", "", [("/columns/y", 'is text ("."')]),
    (CSV, "1,2\n3,--4\n", "", [("/columns/y", 'is text ("--4"')]),
    (CSV, "1,2\n3,4 5\n", "", [("/columns/y", 'is text ("4 5"')]),
    (CSV, "1,2\n3,1_000\n", "", [("/columns/y", 'is text ("1_000"')]),
    (CSV, "1,2\n3,٣\n", "", [("/columns/y", 'is text ("٣"')]),
    (CSV, "1,2\n3," + "é" * 50 + "\n", "", [("/columns/y", '("' + "é" * 20 + '.."; the first')]),
    (CSV, "1,2\n\n\n3,x\n", "", [("/columns/y", "in line 4)")]),
    (CSV, "1,2\n\n\n3,4\n5,6\n\n7,x\n", "", [("/columns/y", "in line 7)")]),
    (CSV, "1,2\r\n3,x\r\n", "", [("/columns/y", "in line 2)")]),
    (CSV, "1,2\r3,x\r", "", [("/columns/y", "in line 2)")]),
    (CSV, '"a\nb",c\n1,2\n3,x\n', "", [("/columns/c", "in line 4)")]),
    (CSV, "x,y\n1,2\n", "?header=false", [("/columns/x", 'is text ("x"'), ("/columns/y", 'is text ("y"')]),
    (CSV, "a/b~c,d\n1,2\nx,3\n", "", [("/columns/a~1b~0c", 'column "a/b~c": ')]),
    # ---------------------------------------------------------------- the reason, and what would help
    (CSV, "p,q\n" + "12%,1\n13.5 %,2\n7%,3\n" * 2, "", [("/columns/p", '6 of 6 cells (100%) are written with a percent sign ("12%", "13.5 %", "7%"; the first is in line 2): save them without it')]),
    (CSV, "p,q\n$7,1\n-$7,2\n7 €,3\n", "", [("/columns/p", "written with a currency sign")]),
    (CSV, "p,q\n−1.5,1\n2,2\n", "", [("/columns/p", "1 of 2 cells (50%) is written with a minus sign that is not -")]),
    (CSV, "p,q\n12 kg,1\n13kg,2\n", "", [("/columns/p", "written with a unit")]),
    (CSV, "p,q\n1,2\n3,4\n5,6\nTotal,12\n", "", [("/columns/p", 'is text ("Total"; the first is in line 5): if the last row is a summary, remove it')]),
    (CSV, "x,y\ns,m\n1,2\n3,4\n", "", [("/points/0", 'line 2 has text ("s" ..) in columns that have only numbers below: if these are the units')]),
    # ---------------------------------------------------------------- one number, or another a thousand times as large
    (CSV, 'v,k\n"1,234",1\n"2,345",2\n', "", [("/columns/v", 'are written with an unclear decimal mark ("1,234", "2,345"; the first is in line 2): add ?decimal=comma')]),
    (CSV, "v;k\n1,234;1\n2,345;2\n", "", [("/columns/v", "unclear decimal mark")]),
    (CSV, "v;k\n1,5;1\n2.5;2\n", "", [("/columns/v", ": some have marks that contradict others")]),
    (CSV, "v;k\n1.234.567;1\n2.5;2\n", "", [("/columns/v", ": some have marks that contradict others")]),
    (CSV, "v;k\n1,234,567;1\n2,5;2\n", "", [("/columns/v", ": some have marks that contradict others")]),
    (CSV, "v;k\n1,5;1.234\n2,5;2.345\n", "", [("/columns/k", "unclear decimal mark")]),
    (CSV, "v;k\n1,5;1\n2,5;2\n", "?decimal=point", [("/columns/v", "unclear decimal mark")]),
    # ---------------------------------------------------------------- ragged CSV
    (CSV, "1,2\n3\n", "", [("/points/1", "line 2: 1 field, but the first row has 2")]),
    (CSV, "1,2\n3,4,5\n", "", [("/points/1", "line 2: 3 fields, but the first row has 2")]),
    (CSV, "1,2\n3,4,\n", "", [("/points/1", "line 2: 3 fields")]),
    (CSV, "a,b,c\n1,2\n", "", [("/points/0", "line 2: 2 fields, but the row of names has 3")]),
    (CSV, "1,2\n3;4\n", "", [("/points/1", "line 2: 1 field")]),
    (CSV, "1,2\n" + "," * 500 + "\n", "", [("/points/1", "line 2: 501 fields")]),
    (CSV, "1,2\n3\n4,x\n5\n", "", [("/points/1", "line 2: 1 field, but the first row has 2: complete the row or remove it; that is the first of 2 such places")]),
    (CSV, "178,13,a,b,c\n" + "1,2,3\n" * 30, "", [("/points/0", "the first row has 5 fields, but none of the 30 rows below it has as many")]),
    # ---------------------------------------------------------------- labels in CSV
    (CSV, "x,y,label\n1,2,\n3,4,NA\n", "", [("/columns/label", 'column "label": all its labels are missing')]),
    (CSV, "x,y,label\n1,2,\n3,4,missing\n5,6,a\n", "", [("/columns/label", '1 of 3 labels cannot be used (the first, "missing", is in line 3): a label has the name of the class of missing labels')]),
    (CSV, f"x,y,label\n1,2,{LONG}\n", "", [("/columns/label", "longer than 64 bytes")]),
    (CSV, "x,y,label\n1,2,a\n3,4\n", "", [("/points/1", "2 fields")]),
    (CSV, "x,label\n" + "".join(f"{i},c{i}\n" for i in range(65)), "", [("/columns/label", "it has more than 64 different labels")]),
    (CSV, "1,2\n", "?label=2", [("/label", "there is no column 2")]),
    (CSV, "1,2\n", "?label=-3", [("/label", "there is no column -3")]),
    (CSV, "1,2\n", "?label=99999999999999999999", [("/label", "there is no column 9999")]),
    (CSV, "1,2\n", "?label=kind", [("/label", "have no names")]),
    (CSV, "1,2\n", "?label=1.5", [("/label", "is not a column")]),
    (CSV, "x,y\n1,2\n", "?label=kind", [("/label", 'there is no column "kind"')]),
    # ---------------------------------------------------------------- tables that other programs have saved
    (CSV, "0,1\n0.5,0.25\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,2\n3,4,5\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0,1,2\n3,4,5\n", "?label=-1", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "0\n0.5\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "2019,2020,2021\n1.5,2.5,3.5\n2.5,3.5,4.5\n", "", [("/points/0", "add ?header=false or ?header=true")]),
    (CSV, "x,y,x\n1,2,3\n", "", [("/columns", 'columns 1 and 3 are both called "x"')]),
    (CSV, "x,y,x\n1,2,3\n", "?label=x", [("/columns", 'columns 1 and 3 are both called "x"')]),
    (CSV, "1,1\n1,2\n", "?header=true", [("/columns", 'columns 1 and 2 are both called "1"')]),
    (CSV, "label,x,kind\n1,2,a\n", "?label=kind", [("/columns/label", "it has this name, but column 3 has the labels")]),
    (CSV, "Label,x,label\n1,2,a\n", "", [("/columns/label", "it has this name, but column 1 has the labels")]),
    (CSV, "a" * 63 + "é,b\n1,2\n", "", [("/columns", "the name of column 1 is longer than 64 bytes")]),
    (CSV, "x,label\na,b\n", "", [("/columns", "labels, ids and constants are not coordinates")]),
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
    (JSON, "[1,2]", "", [("/points", "record 1 is not a record, {\"column\": value, ..}; that is the first of 2")]),
    (JSON, '[{"a":1},[2]]', "", [("/points", "record 2 is not a record")]),
    (JSON, '[{"a":1,"a":2}]', "", [("/points", 'record 1 has the key "a" twice')]),
    (JSON, "[]", "", [("/points", "no points")]),
    (JSON, "[{}]", "", [("/points", "the points have no coordinates")]),
    (JSON, json.dumps([{"x" * 65: 1}]), "", [("/columns", "is longer than 64 bytes")]),
    (JSON, json.dumps([{f"c{i}": 1 for i in range(257)}]), "", [("/columns", "at most 256 columns")]),
    (JSON, "5", "", [("", "must be an object")]),
    (JSON, "{}", "", [("/points", "is missing")]),
    (JSON, '{"a":{"0":1,"1":2},"b":{"0":3,"1":4}}', "", [("/points", 'to_json(orient="records")')]),
    (JSON, '{"columns":["a","b"],"index":[0,1],"data":[[1,2],[3,4]]}', "", [("/points", "a list of records")]),
    (JSON, '{"points":5}', "", [("/points", "must be an array")]),
    (JSON, '{"points":{"x":[1]}}', "", [("/points", "must be an array")]),
    (JSON, '{"points":null}', "", [("/points", "must be an array")]),
    (JSON, '{"points":[]}', "", [("/points", "no points")]),
    (JSON, '{"points":[1,2]}', "", [("/points/0", "must be an array with one value per column; that is the first of 2 such places")]),
    (JSON, '{"points":[[]]}', "", [("/points", "no coordinates")]),
    (JSON, json.dumps({"points": [[1] * 65]}), "", [("/columns/x64", "only 64 columns can be learned, not 65")]),
    (JSON, json.dumps({"points": [[1] * 5000]}), "", [("/columns", "at most 256 columns")]),
    (JSON, '{"points":[[1,2],[3]]}', "", [("/points/1", "1 coordinates, but the first point has 2")]),
    (JSON, '{"points":[[1,2],[3,4,5]]}', "", [("/points/1", "3 coordinates")]),
    (JSON, '{"points":[[1,2],[]]}', "", [("/points/1", "0 coordinates")]),
    (JSON, '{"points":[[1,null],[true,4]]}', "", [("/columns/x", "true or false")]),
    (JSON, '{"points":[[1,2],[true,{}],[1,[2]]]}', "", [("/points/1/1", "must be a number, text, true, false or null; that is the first of 2")]),
    (JSON, '{"points":[[1,1e400]]}', "", [("/columns/y", 'is too large ("1e400"')]),
    (JSON, '{"points":[[1,-2e18]]}', "", [("/columns/y", 'is too large ("-2e18"')]),
    (JSON, '{"points":[[1,2]],"columns":["a"]}', "", [("/points/0", "2 coordinates, but there are names for 1")]),
    (JSON, '{"points":[[1,2]],"columns":["a","a"]}', "", [("/columns", 'both called "a"')]),
    (JSON, '{"points":[[1,2]],"columns":["a",2]}', "", [("/columns", "must be names of 1 to 64 bytes")]),
    (JSON, '{"points":[[1,2]],"columns":["a",""]}', "", [("/columns", "must be names of 1 to 64 bytes")]),
    (JSON, '{"points":[[1,2]],"columns":"a,b"}', "", [("/columns", "must be an array of names")]),
    (JSON, '{"points":[[1,2]],"labels":[]}', "", [("/labels", "0 labels for 1 points")]),
    (JSON, '{"points":[[1,2]],"labels":["a","b"]}', "", [("/labels", "2 labels for 1 points")]),
    (JSON, '{"points":[[1,2]],"labels":"a"}', "", [("/labels", "must be an array")]),
    (JSON, '{"points":[[1,2]],"labels":[null]}', "", [("/columns/label", "all its labels are missing")]),
    (JSON, '{"points":[[1,2]],"labels":[""]}', "", [("/columns/label", "all its labels are missing")]),
    (JSON, json.dumps({"points": [[1, 2]], "labels": [LONG]}), "", [("/columns/label", "longer than 64")]),
    (JSON, '{"labels":["\\ud800"],"points":[[1]]}', "", "half of a surrogate pair"),
    (JSON, json.dumps({"labels": list(range(65)), "points": [[0]] * 65}), "", [("/columns/label", "more than 64 different labels")]),
    (JSON, '{"points":[[1]],"points":[[1]]}', "", [("/points", "given more than once")]),
    (JSON, '{"points":[[1]],"Labels":["a"]}', "", [("", 'no "Labels"')]),
    (JSON, '{"name":5,"points":[[1]]}', "", [("/name", "must be a string")]),
    (JSON, json.dumps({"name": "x" * 101, "points": [[1]]}), "", [("/name", "at most 100 bytes")]),
    (JSON, '{"points":[[1,2]]}', "?label=2", [("/label", "there is no column 2")]),
    # ---------------------------------------------------------------- JSON lines
    (LINES, '{"a":1}\n{"a":2\n', "", "expected"),
    (LINES, '{"a":1}\n\n{"a":"x"}\n', "", [("/columns/a", 'is text ("x"; the first is in line 3)')]),
    (LINES, '{"a":1}\n[2]\n', "", [("/points", "line 2 is not a record")]),
    (LINES, "", "", "ends too early"),
    # ---------------------------------------------------------------- npy that is none
    (NPY, b"", "", "not an .npy file"),
    (NPY, b"1,2\n3,4\n", "", "not an .npy file"),
    (NPY, b"\x93NUMPY", "", "not an .npy file"),
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
    (NPY, npy(numpy.zeros((2, 2, 2))), "", [("/images", "images are bytes")]),
    (NPY, npy(numpy.zeros((0, 2))), "", [("/points", "no points")]),
    (NPY, npy(numpy.zeros((2, 0))), "", [("/points", "no points")]),
    (NPY, npy(numpy.zeros((2, 65))), "", [("/columns/x64", "only 64 columns can be learned, not 65")]),
    (NPY, npy(numpy.zeros((2, 1000))), "", [("/columns", "1000 columns are too many: at most 256; if the rows are images, save them")]),
    (NPY, npy(numpy.zeros((1000001, 1), "u1")), "", [("/points", "more than 1000000 points")]),
    (NPY, npy(numpy.zeros((270000, 64), "u1")), "", [("/points", "16777216 coordinates in all")]),
    (NPY, npy(numpy.array([[1, 2], [numpy.inf, 4]], "f4")), "", [("/columns/x", 'is infinite ("inf"; the first is in row 1)')]),
    (NPY, npy(numpy.array([1, -1e300])), "", [("/columns/x", 'is too large ("-1e+300"')]),
    (NPY, npy(numpy.array([[1, 2]], "f4")), "?label=2", [("/label", "there is no column 2")]),
    (NPY, npy(numpy.array([[1, 2]], "f4")), "?label=kind", [("/label", "no names")]),
    (NPY, npy(numpy.array([1, 2], "f4")), "?label=0", [("/columns", "no column to train on")]),
    (NPY, npy(numpy.array([[1, numpy.nan]])), "?label=1", [("/columns/label", "all its labels are missing")]),
    (NPY, npy(numpy.array([[1, 2]])), "?columns=a", [("/columns", "must be 2 names")]),
    (NPY, npy(numpy.array([[1, 2]])), "?columns=a,b,c", [("/columns", "must be 2 names")]),
    (NPY, npy(numpy.array([[1, 2]])), "?columns=a,", [("/columns", "must be 2 names")]),
    (NPY, npy(numpy.array([[1, 2]])), "?columns=a,a", [("/columns", 'both called "a"')]),
]  # fmt: skip


def rows(server):
    return server.sql("SELECT count(*) FROM dataset")[0][0]


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


def test_a_column_has_one_error_however_many_of_its_cells_are_wrong(alone):
    raw = b"1,2\n" * 6000 + b"".join(b"x%d,y%d\n" % (i, i) for i in range(5000))
    problem = alone.post("/v1/datasets", raw=raw, headers={"Content-Type": CSV}).json
    assert [error["pointer"] for error in problem["errors"]] == ["/columns/x", "/columns/y"]
    assert '5000 of 11000 cells (45%) are text ("y0", "y1", "y2"; the first is in line 6001)' in problem["errors"][1]["detail"]


@pytest.mark.parametrize("query", ["?label=" + "x" * 65, "?name=" + "x" * 101, "?header=yes", "?labels=1", "?name=a&name=b"])
def test_bad_queries(alone, query):
    answer = alone.post("/v1/datasets" + query, raw=b"1,2\n", headers={"Content-Type": CSV})
    assert answer.status == 422 and answer.json["code"] == "invalid_fields"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed", "text/csvx"])
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
