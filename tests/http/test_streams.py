"""Answers that are made while they are sent, and clients that do not wait for them."""

import gzip
import http.client
import io
import json
import re
import signal
import socket
import time

import numpy
import pytest
from conftest import BINARY, PATIENCE, QUICK, eventually

SANITIZED = any(word in BINARY for word in ("sanitize", "watched"))  # which needs memory of its own

HEAVY = {  # minutes of sampling for one request
    "dataset": {"name": "spiral", "n": 100},
    "diffusion": {"timesteps": 4000},
    "network": {"hidden_size": 512, "hidden_layers": 4},
    "training": {"epochs": 1, "batch_size": 100},
}


def metric(server, name):
    text = server.get("/metrics").body.decode()
    return float(re.search(rf"^denoised_{name} (\S+)$", text, re.M).group(1))


def connect(server, path, version="1.1", buffer=None, more=""):
    """A client that sends its request and, so far, reads nothing. more: header lines."""
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(30 * PATIENCE)
    client.connect(("127.0.0.1", server.port))
    client.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{more}\r\n".encode())
    return client


def read_all(client):
    received = b""
    while more := client.recv(1 << 20):
        received += more
    return received


def memory(server, field="VmHWM"):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024


def cpu(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture
def heavy(start):
    """One sampling thread, and a model that could keep it busy for minutes."""
    server = start("--samplers", "1", "--max-sample-cost", "1e18")
    job = server.submit(HEAVY)
    assert server.wait(job)["status"] == "succeeded"
    server.model = f"/v1/models/{job}"
    return server


@pytest.mark.parametrize("path", ["/v1/models/ID/samples", "/v1/datasets/moons/points"])
def test_a_long_answer_has_the_points_of_the_short_ones(trained, path):
    n, path = 20000, path.replace("ID", trained.job)
    whole = trained.get(f"{path}?n={n}&seed=5")
    assert whole.headers["Transfer-Encoding"] == "chunked"
    points = numpy.array(whole.json["points"], dtype=numpy.float32)
    assert points.shape == (n, 2) and whole.json["n"] == n
    for short in 1, 1000, 2048, 2049:
        assert (points[:short] == numpy.array(trained.get(f"{path}?n={short}&seed=5").json["points"], "f4")).all()
    answer = trained.get(f"{path}.npy?n={n}&seed=5")
    assert "Transfer-Encoding" not in answer.headers  # its length is known before it is made
    assert (numpy.load(io.BytesIO(answer.body)) == points).all()
    rows = trained.get(f"{path}.csv?n={n}&seed=5").body.decode().split("\r\n")
    assert rows[0] == "x,y" and rows[-1] == "" and len(rows) == n + 2
    assert (numpy.array([row.split(",") for row in rows[1:-1]], dtype="f4") == points).all()


@pytest.mark.parametrize("n,frames", [(5000, 8), (1, 41), (30000, 2), (8192, 3)])
def test_a_long_trajectory_is_the_same_in_every_format(trained, n, frames):
    path, query = f"/v1/models/{trained.job}/trajectories", f"?n={n}&seed=2&frames={frames}"
    expected = trained.get(path + query).json
    x, x0 = (numpy.array(expected[which], dtype="f4") for which in ("x", "x0"))
    assert x.shape == (frames, n, 2) and x0.shape == (frames - 1, n, 2)
    assert (numpy.load(io.BytesIO(trained.get(path + ".npy" + query).body)) == x).all()
    assert (numpy.load(io.BytesIO(trained.get(path + ".npy" + query + "&which=x0").body)) == x0).all()
    lines = [json.loads(line) for line in trained.get(path + ".ndjson" + query).body.splitlines()]
    assert [line["timestep"] for line in lines] == expected["timesteps"]
    assert [line["x"] for line in lines] == expected["x"] and [line["x0"] for line in lines[:-1]] == expected["x0"]


def test_memory_does_not_grow_with_the_answer(trained):
    path = f"/v1/models/{trained.job}/samples.csv"
    trained.get(path + "?n=20000")
    before = memory(trained)
    assert len(trained.get(path + "?n=100000").body) > 2_000_000
    assert SANITIZED or memory(trained) - before < 1_000_000


def test_an_old_client_reads_until_the_close(trained):
    path = f"/v1/models/{trained.job}/samples.csv?n=20000"
    head, body = read_all(connect(trained, path, version="1.0")).split(b"\r\n\r\n", 1)
    assert b"chunked" not in head and body == trained.get(path).body


def test_the_connection_serves_again_after_a_stream(trained):
    connection = http.client.HTTPConnection("127.0.0.1", trained.port, timeout=30 * PATIENCE)
    bodies = []
    for path in "/v1/models/latest/samples.csv?n=9000", "/livez", "/v1/models/latest/samples.csv?n=9000":
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        bodies.append(response.read())
    connection.close()
    assert bodies[0] == bodies[2]


def test_head_computes_no_more_than_it_must(trained):
    path = "/v1/models/latest/samples.csv?n=100000"
    answer = trained.request("HEAD", path)
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Type"] == "text/csv"
    eventually(lambda: metric(trained, "http_streams") == 0)


def test_what_slow_clients_hold_has_a_limit(start):
    server = start("--max-answer-memory", "128")
    path = "/v1/datasets/spiral/forward?n=19000&frames=101&seed="  # 7 638 000 numbers: 29.1 MiB
    slow = [connect(server, path + str(i), buffer=4096) for i in range(4)]
    each = 19000 * 2 * 201 * 4
    eventually(lambda: 4 * (each - 2**16) <= metric(server, "http_answer_bytes") <= 4 * (each + 2**17))
    refused = server.get(path + "4")
    assert refused.status == 503 and refused.json["code"] == "answer_memory_full"
    assert int(refused.headers["Retry-After"]) > 0
    assert len(server.get("/v1/datasets/spiral/points?n=500").json["points"]) == 500, "short ones are given"
    slow.pop().close()
    eventually(lambda: metric(server, "http_answer_bytes") < 4 * (each - 2**16))
    assert server.fetch("GET", path + "4").status == 200
    for client in slow:
        client.close()
    eventually(lambda: metric(server, "http_answer_bytes") == 0)


def test_a_client_that_does_not_read_stops_the_computing(heavy):
    """The pieces that it gets are bounded by what its socket takes."""
    path = "/v1/datasets/spiral/points.csv?n=100000"
    clients = [connect(heavy, path, buffer=4096, more=more) for more in ("", "Accept-Encoding: gzip\r\n")]
    others = [connect(heavy, f"/v1/datasets/moons/points?n=100000&seed={i}", buffer=4096) for i in range(20)]
    eventually(lambda: metric(heavy, "http_streams") == 22)

    def idle():
        before = cpu(heavy)
        time.sleep(0.5)
        return cpu(heavy) - before < 10  # hundredths of a second
    eventually(idle)
    assert SANITIZED or memory(heavy, "VmRSS") < 60_000_000
    plain, packed = (read_all_chunked(client) for client in clients)
    assert plain == gzip.decompress(packed) == heavy.get(path).body and plain.count(b"\r\n") == 100001
    for client in clients + others:
        client.close()
    eventually(lambda: metric(heavy, "http_streams") == 0)


def test_a_client_that_reads_slowly_is_not_taken_for_dead(heavy):
    """For so long that the kernel would give up a client whose window has no room (TCP_USER_TIMEOUT). Nor is one that pauses."""
    path, large = "/v1/datasets/moons/points.csv?n=100000", "/v1/datasets/spiral/forward.npy?n=10000&frames=51"
    paused = [connect(heavy, each, buffer=4096) for each in (path, large)]
    response = http.client.HTTPResponse(connect(heavy, path, buffer=32768))
    response.begin()
    began, body = time.monotonic(), b""
    while time.monotonic() - began < 25:
        body += response.read(5000)
        time.sleep(0.1)
    whole = heavy.get(path).body
    assert body + response.read() == whole
    assert [read_all_chunked(client) for client in paused] == [whole, heavy.get(large).body]


@pytest.mark.parametrize("path", ["/v1/datasets/moons/points.csv?n=100000", "/v1/datasets/spiral/forward.npy?n=10000&frames=51"])
def test_an_answer_that_is_cut_short_is_logged(start, path):
    server = start("--send-timeout", "1")
    client = connect(server, path, buffer=4096, more="X-Request-Id: paused\r\n")
    eventually(lambda: "a response was cut short" in server.read_log())
    lines = [line for line in server.read_log().splitlines() if "cut short" in line]
    assert len(lines) == 1 and 'id=paused reason="the client read nothing for --send-timeout"' in lines[0]
    with pytest.raises(http.client.IncompleteRead):
        read_all_chunked(client)
    eventually(lambda: metric(server, "http_requests_in_flight") == 1)


def read_all_chunked(client):
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.read()


def test_a_client_that_goes_away_frees_the_sampler(heavy):
    """The one thread would be busy for minutes; nothing else could be answered."""
    for path in "/samples.csv?n=100000", "/trajectories?n=1000&frames=2", "/samples.npy?n=2000":
        gone = metric(heavy, "http_clients_gone_total")
        client = connect(heavy, heavy.model + path)
        waiting = connect(heavy, heavy.model + path)  # never begun
        time.sleep(0.1)
        client.close()
        waiting.close()
        assert heavy.get("/v1/datasets/spiral/points?n=10").status == 200
        eventually(lambda: metric(heavy, "http_clients_gone_total") == gone + 2)
        eventually(lambda: metric(heavy, "http_requests_in_flight") == 1)  # the question itself


def test_a_client_that_goes_away_in_the_middle(trained):
    for _ in range(5):
        client = connect(trained, "/v1/datasets/spiral/points?n=100000", buffer=4096)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        client.close()
    eventually(lambda: metric(trained, "http_streams") == 0)


def test_a_vanished_waiter_is_forgotten(server):
    job = server.submit({**HEAVY, "training": {"epochs": 1000000}})
    server.wait(job, ("running",))
    clients = [connect(server, f"/v1/jobs/{job}/history?wait=60&after=1000") for _ in range(20)]
    eventually(lambda: metric(server, "http_requests_in_flight") == 21)
    for client in clients:
        client.close()
    eventually(lambda: metric(server, "http_requests_in_flight") == 1)


def test_a_stop_cuts_what_is_being_made(heavy):
    """The client can tell: a chunked body without its end. The server does not wait for anybody."""
    quick = heavy.submit(QUICK)
    assert heavy.wait(quick)["status"] == "succeeded"
    # 9 MB: more than the kernel keeps for a client that does not read
    client = connect(heavy, f"/v1/models/{quick}/trajectories?n=20000", buffer=4096)
    eventually(lambda: metric(heavy, "http_streams") == 1)  # first: the one sampler thread is free for it
    sampling = connect(heavy, heavy.model + "/samples.csv?n=100000")
    eventually(lambda: metric(heavy, "http_requests_in_flight") == 3)  # with this question itself
    heavy.process.send_signal(signal.SIGTERM)
    with pytest.raises(http.client.IncompleteRead):
        read_all_chunked(client)
    assert b"503" in read_all(sampling).split(b"\r\n")[0]
    assert heavy.process.wait(timeout=5 * PATIENCE) == 0
    assert "a response was cut short" in heavy.read_log()
    heavy.log.close()
