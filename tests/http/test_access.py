"""Who may use the service: keys and scopes, names and origins, how often; and what browsers are told."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

import pytest
from conftest import BINARY, ENDLESS, PATIENCE, QUICK, Server, eventually
from test_bad_requests import NO_ID, check_problem

ROUTES = json.loads((pathlib.Path(__file__).parents[2] / "api" / "openapi.json").read_text())["paths"]
OPEN = {"/", "/livez", "/readyz", "/openapi.json"}
SAFE_POSTS = {f"/v1/models/{{id}}/{what}" for what in ("samples", "trajectories", "score")} | {"/v1/datasets/{id}/nearest"}


def new_key(name, *more):
    """A key and its line for the file."""
    made = subprocess.run([BINARY, "key", name, *more], capture_output=True, text=True, check=True)
    key = re.search(r"dn_\S+", made.stderr)[0]
    assert key not in made.stdout and made.stdout.count("\n") == 1
    return key, made.stdout


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


class Keys:
    def __init__(self, directory):
        self.path = directory / "keys"
        self.read, read_line = new_key("viewer", "--scope", "read")
        self.write, write_line = new_key("laptop")
        self.write_lines("# people\n", read_line, write_line)

    def write_lines(self, *lines):
        self.path.write_text("".join(lines))
        self.path.chmod(0o600)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def guarded(keys, tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("guarded")), "--api-keys", str(keys.path), "--log-level", "debug")
    yield server
    assert server.stop() == 0
    for secret in (keys.read, keys.write, "dn_wrong"):
        assert secret not in server.read_log()


def test_the_description_says_whether_keys_are_asked_for(guarded):
    described = guarded.get("/openapi.json").json["paths"]
    assert described["/v1/jobs"]["post"]["security"] == [{"bearerAuth": []}]
    assert described["/livez"]["get"]["security"] == []


def scope_of(method, path):
    if path in OPEN or path.startswith(("/docs", "/assets", "/elsewhere.py")):
        return "none"
    return "read" if method == "get" or path in SAFE_POSTS else "write"


@pytest.mark.parametrize(
    "method,path", [(method, path) for path, operations in ROUTES.items() for method in operations]
)  # fmt: skip
def test_every_route_wants_its_scope(guarded, keys, method, path):
    scope = scope_of(method, path)
    described = ROUTES[path][method]
    assert described["security"] == ([] if scope == "none" else [{}, {"bearerAuth": []}])
    assert described.get("x-scope", "none") == scope
    url = path.replace("{id}", NO_ID) + (".json" if path.endswith("/events") else "")  # not a stream without end
    passes = {"none": ["none", "read", "write"], "read": ["read", "write"], "write": ["write"]}[scope]
    for given, headers in [("none", {}), ("read", bearer(keys.read)), ("write", bearer(keys.write))]:
        raw = b"not json" if method == "post" and "requestBody" in described else None
        answer = guarded.fetch(method.upper(), url, raw=raw, headers=headers)
        if given in passes:
            assert answer.status not in (401, 403), (given, answer.body)
        elif given == "none":
            check_problem(answer, 401, "key_needed")
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="denoised"'
        else:
            check_problem(answer, 403, "scope_too_small")
            assert 'error="insufficient_scope", scope="write"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("value", ["Bearer dn_wrong", "Bearer", "Basic abc", "dn_wrong", "Bearer " + "x" * 5000, ""])
def test_wrong_keys(guarded, value):
    answer = guarded.get("/v1/jobs", headers={"Authorization": value})
    check_problem(answer, 401, "invalid_key")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_refused_upload_is_not_kept(guarded):
    check_problem(guarded.post("/v1/jobs", raw=b'{"name":"' + b"x" * 100_000 + b'"}'), 401, "key_needed")
    check_problem(guarded.get("/nothing"), 404, "no_such_path")


def test_a_large_body_without_a_key(guarded):
    head = b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 9999999\r\n\r\n"
    answer = guarded.send(head)
    assert answer.startswith(b"HTTP/1.1 401 ") and b"\r\nWWW-Authenticate: Bearer" in answer


def test_keys_are_reloaded(start, tmp_path):
    keys = Keys(tmp_path)
    server = start("--api-keys", str(keys.path))
    fresh, line = new_key("fresh")
    assert server.get("/v1/jobs", headers=bearer(fresh)).status == 401

    def reload(text):
        seen = server.read_log().count("API keys")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10 * PATIENCE
        while server.read_log().count("API keys") == seen:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert text in [line for line in server.read_log().splitlines() if "API keys" in line][-1]

    keys.write_lines(line)
    reload("keys=1")
    assert server.get("/v1/jobs", headers=bearer(fresh)).status == 200
    assert server.get("/v1/jobs", headers=bearer(keys.write)).status == 401
    keys.path.chmod(0o644)
    reload("the old ones stay")
    assert server.get("/v1/jobs", headers=bearer(fresh)).status == 200


def test_sighup_without_keys_changes_nothing(server):
    server.process.send_signal(signal.SIGHUP)
    assert server.get("/readyz").status == 200


@pytest.mark.parametrize("text,mode,message", [("", 0o600, "contains no key"), ("a:b\n", 0o600, "line 1"), ("", 0o644, "chmod o=")])
def test_a_bad_key_file_stops_the_start(tmp_path, text, mode, message):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    run = subprocess.run(
        [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "x.db"), "--api-keys", str(path)],
        capture_output=True, text=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    assert run.returncode == 1 and message in run.stderr and not (tmp_path / "x.db").exists()


@pytest.mark.parametrize("arguments", [[], ["a b"], ["a:b"], ["x", "y"], ["x", "--scope", "admin"], ["x", "--scope"]])
def test_keys_that_cannot_be_made(arguments):
    run = subprocess.run([BINARY, "key", *arguments], capture_output=True, text=True)
    assert run.returncode == 2 and run.stderr.startswith("denoised: ") and not run.stdout


# ---------------------------------------------------------------- names


def host_answer(server, host):
    answer = server.send(b"GET /v1/jobs HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    return int(answer.split()[1])


HOSTS = [b"localhost", b"127.0.0.1:99", b"192.0.2.7:80", b"a.example", b"B.example:8080", b"evil.example", b""]


@pytest.mark.parametrize(
    "flags,statuses",
    [
        ([], [200, 200, 421, 421, 421, 421, 421]),
        (["--allowed-hosts", "a.example,b.example"], [200, 200, 421, 200, 200, 421, 421]),
        (["--allowed-hosts", "*"], [200, 200, 200, 200, 200, 200, 421]),
        (["--host", "0.0.0.0", "--anonymous"], [200, 200, 200, 421, 421, 421, 421]),
        (["--host", "0.0.0.0", "--anonymous", "--allowed-hosts", "a.example"], [200, 200, 200, 200, 421, 421, 421]),
        (["--host", "0.0.0.0", "KEYS"], [401, 401, 401, 401, 401, 401, 421]),
        (["--host", "0.0.0.0", "KEYS", "--allowed-hosts", "b.example"], [401, 401, 401, 421, 401, 421, 421]),
    ],
)
def test_hosts(start, keys, flags, statuses):
    flags = [part for flag in flags for part in (["--api-keys", str(keys.path)] if flag == "KEYS" else [flag])]
    server = start(*flags)
    assert [host_answer(server, host) for host in HOSTS] == statuses


# ---------------------------------------------------------------- origins


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("plain")), "--workers", "1")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("cors")), "--cors-origins", "https://a.example,https://b.example")
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize(
    "headers,passes,passes_shared",
    [
        ({}, True, True),
        ({"Sec-Fetch-Site": "same-origin"}, True, True),
        ({"Sec-Fetch-Site": "none"}, True, True),
        ({"Sec-Fetch-Site": "same-site"}, False, False),
        ({"Sec-Fetch-Site": "cross-site"}, False, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://a.example"}, False, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False, False),
        ({"Origin": "https://b.example"}, False, True),
        ({"Origin": "https://evil.example"}, False, False),
        ({"Origin": "https://a.example.evil.example"}, False, False),
        ({"Origin": "null"}, False, False),
        ({"Origin": "SELF"}, True, True),
        ({"Origin": "FTP"}, False, False),
        ({"Origin": "EXTENSION"}, False, False),
        ({"Origin": "NOTHING"}, False, False),
        ({"Referer": "SELF/docs"}, True, True),
        ({"Referer": "https://a.example/page"}, False, True),
        ({"Referer": "https://evil.example/"}, False, False),
        ({"Referer": "SELF.evil.example/"}, False, False),
    ],
)
def test_changes_from_other_pages(plain, shared, headers, passes, passes_shared):
    for server, good in [(plain, passes), (shared, passes_shared)]:
        own = f"://127.0.0.1:{server.port}"
        names = {"SELF": "http" + own, "FTP": "ftp" + own, "EXTENSION": "chrome-extension" + own, "NOTHING": own}
        sent = {name: re.sub("^(SELF|FTP|EXTENSION|NOTHING)", lambda found: names[found[0]], value) for name, value in headers.items()}
        answer = server.post("/v1/jobs?validate_only=true", QUICK, headers=sent)
        if good:
            assert answer.status == 200
        else:
            check_problem(answer, 403, "foreign_origin")
        if not good:
            check_problem(server.request("DELETE", f"/v1/jobs/{NO_ID}", headers=sent), 403, "foreign_origin")
        assert server.get("/v1/jobs", headers=sent).status == 200, "reading is harmless: the page cannot see it"


def test_cors_is_off_by_default(plain):
    answer = plain.get("/v1/jobs", headers={"Origin": "https://a.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    answer = plain.fetch(
        "OPTIONS", "/v1/jobs", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.status == 204 and answer.headers["Allow"] == "POST, GET, HEAD, OPTIONS"
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_cors_for_the_origins_on_the_list(shared):
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = shared.fetch("OPTIONS", "/v1/jobs", headers={"Origin": "https://b.example", **preflight})
    assert answer.status == 204 and answer.body == b""
    assert answer.headers["Access-Control-Allow-Origin"] == "https://b.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET, HEAD, OPTIONS"
    for name in ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer"):
        assert name in answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers

    answer = shared.get("/v1/jobs", headers={"Origin": "https://a.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    for name in ("ETag", "Location", "Retry-After", "X-Request-Id"):
        assert name in answer.headers["Access-Control-Expose-Headers"].split(", ")

    for origin in ("https://evil.example", "null", "https://a.example:444", "http://a.example"):
        for answer in (
            shared.get("/v1/jobs", headers={"Origin": origin}),
            shared.fetch("OPTIONS", "/v1/jobs", headers={"Origin": origin, **preflight}),
        ):
            assert answer.status in (200, 204) and "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
    assert "Origin" in shared.get("/v1/jobs").headers["Vary"]


def test_a_preflight_needs_no_key_and_no_path_that_is_not_there(start, keys):
    server = start("--api-keys", str(keys.path), "--cors-origins", "*")
    headers = {"Origin": "https://any.example", "Access-Control-Request-Method": "DELETE"}
    answer = server.fetch("OPTIONS", f"/v1/jobs/{NO_ID}", headers=headers)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, DELETE, OPTIONS"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    check_problem(server.fetch("OPTIONS", "/nothing", headers=headers), 404, "no_such_path")
    answer = server.get("/v1/jobs", headers={"Origin": "https://any.example"})
    assert answer.status == 401 and answer.headers["Access-Control-Allow-Origin"] == "https://any.example"


# ---------------------------------------------------------------- what browsers are told


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/nothing", "/livez", "/v1/datasets/spiral/points.svg", "/metrics"])
def test_security_headers(plain, path):
    headers = plain.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert "script-src" not in policy


# ---------------------------------------------------------------- how much


def test_the_rate_limit(start):
    server = start("--requests-per-minute", "3")
    assert [server.get("/v1/jobs").status for _ in range(3)] == [200] * 3
    answer = server.get("/v1/jobs")
    check_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 20
    check_problem(server.post("/v1/jobs", QUICK), 429, "too_many_requests")
    check_problem(server.get("/nothing"), 429, "too_many_requests")
    assert server.get("/livez").status == server.get("/readyz").status == 200, "probes are not counted"


def test_the_rate_limit_behind_a_proxy(start):
    behind = {"X-Forwarded-For": "198.51.100.1"}
    trusting = start("--requests-per-minute", "2", "--trusted-proxies", "10.9.9.9,127.0.0.1", "--log-level", "debug")
    asked = [trusting.get("/v1/jobs", headers={"X-Forwarded-For": f"203.0.113.{i}, 198.51.100.1"}).status for i in range(3)]
    assert asked == [200, 200, 429], "what the client itself wrote does not count"
    assert trusting.get("/v1/jobs", headers={"X-Forwarded-For": "198.51.100.2"}).status == 200
    lines = b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n"
    assert trusting.send(lines).startswith(b"HTTP/1.1 429")
    eventually(lambda: "client=198.51.100.2 " in trusting.read_log())
    assert "client=203.0.113" not in trusting.read_log()
    trusting.stop()
    plain = start("--requests-per-minute", "2")
    assert [plain.get("/v1/jobs", headers={"X-Forwarded-For": f"198.51.100.{i}"}).status for i in range(3)] == [200, 200, 429]
    assert plain.get("/v1/jobs", headers=behind).status == 429
    refused = subprocess.run([BINARY, "serve", "--trusted-proxies", "10.0.0.0/8"], capture_output=True, text=True)
    assert refused.returncode != 0 and "--trusted-proxies must be IP addresses" in refused.stderr


def test_it_serves_the_network_only_when_it_is_told_to_whom():
    refused = subprocess.run([BINARY, "serve", "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True)
    assert refused.returncode != 0 and refused.stdout == ""
    assert "--api-keys" in refused.stderr and "--anonymous" in refused.stderr


def test_the_connection_limit_of_one_address(start):
    server = start("--max-connections-per-ip", "3")
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def ask(connection):
        try:
            connection.sendall(request)
            return connection.recv(65536)[:12]
        except OSError:
            return b""

    open_ones = [socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) for _ in range(3)]
    assert [ask(connection) for connection in open_ones] == [b"HTTP/1.1 200"] * 3
    with socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) as one_more:
        assert ask(one_more) == b""
    for connection in open_ones:
        assert ask(connection) == b"HTTP/1.1 200"
        connection.close()
    deadline = time.monotonic() + 10 * PATIENCE
    while True:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) as again:
            if ask(again) == b"HTTP/1.1 200":
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("flags, most", [([], 512), (["--trusted-proxies", "127.0.0.1"], 600)], ids=["clients", "a proxy"])
def test_a_proxy_that_is_trusted_may_have_the_connections_of_many(start, flags, most):
    """Its own port of the same machine is as good as another address."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2000)), hard))
    server = start(*flags)
    answered = 0
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE))
            try:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answered += connection.recv(65536).startswith(b"HTTP/1.1 200")
            except OSError:
                pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answered == most


def test_the_queue_limit(start):
    server = start("--workers", "1", "--max-queued", "2")
    server.wait_for_epoch(server.submit(ENDLESS), 1)
    assert [server.post("/v1/jobs", QUICK).status for _ in range(2)] == [201] * 2
    answer = server.post("/v1/jobs", QUICK)
    check_problem(answer, 429, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0


def test_the_bodies_of_all_requests_together_have_a_limit(start):
    server = start("--max-upload", "2", "--max-body-memory", "2")
    mebibyte = b"1,2\n" * (1 << 18)
    head = b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n"

    def held():
        return float(re.search(rb"\ndenoised_http_body_bytes (\S+)", server.get("/metrics").body)[1])

    def wait_until_held(condition):
        deadline = time.monotonic() + 10 * PATIENCE
        while not condition(held()):
            assert time.monotonic() < deadline, held()
            time.sleep(0.02)

    slow = socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE)
    slow.sendall(head % (2 * len(mebibyte)) + mebibyte + mebibyte[: len(mebibyte) // 2])
    wait_until_held(lambda n: n == 1.5 * 2**20 - 2**16)
    upload = {"raw": mebibyte, "headers": {"Content-Type": "text/csv"}}
    answer = server.request("POST", "/v1/datasets", **upload)
    check_problem(answer, 503, "body_memory_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert held() == 1.5 * 2**20 - 2**16, "what was refused is held no more"
    assert server.post("/v1/jobs", QUICK).status == 201, "short requests get in"
    assert server.request("POST", "/v1/datasets", raw=b"1,2\n3,4\n", headers={"Content-Type": "text/csv"}).status == 201
    slow.sendall(mebibyte[len(mebibyte) // 2 :])  # nothing happens to the one that was there first
    assert slow.recv(12) == b"HTTP/1.1 201"
    slow.close()
    wait_until_held(lambda n: n == 0)
    assert server.request("POST", "/v1/datasets", **upload).status == 201
    with socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) as gone:  # who goes away holds nothing
        gone.sendall(head % (2 * len(mebibyte)) + mebibyte)
        wait_until_held(lambda n: n > 0)
    wait_until_held(lambda n: n == 0)


def test_an_upload_must_fit_into_the_memory_of_all_bodies():
    refused = subprocess.run([BINARY, "serve", "--max-upload", "300"], capture_output=True, text=True)
    assert refused.returncode != 0 and "--max-body-memory must be at least --max-upload, 300" in refused.stderr
