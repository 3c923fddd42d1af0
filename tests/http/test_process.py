"""What the process is given by whoever starts it: descriptors, how many of them, and a reader of its log."""

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest
from conftest import BINARY, PATIENCE, eventually


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, method="GET", path="/livez", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30 * PATIENCE)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def answers(port):
    try:
        return ask(port)[0] == 200
    except OSError:
        return False


def metric(port, name):
    return float(re.search(rb"\n%s (\S+)" % name.encode(), ask(port, path="/metrics")[1])[1])


@pytest.fixture
def launch(tmp_path):
    """Starts a server in some odd way, on a port that is known before; it must end in good order."""
    launched = []

    def start(*flags, **more):
        port = free_port()
        command = [BINARY, "serve", "--port", str(port), "--database", str(tmp_path / "test.db"), *flags]
        process = subprocess.Popen(command, **more)
        launched.append(process)
        eventually(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None
        return process, port

    yield start
    for process in launched:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=6 * PATIENCE) == 0


# ---------------------------------------------------------------- descriptors


@pytest.mark.parametrize("closed", [[0], [1], [2], [1, 2], [0, 1, 2]])
def test_closed_descriptors_are_not_given_to_files(launch, tmp_path, closed):
    def close():
        for fd in closed:
            os.close(fd)

    log = open(tmp_path / "log", "wb")  # noqa: SIM115
    process, port = launch("--log-level", "debug", stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=close)
    assert ask(port, "POST", "/v1/jobs", b'{"training":{"epochs":1}}')[0] == 201
    for fd in closed:
        assert os.readlink(f"/proc/{process.pid}/fd/{fd}") == "/dev/null"
    assert (tmp_path / "test.db").read_bytes().startswith(b"SQLite format 3\0")
    assert b"level=" not in (tmp_path / "test.db").read_bytes()


def limited(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_to_what_connections_need(launch, tmp_path):
    log = open(tmp_path / "log", "wb")  # noqa: SIM115
    wanted = min(600, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)
    flags = ["--max-connections", str(wanted), "--max-connections-per-ip", str(wanted)]
    _, port = launch(*flags, stdout=log, stderr=log, preexec_fn=limited(64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert wanted < metric(port, "process_max_fds") < wanted + 200
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30 * PATIENCE) for _ in range(wanted // 2)]
    for client in clients:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert all(client.recv(12) == b"HTTP/1.1 200" for client in clients)
    assert "fewer connections" not in (tmp_path / "log").read_text()
    for client in clients:
        client.close()


def test_connections_are_fewer_where_files_are(launch, tmp_path):
    log = open(tmp_path / "log", "wb")  # noqa: SIM115
    _, port = launch("--workers", "1", "--samplers", "1", stdout=log, stderr=log, preexec_fn=limited(64, 64))
    line = re.search(r"level=warn msg=\"fewer connections.* files=64 connections=(\d+) wanted=1024", (tmp_path / "log").read_text())
    most = int(line[1])
    assert 4 <= most < 64
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30 * PATIENCE) for _ in range(100)]
    for client in clients:
        client.close()
    eventually(lambda: answers(port))
    assert ask(port, "POST", "/v1/jobs", b'{"training":{"epochs":1}}')[0] == 201, "the database has its files"


def test_too_few_files_for_anything(tmp_path):
    run = subprocess.run(
        [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "test.db"), "--workers", "8"],
        capture_output=True, text=True, timeout=30 * PATIENCE, preexec_fn=limited(40, 40),
    )  # fmt: skip
    assert run.returncode == 1 and "ulimit -Hn" in run.stderr and "listening" not in run.stdout


# ---------------------------------------------------------------- a log that nobody reads


def full_pipe():
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"\n" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    return read, write


def read_on(fd, until):
    """Reads until the text is there."""
    text, deadline = b"", time.monotonic() + 30 * PATIENCE
    os.set_blocking(fd, False)
    while until not in text:
        assert time.monotonic() < deadline, text[-2000:]
        try:
            text += os.read(fd, 1 << 16)
        except BlockingIOError:
            time.sleep(0.02)
    return text


@pytest.mark.parametrize("which", ["stderr", "stdout", "both"])
def test_a_pipe_that_nobody_reads_stops_nothing(launch, which):
    read, write = full_pipe()
    sinks = {name: write if which in (name, "both") else subprocess.DEVNULL for name in ("stdout", "stderr")}
    _, port = launch("--log-level", "debug", **sinks)
    os.close(write)
    status, job = ask(port, "POST", "/v1/jobs", b'{"training":{"epochs":1}}')
    assert status == 201
    for _ in range(50):
        assert ask(port)[0] == 200
    eventually(lambda: b'"succeeded"' in ask(port, path="/v1/jobs")[1])
    assert ask(port, "DELETE", "/v1/jobs/" + re.search(rb'"id":"([^"]+)"', job)[1].decode())[0] == 204
    os.close(read)


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_lines_are_kept_for_a_slow_reader_and_then_dropped_and_counted(launch, log_format):
    read, write = full_pipe()
    _, port = launch("--log-level", "debug", "--log-format", log_format, stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30 * PATIENCE)  # one thread serves it
    asked = 0
    while metric(port, "denoised_log_lines_dropped_total") == 0:
        for _ in range(100):
            connection.request("GET", f"/nothing-{asked}-" + "x" * 180)
            connection.getresponse().read()
            asked += 1
        assert asked < 20000
    connection.close()
    dropped = metric(port, "denoised_log_lines_dropped_total")
    text = read_on(read, b"lines were dropped")
    ask(port, path="/the-end")
    text = text.lstrip(b"\n") + read_on(read, b"/the-end")
    assert text.count(b"lines were dropped") == 1
    lines = [line for line in text.decode().split("\n") if line]
    start = "time=" if log_format == "logfmt" else '{"time":'
    assert all(line.startswith(start) for line in lines[:-1]), "no line is mixed with another"
    kept = [int(found) for found in re.findall(r"/nothing-(\d+)-", "\n".join(lines))]
    assert kept == sorted(kept) and kept[0] == 0 and len(kept) > 500, "the first ones, in their order"
    told = re.search(r"lines were dropped[^\"]*\"(?: lines=|,\"lines\":)(\d+)", text.decode())
    assert dropped <= int(told[1]) == metric(port, "denoised_log_lines_dropped_total")
    os.close(read)


def test_a_reader_of_the_log_that_goes_away_stops_nothing(launch):
    read, write = os.pipe()
    _, port = launch("--log-level", "debug", stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    os.close(read)
    for _ in range(20):
        assert ask(port)[0] == 200
    eventually(lambda: metric(port, "denoised_log_lines_dropped_total") >= 20)  # lines are written by a thread of their own


def test_the_last_lines_are_there_after_the_end(tmp_path):
    """A reader that is only slow gets everything, the line of the end included."""
    read, write = os.pipe()
    process = subprocess.Popen(
        [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "test.db")], stdout=subprocess.PIPE, stderr=write
    )
    os.close(write)
    assert process.stdout.readline().startswith(b"listening on")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=6 * PATIENCE) == 0
    assert b'msg="stopped"' in read_on(read, b"stopped")
    os.close(read)
