"""Data sets of images: uploads as IDX, NumPy arrays and archives of PNG files, and what is answered of them."""

import contextlib
import gzip
import http.client
import io
import itertools
import json
import os
import pathlib
import sqlite3
import struct
import threading
import warnings
import zipfile
import zlib

import numpy
import PIL.Image
import pytest
from conftest import Server, eventually, only_sqlite
from test_payloads import MULTIPART, form, part
from test_uploads import NPY, npy

IDX_TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")  # the Debian package dataset-fashion-mnist


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("images")))
    yield server
    assert server.stop() == 0, server.read_log()


def idx(array, kind="u1"):
    array = numpy.asarray(array)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, IDX_TYPES[kind], array.ndim, *array.shape) + array.astype(">" + kind).tobytes()


def random_images(*shape):
    return numpy.random.default_rng(len(shape)).integers(0, 256, shape, dtype="u1")


def png(image, mode=None, **more):
    out = io.BytesIO()
    (image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(image, mode)).save(out, "png", **more)
    return out.getvalue()


def archive(files, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in files:
            file.writestr(name, data)
    return out.getvalue()


def post(store, raw, content_type=NPY, query=""):
    return store.post("/v1/datasets" + query, raw=raw, headers={"Content-Type": content_type})


def post_form(store, images, labels=None, query=""):
    parts = [part("images", images, "images")] + ([part("labels", labels, "labels")] if labels is not None else [])
    return post(store, form(*parts), MULTIPART, query)


def post_quietly(server, raw):
    """To a server that may be killed meanwhile."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.fetch("POST", "/v1/datasets", raw=raw, headers={"Content-Type": NPY})


def made(answer):
    assert answer.status == 201, answer.body
    return answer.json


def pixels_of(store, dataset):
    return numpy.load(io.BytesIO(store.fetch("GET", f"/v1/datasets/{dataset['id']}/points.npy").body))


def labels_of(store, dataset):
    lines = store.fetch("GET", f"/v1/datasets/{dataset['id']}/points.csv").body.decode().splitlines()
    assert lines[0].endswith(",label")
    return [line.rsplit(",", 1)[1] for line in lines[1:]]


# ------------------------------------------------------------------ formats


@pytest.mark.parametrize("shape", [(5, 28, 28), (3, 8, 12), (2, 4, 4), (2, 64, 64, 3), (4, 16, 20, 1)])
@pytest.mark.parametrize("write", [idx, npy, lambda array: gzip.compress(idx(array)), lambda array: gzip.compress(npy(array))])
def test_arrays_come_back_as_they_were(store, shape, write):
    images = random_images(*shape)
    raw = write(images)
    whole = [made(post(store, raw)), made(post_form(store, raw)), made(post(store, form(part("file", raw, "x.bin")), MULTIPART))]
    for dataset in whole:
        height, width, *channels = shape[1:]
        assert dataset["shape"] == [height, width, *(channels or [1])] and dataset["dtype"] == "uint8"
        assert dataset["kind"] == "images" and dataset["source"] == "upload"
        assert dataset["n"] == shape[0] and dataset["dim"] == images[0].size
        assert dataset["columns"] == [] and dataset["classes"] is None and dataset["label"] is None
        back = pixels_of(store, dataset)
        assert back.dtype == "u1" and back.shape == (shape[0], *dataset["shape"]) and (back.reshape(shape) == images).all()


def test_the_statistics_are_those_of_each_channel(store):
    images = random_images(50, 8, 8, 3)
    images[7] = images[3]
    found = made(post(store, npy(images)))["statistics"]
    assert found["min"] == images.min((0, 1, 2)).tolist() and found["max"] == images.max((0, 1, 2)).tolist()
    assert numpy.allclose(found["mean"], images.mean((0, 1, 2)), rtol=1e-12)
    assert numpy.allclose(found["std"], images.std((0, 1, 2)), rtol=1e-12)
    assert found["duplicates"] == 1 and found["class_counts"] is None


@pytest.mark.parametrize("write", [
    idx, npy, lambda x: gzip.compress(idx(x)), lambda x: idx(x, "i4"), lambda x: idx(x, "i2"), lambda x: npy(x.astype(">i8")),
    lambda x: npy(x.astype("u1")), lambda x: npy(x[:, None].astype("u1")),
])  # fmt: skip
def test_labels_are_integers_in_a_file_of_their_own(store, write):
    labels = numpy.array([10, 9, 2, 10, 0, 9, 9])
    dataset = made(post_form(store, idx(random_images(7, 8, 8)), write(labels)))
    assert dataset["classes"] == ["0", "2", "9", "10"] and dataset["statistics"]["class_counts"] == [1, 1, 3, 2]
    assert labels_of(store, dataset) == [str(label) for label in labels]


@pytest.mark.parametrize("names", [("images", "labels"), ("x_train", "y_train")])
@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_arrays_with_names_in_one_file(store, names, save):
    """As MNIST comes with Keras: uint8 images and labels, and those for tests, which nothing asks for."""
    images, labels = random_images(9, 12, 8), numpy.array([7, 10, 9, 7, 7, 9, 10, 9, 9], "u1")
    of_tests = {"x_test": random_images(3, 4), "y_test": labels[:3]}
    file = io.BytesIO()
    save(file, **of_tests, **{names[0]: images, names[1]: labels})
    raw = file.getvalue()
    for dataset in (made(post(store, raw)), made(post(store, raw, "application/zip")), made(post_form(store, raw))):
        assert dataset["shape"] == [12, 8, 1] and dataset["n"] == 9 and dataset["classes"] == ["7", "9", "10"]
        assert (pixels_of(store, dataset)[..., 0] == images).all() and labels_of(store, dataset) == [str(label) for label in labels]
    file = io.BytesIO()
    save(file, **{names[0]: random_images(5, 8, 8, 3)})
    assert made(post(store, file.getvalue()))["classes"] is None
    dataset = made(post_form(store, file.getvalue(), idx(labels[:5])))
    assert labels_of(store, dataset) == [str(label) for label in labels[:5]] and (pixels_of(store, dataset) == random_images(5, 8, 8, 3)).all()


def test_negative_labels(store):
    dataset = made(post_form(store, npy(random_images(4, 8, 8)), npy(numpy.array([-1, 1, -1, 128], "<i2"))))
    assert dataset["classes"] == ["-1", "1", "128"]


def test_a_folder_is_a_class(store):
    images = random_images(12, 8, 8)
    names = ["10", "9", "é", "a b"]
    files = [(f"all/{names[i % 4]}/{i:02}.png", png(image)) for i, image in enumerate(images)]
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        dataset = made(post(store, archive([("all/", b""), *files], compression), "application/zip"))
        assert dataset["classes"] == sorted(names, key=str.encode) and dataset["shape"] == [8, 8, 1]
        order = sorted(range(12), key=lambda i: files[i][0].encode())
        assert labels_of(store, dataset) == [names[i % 4] for i in order]
        assert (pixels_of(store, dataset)[..., 0] == images[order]).all()


def test_folders_with_numbers_are_in_the_order_of_the_numbers(store):
    dataset = made(post(store, archive([(f"{k}/x.png", png(random_images(8, 8))) for k in (10, 9, 1, 2)]), "application/zip"))
    assert dataset["classes"] == ["1", "2", "9", "10"]


@pytest.mark.parametrize("folder", ["", "one/", "a/b/"])
def test_images_in_one_place_have_no_classes(store, folder):
    others = [("__MACOSX/x", b"1"), (f"{folder}.DS_Store", b"2"), (f"{folder}Thumbs.db", b"3"), ("._x", b"4")]
    dataset = made(post(store, archive([*others, *((f"{folder}{i}.PNG", png(random_images(8, 8))) for i in range(3))]), NPY))
    assert dataset["classes"] is None and dataset["n"] == 3


def gray_of(image):
    return numpy.asarray(image.convert("L"))


def kinds_of_png():
    """A name, a file, and the picture that it shows, gray [h][w] or in color [h][w][3], as PIL decodes it."""
    gray, color = random_images(8, 8), random_images(8, 8, 3)
    alpha = random_images(8, 8, 1)
    on_black = numpy.round(color * (alpha / 255)).astype("u1")
    palette = PIL.Image.fromarray(color).quantize(16)
    yield "gray", png(gray), gray
    yield "rgb", png(color), color
    yield "alpha", png(numpy.concatenate([color, alpha], 2)), on_black
    yield "gray and alpha", png(numpy.stack([gray, alpha[..., 0]], 2), "LA"), numpy.round(gray * (alpha[..., 0] / 255)).astype("u1")
    yield "palette", png(palette), numpy.asarray(palette.convert("RGB"))
    yield "palette of 4 colors", png(palette.convert("RGB").quantize(4)), numpy.asarray(palette.convert("RGB").quantize(4).convert("RGB"))
    yield "one bit", png(PIL.Image.fromarray(gray > 127)), (gray > 127) * numpy.uint8(255)
    yield "16 bits", png(PIL.Image.fromarray((gray.astype("u2") * 257))), gray
    yield "gray in rgb", png(numpy.repeat(gray[..., None], 3, 2)), gray
    yield "transparent color", png(PIL.Image.fromarray(gray), transparency=int(gray[0, 0])), numpy.where(gray == gray[0, 0], 0, gray)


@pytest.mark.parametrize("name,file,image", [pytest.param(*kind, id=kind[0]) for kind in kinds_of_png()])
def test_every_kind_of_png(store, name, file, image):
    dataset = made(post(store, archive([("a.png", file), ("b.png", file)]), "application/zip"))
    found = pixels_of(store, dataset)
    assert dataset["shape"] == [8, 8, 1 if image.ndim == 2 else 3]
    assert (found == image.reshape(found.shape[1:])).all()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced(image):
    """Adam7 (PNG 8.2): seven pictures, each with every so many columns and rows."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in image[y::dy, x::dx] if row.size)
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_interlaced_png_and_gamma(store):
    image = random_images(12, 8)
    plain = png(image)
    gamma = plain[:33] + chunk(b"gAMA", struct.pack(">I", 100000)) + plain[33:]
    dataset = made(post(store, archive([("a.png", interlaced(image)), ("b.png", gamma)]), "application/zip"))
    assert (pixels_of(store, dataset)[..., 0] == image).all()


def test_one_picture_in_color_makes_all_of_them_so(store):
    gray, color = random_images(3, 8, 8), random_images(8, 8, 3)
    files = [("0.png", png(gray[0])), ("1.png", png(gray[1])), ("2.png", png(color)), ("3.png", png(gray[2]))]
    dataset = made(post(store, archive(files), "application/zip"))
    expected = numpy.stack([*(numpy.repeat(image[..., None], 3, 2) for image in gray[:2]), color, numpy.repeat(gray[2][..., None], 3, 2)])
    assert dataset["shape"] == [8, 8, 3] and (pixels_of(store, dataset) == expected).all()


# ------------------------------------------------------------------ answers


def test_the_list_of_images(start):
    """Images and points in turn, of which the list has the images alone, whatever the pages."""
    server = start()
    sets = []
    for i in range(5):
        sets.append(made(post(server, npy(random_images(3, 8, 8)), query=f"?name=images{i}")))
        sets.append(made(server.post("/v1/datasets", raw=b"x,y\n1,2\n3,4\n", headers={"Content-Type": "text/csv"})))
    uploads = sets[::-1]
    for kind, wanted in (("images", ["digits", *(each["id"] for each in uploads if each["shape"])]), ("upload", [each["id"] for each in uploads])):
        for limit in (1, 2, 5, 6, 200):
            seen, after = [], ""
            while after is not None:
                page = server.get(f"/v1/datasets?kind={kind}&limit={limit}{after}").json
                assert len(page["items"]) == min(limit, len(wanted) - len(seen))
                assert kind == "upload" or all(each["kind"] == "images" and each["shape"] for each in page["items"])
                seen += [each["id"] for each in page["items"]]
                after = f"&after={page['next']}" if page["has_more"] else None
            assert seen == wanted
    kinds = {each["id"]: (each["kind"], each["source"]) for each in server.get("/v1/datasets").json["items"]}
    assert kinds["digits"] == ("images", "builtin") and kinds["spiral"] == ("builtin", "builtin")
    assert [kinds[each["id"]] for each in sets[:2]] == [("images", "upload"), ("upload", "upload")]
    answer = server.get("/v1/datasets?kind=image")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/kind" and "images" in answer.json["errors"][0]["detail"]


@pytest.fixture(scope="module")
def faces(store):
    """50 images of 12 x 8 with five classes, the bytes of which say which one it is."""
    images = (numpy.arange(50)[:, None, None] * 5 + numpy.zeros((1, 12, 8))).astype("u1")
    dataset = made(post_form(store, npy(images), npy(numpy.arange(50) % 5), "?name=faces"))
    dataset["images"] = images
    return dataset


def picture(store, dataset, query=""):
    answer = store.get(f"/v1/datasets/{dataset['id']}/images.png{query}")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/png", answer.body
    return numpy.asarray(PIL.Image.open(io.BytesIO(answer.body)))


def cells_of(shown, scale, columns, height=12, width=8):
    """The value of each image of a picture, one list for a row; None: no image."""
    gap = (scale + 1) // 2
    rows = (shown.shape[0] - gap) // (height * scale + gap)
    assert shown.shape == (rows * (height * scale + gap) + gap, columns * (width * scale + gap) + gap)
    cells = []
    for row, column in itertools.product(range(rows), range(columns)):
        top, left = gap + row * (height * scale + gap), gap + column * (width * scale + gap)
        cell = shown[top : top + height * scale, left : left + width * scale]
        assert (cell == cell[0, 0]).all()
        cells.append(int(cell[0, 0]))
    return [cells[row * columns :][:columns] for row in range(rows)]


def test_a_picture_has_the_first_images_of_each_class_in_a_row(store, faces):
    shown = cells_of(picture(store, faces, "?n=20&columns=4&scale=3"), 3, 4)
    assert shown == [[5 * (k + 5 * i) for i in range(4)] for k in range(5)]
    shown = cells_of(picture(store, faces, "?n=7&columns=2&scale=1"), 1, 2)
    gap = 0x60
    assert shown == [[0, 25], [5, 30], [10, gap], [15, gap], [20, gap]]


def test_a_picture_of_one_class_and_from_some_image_on(store, faces):
    assert cells_of(picture(store, faces, "?label=3&columns=5&scale=2&n=10"), 2, 5) == [[15, 40, 65, 90, 115], [140, 165, 190, 215, 240]]
    assert cells_of(picture(store, faces, "?label=3&first=30&columns=4&scale=2"), 2, 4) == [[165, 190, 215, 240]]
    plain = made(post(store, npy(faces["images"])))
    assert cells_of(picture(store, plain, "?first=45&columns=3&scale=1"), 1, 3) == [[225, 230, 235], [240, 245, 0x60]]


def test_a_picture_in_color(store):
    images = random_images(4, 8, 8, 3)
    shown = picture(store, made(post(store, npy(images))), "?columns=2&scale=1")
    assert (shown[1:9, 1:9] == images[0]).all() and (shown[10:18, 10:18] == images[3]).all()


@pytest.mark.parametrize("query,pointer", [
    ("?label=9", "/label"), ("?first=50", "/first"), ("?n=0", "/n"), ("?columns=0", "/columns"), ("?scale=17", "/scale"), ("?x=1", "/x"),
])  # fmt: skip
def test_a_picture_that_cannot_be(store, faces, query, pointer):
    answer = store.get(f"/v1/datasets/{faces['id']}/images.png{query}")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == pointer, answer.body


def test_a_picture_that_is_too_large(store):
    dataset = made(post(store, npy(numpy.zeros((3000, 64, 64), "u1"))))
    answer = store.get(f"/v1/datasets/{dataset['id']}/images.png?n=3000&scale=16")
    assert answer.status == 422 and "a smaller scale" in answer.json["errors"][0]["detail"]


def test_one_image(store, faces):
    for i, scale in ((0, 1), (17, 1), (49, 3)):
        answer = store.get(f"/v1/datasets/{faces['id']}/images/{i}.png" + (f"?scale={scale}" if scale > 1 else ""))
        shown = numpy.asarray(PIL.Image.open(io.BytesIO(answer.body)))
        assert (shown == numpy.kron(faces["images"][i], numpy.ones((scale, scale)))).all()
        again = store.get(f"/v1/datasets/{faces['id']}/images/{i}.png", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == (200 if scale > 1 else 304)
    color = random_images(3, 8, 12, 3)
    answer = store.get(f"/v1/datasets/{made(post(store, npy(color)))['id']}/images/2")
    assert (numpy.asarray(PIL.Image.open(io.BytesIO(answer.body))) == color[2]).all()
    for index in ("50", "-1", "x", "1e1", "00000000000000000001", "0x1", "99999999"):
        answer = store.get(f"/v1/datasets/{faces['id']}/images/{index}.png")
        assert answer.status == 404 and answer.json["detail"] == "the data set has the images 0 to 49", index
    assert store.get("/v1/datasets/spiral/images/0.png").json["code"] == "no_images"


def test_points_have_no_pictures(store):
    for name in ("spiral", store.post("/v1/datasets", raw=b"x,y\n1,2\n3,4\n", headers={"Content-Type": "text/csv"}).json["id"]):
        answer = store.get(f"/v1/datasets/{name}/images.png")
        assert answer.status == 422 and answer.json["code"] == "no_images"
        assert store.get(f"/v1/datasets/{name}").json["shape"] is None


def test_points_of_images(store, faces):
    url = f"/v1/datasets/{faces['id']}/points"
    answer = store.get(url + ".json?n=3&seed=5").json
    assert answer["shape"] == [12, 8, 1] and answer["n"] == 3 and answer["classes"] == ["0", "1", "2", "3", "4"]
    for point, label in zip(answer["points"], answer["labels"]):
        assert len(set(point)) == 1 and len(point) == 96 and str(point[0] // 5 % 5) == label
    whole = store.get(url + ".json").json
    assert whole["points"] == faces["images"].reshape(50, 96).tolist() and whole["labels"] == [str(i % 5) for i in range(50)]
    lines = store.fetch("GET", url + ".csv?n=2&seed=5").body.decode().splitlines()
    assert lines[0] == ",".join([*(f"pixel{j}" for j in range(96)), "label"])
    assert [line.split(",")[:96] for line in lines[1:]] == [[str(value) for value in point] for point in answer["points"][:2]]
    some = store.request("GET", url + ".npy", headers={"Range": "bytes=128-1087"})
    assert some.status == 206 and some.body == faces["images"][:10].tobytes()


def test_what_images_are_not(store, faces):
    url = f"/v1/datasets/{faces['id']}"
    for kind in ("svg", "png", "txt"):
        answer = store.get(f"{url}/points.{kind}")
        assert answer.status == 406 and "images.png" in answer.json["detail"]
    assert store.get(f"{url}/optimal.gif").json["code"] == "cannot_sample"
    assert store.get(f"{url}/forward.txt").status == 406
    large = made(post(store, npy(numpy.zeros((40, 64, 64), "u1"))))
    answer = store.get(f"/v1/datasets/{large['id']}/points.json?n=25")
    assert answer.status == 422 and "at most 24" in answer.json["detail"] and "npy" in answer.json["detail"]
    assert store.get(f"/v1/datasets/{large['id']}/points.json").json["n"] == 24
    answer = store.request("PATCH", url, {"label": "x"})
    assert answer.status == 422 and "no columns" in answer.json["detail"]
    assert set(faces["links"]) == {"self", "points", "images", "forward"} and store.get(faces["links"]["images"]).status == 200


def way_to_noise(store, name, query):
    return numpy.load(io.BytesIO(store.get(f"/v1/datasets/{name}/forward.npy?{query}").body))


@pytest.mark.parametrize("name", ["digits", "upload"])
def test_images_turn_into_noise(store, name):
    """In units of [-1, 1], x_t has s x_0 and noise of variance 1 - s^2, whatever the schedule (Ho et al. 2020, equation 4)."""
    images = random_images(40, 8, 8, 3) // 128 * 255
    if name == "upload":
        name = made(post(store, npy(images)))["id"]
    for schedule in ("cosine", "linear", "sigmoid"):
        way = way_to_noise(store, name, f"n=40&frames=5&timesteps=100&seed=3&schedule={schedule}")
        assert way.dtype == "f4" and way.shape[:2] == (5, 40)
        start, units = way[0], way / 127.5 - 1
        if name != "digits":
            assert sorted(map(bytes, start.astype("u1"))) == sorted(map(bytes, images))  # all, in some order
        signals = [(units[k] * units[0]).sum() / (units[0] ** 2).sum() for k in range(5)]
        assert signals[0] == 1 and all(before > after for before, after in itertools.pairwise(signals)), signals
        for x, signal in zip(units, signals):
            assert abs((x - signal * units[0]).var() + signal**2 - 1) < 0.05
    few = way_to_noise(store, name, "n=3&frames=5&timesteps=100&seed=3&schedule=sigmoid")
    assert name != "digits" or (few == way[:, :3]).all()


def test_pictures_of_the_way_to_noise(store, faces):
    for name in ("digits", faces["id"]):
        moving = PIL.Image.open(io.BytesIO(store.get(f"/v1/datasets/{name}/forward.gif?frames=4").body))
        assert moving.format == "GIF" and moving.n_frames >= 4
        strips = numpy.asarray(PIL.Image.open(io.BytesIO(store.get(f"/v1/datasets/{name}/forward.png?n=5&frames=3").body)).convert("L"))
        assert len(numpy.unique(strips)) > 20
    answer = store.get(f"/v1/datasets/{faces['id']}/forward.json?n=3&frames=4").json
    assert numpy.shape(answer["x"]) == (4, 3, 96) and answer["shape"] == [12, 8, 1] and len(answer["labels"]) == 3
    assert set(numpy.ravel(answer["x"][0])) <= set(numpy.ravel(faces["images"]))
    answer = store.get("/v1/datasets/digits/forward").json
    assert numpy.shape(answer["x"]) == (11, 6, 784) and answer["timesteps"] == list(range(0, 101, 10))
    large = made(post(store, npy(numpy.zeros((5, 64, 64, 3), "u1"))))["id"]
    answer = store.get(f"/v1/datasets/{large}/forward.ndjson")
    assert [json.loads(line)["timestep"] for line in answer.body.splitlines()] == [0, 33, 67, 100]
    for path in ("digits/forward.gif", f"{large}/forward.gif", f"{large}/forward.npy", f"{large}/forward.safetensors"):
        assert store.get(f"/v1/datasets/{path}").status == 200, f"{path}: as many images as there is room for"
    answer = store.get("/v1/datasets/digits/forward.json?n=20&frames=11")
    assert answer.status == 422 and answer.json["errors"][0]["pointer"] == "/n" and "npy" in answer.json["detail"]
    assert store.get("/v1/datasets/digits/forward.gif?n=5000").status == 422


def test_images_among_the_data_sets_and_deleted(start):
    server = start()
    images = random_images(1500, 28, 28)  # more than one piece
    dataset = made(post_form(server, idx(images), idx(numpy.arange(1500) % 10), "?name=many"))
    assert server.get("/v1/datasets?kind=upload").json["items"] == [dataset] and server.get(f"/v1/datasets/{dataset['id']}").json == dataset
    assert server.sql("SELECT count(*) FROM piece") == [(2,)]
    assert (pixels_of(server, dataset)[..., 0] == images).all()
    shown = picture(server, dataset, "?first=1335&n=4&label=7&columns=2&scale=1")  # the image 1337 lies on the border of the pieces
    assert (shown[1:29, 1:29] == images[1337]).all()
    server.stop()
    server.start()
    assert (pixels_of(server, dataset)[..., 0] == images).all()
    assert server.request("DELETE", f"/v1/datasets/{dataset['id']}").status == 204
    assert server.sql("SELECT count(*) FROM blob WHERE refs > 0") == [(0,)]
    assert server.get(f"/v1/datasets/{dataset['id']}/images.png").status == 404


@only_sqlite("a PostgreSQL has its own limits")
def test_images_that_do_not_fit_leave_nothing(start):
    """Most of their pieces are written when the limit is reached."""
    server = start("--max-database", "16")
    small, large = idx(random_images(100, 28, 28)), idx(random_images(25000, 28, 28))
    made(post(server, small))
    answer = post(server, large)
    assert answer.status == 507 and answer.json["code"] == "database_full"
    assert server.sql("SELECT count(*) FROM dataset") == [(1,)]
    dataset = made(post(server, idx(random_images(12000, 28, 28))))  # what was written has made room
    assert server.request("DELETE", f"/v1/datasets/{dataset['id']}").status == 204
    made(post(server, idx(random_images(12001, 28, 28))))
    eventually(lambda: server.sql("SELECT count(*) FROM piece") == [(10,)])  # 12001 images, and 100


def test_a_server_that_is_killed_during_an_upload_leaves_no_pieces(start):
    server = start()
    raw = idx(random_images(60000, 28, 28))
    sender = threading.Thread(target=post_quietly, args=(server, raw))
    sender.start()
    eventually(lambda: server.sql("SELECT count(*) FROM piece")[0][0] > 5)
    server.kill()
    sender.join()
    server.start()
    assert server.sql("SELECT count(*) FROM dataset") == [(0,)]
    eventually(lambda: server.sql("SELECT (SELECT count(*) FROM piece), (SELECT count(*) FROM blob)") == [(0, 0)])


def test_validating_stores_nothing(store):
    before = store.sql("SELECT count(*), (SELECT count(*) FROM blob) FROM dataset")
    answer = post_form(store, idx(random_images(2000, 28, 28)), idx(numpy.arange(2000) % 3), "?validate_only=true")
    assert answer.status == 200 and answer.json["shape"] == [28, 28, 1] and answer.json["rows"] == []
    assert answer.json["classes"] == ["0", "1", "2"] and answer.json["n"] == 2000
    assert store.sql("SELECT count(*), (SELECT count(*) FROM blob) FROM dataset") == before


def test_a_repeated_upload_makes_one_data_set(store):
    raw = form(part("images", idx(random_images(1500, 28, 28)), "a"), part("labels", idx(numpy.arange(1500) % 2), "b"))
    other = form(part("images", idx(random_images(1500, 28, 28)), "a"), part("labels", idx(numpy.arange(1500) % 3), "b"))
    headers = {"Content-Type": MULTIPART, "Idempotency-Key": "digits"}
    first = store.post("/v1/datasets", raw=raw, headers=headers)
    again = store.post("/v1/datasets", raw=raw, headers=headers)
    assert first.status == 201 and again.status == 200 and again.json == first.json
    assert store.post("/v1/datasets", raw=other, headers=headers).json["code"] == "idempotency_key_reused"


@only_sqlite("migrations of PostgreSQL add to the table what those of SQLite make anew")
def test_a_database_from_before_images(start, tmp_path):
    path = tmp_path / "before.db"
    database = sqlite3.connect(path, isolation_level=None)
    for file in sorted((pathlib.Path(__file__).parents[2] / "migrations/sqlite").glob("*.sql")):
        if file.name < "0026":
            database.executescript(file.read_text())
    database.executescript("PRAGMA application_id = 0x64656e6f; PRAGMA user_version = 25; PRAGMA journal_mode = wal")
    column = {"name": "x", "type": "numeric", "coordinate": 0, "missing": 0, "distinct": 2, "min": 1, "max": 2, "mean": 1.5, "std": 0.5, "format": "0",
              "step": 0, "missing_text": "", "levels": None, "follows": None, "map": None, "independent": False,
              "histogram": {"start": None, "width": None, "counts": []}, "examples": ["1"], "notes": []}  # fmt: skip
    statistics = {"min": [1], "max": [2], "mean": [1.5], "std": [0.5], "duplicates": 0, "class_counts": [2]}
    names = [f"00000000-0000-7000-8000-00000000000{k}" for k in range(3)]
    for name in names:
        labels, points = numpy.zeros(2, "i4").tobytes(), numpy.array([1, 2], "f4").tobytes()
        database.execute(
            "INSERT INTO dataset (id, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, points, label)"
            " VALUES (?, 2, 1, ?, '[\"a\"]', ?, ?, 1, 1, ?, ?, 'c')",
            (name, json.dumps([column]), json.dumps(statistics), "a" * 64, labels, points),
        )
    database.execute("DELETE FROM dataset WHERE id = ?", (names[2],))
    database.execute("INSERT INTO job (id, dataset, spec, epochs, steps, created_at) VALUES (?, 'x', '{}', 1, 1, 1)", ("1" * 36,))
    database.execute("UPDATE job SET status = 'cancelled', finished_at = 1")
    database.execute("INSERT INTO job_dataset SELECT seq, 1 FROM dataset WHERE id = ?", (names[1],))
    database.close()
    server = start(database=str(path))
    for name in names[:2]:
        found = server.get(f"/v1/datasets/{name}/points.npy").body
        assert numpy.load(io.BytesIO(found)).tolist() == [[1], [2]]
        assert server.get(f"/v1/datasets/{name}").json["shape"] is None
    assert server.sql("SELECT dataset_seq, job_seq FROM job_dataset") == [(2, 1)]
    made(post(server, idx(random_images(3, 8, 8))))
    assert server.sql("SELECT seq FROM dataset ORDER BY seq") == [(1,), (2,), (4,)]  # the number 3 was given before
    assert server.request("DELETE", f"/v1/datasets/{names[0]}").status == 204
    assert server.sql("SELECT count(*) FROM pragma_foreign_key_check") == [(0,)]


# ------------------------------------------------------------------ real ones


def check_set(store, images, labels, n, counts):
    answer = post_form(store, images.read_bytes(), labels.read_bytes())
    dataset = made(answer)
    assert dataset["n"] == n and dataset["shape"] == [28, 28, 1] and dataset["statistics"]["class_counts"] == counts
    return dataset


@pytest.mark.skipif(not FASHION.exists(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_fashion_mnist(store):
    for name, n in (("train", 60000), ("t10k", 10000)):
        images, labels = FASHION / f"{name}-images-idx3-ubyte.gz", FASHION / f"{name}-labels-idx1-ubyte.gz"
        dataset = check_set(store, images, labels, n, [n // 10] * 10)
        assert pixels_of(store, dataset).tobytes() == gzip.decompress(images.read_bytes())[16:]


@pytest.mark.skipif("DENOISED_MNIST" not in os.environ, reason="DENOISED_MNIST names no folder with MNIST's four files")
def test_mnist(store):
    folder = pathlib.Path(os.environ["DENOISED_MNIST"])
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    dataset = check_set(store, folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte", 10000, counts)
    assert abs(dataset["statistics"]["mean"][0] - 33.79) < 0.01  # 0.1325 of 255
    assert dataset["classes"] == [str(k) for k in range(10)]
