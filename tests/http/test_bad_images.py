"""Uploads of images that cannot be used: each is refused with what is wrong, costs little, and leaves nothing."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy
import PIL.Image
import pytest
from conftest import Server
from test_images import archive, chunk, idx, made, png, post, post_form, random_images
from test_payloads import MULTIPART, form, part
from test_uploads import CSV, NPY, npy

MOST = 1 << 20  # bytes of an upload
IMAGES = random_images(4, 8, 8)
PICTURE = png(IMAGES[0])
TWO = [("a.png", PICTURE), ("b.png", PICTURE)]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("small")), "--max-upload", "1")
    yield server
    assert server.sql("SELECT (SELECT count(*) FROM dataset), (SELECT count(*) FROM blob)") == [(0, 0)]
    assert server.stop() == 0, server.read_log()


def check(answer, status, code, text):
    assert (answer.status, answer.json["code"]) == (status, code), answer.body
    details = [answer.json["detail"], *(f"{error['pointer']}: {error['detail']}" for error in answer.json.get("errors", []))]
    assert any(text in detail for detail in details), answer.body


def header(*shape, kind=8, zeros=0):
    return struct.pack(f">HBB{len(shape)}I", zeros, kind, len(shape), *shape)


def numbers(cases):
    """Names of cases with bytes: those of an archive have the time of day in them, and processes must agree on names."""
    return map(str, range(len(cases)))


BAD_ARRAYS = [
    (header(2, 8, 8) + bytes(127), 400, "invalid_upload", "does not have as many bytes"),
    (header(2, 8, 8) + bytes(129), 400, "invalid_upload", "does not have as many bytes"),
    (header(2, 8, 8)[:9], 400, "invalid_upload", "ends within its header"),
    (header(*[0xFFFFFFFF] * 3) + bytes(128), 400, "invalid_upload", "does not have as many bytes"),
    (header(*[0xFFFFFFFF] * 4) + bytes(128), 400, "invalid_upload", "does not have as many bytes"),
    (header(0x80000000, 0x80000000, 4) + bytes(128), 400, "invalid_upload", "does not have as many bytes"),  # 2^64 bytes
    (header(2, 2, 2, 4, 4) + bytes(128), 400, "invalid_upload", "more than 4 dimensions"),
    (header(4) + bytes(4), 422, "invalid_data", "/images: an IDX file with 1 dimension has no images, but perhaps their labels"),
    (header(4, 4) + bytes(16), 422, "invalid_data", "/images: an IDX file with 2 dimensions has no images"),
    (idx(IMAGES, "f4"), 422, "invalid_data", "/images: the elements of the IDX file must be bytes"),
    (idx(numpy.zeros((0, 8, 8))), 422, "invalid_data", "there are 0 images"),
    (idx(numpy.zeros((1, 8, 8))), 422, "invalid_data", "there is 1 image: there can be 2 to 1000000"),
    (idx(numpy.zeros((3, 0, 8))), 422, "invalid_data", "height and width must be multiples of 4 up to 64"),
    (idx(numpy.zeros((3, 30, 28))), 422, "invalid_data", "the images have 30 x 28 pixels: height and width must be multiples of 4 up to 64, such as 28 x 28 or 32 x 32; scale or pad these to 32 x 28"),
    (idx(numpy.zeros((3, 1, 1))), 422, "invalid_data", "to 4 x 4"),
    (idx(numpy.zeros((3, 68, 400))), 422, "invalid_data", "to 64 x 64"),
    (idx(numpy.zeros((3, 8, 8, 2))), 422, "invalid_data", "the images have 2 channels: there can be 1 (gray) or 3"),
    (npy(IMAGES.astype("i1")), 422, "invalid_data", "/images: the elements of the array have the type '|i1'"),
    (npy(IMAGES.astype("f4")), 422, "invalid_data", "'<f4': images are bytes from 0 (black) to 255, array.astype('u1'), or (255 * array).round().astype('u1')"),
    (npy(IMAGES > 3), 422, "invalid_data", "'|b1': images are bytes from 0 (black) to 255, array.astype('u1') * 255"),
    (npy(numpy.asfortranarray(IMAGES)), 422, "invalid_data", "Fortran order"),
    (npy(numpy.zeros((4, 3, 8, 8), "u1")), 422, "invalid_data", "array.transpose(0, 2, 3, 1)"),
    (npy(numpy.zeros((4, 8, 8, 4), "u1")), 422, "invalid_data", "4 channels"),
    (npy(numpy.zeros((4, 8, 8, 1, 1), "u1")), 422, "invalid_data", "the array has 5 dimensions"),
    (npy(IMAGES)[:-1], 400, "invalid_npy", "does not have as many bytes"),
    (npy(IMAGES) + b"\0", 400, "invalid_npy", "does not have as many bytes"),
    (npy(IMAGES).replace(b"(4, 8, 8)", b"(9999999999999, 8, 8)"), 400, "invalid_npy", ""),
    (gzip.compress(idx(IMAGES))[:-9], 400, "invalid_upload", "the gzip file cannot be read: it ends too early"),
    (gzip.compress(header(60000, 28, 28) + bytes(MOST)), 413, "body_too_large", "more than 1048576 bytes when it is decompressed"),
    (gzip.compress(header(60000, 28, 28) + bytes(MOST // 2)), 400, "invalid_upload", "does not have as many bytes"),
]  # fmt: skip


@pytest.mark.parametrize("raw,status,code,text", BAD_ARRAYS, ids=numbers(BAD_ARRAYS))
def test_a_bad_array_is_refused(small, raw, status, code, text):
    check(post(small, raw), status, code, text)
    check(post_form(small, raw, idx(numpy.arange(4))), status, code, text)


def npz(**arrays):
    out = io.BytesIO()
    numpy.savez_compressed(out, **arrays)
    return out.getvalue()


LABELS = numpy.arange(4)


def npz_of_four():
    return npz(x_train=IMAGES, y_train=LABELS)


BAD_LABELS = [
    (idx(LABELS[:3]), 422, "invalid_data", "/labels: there are 3 labels for 4 images"),
    (npy(numpy.zeros(0, "u1")), 422, "invalid_data", "/labels: there are 0 labels for 4 images"),
    (idx(IMAGES), 422, "invalid_data", "/labels: the IDX file must be a list of integers"),
    (idx(LABELS, "f4"), 422, "invalid_data", "/labels: the IDX file must be a list of integers"),
    (npy(LABELS / 2), 422, "invalid_data", "/labels: the array must be a list of integers"),
    (npy(LABELS / 2), 422, "invalid_data", "one label for each image, array.astype('i8')"),
    (npy(numpy.array(["a"] * 4)), 422, "invalid_data", "one label for each image, numpy.unique(array, return_inverse=True)[1]"),
    (npy(numpy.eye(4)), 422, "invalid_data", "one label for each image, such as array.argmax(1)"),
    (idx(LABELS)[:-1], 400, "invalid_upload", "the part labels: the IDX file does not have as many bytes"),
    (npy(LABELS)[:-1], 400, "invalid_npy", "the part labels: the array does not have as many bytes"),
    (npy(LABELS)[:40], 400, "invalid_npy", "the part labels: "),
    (b"0\n1\n2\n3\n", 400, "invalid_upload", "the part labels is neither an IDX file nor an .npy file"),
    (b"", 400, "invalid_upload", "the part labels is neither"),
    (gzip.compress(idx(LABELS))[:-1], 400, "invalid_upload", "ends too early"),
    (gzip.compress(bytes(10 << 20)), 413, "body_too_large", "more than 9437184 bytes"),
]


@pytest.mark.parametrize("labels,status,code,text", BAD_LABELS, ids=numbers(BAD_LABELS))
def test_bad_labels_are_refused(small, labels, status, code, text):
    check(post_form(small, idx(IMAGES), labels), status, code, text)


def test_more_labels_than_classes(small):
    check(post_form(small, npy(numpy.zeros((65, 4, 4), "u1")), npy(numpy.arange(65))), 422, "invalid_data", "/labels: there are more than 64 different labels")


@pytest.mark.parametrize("parts,query,status,code,text", [
    ([part("images", idx(IMAGES)), part("labels", idx(LABELS)), part("labels", idx(LABELS))], "", 400, "invalid_upload", "more than one part labels"),
    ([part("images", idx(IMAGES)), part("images", idx(IMAGES))], "", 400, "invalid_upload", "more than one file"),
    ([part("labels", idx(LABELS))], "", 400, "invalid_upload", "no part called file"),
    ([part("file", "x,y\n1,2\n3,4\n", "a.csv"), part("labels", idx(LABELS))], "", 400, "invalid_upload", "labels goes with images"),
    ([part("images", idx(IMAGES)), part("schema", "{}")], "", 400, "invalid_upload", "they take no schema"),
    ([part("images", idx(IMAGES))], "?label=x", 422, "invalid_fields", "/label: images have no columns"),
    ([part("images", idx(IMAGES))], "?columns=x", 422, "invalid_fields", "/columns: images have no columns"),
    ([part("images", archive([("1/a.png", PICTURE), ("2/b.png", PICTURE)])), part("labels", idx(LABELS[:2]))], "", 422, "invalid_data", "the folders of the archive are the classes"),
    ([part("images", npz_of_four()), part("labels", idx(LABELS))], "", 422, "invalid_data", '/labels: the file has "y_train" beside "x_train"'),
])  # fmt: skip
def test_parts_that_do_not_go_together(small, parts, query, status, code, text):
    check(post(small, form(*parts), MULTIPART, query), status, code, text)


# ------------------------------------------------------------------ archives


def changed(raw, at, data):
    return raw[:at] + data + raw[at + len(data) :]


def central(raw, k=0):
    """Where the record k of the directory begins."""
    at = raw.index(b"PK\1\2")
    for _ in range(k):
        at = raw.index(b"PK\1\2", at + 4)
    return at


def stored():
    return archive(TWO, zipfile.ZIP_STORED)


def with_comment(comment):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in TWO:
            file.writestr(name, data)
        file.comment = comment
    return out.getvalue()


def overlapping():
    """The second file is the first one: its record in the directory leads to the same bytes."""
    raw = archive([("a.png", PICTURE), ("a.png", PICTURE)])
    return changed(raw, central(raw, 1) + 42, bytes(4))


def nested():
    """The bytes of the first file hold the second one, record and all, as in the bombs of D. Fifield."""
    raw = archive(TWO, zipfile.ZIP_STORED)
    size = struct.pack("<II", *[len(PICTURE) + 40] * 2)
    return changed(changed(raw, central(raw) + 20, size), 18, size)


def bomb():
    return archive([("a.png", bytes(200 << 20)), ("b.png", PICTURE)])


RAW = stored()
END = RAW.index(b"PK\5\6")
BAD_ARCHIVES = [
    (RAW[:-1], 400, "invalid_upload", "no directory at its end"),
    (RAW[:END], 400, "invalid_upload", "no directory at its end"),
    (RAW + b"x", 400, "invalid_upload", "something follows"),
    (RAW[:60], 400, "invalid_upload", "no directory at its end"),
    (b"PK\3\4" + bytes(200), 400, "invalid_upload", "no directory at its end"),
    (RAW[:30] + b"xx" + RAW[30:], 400, "invalid_upload", "its directory is not where it should be"),
    (changed(RAW, END + 4, b"\1"), 400, "invalid_upload", "one part of several"),
    (changed(RAW, END + 10, b"\xff\xff"), 400, "invalid_upload", "its directory is not where it should be"),
    (changed(RAW, END + 10, b"\1\0"), 400, "invalid_upload", "more files than it says"),
    (changed(RAW, END + 12, b"\xff\xff\xff\xff"), 400, "invalid_upload", "its directory is not where it should be"),
    (changed(RAW, central(RAW), b"PK\1\3"), 400, "invalid_upload", "fewer files than it says"),
    (changed(RAW, central(RAW) + 28, b"\xff\xff"), 400, "invalid_upload", "ends within an entry"),
    (changed(RAW, central(RAW) + 42, b"\xff\xff\xff\xff"), 400, "invalid_upload", "a file of it is not where it should be"),
    (changed(RAW, central(RAW) + 42, b"\1"), 400, "invalid_upload", "does not begin as its directory says"),
    (changed(RAW, central(RAW) + 46, b"c"), 400, "invalid_upload", "does not begin as its directory says"),
    (changed(RAW, central(RAW) + 8, b"\1"), 400, "invalid_upload", "is encrypted"),
    (changed(RAW, central(RAW) + 20, struct.pack("<II", 1 << 31, 1 << 31)), 400, "invalid_upload", "longer than the archive"),
    (changed(RAW, central(RAW) + 24, struct.pack("<I", 5)), 400, "invalid_upload", "a stored file of it has two sizes"),
    (changed(RAW, central(RAW) + 16, bytes(4)), 400, "invalid_upload", "a.png is damaged"),
    (changed(RAW, 40, b"\xff"), 400, "invalid_upload", "a.png is damaged"),
    (archive(TWO, zipfile.ZIP_BZIP2), 400, "invalid_upload", "another method than deflate"),
    (overlapping(), 400, "invalid_upload", "files of it overlap"),
    (nested(), 400, "invalid_upload", "files of it overlap"),
    (bomb(), 422, "invalid_data", "/images: a.png: it is too large for a picture"),
    (archive([]), 422, "invalid_data", "the archive has no PNG files"),
    (archive([("a/", b""), ("a/.x", b"1")]), 422, "invalid_data", "the archive has no PNG files"),
    (archive([("a.png", PICTURE), ("a.png", PICTURE)]), 422, "invalid_data", "a.png: the archive has it twice"),
    (archive([*TWO, ("c.jpg", b"\xff\xd8")]), 422, "invalid_data", "c.jpg: convert it to PNG"),
    (archive([*TWO, ("labels.csv", b"0\n1\n")]), 422, "invalid_data", "labels.csv: an archive can have PNG files, in a folder for each class"),
    (archive([*TWO, ("c.npy", npy(IMAGES))]), 422, "invalid_data", "c.npy: an archive has arrays or pictures, not both"),
    (npz(pictures=IMAGES, y_train=numpy.arange(4)), 422, "invalid_data", '/images: there is "pictures" in the file and more, but neither images nor x_train'),
    (npz(labels=numpy.arange(4)), 422, "invalid_data", '/images: there is "labels" in the file, but neither'),
    (npz(images=IMAGES / 255), 422, "invalid_data", "/images: the elements of the array have the type '<f8'"),
    (npz(x_train=IMAGES[0]), 422, "invalid_data", "/images: the array has 2 dimensions: images are (n, height, width)"),
    (npz(x_train=IMAGES[:, :7]), 422, "invalid_data", "the images have 7 x 8 pixels"),
    (npz(images=numpy.asfortranarray(IMAGES)), 422, "invalid_data", "Fortran order"),
    (npz(images=IMAGES, labels=numpy.arange(3)), 422, "invalid_data", "/labels: there are 3 labels for 4 images"),
    (npz(x_train=IMAGES, y_train=numpy.eye(4)), 422, "invalid_data", "/labels: the array must be a list of integers"),
    (npz(images=numpy.zeros((1 << 15, 8, 8), "u1")), 422, "invalid_data", "/images: the array takes 2097280 bytes, and may take 1114112"),
    (npz(images=IMAGES, labels=numpy.zeros(3 << 19, "i8")), 422, "invalid_data", "/labels: the array takes 12583040 bytes, and may take 9437184"),
    (archive([("images.npy", npy(IMAGES)), ("images.npy", npy(IMAGES))]), 422, "invalid_data", "two arrays with one name"),
    (archive([("images.npy", b"no array")]), 400, "invalid_npy", ""),
    (archive([("images.npy", npy(IMAGES)[:-1])]), 400, "invalid_npy", "does not have as many bytes"),
    (archive([("images.npy", npy(IMAGES)), ("labels.npy", npy(numpy.arange(4))[:-1])]), 400, "invalid_npy", "does not have as many bytes"),
    (changed(npz(images=IMAGES), 80, b"\xff"), 400, "invalid_upload", "the array for images is damaged"),
    (npz(images=IMAGES)[:-1], 400, "invalid_upload", "no directory at its end"),
    (archive([("a.png", PICTURE)]), 422, "invalid_data", "there is 1 image:"),
    (archive([("a.png", PICTURE), ("b.png", png(random_images(8, 12)))]), 422, "invalid_data", "b.png has 8 x 12 pixels, but a.png has 8 x 8"),
    (archive([("a.png", png(random_images(128, 8))), ("b.png", PICTURE)]), 422, "invalid_data", "the images have 128 x 8 pixels: height and width must be multiples of 4 up to 64"),
    (archive([("a.png", PICTURE), ("b.png", png(random_images(128, 8)))]), 422, "invalid_data", "b.png has 128 x 8 pixels, but a.png has 8 x 8"),
    (archive([("a.png", png(random_images(10, 8))), ("b.png", PICTURE)]), 422, "invalid_data", "the images have 10 x 8 pixels"),
    (archive([("x/a.png", PICTURE), ("b.png", PICTURE)]), 422, "invalid_data", "b.png: it is in no folder, but others are"),
    (archive([("x" * 65 + "/a.png", PICTURE), ("y/b.png", PICTURE)]), 422, "invalid_data", "longer than 64 bytes"),
    (archive([("\u202ex/a.png", PICTURE), ("y/b.png", PICTURE)]), 422, "invalid_data", "the name of a folder, which is a class, must "),
    (changed(changed(archive([("xyz/a.png", PICTURE), ("y/b.png", PICTURE)]), 30, b"\xff"), archive([("xyz/a.png", PICTURE), ("y/b.png", PICTURE)]).index(b"PK\1\2") + 46, b"\xff"), 422, "invalid_data", "must be UTF-8"),
    (archive([(f"{k}/a.png", PICTURE) for k in range(65)]), 422, "invalid_data", "more than 64 folders"),
]  # fmt: skip


@pytest.mark.parametrize("raw,status,code,text", BAD_ARCHIVES, ids=numbers(BAD_ARCHIVES))
def test_a_bad_archive_is_refused(small, raw, status, code, text):
    check(post(small, raw, "application/zip"), status, code, text)


def test_an_archive_may_have_a_comment(store_of_one):
    made(post(store_of_one, with_comment(b"PK\5\6 " * 100)))


@pytest.fixture
def store_of_one(start):
    return start("--max-upload", "1")


def idat(data, width=8, height=8, depth=8, color=0, interlace=0):
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


ROWS = zlib.compress(bytes(9 * 8))
BAD_PICTURES = [
    b"", b"\x89PNG\r\n\x1a\n", PICTURE[:-1], PICTURE[:-12], PICTURE[:40], PICTURE + b"\0", PICTURE[1:], b"GIF89a" + bytes(40), bytes(100),
    changed(PICTURE, 29, b"\0\0\0\0"), changed(PICTURE, len(PICTURE) - 20, b"\xff\xff"), idat(ROWS[:-6]), idat(b""), idat(b"\0" * 50),
    idat(ROWS, color=1), idat(ROWS, depth=3), idat(ROWS, interlace=2), idat(ROWS, color=3), idat(ROWS, height=64), idat(ROWS, width=0),
    idat(zlib.compress(b"\7" * (9 * 8))), idat(ROWS).replace(b"IHDR", b"IDAT"), idat(ROWS).replace(b"IDAT", b"xDAT"),
]  # fmt: skip


@pytest.mark.parametrize("picture", BAD_PICTURES, ids=numbers(BAD_PICTURES))
def test_a_bad_picture_is_refused_by_its_name(small, picture):
    answer = post(small, archive([("a.png", PICTURE), ("b.png", picture)]), "application/zip")
    check(answer, 422, "invalid_data", "/images: b.png")


def test_what_a_picture_has_beside_its_pixels_does_not_matter(store_of_one):
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100 << 20)))
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile"))
    with_text = PICTURE[:33] + text + profile + PICTURE[33:]
    pixels = numpy.asarray(PIL.Image.open(io.BytesIO(PICTURE)))
    dataset = made(post(store_of_one, archive([("a.png", with_text), ("b.png", PICTURE)]), NPY))
    found = numpy.load(io.BytesIO(store_of_one.get(f"/v1/datasets/{dataset['id']}/points.npy").body))
    assert (found[0, ..., 0] == pixels).all() and (found[1] == found[0]).all()


def test_files_beyond_what_their_pixels_need(small):
    """Each is packed to next to nothing, and would be read at length."""
    padded = PICTURE[:33] + 4 * chunk(b"tEXt", b"Comment\0" + 60_000 * b"a") + PICTURE[33:]
    check(post(small, archive([(f"{k}.png", padded) for k in range(12)])), 422, "invalid_data", "more than images of at most 1048576 bytes need")


def test_pixels_beyond_the_limit(small):
    """An archive of 1 MiB could have many more bytes of pixels."""
    flat = png(numpy.zeros((64, 64), "u1"))
    check(post(small, archive([(f"{k}.png", flat) for k in range(300)])), 422, "invalid_data", "300 images of 4096 bytes take 1228800 bytes, but a data set can have 1048576")
    color = numpy.zeros((64, 64, 3), "u1")
    color[0, 0, 0] = 1
    check(post(small, archive([*((f"{k}.png", flat) for k in range(200)), ("x.png", png(color))])), 422, "invalid_data", "take 2469888 bytes")


def test_text_is_no_archive(small):
    check(post(small, stored(), CSV), 400, "invalid_csv", "a zip archive")
