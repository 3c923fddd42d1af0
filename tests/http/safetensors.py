"""An independent reader and writer of safetensors, and the network that the documentation describes, in numpy."""

import json
import struct

import numpy


def read(data):
    """(metadata, {name: array})"""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    body = data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        begin, end = entry["data_offsets"]
        tensors[name] = numpy.frombuffer(body[begin:end], "<f4").reshape(entry["shape"])
    assert max(e["data_offsets"][1] for e in header.values()) == len(body)
    return metadata, tensors


def write(metadata, tensors):
    header, body = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        data = numpy.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    return pack(json.dumps(header), body)


def pack(header, body):
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + body


def swish(x):
    return x / (1 + numpy.exp(-x))


def sinusoid(t, hidden):
    r = numpy.arange(hidden)
    frequency = 10000.0 ** (-(r // 2 * 2) / (hidden - 2))
    return numpy.where(r % 2 == 0, numpy.sin(t * frequency), numpy.cos(t * frequency))


def predict(metadata, tensors, x, t, labels=None):
    """The network's output for points x [n][dim] in model units with labels [n] at timestep t, in double."""
    spec = json.loads(metadata["spec"])["network"]
    w = {name: array.astype(float) for name, array in tensors.items()}
    h = x
    for layer in range(spec["hidden_layers"]):
        at = f"layers.{layer}."
        if spec["time_embedding"] == "learned":
            e = w[at + "time.weight"][t - 1]
        else:
            e = sinusoid(t, spec["hidden_size"]) @ w[at + "time.weight"].T + w[at + "time.bias"]
        if at + "label.weight" in w:
            e = e + w[at + "label.weight"][-1 if labels is None else labels]
        z = h @ w[at + "weight"].T + w[at + "bias"]
        h = swish(z + e if spec["conditioning"] == "add" else z * e)
    return h @ w["out.weight"].T + w["out.bias"]
