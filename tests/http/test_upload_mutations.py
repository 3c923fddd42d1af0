"""Files as they are after an accident: the right table or a clear error, and nothing left behind.

With the environment variable DENOISED_TABLES, a directory with real files, those are mutated as well.
"""

import csv
import gzip
import io
import os
import pathlib
import random

import pytest
from conftest import Server

TYPES = {".csv": "text/csv", ".tsv": "text/tab-separated-values", ".json": "application/json", ".npy": "application/octet-stream"}
PROBLEMS = {400, 413, 415, 422}
MUTATIONS = 200


def made_up():
    """Small files of each dialect, with rows enough for their kind to be clear."""
    rng = random.Random(1)
    rows = [(round(rng.gauss(0, 9), 3), rng.randint(0, 99), rng.choice(["red", "dark, blue", 'a "b"'])) for _ in range(60)]
    quoted = [(x, k, '"' + c.replace('"', '""') + '"') for x, k, c in rows]
    yield "comma.csv", "x,k,label\n" + "".join(f"{x},{k},{c}\n" for x, k, c in quoted)
    yield "german.csv", "x;k;label\r\n" + "".join(f"{x};{k};{c}\r\n".replace(".", ",", 1) for x, k, c in quoted)
    yield "pandas.csv", ",x,k\n" + "".join(f"{i},{x},{k}\n" for i, (x, k, _) in enumerate(rows))
    yield "savetxt.csv", "# x k\n" + "".join(f"{x:.6e} {k:.6e}\n" for x, k, _ in rows)
    yield "tabs.tsv", "x\tk\n" + "".join(f"{x}\t{k}\n" for x, k, _ in rows)
    days = [f"20{k % 23:02}-{1 + k % 12:02}-{1 + k % 28:02}" for _, k, _ in rows]
    mixed = [f"{i},{day},{x if k % 5 else ''},{k * 1234567},00{k % 7},{'yes' if k % 3 else 'no'},{c}" for i, (day, (x, k, c)) in enumerate(zip(days, quoted))]
    yield "mixed.csv", "id,day,x,count,code,member,color\n" + "\n".join(mixed) + "\n"
    yield "records.json", "[" + ",\n".join(f'{{"x": {x}, "k": {k}}}' for x, k, _ in rows) + "]"


def files():
    directory = os.environ.get("DENOISED_TABLES")
    real = sorted(pathlib.Path(directory).iterdir()) if directory else []
    yield from ((path.name, path.read_bytes()) for path in real if path.suffix in TYPES)
    yield from ((name, text.encode()) for name, text in made_up())


def mutate(rng, raw, other):
    """The file after one accident."""
    at, to = sorted((rng.randrange(len(raw)), rng.randrange(len(raw))))
    lines = raw.split(b"\n")
    line = rng.randrange(len(lines))
    return rng.choice([
        lambda: raw[:at],
        lambda: raw[:at] + raw[min(to, at + 300):],
        lambda: raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1:],
        lambda: raw[:at] + rng.choice([b'"', b",", b";", b"\n", b"\r", b"\t", b"\0", b"\xff", b"''", b"{", b"#", b"1,234"]) + raw[at:],
        lambda: b"\n".join(lines[:line] + [lines[line]] * 2 + lines[line:]),
        lambda: b"\n".join(lines[:line] + lines[line + 1:]),
        lambda: b"\n".join([*lines[:line], lines[line].replace(b",", b";").replace(b"\t", b","), *lines[line + 1:]]),
        lambda: raw.replace(b",", rng.choice([b";", b"\t", b"|", b" ", b",,"])),
        lambda: raw.replace(b"\n", rng.choice([b"\r\n", b"\r", b",\n", b"\n\n", b" \n"])),
        lambda: raw.replace(b".", b","),
        lambda: raw + other[:5000],
        lambda: other[:200] + raw,
        lambda: b"<html><body>" + raw,
        lambda: raw[:20000].decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "cp1252"]), "replace"),
        lambda: gzip.compress(raw[:20000])[:rng.randrange(20, 400)],
        lambda: b"\xef\xbb\xbf" * 2 + raw,
        lambda: raw[:at] + b"\xef\xbb\xbf" + raw[at:],
        lambda: raw[:at] + rng.choice([b"x", b"7", b"\0", b'"']) * rng.choice([200, 70000]) + raw[at:],
        lambda: lines[0] + b"," + lines[0].split(b",")[0] + b"\n" + b"\n".join(lines[1:]),
        lambda: lines[0] + b"\n" + raw,
        lambda: b"\n".join([*lines[:line], lines[line][:at % (len(lines[line]) + 1)], *lines[line + 1:]]),
    ])()  # fmt: skip


def text_of(raw):
    """The text of a file as any reader would find it."""
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if raw[1:4:2] == b"\0\0":
        return raw.decode("utf-16-le")
    return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")


def check_cells(server, made, changed, is_csv):
    """Every cell that comes back is in the file, and what comes back is a file with the same cells."""
    back = server.get(f"/v1/datasets/{made['id']}/points.csv").body
    header, *rows = csv.reader(io.StringIO(back.decode(), newline=""))
    assert header == [column["name"] for column in made["columns"]] and len(rows) == made["n"]
    if not is_csv:
        return
    text = text_of(changed)
    cells = sorted({cell[1:] if cell[:1] == "'" and cell[1:2] in "=+-@'" else cell for row in rows for cell in row})
    for cell in random.Random(3).sample(cells, min(len(cells), 300)):
        assert cell in text or cell.replace('"', '""') in text, cell
    if len(header) > 1:  # one column alone may have anything in its cells, even delimiters
        again = server.post("/v1/datasets?header=true", raw=back, headers={"Content-Type": "text/csv"})
        assert again.status == 201, (again.json, back[:500])
        assert server.get(f"/v1/datasets/{again.json['id']}/points.csv").body == back
        assert server.request("DELETE", f"/v1/datasets/{again.json['id']}").status == 204


def count(server):
    return server.sql("SELECT count(*) FROM dataset")[0][0]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("mutations")))
    yield server
    assert server.stop() == 0, server.read_log()


def test_mutated_files(store):
    rng = random.Random(int(os.environ.get("SEED", "1")))
    everything = list(files())
    accepted = count(store)
    statuses = {}
    for i in range(MUTATIONS):
        name, raw = everything[i % len(everything)]
        changed = mutate(rng, raw, everything[rng.randrange(len(everything))][1])
        answer = store.post("/v1/datasets", raw=changed, headers={"Content-Type": TYPES[pathlib.Path(name).suffix]})
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        if answer.status == 201:
            accepted += 1
            assert store.get(f"/v1/datasets/{answer.json['id']}").json == answer.json
            check_cells(store, answer.json, changed, not name.endswith(".json"))
        else:
            assert answer.status in PROBLEMS, (name, answer.body)
            detail = answer.json["detail"]
            assert len(detail) > 15 and len(answer.json.get("errors", [])) <= 64, answer.json
        assert count(store) == accepted
    assert statuses.get(201, 0) > MUTATIONS // 20 and sum(statuses.values()) == MUTATIONS


# What leaves the table as it is, however the bytes change.
SAME = [
    ("CR LF", lambda text: text.replace("\n", "\r\n").encode()),
    ("CR", lambda text: text.replace("\n", "\r").encode()),
    ("semicolons", lambda text: text.replace(",", ";").encode()),
    ("tabs", lambda text: text.replace(",", "\t").encode()),
    ("bars", lambda text: text.replace(",", "|").encode()),
    ("decimal commas", lambda text: text.replace(",", ";").replace(".", ",").encode()),
    ("decimal commas between tabs", lambda text: text.replace(",", "\t").replace(".", ",").encode()),
    ("a delimiter at the end", lambda text: text.replace("\n", ",\n").encode()),
    ("blank lines", lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode()),
    ("comments", lambda text: ("# made today\n# by hand\n" + text).encode()),
    ("sep=", lambda text: ("sep=;\n" + text.replace(",", ";")).encode()),
    ("blanks", lambda text: text.replace(",", " , ").encode()),
    ("quotes", lambda text: "\n".join('"' + line.replace(",", '","') + '"' for line in text.split("\n")[:-1]).encode()),
    ("row numbers", lambda text: "".join(f"{i or ''},{line}\n" for i, line in enumerate(text.split("\n")[:-1])).encode()),
    ("UTF-16", lambda text: text.encode("utf-16")),
    ("a mark", lambda text: text.encode("utf-8-sig")),
    ("gzip", lambda text: gzip.compress(text.encode())),
]


@pytest.mark.parametrize("change", [change for _, change in SAME], ids=[name for name, _ in SAME])
def test_a_file_in_another_dialect_is_the_same_table(store, change):
    rng = random.Random(2)
    text = "größe,weight,label\n" + "".join(f"{rng.gauss(170, 9):.2f},{rng.gauss(70, 9):.4f},{rng.choice('ab')}\n" for _ in range(300))
    first, again = (
        store.post("/v1/datasets", raw=raw, headers={"Content-Type": "text/csv"}).json for raw in (text.encode(), change(text))
    )
    for key in ("label", "classes", "statistics", "n"):
        assert again[key] == first[key]
    what = ("name", "type", "coordinate", "missing", "min", "max", "mean", "std", "levels")  # not how it is written
    columns = [[[column[key] for key in what] for column in made["columns"] if column["type"] != "id"] for made in (first, again)]
    assert columns[0] == columns[1]
    points = [store.get(f"/v1/datasets/{made['id']}/points.npy").body for made in (first, again)]
    assert points[0] == points[1]
