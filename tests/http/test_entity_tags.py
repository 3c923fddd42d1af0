"""A tag names all that the bytes depend on: no two answers that differ have the same one."""

import hashlib
import itertools
import json
import os
import re
import stat

import pytest
from conftest import BINARY, QUICK, Server

POINTS = ["json", "csv", "npy", "svg", "png", "txt"]
FRAMES = ["json", "ndjson", "npy", "safetensors", "png", "gif", "txt"]
MEDIA = {
    "json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson", "npy": "application/octet-stream",
    "safetensors": "application/octet-stream", "svg": "image/svg+xml", "png": "image/png", "gif": "image/gif", "txt": "text/plain",
}  # fmt: skip
LOOKS = ["size=64", "size=65", "theme=dark", "theme=light"]
WAYS = [*LOOKS, "fps=5", "fps=9", "which=x0", "which=x", "frames=3", "frames=4"]
RESOURCES = [
    ("/v1/models/latest/samples", POINTS, ["n=3", "seed=1", "steps=5", "sampler=ddim&steps=5", "clip=false", *LOOKS]),
    ("/v1/models/latest/trajectories", FRAMES, ["seed=1", "steps=5", *WAYS]),
    ("/v1/datasets/moons/points", POINTS, ["n=3", "seed=1", "n=1000", *LOOKS]),
    ("/v1/datasets/UPLOAD/points", POINTS, ["n=2", "n=2&seed=5", *LOOKS]),
    ("/v1/datasets/moons/forward", FRAMES, ["seed=1", "schedule=linear&timesteps=30", "timesteps=20", *WAYS]),
    ("/v1/datasets/UPLOAD/forward", FRAMES, ["n=2", *WAYS]),
    ("/v1/datasets/moons/optimal", FRAMES, ["seed=1", *WAYS]),
    ("/v1/jobs/latest/history", ["json", "csv", "svg"], ["after=1", "limit=2", "max_points=5"]),
]


@pytest.fixture(scope="module")
def upload(trained):
    table = "a,b,label\n0,0,low\n1,1,high\n2,0.5,low\n"
    answer = trained.request("POST", "/v1/datasets", raw=table.encode(), headers={"Content-Type": "text/csv"})
    return answer.json["id"]


def bytes_of(answer):
    """What a strong tag stands for; of a weak one all but the duration."""
    body = answer.body
    if answer.headers["ETag"].startswith("W/"):
        body = re.sub(rb'duration_seconds[\\": ]*[0-9.e+-]*', b"", body)
        body = re.sub(rb"^.{8}(?=\{)", b"", body, flags=re.S)  # the length of a safetensors header goes with it
        body = body.replace(b" ", b"")
    return hashlib.sha256(body).hexdigest()


def fewer(path, upload, suffix, option=""):
    """Points than the usual number, and pixels of an animation, which has many frames; but what the option asks."""
    usual = ["n=12"] if "history" not in path and upload not in path else []
    usual += ["size=80"] if suffix == "gif" else []
    return "&".join([*(one for one in usual if not option.startswith(one.split("=")[0])), option])


@pytest.mark.parametrize("path,formats,options", RESOURCES, ids=[path for path, _, _ in RESOURCES])
def test_tags_differ_exactly_where_bytes_do(trained, upload, path, formats, options):
    path = path.replace("UPLOAD", upload).replace("latest", trained.job)
    bytes_by_tag, tag_by_bytes = {}, {}
    for suffix, option in itertools.product(formats, ["", *options]):
        query = fewer(path, upload, suffix, option)
        for url, accept in (f"{path}.{suffix}?{query}", "*/*"), (f"{path}?{query}", MEDIA[suffix]):
            if suffix == "safetensors" and accept != "*/*":
                continue  # its media type is that of npy, too
            answer = trained.get(url, headers={"Accept": accept})
            if answer.status == 422:
                assert "which" in option or "fps" in option or "frames" in option, (url, answer.body)
                continue
            assert answer.status == 200 and answer.headers["Content-Type"].startswith(MEDIA[suffix]), (url, answer.body)
            tag, what = answer.headers["ETag"], bytes_of(answer)
            assert bytes_by_tag.setdefault(tag, what) == what, url
            assert tag_by_bytes.setdefault(what, tag) == tag, url
            packed = trained.fetch("GET", url, headers={"Accept": accept, "Accept-Encoding": "gzip"})
            assert ("Content-Encoding" in packed.headers) == (packed.headers["ETag"] != tag), url
    assert len(bytes_by_tag) > len(formats)


@pytest.mark.parametrize("path,formats,options", RESOURCES, ids=[path for path, _, _ in RESOURCES])
def test_the_tag_of_another_format_is_of_no_use(trained, upload, path, formats, options):
    path = path.replace("UPLOAD", upload).replace("latest", trained.job)
    path += "?" + fewer(path, upload, "gif" if "gif" in formats else "")
    media = sorted({MEDIA[suffix] for suffix in formats})
    whole = {accept: trained.get(path, headers={"Accept": accept}) for accept in media}
    for mine, other in itertools.permutations(media, 2):
        tag = whole[other].headers["ETag"]
        for tags in tag, tag.removeprefix("W/"), tag[:-1] + '-gzip"':
            answer = trained.get(path, headers={"Accept": mine, "If-None-Match": tags})
            assert answer.status == 200 and answer.headers["Content-Type"].startswith(mine), (mine, other)
            assert answer.headers["ETag"] == whole[mine].headers["ETag"]
        spliced = trained.get(path, headers={"Accept": mine, "If-Range": tag, "Range": "bytes=5-"})
        assert spliced.status == 200 and bytes_of(spliced) == bytes_of(whole[mine]), (mine, other)
    for accept in media:
        tag = whole[accept].headers["ETag"]
        assert trained.get(path, headers={"Accept": accept, "If-None-Match": tag}).status == 304
        assert "Accept" in ", ".join(whole[accept].headers.get_all("Vary"))


def test_an_index_is_not_a_page(trained):
    page = trained.get("/", headers={"Accept": "text/html"})
    index = trained.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert index.status == 200 and index.json["endpoints"] and index.headers["ETag"] != page.headers["ETag"]


def test_names_of_classes_count(server):
    """Two uploads of the same numbers: their CSV differs by the names in it, and so do the tags."""
    tags = set()
    for names in ("low", "high"), ("bad", "good"), ("low", "good"):
        table = f"x,y,label\n0,0,{names[0]}\n1,1,{names[1]}\n"
        made = server.request("POST", "/v1/datasets", raw=table.encode(), headers={"Content-Type": "text/csv"})
        for what in "points.csv", "points.svg", "forward.json":
            tags.add(server.get(f"/v1/datasets/{made.json['id']}/{what}").headers["ETag"])
    assert len(tags) == 9


@pytest.fixture
def another_build(tmp_path):
    """Servers of the same program with another digest of the linker's."""
    with open(BINARY, "rb") as file:
        program = file.read()
    note = program.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
    other = tmp_path / "denoised"
    other.write_bytes(program[:note] + bytes([program[note] ^ 1]) + program[note + 1 :])
    other.chmod(other.stat().st_mode | stat.S_IXUSR)

    class Other(Server):
        binary = os.fspath(other)

    return Other


def test_another_build_has_other_tags(tmp_path, trained, another_build):
    """The linker's digest of the program is in each: an upgrade may draw differently."""
    server = another_build(str(tmp_path))
    try:
        for path in "/v1/datasets/moons/points.svg", "/v1/datasets/moons/forward.gif?n=9", "/v1/datasets/moons", "/":
            mine, theirs = trained.get(path), server.get(path)
            assert mine.body == theirs.body and mine.headers["ETag"] != theirs.headers["ETag"]
            assert server.get(path, headers={"If-None-Match": mine.headers["ETag"]}).status == 200
    finally:
        assert server.stop() == 0


def test_another_build_evaluates_anew(start, tmp_path, another_build):
    """What one build has kept of an evaluation is no answer of another."""
    server = start()
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    path = f"/v1/models/{job}/evaluation?n=16"
    answer = server.get(path).json
    assert server.stop() == 0
    ((stored,),) = server.sql("SELECT answer FROM evaluation")
    server.sql("UPDATE evaluation SET answer = ?", json.dumps({**json.loads(stored), "duration_seconds": 1e9}, separators=(",", ":")))
    server.start()
    assert server.get(path).json == {**answer, "duration_seconds": 1e9}
    assert server.stop() == 0
    other = another_build(str(tmp_path))
    try:
        again = other.get(path).json
        assert again["duration_seconds"] < 1e9 and {**again, "duration_seconds": answer["duration_seconds"]} == answer
    finally:
        assert other.stop() == 0
