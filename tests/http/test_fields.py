"""Header fields of requests: what is around a value is nobody's, lists may have several lines, and a good head is good however it arrives."""

import random
import re
import socket

import pytest
from conftest import PATIENCE, QUICK, Server


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("fields")), "--workers", "1")
    yield server
    assert server.stop() == 0


def ask(server, *lines, target=b"/v1/jobs", method=b"GET", body=b""):
    head = [b"%s %s HTTP/1.1" % (method, target), b"Host: localhost", b"Connection: close", *lines]
    answer = server.send(b"\r\n".join(head) + b"\r\n\r\n" + body)
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("around", [b"%s", b" %s", b"   %s", b"%s ", b"\t%s \t ", b"  %s\t"])
def test_blanks_around_a_value_are_not_of_it(plain, around):
    def line(name, value):
        return name + b":" + around % value

    job = {"raw": b'{"seed":1}', "headers": {"Content-Type": "application/json"}}
    key = b"padded"
    first = plain.request("POST", "/v1/jobs", raw=job["raw"], headers={**job["headers"], "Idempotency-Key": "padded"})
    status, answer = ask(
        plain,
        line(b"Idempotency-Key", key),
        line(b"Content-Type", b"application/json"),
        line(b"X-Request-Id", b"an-id"),
        line(b"Prefer", b"wait=0"),
        b"Content-Length: 10",
        method=b"POST",
        body=job["raw"],
    )
    assert status in (200, 201) and first.json["id"].encode() in answer and b"\r\nIdempotency-Replayed: true" in answer
    assert b"\r\nX-Request-Id: an-id\r\n" in answer
    tag = plain.get("/v1/datasets/spiral").headers["ETag"].encode()
    assert ask(plain, line(b"If-None-Match", tag), target=b"/v1/datasets/spiral")[0] == 304
    status, answer = ask(plain, line(b"Accept", b"text/csv"), target=b"/v1/datasets/spiral/points?n=3")
    assert status == 200 and b"\r\nContent-Type: text/csv" in answer
    assert ask(plain, line(b"Accept-Encoding", b"gzip"), target=b"/openapi.json")[1].count(b"Content-Encoding: gzip") == 1
    assert b"HTTP/1.1 200 " in ask(plain, line(b"Expect", b"100-continue"))[1]
    assert ask(plain, line(b"Sec-Fetch-Site", b"same-origin"), b"Content-Length: 0", method=b"DELETE")[0] == 405


def test_the_lines_of_a_list_count_together(plain):
    tag = plain.get("/v1/datasets/spiral").headers["ETag"].encode()
    none_match = [b'If-None-Match: "a"', b"If-None-Match: " + tag, b'if-none-match: "b"']
    assert ask(plain, *none_match, target=b"/v1/datasets/spiral")[0] == 304
    status, answer = ask(plain, b"Accept: text/csv;q=0.5", b"Accept: application/json;q=0.1", target=b"/v1/datasets/spiral/points?n=3")
    assert status == 200 and b"\r\nContent-Type: text/csv" in answer
    refused = [b"Accept-Encoding: gzip;q=0", b"Accept-Encoding: identity"]
    assert b"Content-Encoding: gzip" not in ask(plain, *refused, target=b"/openapi.json")[1]
    lines = [b"Prefer: respond-async", b"Prefer: wait=1", b"Content-Type: application/json", b"Content-Length: 10"]
    status, answer = ask(plain, *lines, target=b"/v1/jobs", method=b"POST", body=b'{"seed":1}')
    assert status == 201 and b"\r\nPreference-Applied: wait=1" in answer


@pytest.mark.parametrize("prefer,applied", [
    ("wait=1", 1), ("respond-async, WAIT = 1", 1), ('wait="1"', 1), ("wait=1; foo", 1), ("nowait=1", None), ("x=await=1", None),
    ("foo; wait=1", None), ('foo="wait=1"', None), ("wait=-1", None), ("wait=1x", None), ("wait", None), ("wait=99999999999", 60),
])  # fmt: skip
def test_prefer_is_read_by_its_grammar(start, prefer, applied):
    server = start()
    answer = server.post("/v1/jobs", QUICK, headers={"Prefer": prefer})
    assert answer.status == 201
    assert answer.headers.get("Preference-Applied") == (f"wait={applied}" if applied else None)


def test_a_repeated_key_names_the_header(plain):
    answer = plain.send(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n")
    assert b'"bad_header"' in answer and b"Authorization may be given only once" in answer and b"\r\nConnection: close" in answer


def test_http_1_2_is_answered_as_1_1(plain):
    """RFC 9110, section 2.5: a higher minor version is the highest that is known."""
    answer = plain.send(b"GET /livez HTTP/1.2\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_good_heads_are_good_however_they_arrive(plain):
    """The head is walked byte by byte where libmicrohttpd received it: requests behind each other, of all sizes, in pieces."""
    chance = random.Random(18)
    requests, expected = [], []
    for i in range(400):
        count = chance.choice([0, 1, 2, 5, 20, 60])
        longest = chance.choice([1, 20, 300] if count > 5 else [1, 20, 1000, 6000])
        lines = [
            b"X-%d:%s%s%s" % (k, b" " * chance.randrange(3), b"v" * chance.randrange(longest), b" \t" * chance.randrange(2))
            for k in range(count)
        ]
        lines.insert(chance.randrange(count + 1), b"Host: localhost")
        lines.insert(chance.randrange(count + 1), b"X-Request-Id: r%d" % i)
        if chance.randrange(4) == 0:
            lines.append(b"Cookie: a=b; c=d")
        body = b""
        if chance.randrange(3) == 0:
            body = b'{"seed":1}' + b" " * chance.choice([0, 10, 3000])
            lines.append(b"Content-Type: application/json")
            if chance.randrange(2):
                lines.append(b"Content-Length: %d" % len(body))
            else:
                lines.append(b"Transfer-Encoding: chunked")
                body = b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(body), body)
        first = b"POST /v1/jobs?validate_only=true HTTP/1.1" if body else b"GET /version?%s HTTP/1.1"
        if not body:
            first = b"GET /version HTTP/1.1"
        requests.append(b"\r\n" * chance.randrange(2) + first + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body)
        expected.append(f"r{i}")
    everything = b"".join(requests)
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30 * PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received, sent = b"", 0
        while sent < len(everything):
            size = chance.choice([1, 2, 3, 17, 400, 5000, 40000])
            connection.sendall(everything[sent : sent + size])
            sent += size
            connection.setblocking(False)
            try:
                while more := connection.recv(1 << 20):
                    received += more
            except BlockingIOError:
                pass
            connection.settimeout(30 * PATIENCE)
        while received.count(b"X-Request-Id: ") < len(requests):
            more = connection.recv(1 << 20)
            assert more, received[-2000:]
            received += more
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", received)
    assert set(statuses) == {b"200"} and re.findall(r"X-Request-Id: (\w+)", received.decode()) == expected


def test_long_heads(plain):
    for size in (100, 8000, 16000, 16384, 20000):
        assert ask(plain, b"X-A: " + b"a" * size, b"X-B: b")[0] == 200
