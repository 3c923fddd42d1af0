"""Compression, entity tags and ranges: fewer bytes and less work for the same answer."""

import gzip
import http.client
import re
import subprocess

import pytest
from conftest import PATIENCE, QUICK, eventually
from test_streams import metric

GZIP = {"Accept-Encoding": "gzip"}


def vary(answer):
    return {word.strip() for value in answer.headers.get_all("Vary", []) for word in value.split(",")}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/latest/samples?n=1000",  # at once
        "/v1/models/latest/samples.csv?n=30000",  # piece by piece
        "/v1/models/latest/samples.svg",
        "/v1/models/latest/trajectories.ndjson?n=3000",
        "/v1/models/latest/trajectories.txt",
        "/v1/datasets/moons/points.csv?n=100000",
        "/v1/jobs/latest/history",
        "/v1/jobs/latest/history.svg",
        "/openapi.json",
        "/v1/jobs/latest",
    ],
)
def test_text_is_compressed_for_those_who_can_read_it(trained, path):
    plain, packed = trained.get(path), trained.fetch("GET", path, headers=GZIP)
    assert "Content-Encoding" not in plain.headers and "Accept-Encoding" in vary(plain)
    assert packed.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in vary(packed)
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert len(packed.body) < 0.7 * len(plain.body)
    unpacked = gzip.decompress(packed.body)

    def constant(body):  # but for the time it took
        return re.sub(rb'"duration_seconds":[^}]*', b"", body)

    assert constant(unpacked) == constant(plain.body)
    head = trained.fetch("HEAD", path, headers=GZIP)
    assert head.body == b"" and head.headers["Content-Encoding"] == "gzip"
    if "ETag" in plain.headers:
        tags = [answer.headers["ETag"] for answer in (plain, packed, head)]
        assert tags[0] != tags[1] == tags[2]
        for tag in tags:
            assert trained.get(path, headers={"If-None-Match": tag}).status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/latest/samples.npy?n=3000",
        "/v1/models/latest/samples.png",
        "/v1/models/latest/trajectories.gif?n=50",
        "/v1/jobs/latest/events",
        "/livez",  # small
        "/v1/models/latest/samples.csv?n=20",
    ],
)
def test_the_rest_is_not_compressed(trained, path):
    answer = trained.get(path, headers=GZIP)
    assert answer.status == 200 and "Content-Encoding" not in answer.headers
    assert answer.body == trained.get(path).body


@pytest.mark.parametrize("accept", ["gzip;q=0", "br", "identity", "*;q=0", "gzip;q=0.5, identity"])
def test_who_does_not_want_it_does_not_get_it(trained, accept):
    answer = trained.get("/v1/models/latest/samples?n=1000", headers={"Accept-Encoding": accept})
    assert "Content-Encoding" not in answer.headers and answer.json["n"] == 1000


def test_a_client_that_has_the_answer_costs_no_computing(trained):
    for path in "samples.npy?n=2000&seed=3", "samples.csv?n=20000", "trajectories.npy?n=100", "samples.png":
        path = f"/v1/models/{trained.job}/{path}"
        answer = trained.get(path)
        tag = answer.headers["ETag"]
        assert re.fullmatch(r'"[0-9a-f]{16}"', tag) and answer.headers["Cache-Control"] == "no-cache"
        again = trained.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert again.status == 304 and again.body == b"" and again.headers["ETag"] == tag
        assert trained.get(path, headers={"If-None-Match": '"other"'}).body == answer.body
        assert trained.get(path).body == answer.body  # as it promises
    assert trained.get(f"/v1/models/{trained.job}/samples").headers["ETag"].startswith('W/"')  # it says how long it took
    tag = trained.get("/v1/datasets/moons/points?n=10").headers["ETag"]
    assert trained.get("/v1/datasets/moons/points?n=10", headers={"If-None-Match": tag}).status == 304
    assert "ETag" not in trained.post(f"/v1/models/{trained.job}/samples.npy", {}).headers


def test_errors_have_no_tag(trained):
    for path in f"/v1/models/{trained.job}/samples?n=0", "/v1/models/latest/trajectories?n=100000", "/v1/datasets/x/points":
        answer = trained.get(path, headers={"If-None-Match": '"x"'})
        assert answer.status >= 400 and "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_tag_goes_with_the_model(server):
    job = server.submit(QUICK)
    server.wait(job)
    paths = [f"/v1/models/{job}/samples.npy?n=10", "/v1/models/latest/samples.npy?n=10", f"/v1/jobs/{job}/history"]
    before = [server.get(path) for path in paths]
    server.post(f"/v1/jobs/{job}/resume", {"epochs": 4})
    server.wait(job)
    for path, old in zip(paths, before):
        new = server.get(path, headers={"If-None-Match": old.headers["ETag"]})
        assert new.status == 200 and new.headers["ETag"] != old.headers["ETag"] and new.body != old.body


@pytest.mark.parametrize(
    "range_,start,end",
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None), ("bytes=5-999999", 5, None)],
)
def test_a_part_of_an_answer(trained, range_, start, end):
    path = f"/v1/models/{trained.job}/samples.npy?n=100"
    whole = trained.get(path)
    assert whole.headers["Accept-Ranges"] == "bytes"
    tag = whole.headers["ETag"]
    part = trained.get(path, headers={"Range": range_, "If-Range": tag, **GZIP})
    assert part.status == 206 and part.body == whole.body[start:end] and part.headers["ETag"] == tag
    first = start % len(whole.body)
    last = first + len(part.body) - 1
    assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole.body)}"
    assert trained.get(path, headers={"Range": range_}).body == part.body
    # a part of another version is of no use
    assert trained.get(path, headers={"Range": range_, "If-Range": '"other"'}).body == whole.body
    assert trained.request("HEAD", path, headers={"Range": range_}).status == 200
    assert trained.get(path, headers={"Range": range_, "If-None-Match": tag}).status == 304


def test_parts_that_there_are_not(trained):
    path = f"/v1/models/{trained.job}/samples.npy?n=100"
    answer = trained.get(path, headers={"Range": "bytes=928-"})
    assert answer.status == 416 and answer.headers["Content-Range"] == "bytes */928"
    assert answer.json["code"] == "range_not_satisfiable" and "ETag" not in answer.headers
    for odd in "bytes=5-1", "bytes=0-1,4-5", "lines=1-2", "bytes=x", "bytes=":
        assert len(trained.get(path, headers={"Range": odd}).body) == 928
    # text in parts is not compressed, and what is made while it is sent is not given in parts
    csv = f"/v1/models/{trained.job}/samples.csv?n=1000"
    part = trained.get(csv, headers={"Range": "bytes=0-99", **GZIP})
    assert part.status == 206 and part.body == trained.get(csv).body[:100] and "Content-Encoding" not in part.headers
    long = trained.get(f"/v1/models/{trained.job}/samples.csv?n=20000", headers={"Range": "bytes=0-9"})
    assert long.status == 200 and long.headers["Accept-Ranges"] == "none"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/latest/samples.npy?n=50000",
        "/v1/models/latest/samples.npy?n=9001&seed=5",
        "/v1/models/latest/trajectories.npy?n=3001&frames=7",
        "/v1/models/latest/trajectories.npy?n=3001&frames=7&which=x0",
        "/v1/datasets/moons/points.npy?n=70001",
        "/v1/datasets/moons/forward.npy?n=2000&frames=11",
        "/v1/datasets/moons/optimal.npy?n=2000&frames=11",
    ],
)
def test_parts_of_a_long_array(trained, path):
    """It is made while it is sent, but the place of each byte is known."""
    whole = trained.get(path)
    size, tag = len(whole.body), whole.headers["ETag"]
    assert size > 70_000 and whole.headers["Accept-Ranges"] == "bytes" and whole.headers["Content-Length"] == str(size)
    places = [(0, 9), (5, 127), (100, 40_000), (128, 135), (131, 70_001), (39_998, 39_999), (size // 2 + 3, size - 1), (size - 1, size)]
    for first, last in places:
        part = trained.get(path, headers={"Range": f"bytes={first}-{last}", "If-Range": tag, **GZIP})
        assert part.status == 206 and part.body == whole.body[first : last + 1], (first, last)
        last = min(last, size - 1)
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}" and part.headers["ETag"] == tag
        assert part.headers["Content-Length"] == str(last - first + 1)
    assert trained.get(path, headers={"Range": "bytes=-50000"}).body == whole.body[-50000:]
    assert trained.get(path, headers={"Range": "bytes=40000-", "If-Range": '"other"'}).body == whole.body
    assert trained.get(path, headers={"Range": f"bytes={size}-"}).status == 416
    assert trained.get(path, headers={"Range": "bytes=9-", "If-None-Match": tag}).status == 304
    eventually(lambda: metric(trained, "http_streams") == 0)


def test_parts_of_a_long_upload(server):
    table = "".join(f"{i},{-i},{i % 7}\r\n" for i in range(20_000))
    made = server.request("POST", "/v1/datasets", raw=table.encode(), headers={"Content-Type": "text/csv"})
    for query in "", "?n=15000&seed=3":
        path = f"/v1/datasets/{made.json['id']}/points.npy{query}"
        whole = server.get(path)
        assert server.get(path, headers={"Range": "bytes=50001-150000"}).body == whole.body[50001:150001]
        assert server.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status == 304


def test_a_download_is_resumed(trained, tmp_path):
    url = f"http://127.0.0.1:{trained.port}/v1/models/latest/samples.npy?n=100000"
    whole = trained.get("/v1/models/latest/samples.npy?n=100000").body
    (tmp_path / "points.npy").write_bytes(whole[:345_679])
    subprocess.run(["curl", "-sf", "-C", "-", "-o", tmp_path / "points.npy", url], check=True)
    assert (tmp_path / "points.npy").read_bytes() == whole


@pytest.mark.parametrize("path", ["samples.csv?n=20000", "samples.json?n=3", "trajectories.ndjson?n=500", "trajectories.safetensors?n=3"])
def test_who_has_no_parts_says_so(trained, path):
    answer = trained.get(f"/v1/models/latest/{path}", headers={"Range": "bytes=5-"})
    assert answer.status == 200 and answer.headers["Accept-Ranges"] == "none" and "Content-Range" not in answer.headers
    assert trained.request("HEAD", f"/v1/models/latest/{path}").headers["Accept-Ranges"] == "none"


def test_streams_that_are_compressed_are_cut_as_well(trained):
    connection = http.client.HTTPConnection("127.0.0.1", trained.port, timeout=30 * PATIENCE)
    connection.request("GET", "/v1/models/latest/samples.csv?n=100000", headers=GZIP)
    response = connection.getresponse()
    response.read(1000)
    connection.close()
    response.close()
    for _ in range(3):
        assert trained.get("/v1/models/latest/samples.csv?n=9000", headers=GZIP).status == 200
    eventually(lambda: metric(trained, "http_streams") == 0)
