"""Sampled cells are cells of the table: of the type of their column, within its range, with its decimals, spelling and marks.

100,000 cells; with SOAK=1, a million."""

import csv
import datetime
import io
import os
import random
import re

import pytest
from conftest import Server

CELLS = 1_000_000 if os.environ.get("SOAK") else 100_000
CSV = {"Content-Type": "text/csv"}


def make(rng, i):
    """A row: each column is named after how its cells are checked."""
    kind = rng.choice(["oak", "ash", "beech, red", 'the "tall" one', "=fir"])
    when = datetime.datetime(2019, 3, 1) + datetime.timedelta(minutes=15 * rng.randrange(90000))
    price = f"{rng.lognormvariate(7, 2):,.2f}"
    return {
        "id": str(i + 1),
        "share": f"{rng.betavariate(0.3, 0.3):.3f}".lstrip("0"),
        "price": price,
        "debt": "0" if rng.random() < 0.7 else str(rng.randint(-900, 40000)),
        "height": "NA" if rng.random() < 0.2 else f"{rng.gauss(17, 3):.1f}",
        "seconds": f"{rng.gauss(1e9, 1e5):.0f}",
        "when": "" if rng.random() < 0.1 else when.strftime("%d.%m.%Y %H:%M"),
        "day": when.strftime("%Y%m%d"),
        "code": f"0{rng.randrange(40):03}",
        "member": rng.choice(["Yes", "no"]) if rng.random() < 0.9 else "",
        "kind": kind,
        "group": "tree" if kind[0] in "oa" else "other",
        "tiny": f"{rng.expovariate(1) * 1e-9:.12f}",
        "unit": "m",
    }


RNG = random.Random(8)
ROWS = [make(RNG, i) for i in range(4000)]
NAMES = list(ROWS[0])
SEEN = {name: {row[name] for row in ROWS} for name in NAMES}


@pytest.fixture(scope="module", params=["none", "any"])
def model(request, tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("cells")), "--max-sample-cost", "1e14")
    text = io.StringIO()
    csv.writer(text).writerows([NAMES, *(row.values() for row in ROWS)])
    made = server.post("/v1/datasets?label=group", raw=text.getvalue().encode(), headers=CSV)
    assert made.status == 201, made.body
    types = {column["name"]: column["type"] for column in made.json["columns"]}
    training = {"normalization": "quantile", "epochs": 30, "conditioning": request.param}
    job = server.submit({"dataset": {"id": made.json["id"]}, "training": training, "network": {"hidden_size": 32, "hidden_layers": 2}})
    assert server.wait(job)["status"] == "succeeded"
    yield server, job, types
    assert server.stop() == 0, server.read_log()


def number(text):
    return float(text.replace(",", ""))


def decimals(text):
    return len(text.partition(".")[2])


PATTERNS = {
    "id": r"[1-9]\d*", "share": r"-?\d*(\.\d{1,3})?", "price": r"\d{1,3}(,\d{3})*\.\d\d", "debt": r"0|-?[1-9]\d*", "height": r"-?\d+\.\d",
    "seconds": r"\d+", "tiny": r"0(\.\d{1,12})?", "when": r"\d\d\.\d\d\.\d{4} \d\d:(00|15|30|45)", "day": r"\d{8}",
}  # fmt: skip
FORMATS = {"when": "%d.%m.%Y %H:%M", "day": "%Y%m%d"}
MISSING = {"height": "NA", "when": "", "member": ""}


def measures():
    """Of each column that is checked by its range: how to read a cell, and the range."""
    for name in PATTERNS:
        if name != "id":
            read = (lambda text, form=FORMATS[name]: datetime.datetime.strptime(text, form)) if name in FORMATS else number
            values = [read(text) for text in SEEN[name] if text != MISSING.get(name)]
            yield name, (read, min(values), max(values))


def wrong(row, index, ranges):
    """The names of the columns whose cells are not right."""
    for name, text in row.items():
        if name in MISSING and text == MISSING[name]:
            continue
        if name == "id":
            right = text == str(index + 1)
        elif name in ranges:
            read, low, high = ranges[name]
            right = re.fullmatch(PATTERNS[name], text) and low <= read(text) <= high
        else:
            right = text in SEEN[name]
        if not right:
            yield name


def test_every_cell_is_one_of_the_table(model):
    server, job, types = model
    assert types == {
        "id": "id", "share": "numeric", "price": "numeric", "debt": "integer", "height": "numeric", "seconds": "integer", "when": "datetime",
        "day": "datetime", "code": "categorical", "member": "boolean", "kind": "categorical", "group": "categorical", "tiny": "numeric",
        "unit": "constant",
    }  # fmt: skip
    ranges = dict(measures())
    faults, cells, zeros, missing, rows = [], 0, 0, 0, 0
    for seed in range(1000):
        if cells >= CELLS:
            break
        answer = server.get(f"/v1/models/{job}/samples.csv?n=8000&steps=10&sampler=dpmpp_2m&seed={seed}")
        assert answer.status == 200, answer.body
        header, *drawn = csv.reader(io.StringIO(answer.body.decode(), newline=""))
        assert header == NAMES and len(drawn) == 8000
        for index, row in enumerate(drawn):
            row = dict(zip(NAMES, (re.sub("^'(?='*[=+@-])", "", text) for text in row), strict=True))
            faults += [(name, row[name]) for name in wrong(row, index, ranges)]
            cells += len(row)
            rows += 1
            zeros += row["debt"] == "0"
            missing += row["height"] == "NA"
    assert faults == [], f"{len(faults)} of {cells} cells, such as {faults[:5]}"
    assert abs(zeros / rows - 0.7) < 0.1 and abs(missing / rows - 0.2) < 0.1
    never = server.get(f"/v1/models/{job}/samples.csv?n=2000&steps=10&missing=never&seed=5")
    assert never.status == 200, never.body
    for row in csv.DictReader(io.StringIO(never.body.decode(), newline="")):
        assert not any(row[name] == text for name, text in MISSING.items())
