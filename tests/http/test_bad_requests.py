"""Bad requests: each gets the right 4xx problem, costs nothing, and writes no row."""

import contextlib
import json
import socket
import sqlite3

import pytest
from conftest import ENDLESS, QUICK, Server

# Sent as raw text to POST /v1/jobs. (text, status, code, pointer or None)
JOBS = [
    # not JSON at all
    ("not json", 400, "invalid_json", None),
    ("{", 400, "invalid_json", None),
    ('{"seed":1', 400, "invalid_json", None),
    ('{"seed":1}}', 400, "invalid_json", None),
    ('{"seed":1} {"seed":2}', 400, "invalid_json", None),
    ("{'seed':1}", 400, "invalid_json", None),
    ('{"seed":01}', 400, "invalid_json", None),
    ('{"seed":+1}', 400, "invalid_json", None),
    ('{"seed":.5}', 400, "invalid_json", None),
    ('{"seed":1.}', 400, "invalid_json", None),
    ('{"seed":0x10}', 400, "invalid_json", None),
    ('{"seed":NaN}', 400, "invalid_json", None),
    ('{"seed":Infinity}', 400, "invalid_json", None),
    ('{"seed":-Infinity}', 400, "invalid_json", None),
    ('{"seed":1,}', 400, "invalid_json", None),
    ('{"seed"}', 400, "invalid_json", None),
    ("{seed:1}", 400, "invalid_json", None),
    ('{"name":"a\nb"}', 400, "invalid_json", None),
    ('{"name":"\\u0000"}', 400, "invalid_json", None),
    ('{"name":"\\x41"}', 400, "invalid_json", None),
    ('{"name":"\\ud800"}', 400, "invalid_json", None),
    (b'{"name":"\xff\xfe"}', 400, "invalid_json", None),
    (b'{"name":"\xc0\xaf"}', 400, "invalid_json", None),
    (b'{"name":"a\x00b"}', 400, "invalid_json", None),
    (b'\xef\xbb\xbf{"seed":1}', 400, "invalid_json", None),
    (b"\x00", 400, "invalid_json", None),
    ("[" * 1000 + "]" * 1000, 400, "invalid_json", None),
    ('{"a":' * 100 + "1" + "}" * 100, 400, "invalid_json", None),
    ("[" + "1," * 30000 + "1]", 400, "invalid_json", None),
    ("   ", 400, "invalid_json", None),
    # JSON, but not a job
    ("[]", 422, "invalid_fields", ""),
    ("null", 422, "invalid_fields", ""),
    ('"spiral"', 422, "invalid_fields", ""),
    ("42", 422, "invalid_fields", ""),
    # unknown and repeated fields
    ('{"sed":1}', 422, "invalid_fields", "/sed"),
    ('{"Seed":1}', 422, "invalid_fields", "/Seed"),
    ('{"":1}', 422, "invalid_fields", "/"),
    ('{"a/b~c":1}', 422, "invalid_fields", "/a~1b~0c"),
    ('{"epochs":5}', 422, "invalid_fields", "/epochs"),
    ('{"training":{"epoch":5}}', 422, "invalid_fields", "/training/epoch"),
    ('{"seed":1,"seed":1}', 422, "invalid_fields", "/seed"),
    ('{"training":{"epochs":5,"epochs":6}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{},"training":{}}', 422, "invalid_fields", "/training"),
    ('{"__proto__":{}}', 422, "invalid_fields", "/__proto__"),
    # wrong types
    ('{"seed":"1"}', 422, "invalid_fields", "/seed"),
    ('{"seed":null}', 422, "invalid_fields", "/seed"),
    ('{"seed":true}', 422, "invalid_fields", "/seed"),
    ('{"seed":[1]}', 422, "invalid_fields", "/seed"),
    ('{"name":5}', 422, "invalid_fields", "/name"),
    ('{"training":5}', 422, "invalid_fields", "/training"),
    ('{"training":[]}', 422, "invalid_fields", "/training"),
    ('{"network":null}', 422, "invalid_fields", "/network"),
    ('{"training":{"epochs":"many"}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{"loss":2}}', 422, "invalid_fields", "/training/loss"),
    ('{"dataset":5}', 422, "invalid_fields", "/dataset"),
    ('{"dataset":[]}', 422, "invalid_fields", "/dataset"),
    ('{"dataset":["spiral",5]}', 422, "invalid_fields", "/dataset/1"),
    ('{"dataset":["spiral",["moons"]]}', 422, "invalid_fields", "/dataset/1"),
    ('{"dataset":["spiral","moon"]}', 422, "invalid_fields", "/dataset/1"),
    ('{"dataset":["moons",{"name":"spiral","n":0}]}', 422, "invalid_fields", "/dataset/1/n"),
    ('{"dataset":["moons",{"nam":"spiral"}]}', 422, "invalid_fields", "/dataset/1/nam"),
    ('{"dataset":[{"n":600000},{"n":600000}]}', 422, "invalid_fields", ""),
    (json.dumps({"dataset": ["moons"] * 65}), 422, "invalid_fields", "/dataset"),
    ('{"training":{"normalization":"none"}}', 422, "invalid_fields", "/training/normalization"),
    ('{"preset":{}}', 422, "invalid_fields", "/preset"),
    # out of range
    ('{"seed":-1}', 422, "invalid_fields", "/seed"),
    ('{"seed":1.5}', 422, "invalid_fields", "/seed"),
    ('{"seed":9007199254740992}', 422, "invalid_fields", "/seed"),
    ('{"seed":1e400}', 422, "invalid_fields", "/seed"),
    ('{"training":{"epochs":0}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{"epochs":-5}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{"epochs":2.5}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{"epochs":1000001}}', 422, "invalid_fields", "/training/epochs"),
    ('{"training":{"batch_size":0}}', 422, "invalid_fields", "/training/batch_size"),
    ('{"training":{"batch_size":65537}}', 422, "invalid_fields", "/training/batch_size"),
    ('{"training":{"learning_rate":0}}', 422, "invalid_fields", "/training/learning_rate"),
    ('{"training":{"learning_rate":-1e-3}}', 422, "invalid_fields", "/training/learning_rate"),
    ('{"training":{"learning_rate":1e999}}', 422, "invalid_fields", "/training/learning_rate"),
    ('{"training":{"ema_decay":1}}', 422, "invalid_fields", "/training/ema_decay"),
    ('{"training":{"validation_fraction":1}}', 422, "invalid_fields", "/training/validation_fraction"),
    ('{"training":{"checkpoint_every":0}}', 422, "invalid_fields", "/training/checkpoint_every"),
    ('{"training":{"loss":"mean"}}', 422, "invalid_fields", "/training/loss"),
    ('{"diffusion":{"timesteps":0}}', 422, "invalid_fields", "/diffusion/timesteps"),
    ('{"diffusion":{"timesteps":4001}}', 422, "invalid_fields", "/diffusion/timesteps"),
    ('{"diffusion":{"beta_schedule":"Linear"}}', 422, "invalid_fields", "/diffusion/beta_schedule"),
    ('{"diffusion":{"beta_start":0}}', 422, "invalid_fields", "/diffusion/beta_start"),
    ('{"diffusion":{"beta_schedule":"linear","timesteps":10,"beta_end":0.5}}', 422, "invalid_fields", ""),
    ('{"preset":"sinai2022","diffusion":{"beta_schedule":"flow"}}', 422, "invalid_fields", ""),
    ('{"diffusion":{"zero_terminal_snr":true,"prediction_type":"epsilon"}}', 422, "invalid_fields", ""),
    ('{"diffusion":{"zero_terminal_snr":true,"timesteps":1}}', 422, "invalid_fields", ""),
    ('{"diffusion":{"zero_terminal_snr":"yes"}}', 422, "invalid_fields", "/diffusion/zero_terminal_snr"),
    ('{"training":{"keep_best":1}}', 422, "invalid_fields", "/training/keep_best"),
    ('{"training":{"keep_best":true,"validation_fraction":0}}', 422, "invalid_fields", ""),
    ('{"training":{"weight_decay":-0.1}}', 422, "invalid_fields", "/training/weight_decay"),
    ('{"training":{"lr_warmup_steps":1.5}}', 422, "invalid_fields", "/training/lr_warmup_steps"),
    ('{"training":{"lr_schedule":"step"}}', 422, "invalid_fields", "/training/lr_schedule"),
    ('{"training":{"min_snr_gamma":-1}}', 422, "invalid_fields", "/training/min_snr_gamma"),
    ('{"network":{"hidden_size":7}}', 422, "invalid_fields", "/network/hidden_size"),
    ('{"network":{"hidden_size":33}}', 422, "invalid_fields", "/network/hidden_size"),
    ('{"network":{"hidden_size":1026}}', 422, "invalid_fields", "/network/hidden_size"),
    ('{"network":{"hidden_layers":9}}', 422, "invalid_fields", "/network/hidden_layers"),
    ('{"training":{"epochs":1000000,"batch_size":1}}', 422, "invalid_fields", ""),
    ('{"preset":"sinai"}', 422, "invalid_fields", "/preset"),
    ('{"dataset":"spirale"}', 422, "invalid_fields", "/dataset"),
    ('{"dataset":{"name":"spirale"}}', 422, "invalid_fields", "/dataset/name"),
    ('{"dataset":{"n":0}}', 422, "invalid_fields", "/dataset/n"),
    ('{"dataset":{"n":1000001}}', 422, "invalid_fields", "/dataset/n"),
    ('{"dataset":{"size":5}}', 422, "invalid_fields", "/dataset/size"),
    (json.dumps({"name": "x" * 101}), 422, "invalid_fields", "/name"),
]

NO_ID = "0198c0de-0000-7000-8000-000000000000"

# (method, path, status, code)
PATHS = [
    ("GET", "/v1/job", 404, "no_such_path"),
    ("GET", "/v1/jobs/", 404, "no_such_path"),
    ("GET", "/v1//jobs", 404, "no_such_path"),
    ("GET", "/V1/jobs", 404, "no_such_path"),
    ("GET", "/v1/jobs/../jobs", 404, "no_such_path"),
    ("GET", "/v1/jobs/%2e%2e/jobs", 404, "no_such_path"),
    ("GET", "/v1/jobs/latest/history.exe", 404, "no_such_path"),
    ("GET", f"/v1/jobs/{NO_ID}", 404, "no_such_job"),
    ("GET", "/v1/jobs/latest", 404, "no_such_job"),
    ("GET", "/v1/jobs/1", 404, "no_such_job"),
    ("GET", f"/v1/jobs/{NO_ID.upper()}", 404, "no_such_job"),
    ("GET", "/v1/jobs/' OR 1=1 --".replace(" ", "%20"), 404, "no_such_job"),
    ("DELETE", f"/v1/jobs/{NO_ID}", 404, "no_such_job"),
    ("POST", f"/v1/jobs/{NO_ID}/cancel", 404, "no_such_job"),
    ("GET", f"/v1/jobs/{NO_ID}/history", 404, "no_such_job"),
    ("GET", f"/v1/models/{NO_ID}", 404, "no_such_model"),
    ("GET", f"/v1/models/{NO_ID}/samples", 404, "no_such_model"),
    ("POST", f"/v1/models/{NO_ID}/trajectories", 404, "no_such_model"),
    ("GET", "/v1/datasets/nothing", 404, "no_such_dataset"),
    ("GET", "/v1/datasets/nothing/points", 404, "no_such_dataset"),
    ("PUT", "/v1/jobs", 405, "method_not_allowed"),
    ("PATCH", f"/v1/jobs/{NO_ID}", 405, "method_not_allowed"),
    ("GET", f"/v1/jobs/{NO_ID}/cancel", 405, "method_not_allowed"),
    ("DELETE", "/v1/datasets/spiral", 409, "dataset_built_in"),
    ("DELETE", "/v1/datasets/nothing", 404, "no_such_dataset"),
    ("DELETE", f"/v1/datasets/{NO_ID}", 404, "no_such_dataset"),
    ("PUT", "/v1/datasets/spiral", 405, "method_not_allowed"),
    ("GET", f"/v1/datasets/{NO_ID}", 404, "no_such_dataset"),
    ("GET", f"/v1/datasets/{NO_ID}/points", 404, "no_such_dataset"),
    ("GET", "/v1/datasets?after=nothing", 422, "invalid_fields"),
    ("GET", "/v1/datasets?kind=other", 422, "invalid_fields"),
    ("GET", "/v1/datasets?limit=0", 422, "invalid_fields"),
    ("POST", "/livez", 405, "method_not_allowed"),
    ("BREW", "/v1/jobs", 405, "method_not_allowed"),
    ("GET", "/v1/jobs?limit=0", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=201", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=5x", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=0x5", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=nan", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=5&limit=6", 422, "invalid_fields"),
    ("GET", "/v1/jobs?status=done", 422, "invalid_fields"),
    ("GET", f"/v1/jobs?after={NO_ID}", 422, "invalid_fields"),
    ("GET", "/v1/jobs?page=2", 422, "invalid_fields"),
    ("GET", "/v1/jobs?limit=%zz", 400, "bad_target"),
    ("GET", "/v1/jobs?limit=%0", 400, "bad_target"),
    ("GET", "/v1/jobs?after=%00", 400, "bad_target"),
    ("GET", "/v1/jobs?after=%ff", 400, "bad_target"),
    ("GET", "/v1/jobs/%00", 400, "bad_target"),
    ("GET", "/v1/jobs?" + "&".join(f"a{i}=1" for i in range(65)), 400, "bad_target"),
    ("DELETE", f"/v1/jobs/{NO_ID}?force=1", 422, "invalid_fields"),
    ("GET", f"/v1/jobs/{NO_ID}/history?after=-1", 422, "invalid_fields"),
    ("GET", f"/v1/jobs/{NO_ID}/history?limit=10001", 422, "invalid_fields"),
    ("GET", "/v1/datasets/spiral/points?n=0", 422, "invalid_fields"),
    ("GET", "/v1/datasets/spiral/points?n=100001", 422, "invalid_fields"),
    ("GET", "/v1/datasets/spiral/points?seed=-1", 422, "invalid_fields"),
    ("GET", "/livez?verbose=1", 422, "invalid_fields"),
]

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
    ({"noise": [[1, 2, 3]]}, "/noise"),
    ({"noise": [[1e39, 2]]}, "/noise/0"),
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


def rows(server):
    with sqlite3.connect(server.database) as database:
        return database.execute("SELECT count(*) FROM job").fetchone()[0]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    server = Server(str(tmp_path_factory.mktemp("bad")))
    yield server
    assert server.get("/readyz").status == 200
    assert rows(server) == 0, "a bad request has left a row"
    assert server.stop() == 0


@pytest.mark.parametrize("text,status,code,pointer", JOBS, ids=range(len(JOBS)))
def test_bad_jobs(alone, text, status, code, pointer):
    raw = text if isinstance(text, bytes) else text.encode()
    problem = check_problem(alone.post("/v1/jobs", raw=raw), status, code)
    if pointer is not None:
        assert [error["pointer"] for error in problem["errors"]] == [pointer], problem
    assert rows(alone) == 0


@pytest.mark.parametrize("method,path,status,code", PATHS, ids=range(len(PATHS)))
def test_bad_paths_and_queries(alone, method, path, status, code):
    answer = alone.request(method, path)
    check_problem(answer, status, code)
    if status == 405:
        assert answer.headers["Allow"] and method not in answer.headers["Allow"]
    assert alone.get("/livez").status == 200


@pytest.mark.parametrize("body,pointer", SAMPLES, ids=range(len(SAMPLES)))
def test_bad_sample_requests(trained, body, pointer):
    problem = check_problem(trained.post(f"/v1/models/{trained.job}/samples", body), 422, "invalid_fields")
    assert pointer in [error["pointer"] for error in problem["errors"]], problem


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


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_the_wrong_content_type(alone, type):
    answer = alone.post("/v1/jobs", raw=b"{}", headers={"Content-Type": type})
    check_problem(answer, 415, "unsupported_media_type")


def test_content_type_parameters_do_not_matter(server):
    answer = server.post("/v1/jobs", QUICK, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status == 201


def test_a_body_where_none_belongs(alone):
    check_problem(alone.request("GET", "/v1/jobs", raw=b"{}"), 400, "unexpected_body")
    check_problem(alone.request("DELETE", f"/v1/jobs/{NO_ID}", raw=b"{}"), 400, "unexpected_body")


def test_a_large_body_is_refused_after_it_was_read(alone):
    raw = b'{"name":"' + b"x" * 300 * 1024 + b'"}'
    check_problem(alone.post("/v1/jobs", raw=raw), 413, "body_too_large")


def test_a_huge_body_is_refused_at_once(alone):
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = alone.send(head + b"Content-Length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"body_too_large"' in answer
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    alone.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40)
    assert alone.get("/livez").status == 200


# Raw requests whose framing two programs could read differently. (bytes, status)
JOB = b'{"seed":1}'
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/json\r\n"
RAW = [
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 10\r\nContent-Length: 10\r\n\r\n" + JOB, 400),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 0\r\nContent-Length: 10\r\n\r\n" + JOB, 400),
    (
        b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE
        + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length : 10\r\n\r\n" + JOB, 400),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: -1\r\n\r\n", 400),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 0x10\r\n\r\n" + JOB, 400),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 10, 10\r\n\r\n" + JOB, 400),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (b"POST /v1/jobs HTTP/1.0\r\n" + HOST + TYPE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421),
    (b"GET http://evil.example/v1/jobs HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/jobs HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"a" * 40000 + b"\r\n\r\n", 431),
]


@pytest.mark.parametrize("request_bytes,status", RAW, ids=range(len(RAW)))
def test_ambiguous_requests_are_refused_and_closed(alone, request_bytes, status):
    # what follows must not be served as a second request
    answer = alone.send(request_bytes + b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n", timeout=5)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b'"commit"' not in answer
    assert rows(alone) == 0


def test_a_truncated_request_gets_nothing_and_costs_nothing(alone):
    with socket.create_connection(("127.0.0.1", alone.port)) as connection:
        connection.sendall(b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE + b"Content-Length: 100\r\n\r\n" + JOB)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError):
            assert connection.recv(65536) == b""
    assert rows(alone) == 0 and alone.get("/livez").status == 200


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
