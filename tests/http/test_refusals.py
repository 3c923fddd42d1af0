"""A refusal reaches the client, whatever the client is still sending: no broken pipe in place of an answer."""

import asyncio
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import aiohttp
import httpx
import pytest
import requests
from conftest import PATIENCE, Server, eventually
from test_access import Keys, bearer
from test_operations import certificate  # noqa: F401 (a fixture)
from test_streams import metric

LARGE = 40_000_000
CSV = {"Content-Type": "text/csv"}


def pieces():
    piece = b"1,2\n" * 16_384
    for _ in range(LARGE // len(piece)):
        yield piece


def by_httpx(url, headers, chunked):
    with httpx.Client(timeout=60 * PATIENCE, trust_env=False, verify=False) as client:
        answer = client.post(url, content=pieces() if chunked else b"1,2\n" * (LARGE // 4), headers=headers)
        return answer.status_code, answer.json()


def by_requests(url, headers, chunked):
    with requests.Session() as session:
        session.trust_env = session.verify = False
        answer = session.post(url, data=pieces() if chunked else b"1,2\n" * (LARGE // 4), headers=headers, timeout=60 * PATIENCE)
        return answer.status_code, answer.json()


def by_aiohttp(url, headers, chunked):
    async def later():
        for piece in pieces():
            yield piece

    async def post():
        async with aiohttp.ClientSession() as session:
            data = later() if chunked else b"1,2\n" * (LARGE // 4)
            async with session.post(url, data=data, headers=headers) as answer:
                return answer.status, await answer.json(content_type="application/problem+json")

    return asyncio.run(post())


def by_curl(url, headers, chunked):
    lines = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    lines += ["-H", "Expect:"] + (["-H", "Transfer-Encoding: chunked"] if chunked else [])
    run = subprocess.run(
        ["curl", "-sk", "--max-time", str(60 * PATIENCE), "-w", "\n%{http_code}", *lines, "--data-binary", "@-", url],
        input=b"1,2\n" * (LARGE // 4), capture_output=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    body, status = run.stdout.rsplit(b"\n", 1)
    return int(status), json.loads(body)


def by_socket(url, headers, chunked):
    """A client that reads nothing before it has sent all, as many do."""
    scheme, port, path = re.fullmatch(r"(https?)://127.0.0.1:(\d+)(/.*)", url).groups()
    plain = socket.create_connection(("127.0.0.1", int(port)), timeout=60 * PATIENCE)
    with ssl._create_unverified_context().wrap_socket(plain) if scheme == "https" else plain as connection:
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": LARGE}
        head = {"Host": f"127.0.0.1:{port}", **framing, **headers}
        connection.sendall(f"POST {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in head.items()) + b"\r\n")
        piece = b"1,2\n" * 10_000
        for _ in range(LARGE // len(piece)):
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, body = received.split(b"\r\n\r\n", 1)
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert {b"content-type", b"date", b"x-request-id", b"content-security-policy"} <= set(names), head
        while len(body) < int(names[b"content-length"]):
            body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


CLIENTS = [by_httpx, by_requests, by_aiohttp, by_curl, by_socket]
each_client = pytest.mark.parametrize("client", CLIENTS, ids=[client.__name__ for client in CLIENTS])
each_framing = pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A server that takes uploads of at most a megabyte."""
    server = Server(str(tmp_path_factory.mktemp("small")), "--max-upload", "1")
    yield server
    assert server.stop() == 0, server.read_log()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def guarded(keys, tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("guarded")), "--api-keys", str(keys.path))
    yield server
    assert server.stop() == 0, server.read_log()


@pytest.fixture
def https(start, certificate):
    cert, key = certificate
    return start("--tls-cert", cert, "--tls-key", key, "--max-upload", "1")


@each_framing
@each_client
def test_too_large_an_upload_is_told_so(small, client, chunked):
    for _ in range(5):
        status, problem = client(f"http://127.0.0.1:{small.port}/v1/datasets", CSV, chunked)
        assert status == 413 and problem["code"] == "body_too_large" and "1048576 bytes" in problem["detail"]
    assert small.get("/livez").status == 200


@each_framing
@pytest.mark.parametrize("client", [by_httpx, by_requests, by_curl, by_socket])
def test_the_same_by_tls(https, client, chunked):
    for _ in range(3):
        status, problem = client(f"https://127.0.0.1:{https.port}/v1/datasets", CSV, chunked)
        assert status == 413 and problem["code"] == "body_too_large"


# What is refused before the body has come: path, headers, what comes of it.
EARLY = [
    ("/v1/nothing", CSV, 404, "no_such_path"),
    ("/livez", CSV, 405, "method_not_allowed"),
    ("/v1/datasets", {**CSV, "Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
    ("/v1/datasets", {**CSV, "Origin": "http://elsewhere.example"}, 403, "foreign_origin"),
    ("/v1/datasets", {**CSV, "Host": "elsewhere.example"}, 421, "misdirected_request"),
    ("/v1/datasets", {**CSV, "Expect": "200-ok"}, 417, "expectation_failed"),
    ("/v1/datasets%2f", CSV, 400, "bad_target"),
    ("/v1/jobs", {"Content-Type": "application/json"}, 413, "body_too_large"),
    ("/v1/jobs/latest/resume", {"Content-Type": "application/json"}, 413, "body_too_large"),
    ("/v1/models", {"Content-Type": "text/plain"}, 413, "body_too_large"),
]


@each_framing
@each_client
def test_each_early_refusal_is_seen(small, client, chunked):
    for path, headers, status, code in EARLY:
        if client is by_curl and "Expect" in headers:
            continue  # curl has an own mind about it
        seen = client(f"http://127.0.0.1:{small.port}{path}", headers, chunked)
        assert (seen[0], seen[1]["code"]) == (status, code), path
    assert small.get("/livez").status == 200


@each_framing
@each_client
def test_who_may_not_is_told_so(guarded, keys, client, chunked):
    url = f"http://127.0.0.1:{guarded.port}/v1/datasets"
    for headers, status, code in [
        ({}, 401, "key_needed"),
        (bearer("dn_wrong"), 401, "invalid_key"),
        (bearer(keys.read), 403, "scope_too_small"),
    ]:
        seen = client(url, {**CSV, **headers}, chunked)
        assert (seen[0], seen[1]["code"]) == (status, code)


@each_framing
@each_client
def test_who_comes_too_often_is_told_so(start, client, chunked):
    server = start("--requests-per-minute", "1", "--max-upload", "1")
    seen = [client(f"http://127.0.0.1:{server.port}/v1/datasets", CSV, chunked) for _ in range(3)]
    assert [(status, problem["code"]) for status, problem in seen[1:]] == [(429, "too_many_requests")] * 2


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A server on which somebody holds most of the memory for bodies."""
    server = Server(str(tmp_path_factory.mktemp("full")), "--max-upload", "64", "--max-body-memory", "64")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60 * PATIENCE) as holder:
        holder.sendall(b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\nContent-Type: text/csv\r\n\r\n")
        for _ in range(45):
            holder.sendall(b"1,2\n" * 250_000)
        eventually(lambda: metric(server, "http_body_bytes") > 40_000_000)
        yield server
    assert server.stop() == 0, server.read_log()


@each_framing
@each_client
def test_a_refusal_that_only_the_body_brings(full, client, chunked):
    status, problem = client(f"http://127.0.0.1:{full.port}/v1/datasets", CSV, chunked)
    assert (status, problem["code"]) == (503, "body_memory_full")


@each_framing
@each_client
def test_a_type_that_nobody_reads(start, client, chunked):
    server = start("--max-upload", "64")
    status, problem = client(f"http://127.0.0.1:{server.port}/v1/datasets", {"Content-Type": "text/plain"}, chunked)
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    status, problem = client(f"http://127.0.0.1:{server.port}/v1/datasets", {**CSV, "Content-Encoding": "br"}, chunked)
    assert (status, problem["code"]) == (415, "unsupported_media_type")


def test_a_head_that_is_too_large_is_told_so(small):
    """libmicrohttpd answers this one; the rest of the head has yet to be read."""
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", small.port), timeout=30 * PATIENCE) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 3_000_000)
            received = b""
            while more := connection.recv(65536):
                received += more
        assert received.startswith((b"HTTP/1.1 431", b"HTTP/1.1 413")), received[:100]


def test_a_small_refused_body_does_not_end_the_connection(small):
    connection = http.client.HTTPConnection("127.0.0.1", small.port, timeout=30 * PATIENCE)
    connection.connect()
    local = connection.sock.getsockname()
    for chunked in False, True:
        for path, status in ("/v1/nothing", 404), ("/livez", 405), ("/v1/jobs", 415):
            body = iter([b"1,2\n"] * 100) if chunked else b"1,2\n" * 100
            connection.request("POST", path, body=body, headers=CSV, encode_chunked=chunked)
            answer = connection.getresponse()
            assert answer.status == status and json.loads(answer.read())["status"] == status
    assert connection.sock.getsockname() == local
    connection.close()


def files_of(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def refused(server):
    """A connection whose upload was refused, and that stays open."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60 * PATIENCE)
    connection.sendall(b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\nContent-Type: text/csv\r\n\r\n")
    received = b""
    while more := connection.recv(65536):
        received += more
    assert received.startswith(b"HTTP/1.1 413") and received.endswith(b"}\n")
    return connection


def test_who_lingers_does_not_linger_for_long(start):
    server = start()
    before = files_of(server)
    quiet = refused(server)
    assert files_of(server) == before + 1
    eventually(lambda: files_of(server) == before)  # without a byte: five seconds
    quiet.close()
    busy = refused(server)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # so many bytes
        for _ in range(300):
            busy.sendall(b"x" * (1 << 20))
    eventually(lambda: files_of(server) == before)
    gone = refused(server)
    gone.close()
    eventually(lambda: files_of(server) == before)


def test_a_crowd_that_lingers_is_bounded(start):
    server = start()
    before = files_of(server)
    crowd = [refused(server) for _ in range(60)]
    eventually(lambda: files_of(server) <= before + 16)
    assert server.get("/livez").status == 200
    assert server.stop() == 0  # at once, however many are there
    for connection in crowd:
        connection.close()
