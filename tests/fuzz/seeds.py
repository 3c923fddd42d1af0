"""Writes the first seeds of the corpora: each target's formats as the service itself writes and documents them.

usage: seeds.py BINARY DIRECTORY
"""

import gzip
import io
import itertools
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import urllib.request
import zipfile

import numpy as np
import PIL.Image

SPECS = [
    {},
    {"preset": "sinai2022", "name": "a name"},
    {"dataset": ["moons", {"name": "circles", "n": 300, "seed": 3}], "seed": 9007199254740991},
    {"dataset": {"name": "rose", "n": 10}, "diffusion": {"timesteps": 10, "beta_schedule": "linear", "beta_start": 1e-4,
     "beta_end": 0.02, "prediction_type": "epsilon"}, "network": {"hidden_size": 8, "hidden_layers": 1,
     "time_embedding": "learned", "conditioning": "multiply"}},
    {"training": {"epochs": 3, "batch_size": 50, "learning_rate": 1e-3, "loss": "huber", "min_snr_gamma": 5,
     "validation_fraction": 0.1, "normalization": "minmax", "ema_decay": 0.99, "weight_decay": 0.01, "lr_schedule": "cosine",
     "lr_warmup_steps": 5, "gradient_clip": 1, "p_uncond": 0.2, "keep_best": True, "checkpoint_every": 2,
     "evaluate_every": 1, "threads": 2}},
    {"dataset": {"id": "00000000-0000-7000-8000-000000000003"}},
    {"network": {"hidden_size": 7}, "diffusion": {"timestep": 0}, "seed": -1, "x": None},
    {"diffusion": {"beta_schedule": "sigmoid", "zero_terminal_snr": True, "prediction_type": "v"}},
]  # fmt: skip
TEXTS = [b'{"name":"\\u00e9\\ud83d\\ude00\\"\\\\\\/\\b\\f\\n\\r\\t"}', b"[1, -2.5e-3, 0, true, false, null, {}, []]", b'{"a":']

CSVS = [
    b"x,y\n1,2\n3,4\n",
    b"1;2\n3,5;4e-1\n",
    b'x,"a ""b""",label\r\n1,2,cat\r\n-3.5,.5,dog\r\n',
    b"1\t2\n\n3\t4",
    b"# comment\n1 2\n3 4\n",
    b"\xef\xbb\xbfx,y,class\n1,2,0\n3,4,10\n5,6,2\n",
    b"1,2\n3\nnan,inf\n1e999,x\n",
    b'"";"x";"y"\n"Mazda";5,1;1.234,5\n"Fiat";3,25;12.000\n',
    b"sep=|\r\nx|y|\r\n1|2|\r\n3|4|\r\n",
    b"# made today\n# u v\n1.0e+00  2\n3\t4 \n",
    b",0,1\n0,1.5,2\n1,3,4\n",
    b"country,2019,2020\nb,1,2\na,3,4\n",
    b"x,y\ns,m\n12%,$7\n\xe2\x88\x921.5,1'234.5\n2020-01-31,12 kg\n",
    b'n,v\n"1,234","5,1"\n"1 234,5",TRUE\n',
]
POINTS = [
    b'{"points":[[1,2],[3.5,-4e-1]]}',
    b'{"points":[[1,2],[3,4],[5,6]],"labels":["a","b","a"],"columns":["u","v"],"name":"a name"}',
    b'{"labels":[1,0],"points":[[1],[2]]}',
    b"[[1,2],[3,4]]",
    b'{"points":[[1,2],[3]],"labels":[1]}',
    b'{"points":[[1,null],["2",true]],"x":{"y":[[]]}}',
    b'[{"a":1,"b":"x"},{"\\u0062":null,"c":2.5},{}]',
    b'{"a":1}\n\n{"a":2,"b":"y"}\n[3]\n',
]
FORM = b'--B\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n--B--\r\n'
PAYLOADS = [
    b"text/csv\n" + CSVS[5],
    b"text/csv; charset=windows-1252\nname,v\nJos\xe9,\x80 5\n",
    b"text/csv; charset=utf-16\n" + "x,y\n1,2\n€,😀\n".encode("utf-16"),
    b"text/csv; charset=UTF-16LE\n" + "x;y\r\n1,5;2\r\n".encode("utf-16-le"),
    b"text/csv\n" + b"\xfe\xff" + "x\ty\n1\t2\n".encode("utf-16-be"),
    b"application/gzip\n" + gzip.compress(CSVS[2], mtime=0) + gzip.compress(CSVS[0], mtime=0),
    b"application/octet-stream\n" + gzip.compress(POINTS[1], mtime=0),
    b'multipart/form-data; boundary="B"\n' + FORM % (b"a.csv", b"text/csv; charset=latin1", b"x,y\n1,2\n3,4"),
    b"multipart/form-data; boundary=B\n" + FORM % (b"a.json.gz", b"application/octet-stream", gzip.compress(POINTS[6], mtime=0)),
    b"multipart/form-data; boundary=B\n" + FORM % (b"", b"text/plain", POINTS[7]),
    b"text/csv\n<!DOCTYPE html>\n<html></html>\n",
    b"text/csv\nPK\x03\x04",
    b"text/tab-separated-values\n" + b'{"a":1}\n{"a":2}\n',
]
NUMBERS = "0 -0 1 12.5 .5 5. 1e5 -1E-5 1e309 5e-324 2.2250738585072011e-308 9007199254740993 123456789012345678901234567890 1e-400 0.1 3.4028235677973366e38 1.7976931348623157e308 0x1 inf nan 1e 1e+ +1".split()
HEADERS = [
    "/v1/jobs?limit=3&status=running&dataset=moons\nbytes=0-9\n\"0123abcd\", W/\"x\"\nlocalhost:8080\nhttps://a.example",
    "/v1/jobs/00000000-0000-7000-8000-000000000001/history.csv?after=3\nbytes=-5\n*\n[::1]:80\nhttp://localhost:8080",
    "/v1/models/latest/samples.svg?n=5&seed=1&n=6\nbytes=5-\nW/\"0123abcd-gzip\"\n127.0.0.1\nnull",
    "/v1/datasets/a%20b%2fc/points?x=%e2%82%ac+%41\nbytes=900-2000\ngzip;q=0.5, identity;q=0, *;q=0\nexample.org\n",
    "/openapi.json\nbytes=1-2,4-5\nx-gzip\nevil.example\nhttps://evil.example",
]  # fmt: skip

ONE, TWO, SET = (f"00000000-0000-7000-8000-00000000000{i}" for i in (1, 2, 3))
GETS = f"""/ /v1/jobs?limit=1 /v1/jobs/{ONE} /v1/jobs/{TWO} /v1/jobs/latest /v1/jobs/{ONE}/history?max_points=4
/v1/jobs/{ONE}/history.csv /v1/jobs/{ONE}/history.svg?theme=dark /v1/jobs/{ONE}/events /v1/jobs/{TWO}/events?limit=3
/v1/events.json?job={ONE}&after=1 /v1/models /v1/models/{ONE} /v1/models/{ONE}/weights.safetensors /v1/models/{ONE}/schedule
/v1/models/{ONE}/schedule.svg /v1/models/{ONE}/samples?n=3&sampler=ddim&eta=0.5&steps=2&seed=4 /v1/models/{ONE}/samples.csv?n=2
/v1/models/{ONE}/samples.npy?n=2&sampler=heun&clip=true /v1/models/{ONE}/samples.svg?n=4&size=64 /v1/models/{ONE}/samples.txt?n=9
/v1/models/{ONE}/samples.png?n=3&size=64 /v1/models/{ONE}/trajectories?n=2&frames=3 /v1/models/{ONE}/trajectories.ndjson?n=2
/v1/models/{ONE}/trajectories.npy?n=1&which=x0 /v1/models/{ONE}/trajectories.gif?n=2&frames=2&size=64
/v1/models/{ONE}/trajectories.txt?n=3 /v1/models/{ONE}/evaluation?n=16 /v1/datasets /v1/datasets/spiral /v1/datasets/{SET}
/v1/datasets/moons/points?n=3 /v1/datasets/{SET}/points.csv?n=2 /v1/datasets/{SET}/points.svg /v1/datasets/heart/points.png?n=3&size=64
/v1/datasets/spiral/forward?n=2&timesteps=4&frames=2 /v1/datasets/{SET}/forward.gif?n=2&timesteps=3&frames=2&size=64
/v1/datasets/rose/optimal?n=2&frames=3 /livez /readyz /metrics /version /openapi.json /docs""".split()
JSON = "application/json"
REQUESTS = [
    ("POST", "/v1/jobs", {"Content-Type": JSON, "Idempotency-Key": "first"}, json.dumps(SPECS[3]).encode()),
    ("POST", "/v1/jobs?validate_only=true", {"Content-Type": JSON}, json.dumps(SPECS[4]).encode()),
    ("POST", "/v1/jobs", {"Content-Type": JSON, "Prefer": "wait=5"}, b"{}"),
    ("POST", f"/v1/jobs/{ONE}/cancel", {}, b""),
    ("POST", f"/v1/jobs/{TWO}/cancel", {}, b""),
    ("POST", f"/v1/jobs/{ONE}/resume", {"Content-Type": JSON}, b'{"epochs":9}'),
    ("DELETE", f"/v1/jobs/{ONE}?force=true", {}, b""),
    ("DELETE", f"/v1/models/{ONE}", {}, b""),
    ("DELETE", f"/v1/datasets/{SET}", {}, b""),
    ("POST", f"/v1/models/{ONE}/samples", {"Content-Type": JSON, "Accept": "text/csv"}, b'{"n":2,"noise":[[1,2],[3,4]]}'),
    ("POST", f"/v1/models/{ONE}/trajectories", {"Content-Type": JSON}, b'{"n":1,"seed":3,"frames":2}'),
    ("POST", "/v1/datasets?name=x&label=2", {"Content-Type": "text/csv"}, CSVS[0]),
    ("POST", "/v1/datasets", {"Content-Type": JSON}, POINTS[1]),
    ("HEAD", "/openapi.json", {"If-None-Match": "*"}, b""),
    ("GET", "/openapi.json", {"Range": "bytes=0-9", "If-Range": '"x"'}, b""),
    ("GET", "/docs", {"Accept": "text/html", "Accept-Encoding": "gzip"}, b""),
    ("OPTIONS", "/v1/jobs", {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}, b""),
    ("GET", f"/v1/jobs/{ONE}/events", {"Last-Event-ID": "2", "Accept": "text/event-stream"}, b""),
    ("PUT", "/v1/jobs", {"X-Request-Id": "a.b-c", "traceparent": f"00-{'a1' * 16}-{'b2' * 8}-01"}, b""),
    ("GET", "/v1/jobs", {"Transfer-Encoding": "chunked"}, b"x"),
    ("POST", "/v1/jobs", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, b"{}"),
]  # fmt: skip

WIRE = [
    b"GET /echo/a?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /echo/a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
    b"POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok",
    b"GET /later HTTP/1.0\r\n\r\n",
    b"HEAD /stream HTTP/1.1\r\nHost: [::1]:80\r\nAccept-Encoding: gzip\r\nCookie: a=b; c=\"d\"\r\n\r\n",
    b"GET http://x/echo/a HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"GET /echo/%00%ff%zz?&&=&a HTTP/1.1\nHost: localhost\n\n",
]  # fmt: skip


def npy(array, **more):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **more)
    return out.getvalue()


def npys():
    yield npy(np.arange(6, dtype="<f4").reshape(3, 2))
    yield npy(np.asfortranarray(np.arange(6, dtype=">f8").reshape(3, 2)))
    yield npy(np.arange(3, dtype="<i2"))
    yield npy(np.arange(4, dtype="u1").reshape(2, 2), version=(2, 0))
    yield npy(np.array([[1, 2, 0], [3, 4, 1]], dtype="<f2"), version=(3, 0))
    yield npy(np.array([[True, False]]))
    yield npy(np.zeros((1, 1), dtype="<i8"))


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes()


def png(array):
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, "png")
    return out.getvalue()


def archive(compression, *files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in files:
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def images():
    """As fuzz_images.c takes them."""
    gray, color = np.arange(64, dtype="u1").reshape(8, 8), np.arange(48, dtype="u1").reshape(4, 4, 3)
    labels = idx(np.arange(3) % 2), npy(np.arange(3))
    yield b"\0\0" + idx(np.arange(48).reshape(3, 4, 4))
    yield b"\0\0" + npy(np.arange(96, dtype="u1").reshape(2, 4, 4, 3))
    yield b"\0\0" + archive(zipfile.ZIP_DEFLATED, ("b/1.png", png(gray)), ("b/2.png", png(gray)), ("a/1.png", png(gray)))
    yield b"\0\0" + archive(zipfile.ZIP_STORED, ("1.png", png(color)), ("0.png", png(color[..., 0])))
    for text in labels:
        yield bytes([1, len(text)]) + text + idx(np.arange(48).reshape(3, 4, 4))
    for picture in (gray, color, gray > 31, np.concatenate([color, color[..., :1]], 2)):
        yield b"\2\0" + png(picture)
    yield b"\2\0" + png(np.asarray(PIL.Image.fromarray(color).quantize(4)))


def as_text(method, target, headers, body):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\n".join([*lines, "", ""]).encode() + body


def models(binary):
    """Small models as the service exports them, with moments."""
    with tempfile.TemporaryDirectory() as directory:
        flags = ["serve", "--port", "0", "--database", f"{directory}/seeds.db", "--log-level", "error"]
        process = subprocess.Popen([binary, *flags], stdout=subprocess.PIPE)
        weights = []
        address = process.stdout.readline().decode().split()[-1]
        for learned, classes in ((False, False), (True, True)):
            spec = {
                "dataset": ["moons", "circles"] if classes else {"name": "moons", "n": 12},
                "diffusion": {"timesteps": 3},
                "network": {"hidden_size": 8, "hidden_layers": 1, "time_embedding": "learned" if learned else "sinusoidal"},
                "training": {"epochs": 1},
            }
            headers = {"Content-Type": JSON, "Prefer": "wait=60"}
            request = urllib.request.Request(address + "/v1/jobs", json.dumps(spec).encode(), headers)
            job = json.load(urllib.request.urlopen(request))["id"]
            with urllib.request.urlopen(f"{address}/v1/models/{job}/weights.safetensors") as answer:
                weights.append(answer.read())
        process.send_signal(signal.SIGTERM)
        process.wait()
        return weights


def write(directory, name, seeds):
    target = pathlib.Path(directory) / name
    target.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds):
        (target / f"seed-{i:02}").write_bytes(seed)


def main(binary, directory):
    weights = models(binary)
    octets = {"Content-Type": "application/octet-stream"}
    requests = [as_text(*request) for request in REQUESTS]
    requests += [as_text("GET", target, {}, b"") for target in GETS]
    requests += [as_text("POST", "/v1/models?name=x", octets, file) for file in weights]
    requests += [as_text("POST", "/v1/datasets", octets, next(npys()))]
    write(directory, "spec", [*(json.dumps(spec).encode() for spec in SPECS), *TEXTS])
    options = itertools.cycle(b"\x00\x03\x06\x09\x0c\x01\x02")
    write(directory, "csv", [bytes([next(options)]) + file for file in CSVS])
    write(directory, "points", [(b"\x36" if b"}\n" in file else b"\x00") + file for file in POINTS])  # as JSON lines
    write(directory, "payload", PAYLOADS)
    write(directory, "npy", [bytes([next(options)]) + file for file in npys()])
    write(directory, "images", images())
    write(directory, "number", [number.encode() for number in NUMBERS])
    write(directory, "headers", [lines.encode() for lines in HEADERS])
    write(directory, "service", requests)
    write(directory, "safetensors", weights)
    write(directory, "http", WIRE)
    write(directory, "checkpoint", [bytes([i]) + bytes(n) for i in range(8) for n in (0, 40)])


if __name__ == "__main__":
    main(*sys.argv[1:])
