"""Bad requests: each gets the right 4xx problem, costs nothing, and writes no row. The rows are in bad/*.py."""

import contextlib
import gzip
import itertools
import json
import re
import socket

import pytest
from bad import framing, json_texts, spec_fields, targets
from bad.framing import HOST, JOB, TYPE
from bad.targets import NO_ID
from conftest import ENDLESS, QUICK, Server

# Sent to POST …/samples of a trained model. (body, pointer)
SAMPLES = [
    ({"n": 0}, "/n"),
    ({"n": 100001}, "/n"),
    ({"n": "5"}, "/n"),
    ({"seed": -1}, "/seed"),
    ({"clip": 1}, "/clip"),
    ({"sampler": "eulr"}, "/sampler"),
    ({"count": 5}, "/count"),
    ({"noise": 5}, "/noise"),
    ({"noise": []}, "/noise"),
    ({"noise": [[]]}, "/noise"),
    ({"noise": [[1, 2], [3]]}, "/noise/1"),
    ({"noise": [[1, "2"]]}, "/noise/0"),
    ({"noise": [[1, None]]}, "/noise/0"),
    ({"noise": [[1, 2, 3]]}, "/noise"),
    ({"noise": [[1e39, 2]]}, "/noise/0"),
    ({"noise": [[1, 2], {}]}, "/noise/1"),
    ({"noise": {"0": [1, 2]}}, "/noise"),
    ({"noise": [[1, 2]], "n": 2}, "/n"),
    ([], ""),
]


def check_problem(answer, status, code):
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status and problem["code"] == code, problem
    assert problem["type"] and problem["title"] and problem["detail"]
    return problem


def pointers(problem):
    return sorted(error["pointer"] for error in problem["errors"])


class Rows:
    """The number of rows of every table, seen from outside."""

    def __init__(self, server):
        self.database = server.store.connect()

    def counts(self):
        counts = {name: self.database.one(f'SELECT count(*) FROM "{name}"') for name in self.database.tables()}
        # Blobs that no row names any more are removed meanwhile.
        counts["blob"] = self.database.one("SELECT count(*) FROM blob WHERE refs > 0")
        counts["piece"] = self.database.one("SELECT count(*) FROM piece JOIN blob ON blob.id = blob_id WHERE refs > 0")
        return counts

    @contextlib.contextmanager
    def unchanged(self):
        """Within this, nothing may be committed that leaves a row more or less."""
        version = self.database.version()
        yield
        if self.database.version() != version:
            assert self.counts() == self.before

    def __enter__(self):
        self.before = self.counts()
        return self

    def __exit__(self, *_):
        after = self.counts()
        self.database.close()
        assert after == self.before and len(after) > 3, "a bad request has changed the database"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("bad")))
    with Rows(server) as server.rows:
        yield server
        assert server.get("/readyz").status == 200
    log = server.read_log()
    assert server.stop() == 0
    assert [line for line in log.splitlines() if "level=error" in line or re.search("status=50[0347]", line)] == []


def refused(server, ask, status, code):
    """Asks, holds the answer against (status, code), and looks that nothing was written and the server lives."""
    with server.rows.unchanged():
        problem = check_problem(ask(), status, code)
    assert server.process.poll() is None
    return problem


def numbered(rows):
    return {"argvalues": rows, "ids": range(len(rows))}


TEXTS = list(itertools.chain.from_iterable(json_texts.NOT_JSON.values()))


@pytest.mark.parametrize("text", **numbered(TEXTS))
def test_what_is_not_json(alone, text):
    raw = text if isinstance(text, bytes) else text.encode()
    problem = refused(alone, lambda: alone.post("/v1/jobs", raw=raw), 400, "invalid_json")
    assert problem["detail"].startswith("line "), problem


@pytest.mark.parametrize("text", **numbered(json_texts.JOBS))
def test_odd_json_is_json(alone, text):
    with alone.rows.unchanged():
        answer = alone.post("/v1/jobs?validate_only=true", raw=text.encode())
    assert answer.status == 200, answer.body


FIELDS = list(spec_fields.rows())


@pytest.mark.parametrize("path,value,job,good", **numbered(FIELDS))
def test_each_field_at_its_limits(alone, path, value, job, good):
    if good:
        with alone.rows.unchanged():
            answer = alone.post("/v1/jobs?validate_only=true", job)
        assert answer.status == 200, answer.body
    else:
        raw = json.dumps(job).replace("Infinity", "1e400").encode()
        problem = refused(alone, lambda: alone.post("/v1/jobs", raw=raw), 422, "invalid_fields")
        assert pointers(problem) == [f"/{path}"], problem


@pytest.mark.parametrize("job,expected", **numbered(spec_fields.WHOLE))
def test_fields_that_do_not_go_together(alone, job, expected):
    problem = refused(alone, lambda: alone.post("/v1/jobs", raw=json.dumps(job).encode()), 422, "invalid_fields")
    assert pointers(problem) == expected, problem


@pytest.mark.parametrize("text,pointer", **numbered(spec_fields.NAMES))
def test_names_that_are_no_fields_or_are_there_twice(alone, text, pointer):
    problem = refused(alone, lambda: alone.post("/v1/jobs", raw=text.encode()), 422, "invalid_fields")
    assert pointer is None or pointers(problem) == [pointer], problem


@pytest.mark.parametrize("method,path,status,code", **numbered(targets.PATHS))
def test_bad_paths(alone, method, path, status, code):
    refused(alone, lambda: alone.request(method, path), status, code)


@pytest.mark.parametrize("method,path,status,code", **numbered(targets.METHODS))
def test_bad_methods(alone, method, path, status, code):
    answer = alone.request(method, path)
    refused(alone, lambda: answer, status, code)
    assert answer.headers["Allow"] and method not in answer.headers["Allow"]


@pytest.mark.parametrize("path,status,code,pointer", **numbered(targets.QUERIES))
def test_bad_queries(alone, path, status, code, pointer):
    problem = refused(alone, lambda: alone.get(path), status, code)
    assert pointer is None or pointers(problem) == [pointer], problem


@pytest.mark.parametrize("path", targets.GOOD_QUERIES)
def test_odd_queries_are_queries(alone, path):
    assert alone.get(path).status == 200


@pytest.mark.parametrize("type,status,code", **numbered(targets.CONTENT_TYPES))
def test_the_wrong_content_type(alone, type, status, code):
    refused(alone, lambda: alone.post("/v1/jobs", raw=b"{}", headers={"Content-Type": type}), status, code)


@pytest.mark.parametrize("request_bytes,status", **numbered(framing.RAW))
def test_requests_that_are_not_http_are_refused_and_closed(alone, request_bytes, status):
    with alone.rows.unchanged():
        # what follows must not be served as a second request
        answer = alone.send(request_bytes + b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n")
    if status is None:
        assert answer == b""
    else:
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    # (libmicrohttpd 0.9.75 writes the head of its own errors twice)
    assert b'"commit"' not in answer and b"HTTP/1.1 2" not in answer and answer.count(b"HTTP/1.1 ") <= 2
    assert alone.process.poll() is None and alone.get("/livez").status == 200


@pytest.mark.parametrize("body,pointer", **numbered(SAMPLES))
def test_bad_sample_requests(trained, body, pointer):
    with Rows(trained):
        problem = check_problem(trained.post(f"/v1/models/{trained.job}/samples", body), 422, "invalid_fields")
    assert pointer in pointers(problem), problem


def test_a_trajectory_that_is_too_large_says_what_would_fit(trained):
    answer = trained.get(f"/v1/models/{trained.job}/trajectories?n=100000")
    detail = check_problem(answer, 422, "invalid_fields")["detail"]
    most = int(detail.split("n = ")[1].split()[0])
    assert most * 81 * 2 <= 8000000 < (most + 1) * 81 * 2


def test_all_wrong_fields_are_reported_at_once(alone):
    answer = alone.post(
        "/v1/jobs",
        {"seed": -1, "dataset": "x", "training": {"epochs": 0, "lr": 1}, "network": {"hidden_size": 9}, "nam": "x"},
    )
    errors = check_problem(answer, 422, "invalid_fields")["errors"]
    pointers = {error["pointer"]: error["detail"] for error in errors}
    assert set(pointers) == {
        "/seed", "/dataset", "/training/epochs", "/training/lr", "/network/hidden_size", "/nam",
    }  # fmt: skip
    assert "1 to 1000000" in pointers["/training/epochs"]
    assert 'did you mean "name"' in pointers["/nam"]


@pytest.mark.parametrize(
    "spec,meant",
    [
        ({"epochs": 5}, "training.epochs"),
        ({"training": {"epcohs": 5}}, "training.epochs"),
        ({"training": {"learningrate": 5}}, "training.learning_rate"),
        ({"network": {"timesteps": 5}}, "diffusion.timesteps"),
        ({"sede": 5}, "seed"),
    ],
)
def test_a_misspelt_field_gets_a_suggestion(alone, spec, meant):
    problem = check_problem(alone.post("/v1/jobs", spec), 422, "invalid_fields")
    assert f'did you mean "{meant}"' in problem["detail"]


def test_json_errors_say_where(alone):
    problem = check_problem(alone.post("/v1/jobs", raw=b'{\n  "seed": 1,\n  "name": oops\n}'), 400, "invalid_json")
    assert problem["detail"].startswith("line 3, column 11:")


def test_content_type_parameters_do_not_matter(server):
    answer = server.post("/v1/jobs", QUICK, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status == 201


def test_a_compressed_body(alone):
    """It would only be called bad JSON otherwise."""
    for raw in (b"{}", gzip.compress(b"{}")):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        check_problem(alone.post("/v1/jobs", raw=raw, headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["identity", "Identity", "identity, identity", ""])
def test_a_body_that_is_what_it_is(alone, coding):
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    assert alone.post("/v1/jobs?validate_only=true", raw=b"{}", headers=headers).status == 200
    headers["Content-Encoding"] = f"gzip, {coding}"
    check_problem(alone.post("/v1/jobs?validate_only=true", raw=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("body,status,code", [
    (b'{"force":true}', 422, "invalid_fields"), (b"[]", 422, "invalid_fields"), (b"null", 422, "invalid_fields"),
    (b"{", 400, "invalid_json"), (b" ", 400, "invalid_json"),
])  # fmt: skip
def test_a_body_that_should_say_nothing(alone, body, status, code):
    path = f"/v1/jobs/{NO_ID}/cancel"
    check_problem(alone.post(path, raw=body), status, code)
    check_problem(alone.post(path, raw=b"{}", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    check_problem(alone.post(path, raw=b" {} "), 404, "no_such_job")


def test_a_body_where_none_belongs(alone):
    check_problem(alone.request("GET", "/v1/jobs", raw=b"{}"), 400, "unexpected_body")
    check_problem(alone.request("DELETE", f"/v1/jobs/{NO_ID}", raw=b"{}"), 400, "unexpected_body")


def test_a_large_body_is_refused_after_it_was_read(alone):
    raw = b'{"name":"' + b"x" * 300 * 1024 + b'"}'
    check_problem(alone.post("/v1/jobs", raw=raw), 413, "body_too_large")


def test_what_is_wrong_besides_is_said_before_the_size(alone):
    huge = b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    assert alone.send(b"POST /v1/nothing" + huge).startswith(b"HTTP/1.1 404 ")
    answer = alone.send(b"PUT /v1/jobs" + huge)
    assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: " in answer


def test_a_huge_body_is_refused_at_once(alone):
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = alone.send(head + b"Content-Length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"body_too_large"' in answer
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    alone.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40)
    assert alone.get("/livez").status == 200


def test_a_truncated_request_gets_nothing_and_costs_nothing(alone):
    with socket.create_connection(("127.0.0.1", alone.port)) as connection:
        connection.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 100\r\n\r\n" + JOB)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError):
            assert connection.recv(65536) == b""
    assert alone.get("/livez").status == 200


def test_a_chunked_job_is_a_job(server):
    raw = json.dumps(QUICK).encode()
    answer = server.send(
        b"POST /v1/jobs HTTP/1.1\r\nConnection: close\r\n" + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
    )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 201 ")


def test_a_model_before_its_first_checkpoint(start):
    server = start("--workers", "1")
    server.submit(ENDLESS)
    waiting = server.submit(QUICK)
    check_problem(server.get(f"/v1/models/{waiting}"), 404, "no_model_yet")
    check_problem(server.get(f"/v1/models/{waiting}/samples"), 404, "no_model_yet")
