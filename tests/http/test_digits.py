"""The built-in data set of drawn digits: its description, its images as arrays and as pictures, and where points are asked for; and
samples of a model that was trained on it, in every format."""

import io

import numpy
import PIL.Image
import pytest
from conftest import Server

URL = "/v1/datasets/digits"
CLASSES = [str(digit) for digit in range(10)]


def array(server, query):
    answer = server.get(f"{URL}/points.npy{query}")
    assert answer.status == 200, answer.body
    return numpy.load(io.BytesIO(answer.body))


def labels(server, query):
    """Of images in CSV, which has them beside the values."""
    lines = server.get(f"{URL}/points.csv{query}").body.decode().splitlines()
    assert lines[0] == ",".join([*(f"pixel{j}" for j in range(784)), "label"])
    table = numpy.array([line.split(",") for line in lines[1:]], int)
    return table[:, :784].reshape(-1, 28, 28, 1), table[:, 784]


def test_the_description(server):
    described = server.get(URL).json
    assert described == [item for item in server.get("/v1/datasets?kind=builtin").json["items"] if item["id"] == "digits"][0]
    assert (described["kind"], described["source"], described["shape"], described["dtype"], described["dim"]) == ("images", "builtin", [28, 28, 1], "uint8", 784)
    assert described["n"] is None and described["columns"] == [] and described["classes"] == CLASSES
    assert not described["has_distance"] and set(described["links"]) == {"self", "points", "images", "forward"}
    for link in described["links"].values():
        assert server.get(link).status == 200


def test_an_image_is_the_same_however_many_are_drawn_and_in_every_format(server):
    images = array(server, "?n=40&seed=5")
    assert images.shape == (40, 28, 28, 1) and images.dtype == numpy.uint8
    assert (array(server, "?n=7&seed=5") == images[:7]).all() and not (array(server, "?n=40&seed=6") == images).all()
    answer = server.get(f"{URL}/points?n=40&seed=5").json
    assert answer["shape"] == [28, 28, 1] and answer["classes"] == CLASSES
    assert (numpy.array(answer["points"]).reshape(images.shape) == images).all()
    table, drawn = labels(server, "?n=40&seed=5")
    assert (table == images).all() and [str(label) for label in drawn] == answer["labels"]
    for ten in drawn.reshape(4, 10):
        assert sorted(ten) == list(range(10))
    part = server.request("GET", f"{URL}/points.npy?n=40&seed=5", headers={"Range": "bytes=912-1695"})
    assert part.status == 206 and part.body == images[1].tobytes()


def test_how_many_there_are_by_default(server):
    assert server.get(f"{URL}/points").json["n"] == 127 and array(server, "").shape == (1000, 28, 28, 1)
    answer = server.get(f"{URL}/points?n=128")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/n" and "npy" in answer.json["errors"][0]["detail"]


def picture(server, query):
    answer = server.get(f"{URL}/images.png{query}")
    assert answer.status == 200, answer.body
    return numpy.asarray(PIL.Image.open(io.BytesIO(answer.body)))


def test_a_picture_has_a_row_for_each_digit(server):
    images, drawn = labels(server, "?n=60&seed=3")
    shown = picture(server, "?n=50&columns=5&scale=1&seed=3")
    assert shown.shape == (291, 146)
    for digit in range(10):
        first = images[drawn == digit][:5, ..., 0]
        for k in range(5):
            assert (shown[1 + 29 * digit :, 1 + 29 * k :][:28, :28] == first[k]).all(), (digit, k)


def test_a_picture_of_one_digit_from_some_image_on(server):
    images, drawn = labels(server, "?n=60&seed=3")
    sevens = images[17:][drawn[17:] == 7][:4, ..., 0]
    shown = picture(server, "?n=4&label=7&first=17&columns=4&scale=1&seed=3")
    assert (shown[1:29].reshape(28, -1)[:, 1:117].reshape(28, 4, 29)[:, :, :28].transpose(1, 0, 2) == sevens).all()
    assert picture(server, "?n=1&first=1000000&scale=2").shape == (58, 58)  # there are always more


def test_one_image_by_its_number(server):
    image = array(server, "?n=18&seed=3")[17, ..., 0]
    answer = server.get(f"{URL}/images/17.png?seed=3&scale=2")
    assert (numpy.asarray(PIL.Image.open(io.BytesIO(answer.body))) == image.repeat(2, 0).repeat(2, 1)).all()
    for wrong in ("1000000", "x", "-1"):
        assert server.get(f"{URL}/images/{wrong}.png").status == 404


def test_pictures_are_kept(server):
    answer = server.get(f"{URL}/images.png?n=10")
    assert server.get(f"{URL}/images.png?n=10", headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    assert server.get(f"{URL}/images.png?n=10&seed=1").headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("path,status,words", [
    ("points.png", 406, "images.png"), ("points.svg", 406, "images.png"), ("points.txt", 406, "images.png"), ("optimal.gif", 422, "images"),
    ("images.png?label=10", 422, "name of a class"), ("images.png?n=100000&scale=16", 422, "a smaller scale"),
])  # fmt: skip
def test_what_digits_are_not(server, path, status, words):
    answer = server.get(f"{URL}/{path}")
    assert answer.status == status and words in answer.body.decode(), answer.body


def test_they_are_built_in(server):
    for method, body in (("DELETE", None), ("PATCH", {"label": "x"})):
        assert server.request(method, URL, body).json["code"] == "dataset_built_in"


# ---------------------------------------------------------------- a model of them

TINY = {"dataset": {"name": "digits", "n": 192, "seed": 3}, "network": {"channels": [16, 16]}, "training": {"epochs": 1, "batch_size": 64}, "seed": 4}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("model")))
    job = server.post("/v1/jobs", TINY)
    assert job.status == 201, job.body
    assert server.wait(job.json["id"])["status"] == "succeeded"
    yield server, f"/v1/models/{job.json['id']}"
    assert server.stop() == 0, server.read_log()


def samples(model, query, kind="samples"):
    server, url = model
    answer = server.get(f"{url}/{kind}.npy{query}")
    assert answer.status == 200, answer.body
    return numpy.load(io.BytesIO(answer.body))


def shown(model, path):
    server, url = model
    answer = server.get(f"{url}/{path}")
    assert answer.status == 200, answer.body
    return PIL.Image.open(io.BytesIO(answer.body))


def rounded(values):
    return numpy.floor(numpy.clip(values, 0, 255) + 0.5).clip(0, 255).astype("u1")


def test_a_job_trains_on_sixty_thousand_with_the_preset_of_images(server):
    for dataset in ("digits", {"name": "digits"}, {"name": "digits", "seed": 1}, ["digits"]):
        spec = server.post("/v1/jobs?validate_only=true", {"dataset": dataset}).json["spec"]
        assert spec["dataset"]["n"] == 60000 and spec["preset"] == "images" and spec["network"]["kind"] == "unet"
    assert server.post("/v1/jobs?validate_only=true", {"dataset": {"name": "digits", "n": 7}}).json["spec"]["dataset"]["n"] == 7
    answer = server.post("/v1/jobs", {"dataset": ["digits", "spiral"]})
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/dataset/1"


def test_the_model_knows_the_digits(model):
    server, url = model
    described = server.get(url).json
    assert described["classes"] == CLASSES and described["dim"] == 784 and described["spec"]["dataset"] == TINY["dataset"]


def test_samples_as_arrays(model):
    values = samples(model, "?n=20&seed=5&balance=true&steps=3")
    assert values.shape == (20, 28, 28, 1) and values.dtype == numpy.float32 and values.min() >= 0 and values.max() <= 255
    small = samples(model, "?n=20&seed=5&balance=true&steps=3&dtype=u8")
    assert small.dtype == numpy.uint8 and (small == rounded(values)).all()
    server, url = model
    answer = server.get(f"{url}/samples?n=20&seed=5&balance=true&steps=3").json
    assert numpy.array(answer["points"], "f4").reshape(values.shape) == pytest.approx(values, abs=1e-4)
    assert answer["labels"] == [str(i % 10) for i in range(20)]
    lines = server.get(f"{url}/samples.csv?n=2&seed=5&balance=true&steps=3").body.decode().splitlines()
    assert lines[0] == ",".join([*(f"pixel{j}" for j in range(784)), "label"]) and len(lines) == 3


def test_a_picture_of_samples_has_a_row_for_each_digit(model):
    drawn = samples(model, "?n=100&seed=5&balance=true&steps=3&dtype=u8")[..., 0]
    picture = shown(model, "samples.png?seed=5&steps=3&scale=1")
    assert picture.format == "PNG" and picture.mode == "L" and picture.info["Title"] == "100 samples at epoch 1"
    pixels = numpy.asarray(picture)
    assert pixels.shape == (291, 291)
    for i in range(100):
        assert (pixels[1 + 29 * (i % 10) :, 1 + 29 * (i // 10) :][:28, :28] == drawn[i]).all()
    sevens = numpy.asarray(shown(model, "samples.png?n=4&label=7&seed=5&steps=3&columns=2&scale=2"))
    assert sevens.shape == (2 * 57 + 1, 2 * 57 + 1)
    assert (sevens[1:57:2, 1:57:2] == samples(model, "?n=4&label=7&seed=5&steps=3&dtype=u8")[0, ..., 0]).all()


def test_each_digit_is_drawn_from_the_same_noises(model):
    alone = numpy.stack([samples(model, f"?n=4&class={digit}&seed=5&steps=3&guidance=2&dtype=u8") for digit in range(10)])
    shared = samples(model, "?n=40&balance=true&shared_noise=true&seed=5&steps=3&guidance=2&dtype=u8")
    assert (shared.reshape(4, 10, 28, 28, 1).swapaxes(0, 1) == alone).all()
    pixels = numpy.asarray(shown(model, "samples.png?n=40&shared_noise=true&seed=5&steps=3&guidance=2&scale=1"))
    for digit in range(10):
        for column in range(4):
            assert (pixels[1 + 29 * digit :, 1 + 29 * column :][:28, :28] == alone[digit, column, ..., 0]).all()
    for guidance in (1, 3):
        x = samples(model, f"?n=20&balance=true&shared_noise=true&seed=5&steps=3&guidance={guidance}&frames=2", "trajectories")
        start = x[0].reshape(2, 10, 784)
        assert (start == start[:, :1]).all() and (start[0] != start[1]).any()


def test_a_strip_of_frames_for_each_image(model):
    for which, count in (("x", 4), ("x0", 3)):
        frames = rounded(samples(model, f"?n=10&seed=5&steps=6&frames=4&balance=true&which={which}", "trajectories"))
        assert frames.shape == (count, 10, 28, 28, 1)
        pixels = numpy.asarray(shown(model, f"trajectories.png?seed=5&steps=6&frames=4&which={which}&scale=1"))
        assert pixels.shape == (291, 29 * count + 1)
        for k in range(count):
            for i in range(10):
                assert (pixels[1 + 29 * i :, 1 + 29 * k :][:28, :28] == frames[k, i, ..., 0]).all()


def test_an_animation_shows_x_beside_its_estimates(model):
    x = rounded(samples(model, "?n=60&seed=5&steps=3&balance=true&which=x", "trajectories")).astype(int)[..., 0]
    x0 = rounded(samples(model, "?n=60&seed=5&steps=3&balance=true&which=x0", "trajectories")).astype(int)[..., 0]
    film = shown(model, "trajectories.gif?seed=5&steps=3&scale=1")
    assert film.n_frames == 4 and film.size == (2 * 175 + 8, 291 + 28)
    for k in range(4):
        film.seek(k)
        pixels = numpy.asarray(film.convert("L")).astype(int)
        for i in range(60):
            top, left = 15 + 29 * (i % 10), 1 + 29 * (i // 10)
            assert abs(pixels[top : top + 28, left : left + 28] - x[k, i]).max() <= 1  # of 255 grays
            assert abs(pixels[top : top + 28, left + 183 : left + 211] - x0[min(k, 2), i]).max() <= 1


@pytest.mark.parametrize("path,status,words", [
    ("samples.json?n=128", 422, "which is n = 127; npy"), ("trajectories.json?n=43&frames=2", 422, "or fewer frames; npy"),
    ("samples.svg", 406, "png npy"), ("samples.txt", 406, "png npy"), ("trajectories.txt", 406, "gif png"),
    ("samples.png?n=2000&scale=16&steps=1", 422, "a smaller scale"), ("trajectories.gif?n=200&scale=16", 422, "a smaller scale"),
    ("samples.png?scale=0", 422, "scale"), ("samples.npy?dtype=u16", 422, "f32"), ("samples.png?label=x", 422, "no class"),
])  # fmt: skip
def test_what_cannot_be_answered(model, path, status, words):
    server, url = model
    answer = server.get(f"{url}/{path}")
    assert answer.status == status and words in answer.body.decode(), answer.body


def test_text_has_as_many_as_fit(model):
    server, url = model
    assert server.get(f"{url}/samples?steps=2").json["n"] == 100
    assert server.get(f"{url}/trajectories?steps=4").json["n"] == 10
    assert server.get(f"{url}/trajectories?steps=20").json["n"] == 3
    assert samples(model, "?steps=1").shape == (100, 28, 28, 1)


def test_digits_that_are_still_being_drawn_hold_up_nobody(start):
    """A stop of the server gives the job back; the next one begins again, and a cancel or a deletion ends it. None waits for a quarter
    of a million digits."""
    server = start()
    spec = {**TINY, "dataset": {"name": "digits", "n": 250000}}
    job = server.submit(spec)
    assert server.wait(job, ["running"])["progress"]["step"] == 0
    assert server.stop() == 0
    assert "ending=stopped" in server.read_log() and server.sql("SELECT status FROM job") == [("queued",)]
    server.start()
    state = server.wait(job, ["running"])
    assert state["attempt"] == 1, "a stop does not count"
    assert server.post(f"/v1/jobs/{job}/cancel").status == 200
    state = server.wait(job)
    assert state["status"] == "cancelled" and state["error"] is None and state["progress"]["step"] == 0
    other = server.submit(spec)
    server.wait(other, ["running"])
    assert server.request("DELETE", f"/v1/jobs/{other}?force=true").status == 204
    last = server.submit(TINY)  # the worker is free again
    assert server.wait(last)["status"] == "succeeded"
    assert server.stop() == 0, server.read_log()
