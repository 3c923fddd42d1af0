"""Whatever Python's csv module, numpy and json write is read back as it was."""

import csv
import decimal
import gzip
import io
import json
import re
import tempfile

import numpy
import pytest
from conftest import Server
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from test_uploads import JSON, NPY, npy, points_of, upload

set_hypothesis_home_dir(tempfile.gettempdir())  # it keeps tables of Unicode

# The same examples in every run; `derandomize=False` looks for more.
run = settings(max_examples=150, deadline=None, derandomize=True, database=None)

# What begins like a formula; with a sign in front only if it could act: has a letter, and more than words and sums do.
FORMULA = "'*([=@\t\r]|[+-](?=(?s:.*)[a-zA-Z\x80-\U0010ffff])(?=(?s:.*)[^a-zA-Z\x80-\U0010ffff0-9 .,)+%_/-]))"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("properties")))
    yield server
    assert server.stop() == 0, server.read_log()


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
EXACT = decimal.Context(prec=200)


def class_of(label):
    """The name of a label's class: the number that it is, if it is one, as JavaScript would write it."""
    if not NUMBER.fullmatch(label):
        return label
    number = EXACT.normalize(decimal.Decimal(label.strip()))
    if number == 0:
        return "0"
    sign, digits, exponent = number.as_tuple()
    point = len(digits) + exponent
    if -6 < point <= 40:
        return format(number, "f")
    head, *tail = map(str, digits)
    return "-" * sign + head + "." * bool(tail) + "".join(tail) + f"e{point - 1:+d}"


def classes_of(labels):
    """A code such as 007 keeps its zeros if it is always written like this."""
    spelled = {}
    for label in labels:
        spelled.setdefault(class_of(label), set()).add(label)
    codes = {name: min(texts) for name, texts in spelled.items() if len(texts) == 1 and re.fullmatch("0[0-9]+", min(texts))}
    return [codes.get(class_of(label), class_of(label)) for label in labels]


MISSING = ("na", "n/a", "nan", "null", "?", "#n/a", "-", "missing")  # labels like these are one class: test_labels.py


def usable(text):
    return text.strip(" \t'").lower() not in MISSING and 0 < len(text.strip(" \t").encode()) <= len(text.encode()) <= 64


values = st.floats(min_value=-9.999999843067494e17, max_value=9.999999843067494e17, width=32)
# what turns the direction of text, and control characters, are refused in names: test_names.py
turning = "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
letters = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff" + turning) | st.sampled_from("\t\r\n'=+-@")
texts = st.text(letters, min_size=1, max_size=20).filter(usable)
# a line break is quoted by the csv module only when it is the one that ends lines
one_line = texts.filter(lambda text: not set(text) & set("\r\n"))
names = one_line.filter(lambda text: not is_number(text) and text.strip().lower() not in ("label", "class") and text.strip(",;\t "))
labels = one_line.filter(lambda text: not is_number(text)) | st.integers(-(10**15), 10**15).map(str)


@st.composite
def tables(draw, some_labels):
    dim, n = draw(st.integers(1, 5)), draw(st.integers(2, 12))
    points = draw(st.lists(st.lists(values, min_size=dim, max_size=dim), min_size=n, max_size=n))
    with_labels = draw(st.booleans())
    return points, draw(st.lists(some_labels, min_size=n, max_size=n)) if with_labels else None


def same(got, sent):
    return numpy.array_equal(numpy.array(got, "f4"), numpy.array(sent, "f4"))


def packing(text, how):
    """The body and its Content-Type."""
    raw = text.encode()
    if how == "gzip":
        return gzip.compress(raw), "application/gzip"
    if how == "utf-16":
        return text.encode("utf-16"), "text/csv"
    if how == "form":
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        return head + raw + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
    return raw, "text/csv"


def in_order(found):
    numbers = all(NUMBER.fullmatch(text) for text in found)
    return sorted(found, key=decimal.Decimal) if numbers else sorted(found, key=str.encode)


@run
@given(
    table=tables(labels),
    header=st.none() | st.lists(names, min_size=6, max_size=6, unique_by=lambda text: text.strip(" \t")),
    delimiter=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    packed=st.sampled_from(["", "gzip", "utf-16", "form"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    place=st.integers(0, 5),
)
def test_csv(store, table, header, delimiter, comma, packed, end, quoting, place):
    points, sent_labels = table
    dim = len(points[0])
    place = min(place, dim)
    rows = [list(point) for point in points]
    # a single column of decimal commas is two columns; so may be a text with commas among them
    comma = comma and dim > 1 and not any("," in text for text in [*(sent_labels or []), *(header or [])])
    if comma:  # a number with a decimal comma is text to the csv module
        quoting = csv.QUOTE_ALL if quoting == csv.QUOTE_NONNUMERIC else quoting
        rows = [[repr(x).replace(".", ",") for x in row] for row in rows]
    for row, label in zip(rows, sent_labels or [], strict=False):
        row.insert(place, label)
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow(header[: len(rows[0])])
    writer.writerows(rows)
    query = f"?header={'true' if header else 'false'}" + (f"&label={place}" if sent_labels else "")
    query += "&decimal=comma" if comma else ""
    made = upload(store, *packing(file.getvalue(), packed), query=query)
    got, got_labels = points_of(store, made)
    quoted = quoting != csv.QUOTE_MINIMAL

    def kept(text):  # blanks around a field without quotes are not part of it
        is_quoted = quoted or set(text) & {delimiter, '"'}
        text = text if is_quoted else text.strip(" \t".replace(delimiter, ""))
        return text[1:] if re.match(f"'(?={FORMULA})", text) else text  # nor is what keeps it from being a formula

    assert same(got, points)
    if sent_labels:
        assert got_labels == [kept(label) for label in sent_labels]
        assert made["classes"] == in_order(set(got_labels))
    if header:
        assert [column["name"] for column in made["columns"]] == [kept(name) for name in header[: len(rows[0])]]
    # and what the server writes, it reads
    text = store.get(f"/v1/datasets/{made['id']}/points.csv").body
    again = upload(store, text, query="?header=true" + (f"&label={place}" if sent_labels else ""))
    for key in ("columns", "classes", "statistics"):
        assert again[key] == made[key]


@run
@given(table=tables(texts | st.integers(-(2**53) + 1, 2**53 - 1)), ascii_only=st.booleans(), indent=st.none() | st.integers(0, 3))
def test_json(store, table, ascii_only, indent):
    points, sent_labels = table
    text = json.dumps({"labels": sent_labels, "points": points}, ensure_ascii=ascii_only, indent=indent)
    made = upload(store, text, JSON)
    got, got_labels = points_of(store, made)
    assert same(got, points)
    assert got_labels == (sent_labels and classes_of([str(label) for label in sent_labels]))


spellings = st.tuples(
    st.sampled_from(["", "+", "-"]), st.sampled_from(["", "0", "00"]), st.integers(0, 120).map(str),
    st.sampled_from(["", ".", ".0", ".5", ".50", ".25"]), st.sampled_from(["", "e0", "E2", "e-1", "e+01"]),
).map("".join)  # fmt: skip


@run
@given(sent=st.lists(spellings | st.from_regex(r"[0-9]{1,50}(\.[0-9]{1,10})?", fullmatch=True), min_size=2, max_size=20))
def test_one_value_is_one_class(store, sent):
    """However a number is written, and in whatever format."""
    wanted = classes_of(sent)
    points = [[i] for i in range(len(sent))]
    as_text = upload(store, json.dumps({"points": points, "labels": sent}), JSON)
    as_csv = upload(store, "x,label\n" + "".join(f"{i}, {label}\n" for i, label in enumerate(sent)))
    as_quoted = upload(store, "x,label\n" + "".join(f'{i},"{label} "\n' for i, label in enumerate(sent)))
    for made in (as_text, as_csv):
        assert points_of(store, made) == (points, wanted)
        assert made["classes"] == sorted(set(wanted), key=lambda text: (decimal.Decimal(text), text))
    assert points_of(store, as_quoted)[1] == [class_of(label) for label in sent]
    numbers = [float(label) for label in sent]
    as_numbers = upload(store, json.dumps({"points": points, "labels": numbers}), JSON)
    array = upload(store, npy(numpy.array([[i, x] for i, x in enumerate(numbers)])), NPY, "?label=-1")
    expected = [class_of(repr(x)) for x in numbers]
    assert points_of(store, as_numbers)[1] == expected
    assert points_of(store, array)[1] == expected


DTYPES = [order + kind for kind in ("f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8") for order in "<>"] + ["|i1", "|u1"]


@run
@given(
    dtype=st.sampled_from(DTYPES), shape=st.tuples(st.integers(2, 20), st.integers(1, 64)), order=st.sampled_from("CF"),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0)]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_npy(store, dtype, shape, order, version, seed):
    rng = numpy.random.default_rng(seed)
    if "f" in dtype:
        array = rng.normal(size=shape) * 10.0 ** rng.integers(-44, 17, size=shape)
    else:
        limits = numpy.iinfo(dtype)
        array = rng.integers(max(limits.min, -(10**18)), min(limits.max, 10**18), size=shape)
    array = numpy.array(array.astype(dtype), order=order)
    got, _ = points_of(store, upload(store, npy(array, version), NPY))
    assert same(got, array.astype("f4"))
