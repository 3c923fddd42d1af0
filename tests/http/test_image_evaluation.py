"""How good a model of images is: against the same numbers computed here from its own samples."""

import numpy
import pytest
from conftest import Server
from test_payloads import MULTIPART, form, part
from test_uploads import npy

TRAINING = {"epochs": 8, "batch_size": 32, "validation_fraction": 0}
SPEC = {"network": {"channels": [16, 16]}, "diffusion": {"timesteps": 30}, "training": TRAINING}


def squares(n):
    """Bright squares in the upper left (class 0) or the lower right, on noise."""
    random = numpy.random.default_rng(n)
    images = random.integers(0, 60, (n, 8, 8), dtype="u1")
    labels = numpy.arange(n) % 2
    for image, label in zip(images, labels):
        y, x = random.integers(0, 2, 2) + 4 * label
        image[y : y + 3, x : x + 3] = 230
    return images, labels


def upload(server, images, labels=None):
    if labels is None:
        answer = server.post("/v1/datasets", raw=npy(images), headers={"Content-Type": "application/octet-stream"})
    else:
        parts = [part("images", npy(images), "images"), part("labels", npy(labels), "labels")]
        answer = server.post("/v1/datasets", raw=form(*parts), headers={"Content-Type": MULTIPART})
    assert answer.status == 201, answer.body
    return answer.json["id"]


def trained(server, dataset, **training):
    job = server.submit({**SPEC, "dataset": dataset, "training": {**TRAINING, **training}})
    assert server.wait(job)["status"] == "succeeded"
    return job


def evaluate(server, job, query="?n=40"):
    answer = server.get(f"/v1/models/{job}/evaluation{query}")
    assert answer.status == 200, answer.body
    found = answer.json
    del found["duration_seconds"]
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A server with models of all images of a data set, of nine tenths of them, and of images without labels."""
    server = Server(str(tmp_path_factory.mktemp("judged")))
    server.images, server.labels = squares(120)
    labeled = upload(server, server.images, server.labels)
    server.whole = trained(server, labeled)
    server.split = trained(server, labeled, validation_fraction=0.25)
    server.unlabeled = trained(server, upload(server, server.images))
    yield server
    assert server.stop() == 0


def test_only_the_report_on_images_has_numbers(judged):
    found = evaluate(judged, judged.split)
    assert found["n"] == found["images"]["n"] == 40
    assert (found["table"], found["per_class"], found["curve_distance_per_step"]) == (None, None, None)
    assert found["metrics"].pop("curve_distance") is None
    for metric in found["metrics"].values():
        assert set(metric.values()) == {None}
    report = found["images"]
    for figure in (report["fld"], report["accuracy"], report["nearest"], *report["privacy"].values()):
        assert None not in figure.values()
    assert report["fld"]["value"] > 0 and 0 < report["fld"]["floor"]
    assert judged.get(f"/v1/jobs/{judged.split}").json["evaluation"] is None  # which has metrics of points
    assert report["accuracy"]["floor"] == 1  # squares are easy to tell apart


def test_images_are_those_of_the_samples(judged):
    """Of the bytes that a picture of them has."""
    found = evaluate(judged, judged.whole, "?n=30&seed=4")["images"]
    samples = judged.get(f"/v1/models/{judged.whole}/samples?n=30&seed=4").json
    pixels = numpy.rint(numpy.clip(numpy.array(samples["points"]).reshape(30, 64), 0, 255))
    training = judged.images.reshape(120, 64).astype(float)
    distances = numpy.sqrt(((pixels[:, None] - training[None]) ** 2).mean(2)).min(1) / 255
    assert abs(found["nearest"]["value"] - distances.mean()) < 1e-3
    assert found["privacy"]["copies"]["value"] == (distances == 0).mean()
    labels = numpy.array([int(label) for label in samples["labels"]])
    assert [sum(row) for row in found["confusion"]] == numpy.bincount(labels, minlength=2).tolist()
    assert found["accuracy"]["value"] == (found["confusion"][0][0] + found["confusion"][1][1]) / 30
    # without held-out images there is nothing to compare with
    assert found["fld"] == {"value": None, "floor": None}
    assert found["nearest"]["floor"] is found["accuracy"]["floor"] is None


def test_without_labels_there_is_no_judge(judged):
    for found in (evaluate(judged, judged.unlabeled), evaluate(judged, judged.whole, "?n=40&guidance=0")):
        assert found["images"]["accuracy"]["value"] is found["images"]["confusion"] is None
        assert found["images"]["nearest"]["value"] > 0


def test_a_judge_is_trained_once(judged):
    """For all models of the same images, and its bytes are as good as training it again."""
    judged.sql("DELETE FROM judge")
    first = evaluate(judged, judged.split, "?n=40&seed=1")
    ((key, size),) = judged.sql("SELECT key, length(bytes) FROM judge")
    second = evaluate(judged, judged.split, "?n=40&seed=2")
    assert first["images"]["fld"]["floor"] != second["images"]["fld"]["floor"]  # of other training images
    assert judged.sql("SELECT key, length(bytes) FROM judge") == [(key, size)]
    judged.sql("DELETE FROM evaluation")
    assert evaluate(judged, judged.split, "?n=40&seed=1") == first
    evaluate(judged, judged.whole, "?n=40&seed=1")  # of more images, so another
    assert len(judged.sql("SELECT key FROM judge")) == 2


def test_a_damaged_judge_is_replaced(judged):
    first = evaluate(judged, judged.split, "?n=40&seed=3")
    judged.sql("DELETE FROM evaluation")
    before = judged.sql("SELECT key, bytes FROM judge ORDER BY key")
    for damaged in (b"", b"x", bytes(before[0][1])[:-1]):
        judged.sql("UPDATE judge SET bytes = ?", damaged)
        assert evaluate(judged, judged.split, "?n=40&seed=3") == first
        judged.sql("DELETE FROM evaluation")
    assert judged.read_log().count("a stored judge is damaged") == 3
    assert set(judged.sql("SELECT length(bytes) FROM judge")) >= {(len(before[0][1]),)}


@pytest.mark.parametrize("query, pointer", [("n=10001", "/n"), ("n=15", "/n"), ("steps=31", "/steps"), ("label=0", "/label")])
def test_wrong_requests(judged, query, pointer):
    answer = judged.get(f"/v1/models/{judged.whole}/evaluation?{query}")
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_more_images_than_points(judged):
    """Points are assigned to one another, which takes the square of their number."""
    assert evaluate(judged, judged.split, "?n=2100&steps=1")["images"]["n"] == 2100
