"""POST /v1/datasets/ID/nearest, against a search by numpy that compares everything."""

import io

import numpy
import pytest
from conftest import Server
from test_images import idx, made, post, post_form, random_images
from test_uploads import npy


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("nearest")))
    yield server
    assert server.stop() == 0, server.read_log()


def search(points, images, k):
    """For each point the places of the nearest images, the first of equally near ones first, and the squared distances."""
    values = numpy.floor(numpy.clip(numpy.asarray(points, "f8"), 0, 255) + 0.5).astype("i8")  # no tests have a half
    all_images = images.reshape(len(images), -1).astype("i8")
    found = []
    for point in values:
        squares = ((all_images - point) ** 2).sum(1)
        order = numpy.argsort(squares, kind="stable")[:k]
        found.append([(int(place), int(squares[place])) for place in order])
    return found


def answered(answer):
    assert answer.status == 200, answer.body
    for row in answer.json["nearest"]:
        assert [set(each) for each in row] == [{"index", "distance", "squared_distance", "label"}] * len(row)
    return [[(each["index"], each["squared_distance"]) for each in row] for row in answer.json["nearest"]]


@pytest.mark.parametrize("shape", [(300, 4, 4), (5000, 28, 28), (90, 64, 64, 3), (2, 8, 8), (3, 16, 20, 3)])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_the_nearest_images_are_those_of_a_slow_search(store, shape, k):
    images = random_images(*shape) // 32 * 32
    images[len(images) // 2 :] = images[: len(images) - len(images) // 2]  # so that several are equally near
    dataset = made(post(store, npy(images)))
    generator = numpy.random.default_rng(k)
    dim = images[0].size
    points = numpy.concatenate([images[:2].reshape(-1, dim), generator.uniform(-30, 285, (3, dim))])
    answer = store.post(f"/v1/datasets/{dataset['id']}/nearest", {"points": points.tolist(), "k": k})
    assert answered(answer) == search(points, images, k)
    assert answer.json["dataset"] == dataset["id"] and answer.json["n"] == len(images)
    for row in answer.json["nearest"]:
        for each in row:
            assert each["distance"] == pytest.approx((each["squared_distance"] / dim) ** 0.5 / 255, rel=1e-9) and each["label"] is None
    assert answer.json["nearest"][0][0]["distance"] == 0


def test_the_classes_are_those_of_the_images(store):
    images, labels = random_images(500, 8, 8), numpy.arange(500) % 7
    dataset = made(post_form(store, idx(images), idx(labels)))
    points = (255 - images[:20].reshape(20, 64)).tolist()
    answer = store.post(f"/v1/datasets/{dataset['id']}/nearest", {"points": points})
    assert answered(answer) == search(points, images, 5)
    for row in answer.json["nearest"]:
        assert [each["label"] for each in row] == [str(labels[each["index"]]) for each in row]


@pytest.mark.parametrize("more", [{"n": 3000, "seed": 5}, {"n": 7, "k": 20}, {"n": 500}])
def test_the_nearest_digits(store, more):
    n, seed, k = more["n"], more.get("seed", 0), more.get("k", 5)
    digits = store.get(f"/v1/datasets/digits/points.npy?n={n}&seed={seed}").body
    digits = numpy.load(io.BytesIO(digits)).reshape(n, 784)
    points = digits[[0, n - 1]].astype("i8") // 2 + 17
    answer = store.post("/v1/datasets/digits/nearest", {"points": points.tolist(), **more})
    assert answered(answer) == search(points, digits, k) and answer.json["dataset"] == "digits" and answer.json["n"] == n
    labels = [line.rsplit(",", 1)[1] for line in store.get(f"/v1/datasets/digits/points.csv?n={n}&seed={seed}").body.decode().splitlines()[1:]]
    for row in answer.json["nearest"]:
        assert [each["label"] for each in row] == [labels[each["index"]] for each in row]


def test_the_samples_of_a_model_are_asked_for_as_they_come(store):
    """points of samples.json, and the picture of what is found."""
    spec = {"dataset": {"name": "digits", "n": 200, "seed": 3}, "network": {"channels": [16, 16]}, "diffusion": {"timesteps": 20},
            "training": {"epochs": 1, "batch_size": 50}}  # fmt: skip
    job = store.submit(spec)
    assert store.wait(job)["status"] == "succeeded"
    samples = store.get(f"/v1/models/{job}/samples.json?n=2").json["points"]
    answer = store.post("/v1/datasets/digits/nearest", {"points": samples, "n": 200, "seed": 3})
    digits = numpy.load(io.BytesIO(store.get("/v1/datasets/digits/points.npy?n=200&seed=3").body)).reshape(200, 784)
    assert answered(answer) == search(samples, digits, 5)


BLACK = [0] * 64


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/points"),
        ({"points": []}, "/points"),
        ({"points": BLACK}, "/points"),
        ({"points": [[]]}, "/points"),
        ({"points": [BLACK[1:]]}, "/points"),
        ({"points": [[*BLACK, 0]]}, "/points"),
        ({"points": [BLACK, BLACK[1:]]}, "/points/1"),
        ({"points": [[*BLACK[1:], None]]}, "/points/0"),
        ({"points": [[*BLACK[1:], "0"]]}, "/points/0"),
        ({"points": [[*BLACK[1:], 1e300]]}, "/points/0"),
        ({"points": [BLACK] * 101}, "/points"),
        ({"points": [BLACK], "k": 0}, "/k"),
        ({"points": [BLACK], "k": 101}, "/k"),
        ({"points": [BLACK], "k": 1.5}, "/k"),
        ({"points": [BLACK], "n": 10}, "/n"),
        ({"points": [BLACK], "seed": -1}, "/seed"),
        ({"points": [BLACK], "image": 0}, "/image"),
        ([], ""),
    ],
)
def test_what_cannot_be_searched_for_is_refused(store, body, pointer):
    dataset = made(post(store, npy(random_images(20, 8, 8))))
    answer = store.post(f"/v1/datasets/{dataset['id']}/nearest", body)
    assert answer.status == 422 and [each["pointer"] for each in answer.json["errors"]] == [pointer], answer.body


def test_what_has_no_images_has_none_that_are_near(store):
    points = store.post("/v1/datasets", raw=b"x,y\n1,2\n3,4\n", headers={"Content-Type": "text/csv"}).json["id"]
    for name in ("spiral", points):
        answer = store.post(f"/v1/datasets/{name}/nearest", {"points": [[0, 0]]})
        assert answer.status == 422 and answer.json["code"] == "no_images", answer.body
    for name in ("0198c0de-0000-7000-8000-000000000000", "moons"):
        answer = store.post(f"/v1/datasets/{name}/nearest", {"points": [[0, 0]]})
        assert (answer.status, answer.json["code"]) == ((404, "no_such_dataset") if name[0] == "0" else (422, "no_images")), answer.body
    assert store.post("/v1/datasets/digits/nearest?k=3", {"points": [[0] * 784]}).status == 422
    assert store.post("/v1/datasets/digits/nearest", raw=b"{", headers={"Content-Type": "application/json"}).status == 400
    assert store.post("/v1/datasets/digits/nearest", raw=b"x", headers={"Content-Type": "text/csv"}).status == 415
    assert store.get("/v1/datasets/digits/nearest").status == 405
