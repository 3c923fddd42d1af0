"""Running it: request ids and the log, TLS, a path of its own behind a proxy, systemd."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
from conftest import BINARY, PATIENCE, QUICK, Contract, eventually
from test_bad_requests import NO_ID, check_problem

TRACE = "0af7651916cd43dd8448eb211c80319c"


# ---------------------------------------------------------------- ids and the log


@pytest.mark.parametrize("id", ["a", "A.b_c-9", "x" * 64, "123"])
def test_a_plain_request_id_is_kept(server, id):
    assert server.get("/livez", headers={"X-Request-Id": id}).headers["X-Request-Id"] == id


@pytest.mark.parametrize("id", ["", "x" * 65, "a b", 'a"b', "a=b", "ä".encode().decode("latin1"), "a\tb"])
def test_any_other_request_id_is_replaced(server, id):
    given = server.get("/livez", headers={"X-Request-Id": id}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f-]{36}", given)
    assert server.get("/livez").headers["X-Request-Id"] != given


def requests_in(log):
    """The lines about requests, as JSON; every line must be an object."""
    lines = [json.loads(line) for line in log.splitlines()]
    return [line for line in lines if line["msg"] == "request"]


NASTY = [
    b"/v1/jobs/%22%5C%0a%01%7f",
    b"/%F0%9F%98%80/%C3%A4",
    b'/a"b\\c',
    b"/\xff\xfe\xc3(",
    b"/" + b"%22" * 2000,
    b"/" + b"%C3%A4" * 127,
    b"/123",
    b"/a=b c",
    b"//\xe2\x82",
    b"/%C2%9B31m%E2%80%AE%E2%81%A6%5Cu202e%E2%80%AF%C2%A0",
]


def test_the_log_as_json_is_always_json(start):
    server = start("--log-format", "json", "--log-level", "debug")
    for target in NASTY:
        server.send(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    server.send(b"GET /last HTTP/1.1\r\nHost: a\x01\xffb\r\nConnection: close\r\n\r\n")
    server.send(b'B"R\\W /last HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 1e5\r\nConnection: close\r\n\r\n')
    server.submit(QUICK)
    server.get("/v1/jobs", headers={"X-Request-Id": "17", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert server.stop() == 0
    lines = requests_in(server.read_log())
    assert len(lines) >= len(NASTY) + 2
    for line in lines:
        assert isinstance(line["status"], int) and isinstance(line["ms"], (int, float))
        assert all(isinstance(line[key], str) for key in ("id", "client", "method", "path", "time", "level"))
    paths = [line["path"] for line in lines]
    assert paths[0] == '/v1/jobs/"\\\n\x01\x7f' and "/😀/ä" in paths and "/123" in paths
    assert "/\x9b31m\u202e\u2066\\u202e\u202f\xa0" in paths
    last = [line for line in lines if line["path"] == "/v1/jobs" and line["method"] == "GET"][-1]
    assert last["id"] == "17" and last["trace"] == TRACE and last["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    "header,known",
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", True),
        (f"01-{TRACE}-b7ad6b7169203331-01-more", True),
        (f"00-{TRACE}-b7ad6b7169203331-01-more", False),
        (f"ff-{TRACE}-b7ad6b7169203331-01", False),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", False),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE}-b7ad6b7169203331", False),
        ("nonsense", False),
    ],
)
def test_the_trace_of_a_request_is_logged(start, header, known):
    server = start("--log-level", "debug")
    server.get("/v1/jobs", headers={"traceparent": header})
    assert server.stop() == 0
    assert (f'trace="{TRACE}"' in server.read_log()) == known


def test_probes_and_polling_are_not_worth_a_line(start):
    server = start()
    for path in ("/livez", "/readyz", "/metrics", "/v1/jobs"):
        assert server.get(path).status == 200
    server.get("/nothing")
    assert server.stop() == 0
    lines = [line for line in server.read_log().splitlines() if "msg=\"request\"" in line]
    assert len(lines) == 1 and "path=/nothing status=404" in lines[0]


def test_the_log_has_nothing_that_a_terminal_obeys(server):
    for target in ("/%1B[31m", "/%C2%9B31m", "/%C2%85%7f", "/%E2%80%AEtxt.exe", "/%E2%81%A9"):
        server.request("GET", target)
    eventually(lambda: "u2069" in server.read_log())  # a line is written after its answer
    log = server.read_log()
    assert not [c for c in log if c < " " and c != "\n" or "\x7f" <= c <= "\x9f" or c in "\u202e\u2069"]
    for path in (r"/\x1b[31m", r"/\u009b31m", r"/\u0085\x7f", r"/\u202etxt.exe", r"/\u2069"):
        assert f'path="{path}"' in log


def test_server_timing_tells_waiting_from_work(trained):
    headers = trained.get(f"/v1/models/{trained.job}/samples?n=1000").headers
    queue, app = re.fullmatch(r"queue;dur=([0-9.]+), app;dur=([0-9.]+)", headers["Server-Timing"]).groups()
    assert float(queue) >= 0 and float(app) > 0
    assert re.fullmatch(r"app;dur=[0-9.]+", trained.get("/v1/jobs").headers["Server-Timing"])


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    (directory / "key.pem").chmod(0o600)
    return str(directory / "cert.pem"), str(directory / "key.pem")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_https(start, certificate):
    cert, key = certificate
    server = start("--tls-cert", cert, "--tls-key", key)
    assert server.scheme == "https"
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    large = server.get("/v1/datasets/spiral/points?n=20000")
    assert large.status == 200 and len(large.json["points"]) == 20000
    run = subprocess.run(
        [BINARY, "healthcheck", "--port", str(server.port), "--tls-cert", cert, "--tls-key", key], capture_output=True
    )
    assert run.returncode == 0, run
    assert subprocess.run([BINARY, "healthcheck", "--port", str(server.port)], capture_output=True).returncode == 1
    for version, accepted in [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False)]:
        context = ssl.create_default_context(cafile=cert)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[version]
        with socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) as connection:
            if accepted:
                with context.wrap_socket(connection, server_hostname="127.0.0.1") as tls:
                    assert tls.version() == version.replace("_", ".")
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(connection, server_hostname="127.0.0.1")
    assert b"200" not in server.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert server.get("/livez").status == 200


@pytest.fixture(scope="module")
def rsa_certificate(tmp_path_factory):
    """With a key that could encrypt, too: for the suites that make no keys of their own."""
    directory = tmp_path_factory.mktemp("rsa")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    (directory / "key.pem").chmod(0o600)
    return str(directory / "cert.pem"), str(directory / "key.pem")


def test_only_ciphers_with_forward_secrecy_and_authentication(start, rsa_certificate):
    cert, key = rsa_certificate
    server = start("--tls-cert", cert, "--tls-key", key)
    offered = ssl.create_default_context(cafile=cert)
    offered.set_ciphers("ALL:@SECLEVEL=0")
    names = [suite["name"] for suite in offered.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert {"AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"} <= set(names)
    taken = set()
    for name in names:
        context = ssl.create_default_context(cafile=cert)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{name}:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10 * PATIENCE) as connection:
            try:
                with context.wrap_socket(connection, server_hostname="127.0.0.1") as tls:
                    taken.add(tls.cipher()[0])
            except (ssl.SSLError, ConnectionError):
                pass
    assert taken == {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}


def test_browsers_are_told_to_come_back_by_https(start, certificate):
    cert, key = certificate
    server = start("--tls-cert", cert, "--tls-key", key, "--allowed-hosts", "a.example")
    for host, expected in [("a.example", "max-age=31536000"), ("a.example:8443", "max-age=31536000"), ("localhost", None)]:
        for path in ("/livez", "/nothing", "/"):
            answer = server.fetch("GET", path, headers={"Host": host})
            assert answer.headers["Strict-Transport-Security"] == expected, (host, path)
    plain = start("--allowed-hosts", "a.example", directory=os.path.dirname(cert))
    assert "Strict-Transport-Security" not in plain.fetch("GET", "/livez", headers={"Host": "a.example"}).headers


def test_bad_certificates_stop_the_start(tmp_path, certificate):
    cert, key = certificate
    exposed, other = tmp_path / "exposed.pem", tmp_path / "other.pem"
    exposed.write_text(open(key).read())
    exposed.chmod(0o644)
    other.write_text("nothing")
    other.chmod(0o600)
    for flags, message in [
        (["--tls-cert", cert], "needed together"),
        (["--tls-key", key], "needed together"),
        (["--tls-cert", cert, "--tls-key", str(exposed)], "chmod o="),
        (["--tls-cert", cert, "--tls-key", str(other)], "not a PEM file"),
        (["--tls-cert", str(other), "--tls-key", key], "not a PEM file"),
        (["--tls-cert", "/nonexistent", "--tls-key", key], "No such file"),
        (["--tls-cert", key, "--tls-key", key], "not a certificate and its key"),
    ]:
        run = subprocess.run(
            [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "x.db"), *flags],
            capture_output=True, text=True, timeout=10 * PATIENCE,
        )  # fmt: skip
        assert run.returncode in (1, 2) and message in run.stderr, (flags, run.stderr)


# ---------------------------------------------------------------- a path of its own


def links_in(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "links":
                yield from inner.values()
            else:
                yield from links_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from links_in(inner)


def test_everything_is_below_the_base_path(start):
    server = start("--base-path", "/deep/denoised")
    base = "/deep/denoised"
    created = server.fetch("POST", base + "/v1/jobs", QUICK)
    assert created.status == 201 and created.headers["Location"] == f"{base}/v1/jobs/{created.json['id']}"
    eventually(lambda: server.fetch("GET", f"{base}/v1/jobs/latest").json["status"] == "succeeded")
    seen = set()
    for path in ("/v1/jobs", "/v1/jobs/latest", "/v1/models/latest", "/v1/datasets", "/v1/datasets/spiral"):
        answer = server.fetch("GET", base + path)
        assert answer.status == 200
        links = list(links_in(answer.json))
        assert links and all(link.startswith(base + "/v1/") for link in links), path
        seen.update(link for link in links if not link.endswith(("/cancel", "/resume")))
    for link in seen:
        assert server.fetch("GET", link).status == 200, link
    answer = server.fetch("GET", f"{base}/v1/jobs/{NO_ID}")
    assert check_problem(answer, 404, "no_such_job")["type"] == f"{base}/docs#no_such_job"
    assert server.fetch("GET", base + "/openapi.json").json["servers"] == [{"url": base}]
    assert server.fetch("GET", base).status == server.fetch("GET", base + "/").status == 200
    for path in ("/deep", "/deep/denoisedx/livez", "/denoised/livez", "/deep/denoised/deep/denoised/livez"):
        check_problem(server.fetch("GET", path), 404, "no_such_path")
    for _, path, _ in described(server, base).operations():
        for method in "GET", "POST", "DELETE", "OPTIONS":
            for accept in "text/html", "*/*":
                answer = server.fetch(method, path.replace("{id}", "latest"), headers={"Accept": accept})
                assert base in check_problem(answer, 404, "no_such_path")["detail"], path
    run = [BINARY, "healthcheck", "--port", str(server.port)]
    assert subprocess.run([*run, "--base-path", base], capture_output=True).returncode == 0


def described(server, base):
    contract = Contract()
    contract.description = server.fetch("GET", base + "/openapi.json").json
    return contract


def test_a_known_proxy_may_strip_the_base_path(start):
    server = start("--base-path", "/denoised", "--trusted-proxies", "127.0.0.1")
    for path in "", "/denoised":
        assert server.fetch("GET", f"{path}/v1/datasets/spiral").json["links"]["self"] == "/denoised/v1/datasets/spiral"
        assert b"<script" in server.fetch("GET", f"{path}/", headers={"Accept": "text/html"}).body
        assert server.fetch("GET", f"{path}/livez").status == 200


@pytest.mark.parametrize("path", ["denoised", "/a b", '/a"b', "/a//b", "/a/", "/a?b", "/../a", "/%41", "/" + "x" * 100])
def test_bad_base_paths(tmp_path, path):
    run = subprocess.run(
        [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "x.db"), "--base-path", path],
        capture_output=True, text=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    assert run.returncode == 2 and "--base-path must be a plain path" in run.stderr


# ---------------------------------------------------------------- systemd


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(start, tmp_path, abstract):
    name = f"@denoised-{tmp_path.name}-{time.time_ns()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(10 * PATIENCE)
        server = start(NOTIFY_SOCKET=name, WATCHDOG_USEC="200000")
        assert manager.recv(4096).decode() == f"READY=1\nSTATUS=listening on http://127.0.0.1:{server.port}"
        for _ in range(3):
            assert manager.recv(4096) == b"WATCHDOG=1"
        server.process.send_signal(signal.SIGHUP)
        assert manager.recv(4096) == b"WATCHDOG=1"
        server.process.send_signal(signal.SIGTERM)
        told = b"WATCHDOG=1"
        while told == b"WATCHDOG=1":
            told = manager.recv(4096)
        assert told == b"STOPPING=1\nSTATUS=stopping"
        assert server.process.wait(5 * PATIENCE) == 0


def test_no_watchdog_for_another_process(start, tmp_path):
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10 * PATIENCE)
        server = start(NOTIFY_SOCKET=name, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
        assert manager.recv(4096).startswith(b"READY=1")
        manager.settimeout(0.3)
        with pytest.raises(TimeoutError):
            manager.recv(4096)
        assert server.stop() == 0


# ---------------------------------------------------------------- settings


def test_the_table_of_settings_is_complete():
    table = subprocess.run([BINARY, "settings", "--markdown"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"^\| `(--[a-z-]+)` ", table, re.M))
    help_text = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    assert flags == set(re.findall(r"^  (--[a-z-]+) ", help_text, re.M))
    assert max(map(len, help_text.splitlines())) <= 80
    assert {"--host", "--api-keys", "--base-path", "--max-sample-cost"} <= flags
    for line in table.splitlines():
        assert line.startswith("| ") and line.endswith(" |") or line == "|---|---|---|---|"
        if "`--" in line:
            assert "`DENOISED_" + line.split("`")[1][2:].upper().replace("-", "_") + "`" in line
