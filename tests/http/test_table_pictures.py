"""Pictures of tables: two columns, which the picture names and the client can choose."""

import collections
import random
import re
import threading
import xml.etree.ElementTree

import numpy
import pytest
from conftest import Server
from test_pictures import BLUE, BORDER, PAPER, decode, panel, paper_mixed_with, pixels

CSV = {"Content-Type": "text/csv"}
SVG = "{http://www.w3.org/2000/svg}"
SMALL = {"network": {"hidden_size": 8, "hidden_layers": 1}, "training": {"epochs": 2}}


def table(n=200):
    draw = random.Random(6)
    rows = [f"{draw.choice(['low & dry', 'high', 'middling height'])},{draw.gauss(4000, 800):.0f},2020-{draw.randint(1, 12):02}-15,{draw.random():.2f}" for _ in range(n)]
    return "\n".join(["place,mass (g),day,share", *rows]) + "\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("table_pictures")))
    made = server.post("/v1/datasets", raw=table().encode(), headers=CSV).json
    server.data = made["id"]
    server.levels = next(column["levels"] for column in made["columns"] if column["name"] == "place")
    server.model = server.submit({**SMALL, "dataset": server.data})
    one = server.post("/v1/datasets", raw=("age\n" + "".join(f"{i * i % 61}\n" for i in range(300))).encode(), headers=CSV).json["id"]
    server.one = server.submit({**SMALL, "dataset": one})
    assert all(server.wait(job)["status"] == "succeeded" for job in (server.model, server.one))
    yield server
    assert server.stop() == 0, server.read_log()


def drawn(server, path):
    """The titles of the axes of an SVG, all its texts, the centers of its dots, and its frame."""
    answer = server.get(path)
    assert answer.status == 200, answer.body
    root = xml.etree.ElementTree.fromstring(answer.body)
    texts = [text.text for text in root.iter(SVG + "text")]
    upward = [text.text for text in root.iter(SVG + "text") if "rotate(-90)" in text.get("transform", "")]
    dots = numpy.array([[float(dot.get("cx")), float(dot.get("cy"))] for dot in root.iter(SVG + "circle")])
    frame = [float(root.findall(SVG + "rect")[1].get(name)) for name in ("x", "y", "width", "height")]
    width, height = map(float, root.get("viewBox").split()[2:])
    assert frame[0] + frame[2] < width and frame[1] + frame[3] + 30 < height
    return texts, upward, dots, frame


def shares(values):
    """Places along an axis that has a margin of a twentieth on either side."""
    values = numpy.array(values, dtype=float)
    margin = (values.max() - values.min()) / 20
    return (values - values.min() + margin) / (values.max() - values.min() + 2 * margin)


def columns_of(server, path):
    found = server.get(path).json
    return {name: [row[j] for row in found["points"]] for j, name in enumerate(found["columns"])}


@pytest.mark.parametrize("query, x, y", [
    ("", "mass (g)", "share"), ("&y=mass%20(g)", "share", "mass (g)"), ("&x=share", "share", "mass (g)"), ("&x=share&y=place", "share", "place"),
])  # fmt: skip
def test_an_svg_has_the_columns_that_it_names(store, query, x, y):
    """Numbers before others; each axis has a scale of its own, so both fill it."""
    values = columns_of(store, f"/v1/models/{store.model}/samples?n=40&seed=2")
    texts, upward, dots, (left, top, width, height) = drawn(store, f"/v1/models/{store.model}/samples.svg?n=40&seed=2{query}")
    assert upward == [y] and x in texts
    sides = [[store.levels.index(value) for value in values[name]] if name == "place" else values[name] for name in (x, y)]
    assert numpy.abs(dots[:, 0] - (left + width * shares(sides[0]))).max() < 0.1
    assert numpy.abs(dots[:, 1] - (top + height * (1 - shares(sides[1])))).max() < 0.1


def test_axes_of_categories_and_dates_are_written_as_in_the_table(store):
    texts, *_ = drawn(store, f"/v1/models/{store.model}/samples.svg?n=300&x=day&y=place")
    assert {"low & dry", "high", "middling h"} <= set(texts)  # ten characters of each
    days = [text for text in texts if text and re.fullmatch(r"2020-\d\d-\d\d", text)]
    assert len(days) >= 3 and days == sorted(days)
    texts, upward, *_ = drawn(store, f"/v1/datasets/{store.data}/points.svg?n=300&x=place&y=day")
    assert upward == ["day"] and "high" in texts


def test_a_png_has_the_columns_that_it_names(store):
    values = columns_of(store, f"/v1/models/{store.model}/samples?n=20&seed=3")
    path = f"/v1/models/{store.model}/samples.png?n=20&seed=3"
    image = pixels(decode(store.get(path)))
    left, top, right, bottom = panel(image, BORDER["light"])
    share = paper_mixed_with(image, PAPER["light"], BLUE["light"])
    x = left + shares(values["mass (g)"]) * (right - left)
    y = bottom - shares(values["share"]) * (bottom - top)
    for i in range(20):
        assert share[int(y[i]), int(x[i])] > 0.6, (i, x[i], y[i])
    other = pixels(decode(store.get(path + "&x=day&y=share")))
    assert (image[: top - 1] == other[: top - 1]).all() and (image[: top - 1] != 255).any()  # the same name above
    assert (image[bottom + 16 :] != other[bottom + 16 :]).any()  # another one below
    for size in (64, 160, 1000, 2048):
        assert decode(store.get(path + f"&size={size}&x=place&y=day")).size == (size, size)


def test_dots_of_one_column_pile_up(store):
    """Each dot is above those before it with the same value: the height is the count, as in a histogram."""
    values = columns_of(store, f"/v1/models/{store.one}/samples?n=400&seed=2")["age"]
    texts, upward, dots, (left, top, width, height) = drawn(store, f"/v1/models/{store.one}/samples.svg?n=400&seed=2")
    assert "age" in texts and upward == []
    seen = collections.Counter()
    heights = []
    for value in values:  # 61 values, so that each has a hundredth of its own
        seen[value] += 1
        heights.append(seen[value])
    assert numpy.abs(dots[:, 0] - (left + width * shares(values))).max() < 0.1
    assert numpy.abs(dots[:, 1] - (top + height * (1 - shares(heights)))).max() < 0.1
    assert decode(store.get(f"/v1/models/{store.one}/samples.png?n=400")).size == (480, 480)
    assert store.get(f"/v1/models/{store.one}/trajectories.gif?n=40&frames=3").status == 200


def test_paths_say_what_they_show(store):
    path = f"/v1/models/{store.model}/trajectories"
    lines = store.get(path + ".txt?n=50&x=day&y=share").body.decode().splitlines()
    assert lines[0] == 't = 100, "share" over "day"'
    for suffix in ("png", "gif"):
        size = decode(store.get(f"{path}.{suffix}?n=20&frames=3&size=240"), f"image/{suffix}").size
        titled = decode(store.get(f"{path}.{suffix}?n=20&frames=3&size=240&y=day"), f"image/{suffix}")
        assert size == titled.size and titled.size[1] > 240 + 24
    assert store.get(path + ".gif?n=20&frames=3").body != store.get(path + ".gif?n=20&frames=3&y=day").body


def test_points_called_x_and_y_are_drawn_as_they_were(store):
    texts, upward, *_ = drawn(store, "/v1/datasets/spiral/points.svg?n=50")
    assert upward == [] and "x" not in texts
    plain = drawn(store, "/v1/datasets/spiral/points.svg?n=50")[2]
    texts, upward, turned, _ = drawn(store, "/v1/datasets/spiral/points.svg?n=50&x=y&y=x")
    assert upward == ["x"] and "y" in texts
    assert numpy.abs((plain[:, 0] - 250) + (turned[:, 1] - 236)).max() < 0.2  # mirrored at the diagonal


@pytest.mark.parametrize("query, pointer, says", [
    ("x=plaec", "/x", '"place", "mass (g)", "day", "share"'), ("y=", "/y", "must"), ("x=day&y=day", "/y", "another column"),
    ("x=" + "a" * 65, "/x", "64"),
])  # fmt: skip
def test_other_columns_are_refused(store, query, pointer, says):
    for path in (f"models/{store.model}/samples.svg", f"models/{store.model}/trajectories.gif", f"datasets/{store.data}/points.png"):
        answer = store.get(f"/v1/{path}?{query}")
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, answer.body
        assert says in answer.json["errors"][0]["detail"]


def test_the_only_column_is_along_the_horizontal_axis(store):
    for path in (f"models/{store.one}/samples.svg", f"models/{store.one}/trajectories.gif", f"models/{store.one}/samples.txt"):
        answer = store.get(f"/v1/{path}?y=age")
        assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/y", answer.body
        assert "another column" in answer.json["errors"][0]["detail"]
        assert store.get(f"/v1/{path}?n=20&x=age").status == 200


def test_the_copy_of_the_axes_counts(store):
    """Of a trajectory, the coordinates that a picture shows are as many numbers as the points, and are held beside them."""

    def most_held(query):
        answers, seen = [], 0.0
        request = threading.Thread(target=lambda: answers.append(store.get(f"/v1/datasets/spiral/forward.gif?n={n}&frames={frames}{query}")))
        request.start()
        while request.is_alive():
            seen = max(seen, float(re.search(r"^denoised_http_answer_bytes (\S+)$", store.get("/metrics").body.decode(), re.M)[1]))
        request.join()
        assert answers[0].status == 200, answers[0].body
        return seen

    n, frames = 10000, 101
    copy = 2 * n * (2 * frames - 1) * 4
    assert copy <= most_held("&x=y&y=x") - most_held("") < 1.2 * copy
