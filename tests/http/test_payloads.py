"""The file within a body: in a form, compressed, in another character set, or not what it is said to be."""

import gzip
import io
import json
import zipfile

import numpy
import pytest
from conftest import Server
from test_uploads import CSV, JSON, NPY, npy, points_of

TWO = [[1.5, 2], [3, 4]]
TEXT = "x,y,label\n1.5,2,José\n3,4,“é”\n"
LABELS = ["José", "“é”"]
BOUNDARY = "----b0undary"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("payloads")))
    yield server
    assert server.stop() == 0, server.read_log()


def part(name, data, filename=None, content_type=None):
    data = data.encode() if isinstance(data, str) else data
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return head.encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def check(store, raw, headers, query=""):
    answer = store.post("/v1/datasets" + query, raw=raw, headers=headers)
    assert answer.status == 201, answer.body
    return answer.json


@pytest.mark.parametrize("codec,declared", [
    ("utf-8", ""), ("utf-8", "; charset=utf-8"), ("utf-8", '; charset="UTF-8"'), ("utf-8-sig", ""),
    ("cp1252", "; charset=windows-1252"), ("cp1252", "; charset=ISO-8859-1"), ("cp1252", "; header=present; charset=latin1"),
    ("utf-16", "; charset=utf-16"), ("utf-16", ""), ("utf-16-le", "; charset=UTF-16LE"), ("utf-16-be", "; charset=utf-16be"),
    ("utf-16-be", "; charset=utf-16"),
])  # fmt: skip
def test_character_sets(store, codec, declared):
    made = check(store, TEXT.encode(codec), {"Content-Type": CSV + declared})
    assert points_of(store, made) == (TWO, LABELS)
    text = json.dumps({"points": TWO, "labels": LABELS}, ensure_ascii=False)
    made = check(store, text.encode(codec), {"Content-Type": JSON + declared})
    assert points_of(store, made) == (TWO, LABELS)


def test_every_character_of_windows_1252(store):
    for byte in [*range(0x20, 0x80), *range(0xA0, 0x100), *(b for b in range(0x80, 0xA0) if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D))]:
        label = bytes([ord("a"), byte, ord("b")])
        if byte in b'",' or byte in b"\x7f":
            continue
        made = check(store, b"x,label\n1," + label + b"\n2," + label + b"\n", {"Content-Type": CSV + "; charset=windows-1252"})
        assert made["classes"] == [label.decode("cp1252")]


def test_characters_beyond_the_basic_plane(store):
    for codec in ("utf-16le", "utf-16be"):
        made = check(store, "x,label\n1,a😀\U0010ffb0\n2,a😀\U0010ffb0\n".encode(codec), {"Content-Type": f"{CSV}; charset={codec}"})
        assert made["classes"] == ["a😀\U0010ffb0"]


@pytest.mark.parametrize("raw,content_type", [
    (TEXT.encode(), CSV), (json.dumps({"points": TWO, "labels": LABELS}).encode(), JSON), (TEXT.encode(), "application/gzip"),
    (b'{"x":1.5,"y":2,"label":"Jos\\u00e9"}\n{"x":3,"y":4,"label":"\xe2\x80\x9c\xc3\xa9\xe2\x80\x9d"}\n', "application/gzip"),
    (TEXT.encode("cp1252"), CSV + "; charset=windows-1252"), (TEXT.encode(), NPY),
])  # fmt: skip
def test_gzip_by_its_first_bytes_or_by_its_encoding(store, raw, content_type):
    half = len(raw) // 2
    for packed in (gzip.compress(raw), gzip.compress(raw[:half]) + gzip.compress(raw[half:]), gzip.compress(raw, 0)):
        made = check(store, packed, {"Content-Type": content_type})
        assert points_of(store, made) == (TWO, LABELS) and made["bytes"] == len(raw)
    if content_type.startswith((CSV, JSON)):
        for coding in ("gzip", "x-gzip", "GZIP"):
            made = check(store, gzip.compress(raw), {"Content-Type": content_type, "Content-Encoding": coding})
            assert points_of(store, made) == (TWO, LABELS)
        form_body = form(part("file", raw, "a.csv" if CSV in content_type else "a.json", content_type))
        check(store, gzip.compress(form_body), {"Content-Type": MULTIPART, "Content-Encoding": "gzip"})


def test_a_gzipped_array(store):
    made = check(store, gzip.compress(npy(numpy.array(TWO))), {"Content-Type": NPY})
    assert points_of(store, made) == (TWO, None)


@pytest.mark.parametrize("parts", [
    [part("file", TEXT, "a.csv", "text/csv")],
    [part("file", TEXT, "a.csv", "application/octet-stream")],
    [part("file", TEXT, "A.CSV")],
    [part("file", TEXT)],
    [part("data", TEXT, "table", "text/plain")],
    [part("file", TEXT.replace(",", "\t"), "a.tsv", "application/octet-stream")],
    [part("file", TEXT.encode("cp1252"), "a.csv", "text/csv; charset=cp1252")],
    [part("file", TEXT.encode("utf-16"), "a.csv", "application/vnd.ms-excel")],
    [part("file", gzip.compress(TEXT.encode()), "a.csv.gz", "application/gzip")],
    [part("file", json.dumps({"points": TWO, "labels": LABELS}), "a.json", "application/json")],
    [part("file", json.dumps([{"x": 1.5, "y": 2, "label": LABELS[0]}, {"x": 3, "y": 4, "label": LABELS[1]}]), "a", "text/plain")],
    [part("file", "".join(json.dumps({"x": x, "y": y, "label": z}) + "\n" for (x, y), z in zip(TWO, LABELS)), "a.jsonl")],
])  # fmt: skip
def test_forms(store, parts):
    for preamble in (b"", b"for people\r\n"):
        made = check(store, preamble + form(*parts), {"Content-Type": MULTIPART})
        assert points_of(store, made) == (TWO, LABELS)
    quoted = MULTIPART.replace(BOUNDARY, f'"{BOUNDARY}"')
    check(store, form(*parts), {"Content-Type": quoted})


def test_a_form_with_an_array(store):
    array = npy(numpy.array(TWO))
    made = check(store, form(part("file", array, "a.npy", NPY)), {"Content-Type": MULTIPART})
    assert points_of(store, made) == (TWO, None) and made["bytes"] == len(array)
    check(store, form(part("file", array, "", "")), {"Content-Type": MULTIPART})


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


GZ = gzip.compress(TEXT.encode())
BAD = [
    # (body, content type, status, code, part of the detail)
    (TEXT.encode("cp1252"), CSV, 400, "invalid_csv", "not UTF-8; if it comes from Excel, send it with charset=windows-1252"),
    (TEXT.encode("cp1252"), CSV + "; charset=utf-8", 400, "invalid_csv", "not UTF-8"),
    (TEXT.encode(), CSV + "; charset=iso-8859-1", 400, "invalid_csv", "is UTF-8, but it was declared as iso-8859-1"),
    (TEXT.encode(), CSV + "; charset=utf-16", 400, "invalid_csv", "is UTF-8, but it was declared as utf-16"),
    (b"x,y\n1,2\n", CSV + "; charset=utf-16le", 400, "invalid_csv", "is UTF-8, but it was declared"),
    (TEXT.encode(), CSV + "; charset=koi8-r", 415, "unsupported_media_type", 'character set "koi8-r" is not supported; use UTF-8 (iconv -f koi8-r -t UTF-8)'),
    (b"x,label\n1,\x81\n", CSV + "; charset=windows-1252", 400, "invalid_csv", "no characters of that set"),
    ("x,y\n1,2\n".encode("utf-16") + b"\x00", CSV, 400, "invalid_csv", "odd number of bytes"),
    (b"\xff\xfex\x00\x00\x00", CSV, 400, "invalid_csv", "NUL"),
    (b"\xff\xfex\x00\x00\xd8", CSV, 400, "invalid_csv", "half of a surrogate pair"),
    (b"\xff\xfex\x00\x00\xdc", CSV, 400, "invalid_csv", "half of a surrogate pair"),
    (b"\xff\xfex\x00\x00\xd8x\x00", CSV, 400, "invalid_csv", "half of a surrogate pair"),
    (zipped(), CSV, 400, "invalid_csv", "a zip archive, as an .xlsx workbook is: save the table as CSV"),
    (zipped(), NPY, 422, "invalid_data", "an .xlsx workbook: save the table as CSV"),
    (b"PAR1" + bytes(50), CSV, 400, "invalid_csv", "Parquet"),
    (b"ARROW1\0\0", NPY, 400, "invalid_npy", "Arrow"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", CSV, 400, "invalid_csv", ".xls workbook"),
    (b"SQLite format 3\0", CSV, 400, "invalid_csv", "SQLite"),
    (npy([1.0]), CSV, 400, "invalid_csv", "send it as application/octet-stream"),
    (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", CSV, 400, "invalid_csv", "HTML or XML, perhaps an error page"),
    (b"<HTML></HTML>", JSON, 400, "invalid_json", "HTML"),
    (b'{"a":1}\n{"a":2}\n', CSV, 400, "invalid_csv", "looks like JSON lines: send it as application/x-ndjson"),
    (b'{"points":[[1,2]]}', CSV, 400, "invalid_csv", "looks like JSON: send it as application/json"),
    (b'[{"a":1}]', "text/tab-separated-values", 400, "invalid_csv", "looks like JSON: send it as application/json"),
    (b"[[1,2]]", CSV, 400, "invalid_csv", "looks like JSON"),
    (b"\x89PNG\r\n\x1a\n", "application/octet-stream", 400, "invalid_npy", "PNG in a zip archive"),
    (b"\xff\xd8\xff\xe0", CSV, 400, "invalid_csv", "PNG in a zip archive"),
    (b"\x93NUMPY" + zipped(), CSV, 400, "invalid_csv", ".npy"),
    (GZ[:-9], CSV, 400, "invalid_upload", "the gzip file cannot be read: it ends too early"),
    (GZ[:20], CSV, 400, "invalid_upload", "ends too early"),
    (GZ[:-8] + bytes(8), CSV, 400, "invalid_upload", "damaged"),
    (GZ + b"rest", CSV, 400, "invalid_upload", "damaged"),
    (gzip.compress(zipped()), "application/gzip", 422, "invalid_data", "an .xlsx workbook"),
    (form(part("file", zipped(), "a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")), MULTIPART, 415, "unsupported_media_type", "zip archive"),
    (form(part("file", b"%PDF-1.7", "a.pdf", "application/pdf")), MULTIPART, 415, "unsupported_media_type", "PDF"),
    (form(part("file", TEXT, "a.doc", "application/msword")), MULTIPART, 415, "unsupported_media_type", "the file has the type application/msword: send text/csv"),
    (form(), MULTIPART, 400, "invalid_upload", "no part called file"),
    (form(part("name", "x")), MULTIPART, 400, "invalid_upload", 'there is also "name"'),
    (form(part("file", TEXT), part("file", TEXT)), MULTIPART, 400, "invalid_upload", "more than one file"),
    (form(part("file", TEXT)), "multipart/form-data", 400, "invalid_upload", "must have a boundary"),
    (form(part("file", TEXT)), "multipart/form-data; boundary=" + "x" * 71, 400, "invalid_upload", "at most 70 characters"),
    (form(part("file", TEXT)), "multipart/form-data; boundary=other", 400, "invalid_upload", "does not have the boundary"),
    (form(part("file", TEXT))[:-30], MULTIPART, 400, "invalid_upload", "ends before its last boundary"),
    (part("file", TEXT)[:40], MULTIPART, 400, "invalid_upload", "ends within the headers"),
    (form(part("file", TEXT, "x" * 2000)), MULTIPART, 400, "invalid_upload", "header of a part of the form is too long"),
    (b"", MULTIPART, 400, "invalid_upload", "does not have the boundary"),
    (b"x,y\n1,2\n", "application/x-www-form-urlencoded", 415, "unsupported_media_type", "with curl, add -H 'Content-Type: text/csv'"),
]  # fmt: skip


@pytest.mark.parametrize("raw,content_type,status,code,detail", BAD, ids=range(len(BAD)))
def test_what_is_no_file_is_refused(store, raw, content_type, status, code, detail):
    before = count(store)
    answer = store.post("/v1/datasets", raw=raw, headers={"Content-Type": content_type})
    assert (answer.status, answer.json["code"]) == (status, code), answer.json
    assert detail in answer.json["detail"], answer.json
    assert count(store) == before


def count(server):
    return server.sql("SELECT count(*) FROM dataset")[0][0]


def test_a_bomb_is_refused_at_its_limit(start):
    server = start("--max-upload", "2")
    bomb = gzip.compress(bytes(300 << 20), 9)
    assert len(bomb) < 2 << 20
    for headers in ({"Content-Type": CSV}, {"Content-Type": CSV, "Content-Encoding": "gzip"}):
        answer = server.post("/v1/datasets", raw=bomb, headers=headers)
        assert answer.status == 413 and answer.json["code"] == "body_too_large"
        assert f"more than {2 << 20} bytes when it is decompressed" in answer.json["detail"]
    fits = b"x,y\n" + b"1,2\n" * ((2 << 20) // 4 - 1)
    assert len(fits) == 2 << 20
    assert server.post("/v1/datasets", raw=gzip.compress(fits), headers={"Content-Type": CSV}).status == 201
    assert server.post("/v1/datasets", raw=gzip.compress(fits + b"\n"), headers={"Content-Type": CSV}).status == 413
    assert count(server) == 1


def test_only_uploads_are_decompressed(store):
    for coding in ("deflate", "br", "gzip, gzip"):
        answer = store.post("/v1/datasets", raw=GZ, headers={"Content-Type": CSV, "Content-Encoding": coding})
        assert answer.status == 415 and "Content-Encoding" in answer.json["detail"]
    answer = store.post("/v1/jobs", raw=gzip.compress(b"{}"), headers={"Content-Type": JSON, "Content-Encoding": "gzip"})
    assert answer.status == 415
