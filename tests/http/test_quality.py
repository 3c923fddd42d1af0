"""Are the numbers any good? Judged by a curve and a distance that this file computes itself."""

import math

import numpy
from conftest import QUICK, places

# The spiral of the tutorial as a polyline of 20 000 pieces, scaled by the extrema of the exact curve.
PIECES = 20000


def spiral():
    curve = []
    for i in range(PIECES + 1):
        t = math.pi * (1.5 + 3 * i / PIECES)
        curve.append((t * math.cos(t), t * math.sin(t)))
    low = min(min(point) for point in curve)
    high = max(max(point) for point in curve)
    return [tuple(2 * (value - low) / (high - low) - 1 for value in point) for point in curve]


def mean_distance(points):
    """Mean distance to the polyline: to its nearest vertex, refined on the two pieces beside it."""
    curve = spiral()
    # sorted into a grid, so that only near vertices are looked at
    cells, size = {}, 0.05
    for index, (x, y) in enumerate(curve):
        cells.setdefault((int(x // size), int(y // size)), []).append(index)

    def nearest(px, py):
        best, at, ring = math.inf, None, 0
        cx, cy = int(px // size), int(py // size)
        while at is None or (ring - 1) * size < best:
            for i in range(cx - ring, cx + ring + 1):
                for j in range(cy - ring, cy + ring + 1):
                    if max(abs(i - cx), abs(j - cy)) == ring:
                        for index in cells.get((i, j), ()):
                            d = math.hypot(px - curve[index][0], py - curve[index][1])
                            if d < best:
                                best, at = d, index
            ring += 1
        return at

    def to_piece(px, py, a, b):
        (ax, ay), (bx, by) = curve[a], curve[b]
        length = (bx - ax) ** 2 + (by - ay) ** 2
        s = max(0, min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length))
        return math.hypot(px - ax - s * (bx - ax), py - ay - s * (by - ay))

    total = 0
    for px, py in points:
        at = nearest(px, py)
        total += min(to_piece(px, py, a, a + 1) for a in (at - 1, at) if 0 <= a < PIECES)
    return total / len(points)


def test_the_tutorials_recipe_reaches_the_tutorials_quality(trained):
    history = trained.get(f"/v1/jobs/{trained.job}/history").json["data"]
    assert history["epoch"] == list(range(1, 101))
    assert history["step"] == [313 * epoch for epoch in history["epoch"]]
    # the loss falls, and training and validation agree at the end
    assert history["train_loss"][-1] < 0.75 * history["train_loss"][0]
    assert abs(history["train_loss"][-1] - history["val_loss"][-1]) < 0.1 * history["train_loss"][-1]
    points = trained.get(f"/v1/models/{trained.job}/samples?n=1000&seed=0").json["points"]
    assert mean_distance(points) <= 0.020
    # and they cover the whole curve, not one good part of it: both arms on every side
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        outer = [p for p in points if sign * p[axis] > 0.75]
        assert len(outer) > 20


def test_a_draw_from_the_data_lies_on_the_curve(server):
    points = server.get("/v1/datasets/spiral/points?n=500&seed=9").json["points"]
    assert mean_distance(points) < 1e-6


def test_the_same_seed_gives_the_same_bytes(trained, start):
    other = start()
    job = other.submit({"preset": "sinai2022", "name": "again"})
    assert other.wait(job)["status"] == "succeeded"
    path = "/samples?n=1000&seed=3"

    def points(server, id):
        body = server.get(f"/v1/models/{id}{path}").body
        return body[body.index(b'"points"') : body.index(b'"labels"')]

    assert points(other, job) == points(trained, trained.job)
    ours, theirs = (
        s.get(f"/v1/jobs/{j}/history").json["data"] for s, j in ((other, job), (trained, trained.job))
    )
    for column in ("epoch", "step", "train_loss", "val_loss", "learning_rate", "gradient_norm"):
        assert ours[column] == theirs[column]


def test_a_sample_does_not_depend_on_how_many_there_are(trained):
    path = f"/v1/models/{trained.job}/samples"
    thousand = trained.get(path + "?n=1000&seed=3").json["points"]
    for n in (1, 2, 31, 257, 999):
        assert trained.get(f"{path}?n={n}&seed=3").json["points"] == thousand[:n]


def test_another_seed_gives_another_training(server):
    losses = []
    for seed in (0, 1):
        job = server.submit(dict(QUICK, seed=seed))
        server.wait(job)
        losses.append(server.get(f"/v1/jobs/{job}/history").json["data"]["train_loss"])
    assert losses[0] != losses[1]


def test_guidance_keeps_the_classes_apart(server):
    """Points of each class are nearer to their own curve than to the others, to clouds drawn from them."""
    classes = ["spiral", "moons", "heart"]
    clouds = [
        numpy.array(server.get(f"/v1/datasets/{name}/points?n=5000&seed=1").json["points"]) for name in classes
    ]
    job = server.submit({"dataset": [{"name": name, "n": 6000} for name in classes], "training": {"epochs": 150}})
    assert server.wait(job)["status"] == "succeeded"
    path = f"/v1/models/{job}/samples?n=900&seed=2"

    def share(drawn):
        points = numpy.array(drawn["points"])
        distances = numpy.stack(
            [((points[:, None] - cloud[None]) ** 2).sum(axis=2).min(axis=1) for cloud in clouds], axis=1
        )
        return (distances.argmin(axis=1) == numpy.array(places(drawn))).mean()

    plain, once, twice = (server.get(path + more).json for more in ("", "&guidance=1", "&guidance=2"))
    assert once["points"] == plain["points"] and places(once) == [0, 1, 2] * 300
    assert share(once) >= 0.95
    assert share(twice) >= 0.98
