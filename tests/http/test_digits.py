"""The built-in data set of drawn digits: its description, its images as arrays and as pictures, and where points are asked for."""

import io

import numpy
import PIL.Image
import pytest

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
    assert (described["kind"], described["shape"], described["dtype"], described["dim"]) == ("builtin", [28, 28, 1], "uint8", 784)
    assert described["n"] is None and described["columns"] == [] and described["classes"] == CLASSES
    assert not described["has_distance"] and set(described["links"]) == {"self", "points", "images"}
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
    ("points.png", 406, "images.png"), ("points.svg", 406, "images.png"), ("points.txt", 406, "images.png"),
    ("forward.json", 422, "images"), ("optimal.gif", 422, "images"),
    ("images.png?label=10", 422, "name of a class"), ("images.png?n=100000&scale=16", 422, "a smaller scale"),
])  # fmt: skip
def test_what_digits_are_not(server, path, status, words):
    answer = server.get(f"{URL}/{path}")
    assert answer.status == status and words in answer.body.decode(), answer.body


def test_they_are_built_in(server):
    for method, body in (("DELETE", None), ("PATCH", {"label": "x"})):
        assert server.request(method, URL, body).json["code"] == "dataset_built_in"
