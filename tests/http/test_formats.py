"""Every format, read by a program that is not ours."""

import csv
import io
import json
import re
import struct
import xml.etree.ElementTree

import numpy
import pytest
import safetensors
from conftest import CONTRACT


def as_array(answer):
    assert answer.headers["Content-Type"] == "application/octet-stream"
    return numpy.load(io.BytesIO(answer.body), allow_pickle=False)


def as_csv(answer):
    assert answer.headers["Content-Type"] == "text/csv"
    return list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))


def float32(points):
    return numpy.array(points, dtype=numpy.float32)


@pytest.fixture(params=["samples", "points"])
def points_path(request, trained):
    return f"/v1/models/{trained.job}/samples" if request.param == "samples" else "/v1/datasets/moons/points"


def test_points_are_the_same_bits_in_every_format(trained, points_path):
    query = "?n=500&seed=4"
    expected = float32(trained.get(points_path + query).json["points"])
    array = as_array(trained.get(points_path + ".npy" + query))
    assert array.dtype == numpy.dtype("<f4") and array.shape == (500, 2) and not numpy.isfortran(array)
    assert (array == expected).all()
    rows = as_csv(trained.get(points_path + ".csv" + query))
    assert rows[0] == ["x", "y"] and len(rows) == 501
    assert (float32([[float(cell) for cell in row] for row in rows[1:]]) == expected).all()
    svg = trained.get(points_path + ".svg" + query)
    assert svg.headers["Content-Type"] == "image/svg+xml"
    circles = [e for e in xml.etree.ElementTree.fromstring(svg.body).iter() if e.tag.endswith("circle")]
    assert len(circles) == 500
    text = trained.get(points_path + ".txt" + query).body.decode()
    lines = text.splitlines()
    assert 15 < len(lines) <= 23 and all(len(line) == 78 for line in lines)
    dots = sum(bin(ord(c) - 0x2800).count("1") for line in lines for c in line)
    assert 200 < dots <= 500


def test_a_braille_plot_puts_each_dot_where_it_belongs(trained):
    corners = [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    path = f"/v1/models/{trained.job}/trajectories.txt"
    text = trained.post(path, {"noise": corners}).body.decode().split("t = ")[1]
    lines = text.splitlines()[1:]
    assert lines[0][0] == "\u2801" and lines[-1][0] in "\u2804\u2840\u2802\u2801"
    assert sum(bin(ord(c) - 0x2800).count("1") for line in lines for c in line) == 4


def test_trajectories_are_the_same_bits_in_every_format(trained):
    path, query = f"/v1/models/{trained.job}/trajectories", "?n=30&seed=4"
    expected = trained.get(path + query).json
    x, x0 = as_array(trained.get(path + ".npy" + query)), as_array(trained.get(path + ".npy" + query + "&which=x0"))
    assert x.shape == (41, 30, 2) and (x == float32(expected["x"])).all()
    assert x0.shape == (40, 30, 2) and (x0 == float32(expected["x0"])).all()
    lines = trained.get(path + ".ndjson" + query)
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    frames = [json.loads(line) for line in lines.body.splitlines()]
    assert [frame["timestep"] for frame in frames] == expected["timesteps"]
    assert [frame["x"] for frame in frames] == expected["x"]
    assert [frame["x0"] for frame in frames] == expected["x0"] + [None]
    assert trained.get(path + ".txt" + query).body.decode().count("t = ") == 5
    metadata, tensors = safetensors.read(trained.get(path + ".safetensors" + query).body)
    assert set(tensors) == {"x", "x0"} and (tensors["x"] == x).all() and (tensors["x0"] == x0).all()
    beside = {key: value for key, value in expected.items() if key not in ("x", "x0", "duration_seconds")}
    said = json.loads(metadata["answer"])
    assert said.pop("duration_seconds") > 0 and said == beside


def test_the_arrays_of_a_trajectory_in_one_file_lie_where_they_can_be_read_in_place(trained):
    """Also one that is sent in pieces, and one without a model."""
    for path in (f"/v1/models/{trained.job}/trajectories", "/v1/datasets/moons/forward", "/v1/datasets/star/optimal"):
        body = trained.get(path + ".safetensors?n=2001&frames=9").body
        (length,) = struct.unpack("<Q", body[:8])
        assert length % 8 == 0
        metadata, tensors = safetensors.read(body)
        assert tensors["x"].shape == (9, 2001, 2) and tensors["x0"].shape == (8, 2001, 2)
        npy = trained.get(path + ".npy?n=2001&frames=9&which=x0")
        assert (as_array(npy) == tensors["x0"]).all() and json.loads(metadata["answer"])["n"] == 2001


def test_history_as_csv_and_picture(trained):
    path = f"/v1/jobs/{trained.job}/history"
    expected = trained.get(path).json
    rows = as_csv(trained.get(path + ".csv"))
    assert rows[0] == expected["columns"] and len(rows) == 101
    for column, name in enumerate(rows[0]):
        assert [float(row[column]) if row[column] else None for row in rows[1:]] == expected["data"][name]
    assert as_csv(trained.get(path + ".csv?after=98"))[1][0] == "99"
    picture = trained.get(path + ".svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert xml.etree.ElementTree.fromstring(picture.body).tag.endswith("svg")


@pytest.mark.parametrize(
    "accept,expected",
    [
        ("text/csv", "text/csv"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("image/svg+xml, text/csv;q=0.5", "image/svg+xml"),
        ("text/csv;q=0.2, application/json;q=0.1", "text/csv"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
    ],
)
def test_accept_picks_the_format(trained, accept, expected):
    path = "/v1/datasets/spiral/points?n=3"
    answer = trained.get(path, headers={"Accept": accept})
    assert answer.status == 200 and answer.headers["Content-Type"] == expected
    # the suffix is stronger
    assert as_array(trained.get("/v1/datasets/spiral/points.npy?n=3", headers={"Accept": accept})).shape == (3, 2)


@pytest.mark.parametrize("accept", ["image/webp", "text/html", "application/json;q=0", "video/*"])
def test_nothing_acceptable_is_406(trained, accept):
    answer = trained.get("/v1/datasets/spiral/points?n=3", headers={"Accept": accept})
    assert answer.status == 406 and answer.json["code"] == "not_acceptable" and "csv" in answer.json["detail"]


def test_an_unknown_suffix_is_told_the_known_ones(trained):
    """Each path that has formats, with each suffix that anybody might think of."""
    suffixes = ["json", "csv", "ndjson", "npy", "svg", "png", "gif", "txt", "safetensors", "sse"]
    told = {}
    for method, path, _ in CONTRACT.operations():
        url = path.replace("{id}", "spiral" if "datasets" in path else "latest")
        if url == "/" or "." in url:
            continue
        query = f"?job={trained.job}" if url == "/v1/events" else ""  # of all jobs it would go on
        answers = {suffix: trained.fetch(method, f"{url}.{suffix}{query}") for suffix in [*suffixes, "xyz", "CSV", ""]}
        unknown = {s: a.json["detail"] for s, a in answers.items() if a.status == 404 and a.json["code"] == "no_such_path"}
        known = set(answers) - set(unknown)
        assert len(set(unknown.values())) == 1 and not known & {"xyz", "CSV", ""}, url
        listed = re.findall(r"\.([a-z]+)", unknown["xyz"])
        assert set(listed) == known or method != "GET", url
        told[f"{method} {path}"] = listed
    assert told["GET /v1/models/{id}/samples"] == told["POST /v1/models/{id}/samples"] == ["json", "csv", "npy", "svg", "png", "txt"]
    assert told["GET /v1/jobs"] == told["GET /v1/datasets/{id}"] == ["json"] and told["GET /livez"] == []
    assert len([path for path, listed in told.items() if listed]) >= 17
