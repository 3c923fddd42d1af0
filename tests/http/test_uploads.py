"""Data sets that users bring: every format, read back by numpy and by what was sent."""

import hashlib
import io
import json
import re

import numpy
import pytest
from conftest import Server

CSV, JSON, NPY = "text/csv", "application/json", "application/octet-stream"
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
SHAPE = [
    "id", "name", "kind", "source", "description", "dim", "shape", "dtype", "n", "columns", "label", "classes", "statistics", "has_distance",
    "sha256", "bytes", "created_at", "links",
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("uploads")))
    yield server
    assert server.stop() == 0, server.read_log()


def npy(array, version=None):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, numpy.asanyarray(array), version=version)
    return file.getvalue()


def upload(server, raw, content_type=CSV, query=""):
    raw = raw.encode() if isinstance(raw, str) else raw
    answer = server.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": content_type})
    assert answer.status == 201, answer.body
    return answer.json


def names_of(made):
    """The names of the coordinates, in order."""
    found = {column["coordinate"]: column["name"] for column in made["columns"] if column["coordinate"] is not None}
    return [found[j] for j in range(made["dim"])]


def test_an_upload_is_described(store):
    raw = b"length,width,label\n1,10,b\n2,20,a\n3,10,b\n1,10,b\n"
    answer = store.post("/v1/datasets?name=four", raw=raw, headers={"Content-Type": CSV})
    made = answer.json
    assert answer.status == 201 and answer.headers["Location"] == "/v1/datasets/" + made["id"]
    assert list(made) == SHAPE and UUID7.match(made["id"])
    assert made["name"] == "four" and made["kind"] == made["source"] == "upload" and made["n"] == 4 and made["dim"] == 2
    assert names_of(made) == ["length", "width"] and made["classes"] == ["a", "b"]
    assert made["sha256"] == hashlib.sha256(raw).hexdigest() and made["bytes"] == len(raw)
    assert store.get("/v1/datasets/" + made["id"]).json == made
    statistics = made["statistics"]
    points = numpy.array([[1, 10], [2, 20], [3, 10], [1, 10]])
    assert statistics["min"] == [1, 10] and statistics["max"] == [3, 20]
    assert statistics["mean"] == pytest.approx(points.mean(axis=0), rel=1e-15)
    assert statistics["std"] == pytest.approx(points.std(axis=0), rel=1e-15)
    assert statistics["duplicates"] == 1 and statistics["class_counts"] == [1, 3]


def test_statistics_are_those_of_numpy(store):
    rng = numpy.random.default_rng(1)
    points = (rng.normal(size=(5000, 5)) * [1, 1e-6, 1e6, 1, 1] + [0, 0, 0, 1e4, -3]).astype("f4")
    points[1000:1100] = points[:100]
    statistics = upload(store, npy(points), NPY)["statistics"]
    wide = points.astype("f8")
    assert numpy.array_equal(numpy.array(statistics["min"], "f4"), points.min(axis=0))
    assert numpy.array_equal(numpy.array(statistics["max"], "f4"), points.max(axis=0))
    assert statistics["mean"] == pytest.approx(wide.mean(axis=0), rel=1e-12, abs=1e-12)
    assert statistics["std"] == pytest.approx(wide.std(axis=0), rel=1e-12)
    assert statistics["duplicates"] == 5000 - len(numpy.unique(points, axis=0)) == 100


TWO = [[1, 2], [3, 4]]
# (what it shows, raw, query, points, columns, labels as names)
FILES = [
    ("no header", "1,2\n3,4\n", "", TWO, ["x", "y"], None),
    ("no last line end", "1,2\n3,4", "", TWO, ["x", "y"], None),
    ("CR LF", "a,b\r\n1,2\r\n3,4\r\n", "", TWO, ["a", "b"], None),
    ("CR", "a,b\r1,2\r3,4\r", "", TWO, ["a", "b"], None),
    ("blank lines", "\n\na,b\n1,2\n\n3,4\n\n  \n\n", "", TWO, ["a", "b"], None),
    ("byte order mark", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", "", TWO, ["a", "b"], None),
    ("semicolons", "a;b\n1;2\n3;4\n", "", TWO, ["a", "b"], None),
    ("tabs", "a\tb\n1\t2\n3\t4\n", "", TWO, ["a", "b"], None),
    ("commas in names", '"a,1","b;2"\n1,2\n3,4\n', "", TWO, ["a,1", "b;2"], None),
    ("quotes", '"a","b""c"\n"1","2"\n"3","4"\n', "", TWO, ["a", 'b"c'], None),
    ("a line break in a name", '"a\nb",c\n1,2\n3,4\n', "", TWO, ["a\nb", "c"], None),
    ("blanks", " a , b \n 1 , 2 \n 3 ,\t4\n", "", TWO, ["a", "b"], None),
    ("blanks before a quote", 'a, "b" \n1, "2" \n3, " 4 "\n', "", TWO, ["a", "b"], None),
    ("one column", "5\n6\n7\n", "", [[5], [6], [7]], ["x"], None),
    ("names for four", "1,2,3,4\n5,6,7,8\n", "", [[1, 2, 3, 4], [5, 6, 7, 8]], ["x0", "x1", "x2", "x3"], None),
    ("spellings", "+1,-2.5e1,.5,5.,1E3,1e-3\n0,0,0,0,0,0\n", "", [[1, -25, 0.5, 5, 1000, 0.001], [0] * 6], [f"x{i}" for i in range(6)], None),
    ("column numbers as names", "0,1\n0.5,2\n3,4\n", "?header=true", [[0.5, 2], [3, 4]], ["0", "1"], None),
    ("a point like column numbers", "0,1\n0.5,2\n", "?header=false", [[0, 1], [0.5, 2]], ["x", "y"], None),
    ("whole numbers from 0", "0\n1\n2\n", "", [[0], [1], [2]], ["x"], None),
    ("a name that pandas has changed", "x,x.1\n1,2\n3,4\n", "", TWO, ["x", "x.1"], None),
    ("two cases of a letter", "x,X\n1,2\n3,4\n", "", TWO, ["x", "X"], None),
    ("# in a name", 'a#,"#b"\n1,2\n3,4\n', "", TWO, ["a#", "#b"], None),
    ("numbers as names", "1,2\n3,4\n5,6\n", "?header=true", [[3, 4], [5, 6]], ["1", "2"], None),
    ("long names", "a" * 62 + "é,b\n1,2\n3,4\n", "", TWO, ["a" * 62 + "é", "b"], None),
    ("labels", "x,y,label\n1,2,b\n3,4,a\n", "", TWO, ["x", "y"], ["b", "a"]),
    ("class", "Class,u,v\nb,1,2\na,3,4\n", "", TWO, ["u", "v"], ["b", "a"]),
    ("label before class", "class,label\n1,b\n3,a\n", "", [[1], [3]], ["class"], ["b", "a"]),
    ("labels by name", "u,kind,v\n1,b,2\n3,a,4\n", "?label=kind", TWO, ["u", "v"], ["b", "a"]),
    ("labels by number", "u,kind,v\n1,b,2\n3,a,4\n", "?label=1", TWO, ["u", "v"], ["b", "a"]),
    ("labels from the end", "1,2,b\n3,4,a\n", "?label=-1", TWO, ["x", "y"], ["b", "a"]),
    ("labels first, no header", "b,1,2\na,3,4\n", "?label=0", TWO, ["x", "y"], ["b", "a"]),
    ("a name that is a number", "1,2,3\nb,1,2\na,3,4\n", "?label=1&header=true", TWO, ["2", "3"], ["b", "a"]),
    ("integers by value", "1,10\n2,9\n3,-1\n", "?label=1", [[1], [2], [3]], ["x"], ["10", "9", "-1"]),
    ("whole floats", "1,2,1.0\n3,4,0.000e+00\n", "?label=2", TWO, ["x", "y"], ["1", "0"]),
    ("quoted labels", 'x,y,label\n1,2," b, ""c"" "\n3,4,"é"\n', "", TWO, ["x", "y"], [' b, "c" ', "é"]),
    # what other programs write
    ("bars", "a|b\n1|2\n3|4\n", "", TWO, ["a", "b"], None),
    ("blanks as delimiters", "Chins Sit-ups\n1 2\n3   4 \n", "", TWO, ["Chins", "Sit-ups"], None),
    ("blanks, no header", "  1.5  2\n 3.25 4\n", "", [[1.5, 2], [3.25, 4]], ["x", "y"], None),
    ("the first row tells the delimiter", "x;y\n5,1;3,5\n4,9;3,0\n", "", [[5.1, 3.5], [4.9, 3]], ["x", "y"], None),
    ("decimal commas, no header", "1,5;2,5\n3,5;4,5\n", "", [[1.5, 2.5], [3.5, 4.5]], ["x", "y"], None),
    ("decimal commas in quotes", 'x,y\n"1,5","2,5"\n"3,25","4"\n', "", [[1.5, 2.5], [3.25, 4]], ["x", "y"], None),
    ("decimal commas between tabs", "x\ty\n1,5\t2\n-0,125\t4e3\n", "", [[1.5, 2], [-0.125, 4000]], ["x", "y"], None),
    ("thousands in English", 'x,y\n"1,234.50",1\n"12,000",2\n7,3\n', "", [[1234.5, 1], [12000, 2], [7, 3]], ["x", "y"], None),
    ("thousands in German", "x;y\n1.234,50;1\n12.000;2\n7;3\n", "", [[1234.5, 1], [12000, 2], [7, 3]], ["x", "y"], None),
    ("thousands in French", "x;y\n1 234,5;1\n12 000;2\n1\u202f234\u202f567;3\n", "", [[1234.5, 1], [12000, 2], [1234567, 3]], ["x", "y"], None),
    ("thousands in Swiss", "x;y\n1'234.5;1\n12'000;2\n", "", [[1234.5, 1], [12000, 2]], ["x", "y"], None),
    ("millions", 'x,y\n"1,234,567",1\n"1,234",2\n', "", [[1234567, 1], [1234, 2]], ["x", "y"], None),
    ("another column tells", "x;y\n1,234;1,5\n2,345;2,5\n", "", [[1.234, 1.5], [2.345, 2.5]], ["x", "y"], None),
    ("the client tells: comma", "x;y\n1,234;1\n2,345;2\n", "?decimal=comma", [[1.234, 1], [2.345, 2]], ["x", "y"], None),
    ("the client tells: point", 'x,y\n"1,234",1\n"2,345",2\n', "?decimal=point", [[1234, 1], [2345, 2]], ["x", "y"], None),
    ("points between thousands are decimal", "x,y\n1.234,1\n2.345,2\n", "", [[1.234, 1], [2.345, 2]], ["x", "y"], None),
    ("comments", "# station 7\n# units: m\nx,y\n1,2\n3,4\n", "", TWO, ["x", "y"], None),
    ("a comment before points", "# made today\n1,2\n3,4\n", "", TWO, ["x", "y"], None),
    ("a comment has the names", "# made today\n# u,v\n1,2\n3,4\n", "", TWO, ["u", "v"], None),
    ("numpy.savetxt", "# u v\n1.0e+00 2.0e+00\n3.0e+00 4.0e+00\n", "", TWO, ["u", "v"], None),
    ("sep=", "sep=;\nx;y\n1;2\n3;4\n", "", TWO, ["x", "y"], None),
    ("sep= of a bar", "\ufeffsep=|\r\nx|y\r\n1|2\r\n3|4\r\n", "", TWO, ["x", "y"], None),
    ("a delimiter at the end of each line", "x,y,\n1,2,\n3,4,\n", "", TWO, ["x", "y"], None),
    ("a delimiter at the end, no header", "1,2,\n3,4,\n", "", TWO, ["x", "y"], None),
    ("a delimiter at the end of the names", "x,y,\n1,2\n3,4\n", "", TWO, ["x", "y"], None),
    ("a delimiter at the end of the rows", "x,y\n1,2,\n3,4,\n", "", TWO, ["x", "y"], None),
    ("row numbers of pandas", ",x,y\n0,1,2\n1,3,4\n", "", TWO, ["x", "y"], None),
    ("row numbers that pandas has named", "Unnamed: 0,x,y\n0,1,2\n1,3,4\n", "", TWO, ["x", "y"], None),
    ("row numbers of pandas without names", ",0,1\n0,1,2\n1,3,4\n", "", TWO, ["0", "1"], None),
    ("row names of R", '"","x","y"\n"Mazda RX4",1,2\n"Fiat 128",3,4\n', "", TWO, ["x", "y"], None),
    ("R names the rows, but not their column", '"x","y"\n"1",1,2\n"2",3,4\n', "", TWO, ["x", "y"], None),
    ("row numbers and labels", ",x,label\n0,1,b\n1,3,a\n", "?label=label", [[1], [3]], ["x"], ["b", "a"]),
    ("a first column that counts no rows", ",x,y\n5,1,2\n6.5,3,4\n", "", [[5, 1, 2], [6.5, 3, 4]], ["row", "x", "y"], None),
    ("a column called row", ",row,y\n5,1.5,2\n6.5,3,4\n", "", [[5, 1.5, 2], [6.5, 3, 4]], ["row_2", "row", "y"], None),
    ("a column without a name", "a,,c\n1,2,5\n3,4,6\n", "", [[1, 2, 5], [3, 4, 6]], ["a", "column_2", "c"], None),
    ("NA in a name", "na,none,x\n1,2,3\n4,5,6\n", "", [[1, 2, 3], [4, 5, 6]], ["na", "none", "x"], None),
    ("numbers and label as names", "label,0,1\nb,1,2\na,3,4\n", "", TWO, ["0", "1"], ["b", "a"]),
    ("label and numbers as names", "0,1,label\n1,2,b\n3,4,a\n", "", TWO, ["0", "1"], ["b", "a"]),
    ("years as names", "country,2019,2020\nb,1,2\na,3,4\n", "?label=country", TWO, ["2019", "2020"], ["b", "a"]),
    ("years as values", "b,2019,2020\na,2020,2021\n", "?label=0", [[2019, 2020], [2020, 2021]], ["x", "y"], ["b", "a"]),
    ("delimiters in labels", "1,2,a;b;c\n3,4,d;e\n", "?label=2", TWO, ["x", "y"], ["a;b;c", "d;e"]),
]  # fmt: skip


def points_of(server, made, query=""):
    """Points and the names of their labels, as the server gives them back."""
    answer = server.get(f"/v1/datasets/{made['id']}/points{query}").json
    labels = answer["labels"]
    assert answer["classes"] == made["classes"] and answer["n"] == len(answer["points"])
    places = [answer["columns"].index(name) for name in names_of(made)]
    return [[row[j] for j in places] for row in answer["points"]], labels


@pytest.mark.parametrize("what,raw,query,points,columns,labels", FILES, ids=[file[0] for file in FILES])
def test_csv_as_it_comes(store, what, raw, query, points, columns, labels):
    made = upload(store, raw, CSV, query)
    assert names_of(made) == columns and made["n"] == len(points) and made["dim"] == len(points[0])
    got, names = points_of(store, made)
    assert numpy.array_equal(numpy.array(got, "f4"), numpy.array(points, "f4"))
    assert names == labels


def test_classes_are_in_order_whatever_the_order_of_the_rows(store):
    assert upload(store, "1,10\n2,9\n3,-2\n", query="?label=1")["classes"] == ["-2", "9", "10"]
    assert upload(store, "1,10\n2,9\n3,b\n", query="?label=1")["classes"] == ["10", "9", "b"]
    assert upload(store, json.dumps({"points": [[0], [1], [2]], "labels": ["z", "ä", "B"]}), JSON)["classes"] == ["B", "z", "ä"]
    sixty_four = {"points": [[i] for i in range(64)], "labels": list(range(64))}
    assert upload(store, json.dumps(sixty_four), JSON)["classes"] == [str(i) for i in range(64)]


def test_json(store):
    made = upload(store, '{ "name":"in \\u00e9\\"file", "labels" : ["a", 1, "\\ud83d\\ude00"] ,"points":[[1,-2.5e0],[0,1e-3] , [ 3,4 ]]}', JSON)
    assert made["name"] == 'in é"file' and names_of(made) == ["x", "y"] and made["classes"] == ["1", "a", "😀"]
    points, labels = points_of(store, made)
    assert points == [[1, -2.5], [0, 0.001], [3, 4]] and labels == ["a", "1", "😀"]
    assert upload(store, '{"name":null,"points":[[1,2],[3,4]]}', JSON)["name"] is None
    made = upload(store, '{"points":[[1,2],[3,4]],"labels":null,"name":"x"}', JSON, "?name=stronger")
    assert made["name"] == "stronger" and made["classes"] is None


DTYPES = [order + kind for kind in ("f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8") for order in "<>"] + ["|i1", "|u1"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_npy_of_every_type(store, dtype):
    rng = numpy.random.default_rng(3)
    array = rng.normal(size=(7, 3)) * 40
    array = (abs(array) if "u" in dtype else array).astype(dtype)
    if dtype[1:] in ("i8", "u8", "i4", "u4"):
        array[0] = [2**31 - 1, 16777217, 1]
    for order in "CF":
        for version in ((1, 0), (2, 0), (3, 0)):
            made = upload(store, npy(numpy.array(array, order=order), version), NPY)
            points, labels = points_of(store, made)
            assert labels is None and numpy.array_equal(numpy.array(points, "f4"), array.astype("f4"))


@pytest.mark.parametrize("dtype,labels,classes", [
    ("f4", [0.1, 1.5, -0.0, 1e10], ["0", "0.1", "1.5", "10000000000"]),
    ("f8", [0.1, 1e-7, 2.0, 1e300], ["1e-7", "0.1", "2", "1e+300"]),
    ("i8", [2**63 - 1, 2**63 - 2, -(2**63), 3], [str(-(2**63)), "3", str(2**63 - 2), str(2**63 - 1)]),
    ("u8", [2**64 - 1, 2**64 - 2, 0, 7], ["0", "7", str(2**64 - 2), str(2**64 - 1)]),
    ("i1", [-1, 1, 1, 0], ["-1", "0", "1"]),
    ("i4", [16777217, 16777216, 1, 1], ["1", "16777216", "16777217"]),
])  # fmt: skip
def test_labels_of_arrays_are_exact(store, dtype, labels, classes):
    array = numpy.stack([numpy.arange(4).astype(dtype), numpy.array(labels, dtype)], axis=1)
    assert upload(store, npy(array), NPY, "?label=1")["classes"] == classes


def test_npy_of_one_axis_and_with_labels(store):
    made = upload(store, npy(numpy.arange(5.0)), NPY)
    assert made["dim"] == 1 and points_of(store, made)[0] == [[0], [1], [2], [3], [4]]
    made = upload(store, npy(numpy.array([[1, 2, 0], [3, 4, -7]], ">f8")), NPY, "?label=-1")
    assert points_of(store, made) == ([[1, 2], [3, 4]], ["0", "-7"]) and made["classes"] == ["-7", "0"]
    # header with other spacing, order and quotes, as other programs write it
    header = b'{"shape": (2,), "fortran_order": True,\n "descr": "<f4"}'
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + numpy.array([1, 2], "<f4").tobytes()
    assert points_of(store, upload(store, raw, NPY))[0] == [[1], [2]]


def test_extreme_values_are_kept(store):
    values = [1e18, -1e18, 1e-38, 1e-45, 0.1, 16777217, 3.3333333333333333]
    made = upload(store, "\n".join(repr(v) for v in values))
    assert numpy.array_equal(numpy.array(points_of(store, made)[0], "f4")[:, 0], numpy.array(values, "f4"))


def test_wide_and_single(store):
    rows = [list(range(65)), list(reversed(range(70, 135)))]
    made = upload(store, "\n".join(",".join(map(str, row[:64])) for row in rows), query="?header=false")
    assert made["dim"] == 64 and points_of(store, made)[0] == [row[:64] for row in rows]
    made = upload(store, "\n".join(",".join(map(str, row)) for row in rows), query="?label=0&header=false")
    assert made["dim"] == 64 and made["classes"] == ["0", "134"] and points_of(store, made)[0] == [row[1:] for row in rows]


def test_a_million_points(store):
    points = numpy.random.default_rng(5).integers(-(10**6), 10**6, size=(1000, 2)) / 1024
    text = "\n".join(["\n".join(f"{x},{y}" for x, y in points.tolist())] * 1000)
    made = upload(store, text)
    assert made["n"] == 1000000 and made["statistics"]["duplicates"] == 999000
    assert made["statistics"]["mean"] == pytest.approx(points.mean(axis=0), rel=1e-9)
    assert made["statistics"]["std"] == pytest.approx(points.std(axis=0), rel=1e-9)
    answer = store.post("/v1/datasets", raw=f"{text}\n1,2".encode(), headers={"Content-Type": CSV})
    assert answer.status == 422 and "more than 1000000 points" in answer.json["detail"]


# ---------------------------------------------------------------- points in other formats and numbers


def test_some_of_the_points(store):
    rng = numpy.random.default_rng(9)
    points = rng.normal(size=(500, 3)).astype("f4")
    labels = [f"c{i % 7}" for i in range(500)]
    made = upload(store, json.dumps({"points": points.tolist(), "labels": labels}), JSON)
    where = {tuple(map(float, point)): i for i, point in enumerate(points)}
    assert points_of(store, made, "?seed=5") == points_of(store, made)
    draws = []
    for seed in (0, 1):
        some, names = points_of(store, made, f"?n=200&seed={seed}")
        indices = [where[tuple(numpy.array(point, "f4").astype(float))] for point in some]
        assert len(set(indices)) == 200 and indices != sorted(indices)
        assert names == [labels[i] for i in indices]
        # point i does not depend on n
        assert points_of(store, made, f"?n=20&seed={seed}")[0] == some[:20]
        draws.append(indices)
    assert draws[0] != draws[1] and 50 < len(set(draws[0]) & set(draws[1])) < 110  # 80 by chance
    everything, _ = points_of(store, made, "?n=1000")
    assert sorted(map(tuple, everything)) == sorted(map(tuple, points_of(store, made)[0]))


def test_points_in_every_format_are_the_same(store):
    raw = 'a,"b,1",label\r\n1,0.1,"x,""y"\r\n-2e-05,3,z\r\n1e+18,-0.5,"x,""y"\r\n'
    made = upload(store, raw, CSV)
    path = f"/v1/datasets/{made['id']}/points"
    text = store.get(path + ".csv").body.decode()
    again = upload(store, text, CSV)
    assert {**again, **dict.fromkeys(["id", "links", "created_at", "sha256", "bytes"])} == {
        **made, **dict.fromkeys(["id", "links", "created_at", "sha256", "bytes"])
    }  # fmt: skip
    assert points_of(store, again) == points_of(store, made) and store.get(f"/v1/datasets/{again['id']}/points.csv").body.decode() == text
    array = numpy.load(io.BytesIO(store.get(path + ".npy").body))
    assert array.dtype == "<f8" and array.tolist() == [[1, 0.1], [-2e-5, 3], [1e18, -0.5]]
    assert store.get(path + ".svg").body.count(b"<circle") == 3
    assert len(store.get(path + ".txt").body) > 100


def test_the_first_points_of_a_large_set(store):
    made = upload(store, npy(numpy.arange(150000, dtype="f4")), NPY)
    answer = store.get(f"/v1/datasets/{made['id']}/points.npy")
    assert numpy.array_equal(numpy.load(io.BytesIO(answer.body))[:, 0], numpy.arange(100000))
    assert store.get(f"/v1/datasets/{made['id']}/points?n=100001").status == 422


@pytest.mark.parametrize("suffix", ["", "/points", "/points.csv?n=2&seed=3"])
def test_an_upload_never_changes_so_a_copy_of_it_may_be_kept(store, suffix):
    path = f"/v1/datasets/{upload(store, 'x,y,label' + chr(10) + '1,2,a' + chr(10) + '3,4,b')['id']}{suffix}"
    answer = store.get(path)
    tag = answer.headers["ETag"]
    assert store.get(path, headers={"If-None-Match": tag}).status == 304
    assert store.get(path, headers={"If-None-Match": '"other"'}).body == answer.body
    part = store.get(path, headers={"Range": "bytes=0-9"})
    assert part.status == 206 and part.body == answer.body[:10]
    assert store.get(path, headers={"Range": "bytes=1000000-"}).status == 416
    # a copy of what was deleted is not good any more
    assert store.request("DELETE", path.split("?")[0].split("/points")[0]).status == 204
    assert store.get(path, headers={"If-None-Match": tag}).status == 404


# ---------------------------------------------------------------- the list


def test_the_list_has_the_built_in_ones_first_then_the_newest(server):
    builtin = [item["id"] for item in server.get("/v1/datasets").json["items"]]
    assert builtin[0] == "spiral"
    ids = [upload(server, f"{i}.5,1\n9.5,8\n", query=f"?name=n{i}")["id"] for i in range(5)]
    expected = builtin + ids[::-1]
    # a page goes on after a data set that has been deleted meanwhile
    ids.append(upload(server, "9.5,1\n7,8\n")["id"])
    gone = ids.pop()
    assert server.request("DELETE", f"/v1/datasets/{gone}").status == 204
    assert [item["id"] for item in server.get(f"/v1/datasets?limit=2&after={gone}").json["items"]] == ids[:-3:-1]
    assert server.get(f"/v1/datasets?kind=builtin&after={gone}").json["items"] == []
    assert server.get("/v1/datasets?after=nonsense").status == 422
    for limit in (1, 2, len(builtin), len(builtin) + 1, 100):
        for kind, wanted in (("any", expected), ("upload", ids[::-1]), ("builtin", builtin)):
            seen, after = [], ""
            while True:
                page = server.get(f"/v1/datasets?limit={limit}&kind={kind}{after}").json
                assert len(page["items"]) == min(limit, len(wanted) - len(seen))
                seen += [item["id"] for item in page["items"]]
                assert page["has_more"] == (len(seen) < len(wanted))
                if not page["has_more"]:
                    break
                assert page["next"] == seen[-1]
                after = f"&after={page['next']}"
            assert seen == wanted
    for item in server.get("/v1/datasets").json["items"]:
        assert list(item) == SHAPE


def test_deleting(server):
    made = upload(server, "1,2\n3,4\n")
    path = f"/v1/datasets/{made['id']}"
    unknown = server.get("/v1/datasets/" + "0" * 36).json
    assert (unknown["code"], unknown["detail"]) == ("no_such_dataset", "No data set has this name or id.")
    other = upload(server, "1,2\n3,4\n")
    assert other["id"] != made["id"] and other["sha256"] == made["sha256"]
    assert server.request("DELETE", path).status == 204
    for method, suffix in (("GET", ""), ("DELETE", ""), ("GET", "/points")):
        answer = server.request(method, path + suffix)
        assert answer.status == 404 and answer.json["code"] == "no_such_dataset"
    assert server.get(f"/v1/datasets/{other['id']}").status == 200
    assert server.request("DELETE", path.upper().replace("/V1/DATASETS", "/v1/datasets")).status == 404


def test_uploads_outlive_the_server(start):
    server = start()
    made = upload(server, "a,b,label\n0.1,2,x\n3,4,y\n")
    server.kill()
    server.start()
    assert server.get(f"/v1/datasets/{made['id']}").json == made
    assert points_of(server, made) == ([[0.1, 2], [3, 4]], ["x", "y"])


# ---------------------------------------------------------------- rows in other formats


@pytest.mark.parametrize("raw,content_type", [
    ('{"columns":["u","k","v"],"points":[[1,"b",2],[3,"a",4]]}', JSON),
    ('[[1,"b",2],[3,"a",4]]', JSON),
    ('[{"u":1,"k":"b","v":2},{"u":3,"k":"a","v":4}]', JSON),
    ('[{"u":1,"k":"b","v":2},{"v":4,"u":3,"\\u006b":"a"}]', JSON),
    ('{"u":1,"k":"b","v":2}\n{"u":3,"k":"a","v":4}\n', "application/x-ndjson"),
    ('\n{"u":1,"k":"b","v":2} {"v":4,"u":3,"k":"a"}', "application/x-ndjson; charset=utf-8"),
    ("u\tk\tv\n1\tb\t2\n3\ta\t4\n", "text/tab-separated-values"),
    ("u\tk;k\tv\n1\tb\t2\n3\ta\t4\n", "text/tab-separated-values"),
])  # fmt: skip
def test_rows_of_every_format(store, raw, content_type):
    made = upload(store, raw, content_type, "?label=1")
    assert points_of(store, made) == (TWO, ["b", "a"])
    assert names_of(made) == (["x", "y"] if raw.startswith("[[") else ["u", "v"])


def test_names_of_the_columns_of_an_array(store):
    made = upload(store, npy([[1, 2], [3, 4]]), NPY, "?columns=age,mass")
    assert names_of(made) == ["age", "mass"] and points_of(store, made)[0] == TWO
    made = upload(store, npy([[1, 2], [3, 4]]), NPY, "?columns=age,mass&label=mass")
    assert names_of(made) == ["age"] and made["classes"] == ["2", "4"]


def test_a_number_may_be_text_in_json(store):
    assert points_of(store, upload(store, '{"points":[["1.5",2],[3," 4 "]]}', JSON))[0] == [[1.5, 2], [3, 4]]
