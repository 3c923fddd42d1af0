"""Files that are no models: each is refused with the place of what is wrong, and nothing is stored."""

import json
import struct

import numpy
import pytest
import safetensors
from conftest import QUICK

BINARY = {"Content-Type": "application/octet-stream"}
META = "/__metadata__"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A server with one small model, and that model's file."""
    from conftest import Server

    server = Server(str(tmp_path_factory.mktemp("bad_models")))
    server.job = server.submit(QUICK)
    assert server.wait(server.job)["status"] == "succeeded"
    server.file = server.get(f"/v1/models/{server.job}/weights.safetensors").body
    yield server
    assert server.stop() == 0, server.read_log()


class File:
    """A good file in parts, to be spoilt."""

    def __init__(self, data):
        (length,) = struct.unpack("<Q", data[:8])
        self.header = json.loads(data[8 : 8 + length])
        self.body = bytearray(data[8 + length :])
        self.meta = self.header["__metadata__"]

    def bytes(self):
        return safetensors.pack(json.dumps(self.header), bytes(self.body))

    def spec(self, change):
        spec = json.loads(self.meta["spec"])
        change(spec)
        self.meta["spec"] = json.dumps(spec)

    def transform(self, **change):
        self.meta["transform"] = json.dumps({**json.loads(self.meta["transform"]), **change})


def edit(change):
    """The good file with something done to its parts."""

    def make(data):
        file = File(data)
        change(file)
        return file.bytes()

    return make


def setter(*path):
    """edit() that sets header[path[0]]..[path[-2]] = path[-1]."""

    def change(file):
        at = file.header
        for key in path[:-2]:
            at = at[key]
        at[path[-2]] = path[-1]

    return edit(change)


def meta(key, value):
    return setter("__metadata__", key, value)


def without(*path):
    def change(file):
        at = file.header
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return edit(change)


def value(name, index, number):
    """One value of a tensor."""

    def change(file):
        at = file.header[name]["data_offsets"][0] + 4 * index
        file.body[at : at + 4] = struct.pack("<f", number)

    return edit(change)


def spec(**groups):
    def change(file):
        file.spec(lambda s: [s[g].update(v) if isinstance(v, dict) else s.update({g: v}) for g, v in groups.items()])

    return edit(change)


def text_edit(old, new):
    """Of the header's text, whose length is put right."""

    def make(data):
        (length,) = struct.unpack("<Q", data[:8])
        header = data[8 : 8 + length]
        assert old in header
        return safetensors.pack(header.replace(old, new, 1), data[8 + length :])

    return make


def raw(header, body=b""):
    return lambda data: safetensors.pack(header, body)


def length(number):
    return lambda data: struct.pack("<Q", number) + data[8:]


def tensor(**change):
    """A change of the entry of layers.0.bias."""
    return edit(lambda file: file.header["layers.0.bias"].update(change))


def swap(file):
    """Two tensors of the same size on the same place."""
    file.header["layers.0.bias"]["data_offsets"] = file.header["layers.0.time.bias"]["data_offsets"]


def hole(file):
    file.body[0:0] = b"\0" * 4
    for name, entry in file.header.items():
        if name != "__metadata__":
            entry["data_offsets"] = [o + 4 for o in entry["data_offsets"]]


def extra(file, name="layers.9.weight", size=4):
    file.header[name] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [len(file.body), len(file.body) + size]}
    file.body += b"\0" * size


def many(file):
    for i in range(300):
        extra(file, f"more.{i}")


def swapped_shapes(file):
    entry = file.header["layers.0.weight"]
    entry["shape"] = entry["shape"][::-1]


def cut_tensor(file):
    """The last one of the network, and the moments that follow it."""
    del file.body[file.header["out.bias"]["data_offsets"][0] :]
    file.header = {name: entry for name, entry in file.header.items() if name != "out.bias" and not name.startswith("moments.")}


def renamed(file):
    file.header["out.biases"] = file.header.pop("out.bias")


def odd_name(file):
    file.header["a/b~c"] = file.header.pop("out.bias")


FULL = [1 << 20] * 4
BIAS, AT_BIAS = "layers.0.bias", "/layers.0.bias"
BAD = {
    # the frame
    "empty": (lambda d: b"", ""),
    "seven bytes": (lambda d: d[:7], ""),
    "only the length": (lambda d: d[:8], ""),
    "cut in the header": (lambda d: d[:100], ""),
    "cut in the values": (lambda d: d[:-1], None),
    "cut by a tensor": (lambda d: d[:-8], None),
    "a byte too many": (lambda d: d + b"\0", ""),
    "length 0": (length(0), ""),
    "length 1": (length(1), ""),
    "length 2^63": (length(1 << 63), ""),
    "length 2^64-1": (length((1 << 64) - 1), ""),
    "length 2^64-8": (length((1 << 64) - 8), ""),
    "length of the file": (lambda d: length(len(d))(d), ""),
    "length 64 KiB and 1": (lambda d: struct.pack("<Q", 65537) + b" " * 70000, ""),
    "header of spaces": (raw(" " * 64), ""),
    "header begins with a space": (lambda d: text_edit(b"{", b" {")(d), ""),
    "header is a list": (raw("[]"), ""),
    "header is not JSON": (raw("{not json}"), ""),
    "header is not UTF-8": (raw(b'{"\xff":1}'), ""),
    "header with NUL": (raw(b'{"a\x00":1}'), ""),
    "header is two objects": (raw("{}{}"), ""),
    "deep header": (raw('{"a":' * 40 + "1" + "}" * 40), ""),
    "very deep header": (raw('{"a":' + "[" * 30000 + "]" * 30000 + "}"), ""),
    "huge flat header": (raw("{" + ",".join(f'"{i}":1' for i in range(5000)) + "}"), ""),
    "too many tensors": (edit(many), ""),
    "an image": (lambda d: b"\x89PNG\r\n\x1a\n" + b"\0" * 200, ""),
    "a pickle": (lambda d: b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x08" + b"builtins" * 9, ""),
    "no tensors": (lambda d: raw(json.dumps({"__metadata__": File(d).meta}))(d), AT_BIAS),
    "empty object": (raw("{}"), META + "/format"),
    # one tensor
    "dtype F64": (tensor(dtype="F64"), AT_BIAS + "/dtype"),
    "dtype f32": (tensor(dtype="f32"), AT_BIAS + "/dtype"),
    "dtype BF16": (tensor(dtype="BF16"), AT_BIAS + "/dtype"),
    "dtype 32": (tensor(dtype=32), AT_BIAS + "/dtype"),
    "no dtype": (without(BIAS, "dtype"), AT_BIAS),
    "no shape": (without(BIAS, "shape"), AT_BIAS),
    "no offsets": (without(BIAS, "data_offsets"), AT_BIAS),
    "a key more": (tensor(strides=[1]), AT_BIAS),
    "tensor is a number": (setter(BIAS, 5), AT_BIAS),
    "tensor is null": (setter(BIAS, None), AT_BIAS),
    "shape is a number": (tensor(shape=8), AT_BIAS + "/shape"),
    "shape is empty": (tensor(shape=[]), AT_BIAS + "/shape"),
    "rank 5": (tensor(shape=[8, 1, 1, 1, 1]), AT_BIAS + "/shape"),
    "dim 0": (tensor(shape=[0]), AT_BIAS + "/shape/0"),
    "dim -8": (tensor(shape=[-8]), AT_BIAS + "/shape/0"),
    "dim 8.5": (tensor(shape=[8.5]), AT_BIAS + "/shape/0"),
    "dim as text": (tensor(shape=["8"]), AT_BIAS + "/shape/0"),
    "dim 2^20 + 1": (tensor(shape=[(1 << 20) + 1]), AT_BIAS + "/shape/0"),
    "dim 2^63": (tensor(shape=[1 << 63]), AT_BIAS + "/shape/0"),
    "dim 2^64 + 8": (tensor(shape=[(1 << 64) + 8]), AT_BIAS + "/shape/0"),
    "dim 1e999": (text_edit(b'"shape":[8],', b'"shape":[1e999],'), AT_BIAS + "/shape/0"),
    "product wraps to the right size": (tensor(shape=[1 << 20, 1 << 20, 1 << 20, 16]), AT_BIAS + "/shape"),
    "product of 2^80": (tensor(shape=FULL), AT_BIAS + "/shape"),
    "bytes wrap": (tensor(shape=[1 << 20, 1 << 20, 1 << 20, 4]), AT_BIAS + "/data_offsets"),
    "shape does not fit the range": (tensor(shape=[7]), AT_BIAS + "/data_offsets"),
    "offsets is an object": (tensor(data_offsets={"begin": 0}), AT_BIAS + "/data_offsets"),
    "one offset": (tensor(data_offsets=[64]), AT_BIAS + "/data_offsets"),
    "three offsets": (tensor(data_offsets=[64, 96, 96]), AT_BIAS + "/data_offsets"),
    "begin after end": (tensor(data_offsets=[96, 64]), AT_BIAS + "/data_offsets"),
    "negative begin": (tensor(data_offsets=[-32, 0]), AT_BIAS + "/data_offsets"),
    "end beyond the file": (tensor(data_offsets=[1 << 30, (1 << 30) + 32]), AT_BIAS + "/data_offsets"),
    "offsets of 2^63": (tensor(data_offsets=[(1 << 63) - 32, 1 << 63]), AT_BIAS + "/data_offsets"),
    "offsets near 2^64": (tensor(data_offsets=[(1 << 64) - 32, (1 << 64) - 1]), AT_BIAS + "/data_offsets"),
    "half an offset": (tensor(data_offsets=[64.5, 96.5]), AT_BIAS + "/data_offsets"),
    "empty range": (tensor(data_offsets=[64, 64]), AT_BIAS + "/data_offsets"),
    # all of them together
    "two on one place": (edit(swap), None),
    "overlap by four bytes": (tensor(data_offsets=[60, 92]), None),
    "a gap at the start": (edit(hole), "/layers.0.weight"),
    "a gap at the end": (edit(lambda f: f.body.extend(b"\0" * 64)), ""),
    "the same name twice": (text_edit(b'"out.bias":', b'"out.weight":'), "/out.weight"),
    "a tensor is missing": (edit(cut_tensor), "/out.bias"),
    "a tensor has another name": (edit(renamed), "/out.bias"),
    "a name that needs escapes": (edit(odd_name), "/out.bias"),
    "a tensor more": (edit(extra), "/layers.9.weight"),
    "a shape the wrong way round": (edit(swapped_shapes), "/layers.0.weight"),
    "a bias of rank 2": (tensor(shape=[1, 8]), AT_BIAS),
    # the values
    "NaN": (value("layers.0.weight", 3, float("nan")), ""),
    "infinity": (value(BIAS, 0, float("inf")), ""),
    "minus infinity at the end": (value("out.bias", 1, float("-inf")), ""),
    # the metadata
    "no metadata": (without("__metadata__"), META + "/format"),
    "metadata is a list": (setter("__metadata__", []), META),
    "a number in the metadata": (meta("epoch", 3), META + "/epoch"),
    "null in the metadata": (meta("spec", None), META + "/spec"),
    "metadata twice": (text_edit(b'"dim":', b'"epoch":'), META + "/epoch"),
    "another format": (meta("format", "pt"), META + "/format"),
    "a later format": (meta("format", "denoised 2"), META + "/format"),
    "no spec": (without("__metadata__", "spec"), META + "/spec"),
    "spec is not JSON": (meta("spec", "{"), META + "/spec"),
    "spec is a list": (meta("spec", "[]"), META + "/spec"),
    "deep spec": (meta("spec", "[" * 5000 + "]" * 5000), META + "/spec"),
    "spec with an unknown field": (spec(sed=1), META + "/spec"),
    "spec with a huge network": (spec(network={"hidden_size": 1 << 30}), META + "/spec"),
    "spec of another network": (spec(network={"hidden_size": 10}), "/layers.0.weight"),
    "spec with more layers": (spec(network={"hidden_layers": 2}), "/layers.1.weight"),
    "spec with another embedding": (spec(network={"time_embedding": "learned"}), "/layers.0.time.weight"),
    "spec with no steps": (spec(diffusion={"timesteps": 0}), META + "/spec"),
    "spec with bad betas": (spec(diffusion={"beta_schedule": "linear", "beta_start": 0.5, "beta_end": 0.5}), META + "/spec"),
    "no epoch": (without("__metadata__", "epoch"), META + "/epoch"),
    "epoch 0": (meta("epoch", "0"), META + "/epoch"),
    "epoch -1": (meta("epoch", "-1"), META + "/epoch"),
    "epoch 1.5": (meta("epoch", "1.5"), META + "/epoch"),
    "epoch with a space": (meta("epoch", " 3"), META + "/epoch"),
    "epoch of 30 digits": (meta("epoch", "1" * 30), META + "/epoch"),
    "no dim": (without("__metadata__", "dim"), META + "/dim"),
    "dim 3 for a pattern": (meta("dim", "3"), META + "/dim"),
    "dim 65": (meta("dim", "65"), META + "/dim"),
    "classes without a mixture": (meta("classes", "2"), META + "/classes"),
    "classes 65": (meta("classes", "65"), META + "/classes"),
    "no transform": (without("__metadata__", "transform"), META + "/transform"),
    "transform is not JSON": (meta("transform", "1,2"), META + "/transform"),
    "shift is short": (edit(lambda f: f.transform(shift=[0])), META + "/transform"),
    "shift is text": (edit(lambda f: f.transform(shift=["0", "0"])), META + "/transform"),
    "shift is infinite": (edit(lambda f: f.meta.update(transform='{"shift":[1e999,0],"scale":[1,1],"low":[-1,-1],"high":[1,1]}')), META + "/transform"),
    "scale is 0": (edit(lambda f: f.transform(scale=[1, 0])), ""),
    "scale is negative": (edit(lambda f: f.transform(scale=[-1, 1])), ""),
    "low above high": (edit(lambda f: f.transform(low=[2, 2])), ""),
    "low is no float": (edit(lambda f: f.transform(low=[-1e300, -1])), META + "/transform"),
    "no kernels": (without("__metadata__", "kernels"), META + "/kernels"),
    "long kernels": (meta("kernels", "x" * 33), META + "/kernels"),
    "long name": (meta("name", "x" * 101), META + "/name"),
}  # fmt: skip


def rows(server):
    return server.sql("SELECT (SELECT count(*) FROM model), (SELECT max(updated_at) FROM model)")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_whole(host, name):
    make, pointer = BAD[name]
    before = rows(host)
    data = make(host.file)
    assert data != host.file
    answer = host.post("/v1/models", raw=data, headers=BINARY)
    assert answer.status == 422 and answer.json["code"] == "invalid_safetensors", answer.body
    pointers = [error["pointer"] for error in answer.json["errors"]]
    assert pointer is None or pointer in pointers, answer.json
    assert rows(host) == before


def test_the_good_file_is_good(host):
    assert len(BAD) >= 60
    answer = host.post("/v1/models", raw=File(host.file).bytes(), headers=BINARY)
    assert answer.status == 201, answer.body
    assert host.request("DELETE", f"/v1/models/{answer.json['id']}").status == 204


def test_all_that_is_wrong_is_told_at_once(host):
    file = File(host.file)
    file.header[BIAS]["dtype"] = "F16"
    file.header["out.bias"]["shape"] = [0, -1]
    file.meta["epoch"] = 3
    answer = host.post("/v1/models", raw=file.bytes(), headers=BINARY)
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert pointers == {AT_BIAS + "/dtype", "/out.bias/shape/0", "/out.bias/shape/1", META + "/epoch"}


def test_a_name_is_escaped_in_its_pointer(host):
    file = File(host.file)
    file.header["a/b~c"] = 1
    answer = host.post("/v1/models", raw=file.bytes(), headers=BINARY)
    assert [error["pointer"] for error in answer.json["errors"]] == ["/a~1b~0c"]


def test_flipped_bits_never_harm(host):
    """Each byte of the header changed in turn: the file is refused, or it still says the same things."""
    before = rows(host)
    (length,) = struct.unpack("<Q", host.file[:8])
    random = numpy.random.default_rng(1)
    taken = 0
    for position in range(0, 8 + length, 7):
        data = bytearray(host.file)
        data[position] ^= 1 << int(random.integers(8))
        answer = host.fetch("POST", "/v1/models", raw=bytes(data), headers=BINARY)
        assert answer.status in (201, 422), answer.body
        if answer.status == 201:
            taken += 1
            model = answer.json["id"]
            assert host.fetch("GET", f"/v1/models/{model}/samples?n=5").status == 200
            assert host.fetch("DELETE", f"/v1/models/{model}").status == 204
    assert rows(host) == before and taken < 150


def test_requests_that_are_wrong_in_other_ways(host):
    assert host.post("/v1/models", raw=host.file, headers={"Content-Type": "application/json"}).status == 415
    assert host.post("/v1/models?nam=x", raw=host.file, headers=BINARY).status == 422
    assert host.post("/v1/models?name=" + "x" * 101, raw=host.file, headers=BINARY).status == 422
    assert host.request("PUT", "/v1/models").status == 405
    assert host.get(f"/v1/models/{host.job}/weights.safetensors?x=1").status == 422
    assert host.get("/v1/models/nonsense/weights.safetensors").status == 404


def labelled(server, dim, classes, n=1000):
    """An uploaded set, and what a job says to train on it."""
    points = numpy.random.default_rng(dim).normal(size=(n, dim))
    labels = [i % classes for i in range(n)]
    made = server.post("/v1/datasets", {"points": points.tolist(), "labels": labels})
    assert made.status == 201
    return made.json["id"]


@pytest.mark.parametrize("dim, classes", [(1, 2), (32, 5), (32, 0)])
def test_a_file_that_takes_another_data_set_for_its_own(host, dim, classes):
    """It is believed until the points are needed."""
    ours = labelled(host, 32, 2)
    job = host.submit({**QUICK, "dataset": {"id": ours}})
    assert host.wait(job)["status"] == "succeeded"
    assert host.get(f"/v1/models/{job}/evaluation?n=100").status == 200
    file = File(host.get(f"/v1/models/{job}/weights.safetensors").body)
    if classes:
        other = labelled(host, dim, classes)
    else:
        other = host.post("/v1/datasets", {"points": numpy.zeros((1000, dim)).tolist()}).json["id"]
    file.spec(lambda spec: spec["dataset"].update(id=other))
    model = host.post("/v1/models", raw=file.bytes(), headers=BINARY)
    assert model.status == 201
    answer = host.get(f"/v1/models/{model.json['id']}/evaluation?n=100")
    assert answer.status == 409 and answer.json["code"] == "dataset_differs"


def test_a_file_that_is_too_large(start):
    small = start("--max-upload", "1")
    answer = small.post("/v1/models", raw=b"\0" * ((1 << 20) + 1), headers=BINARY)
    assert answer.status == 413
