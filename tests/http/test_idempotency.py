"""Idempotency-Key on what is no submission of a job (those: test_jobs.py): uploads, imports, resumed trainings."""

import threading

import pytest
from conftest import QUICK
from test_bad_requests import check_problem

CSV = {"Content-Type": "text/csv"}
BINARY = {"Content-Type": "application/octet-stream"}
TABLE = b"x,y,label\n0,0,low\n1,1,high\n"


@pytest.fixture
def weights(trained):
    return trained.get(f"/v1/models/{trained.job}/weights.safetensors").body


@pytest.fixture(params=["datasets", "models"])
def upload(request, server, weights):
    """Sends a file with a key."""
    raw, headers = {"datasets": (TABLE, CSV), "models": (weights, BINARY)}[request.param]

    def send(key, query="", more=b"", **other):
        return server.post(f"/v1/{request.param}{query}", raw=raw + more, headers={**headers, "Idempotency-Key": key, **other})

    send.where = f"/v1/{request.param}"
    return send


def items(server, where):
    return [item["id"] for item in server.get(where).json["items"] if item.get("kind") != "pattern" and "builtin" not in str(item.get("kind"))]


def test_the_same_upload_with_the_same_key_is_made_once(server, upload):
    first = upload("k", "?name=mine")
    assert first.status == 201 and "Idempotency-Replayed" not in first.headers
    before = items(server, upload.where)
    for _ in range(2):
        again = upload("k", "?name=mine")
        assert again.status == 200 and again.headers["Idempotency-Replayed"] == "true"
        assert again.json == first.json and again.headers["Location"] == first.headers["Location"] == f"{upload.where}/{first.json['id']}"
    assert items(server, upload.where) == before
    check_problem(upload("k", "?name=other"), 422, "idempotency_key_reused")
    check_problem(upload("k"), 422, "idempotency_key_reused")
    assert items(server, upload.where) == before
    assert upload("K", "?name=mine").json["id"] != first.json["id"]
    check_problem(upload("x" * 256), 400, "bad_idempotency_key")
    check_problem(upload(""), 400, "bad_idempotency_key")


def test_another_file_with_the_same_key_is_refused(server):
    def send(table):
        return server.post("/v1/datasets", raw=table, headers={**CSV, "Idempotency-Key": "k"})

    assert send(TABLE).status == 201
    check_problem(send(TABLE + b"2,2,low\n"), 422, "idempotency_key_reused")
    assert send(TABLE).status == 200


def test_a_refused_upload_leaves_its_key_free(server):
    headers = {**CSV, "Idempotency-Key": "k"}
    assert server.post("/v1/datasets", raw=b"x,y\n1,\n", headers=headers).status == 422
    assert server.post("/v1/datasets", raw=TABLE, headers=headers).status == 201


def test_what_was_deleted_is_made_anew(server, upload):
    first = upload("k").json["id"]
    assert server.request("DELETE", f"{upload.where}/{first}").status == 204
    again = upload("k")
    assert again.status == 201 and again.json["id"] != first


def test_the_same_upload_at_the_same_time_is_made_once(server, upload):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(upload("race"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_one_key_for_different_operations(server, weights):
    key = {"Idempotency-Key": "one"}
    made = [
        server.post("/v1/datasets", raw=TABLE, headers={**CSV, **key}),
        server.post("/v1/models", raw=weights, headers={**BINARY, **key}),
        server.post("/v1/jobs", QUICK, headers=key),
    ]
    assert [answer.status for answer in made] == [201] * 3


def test_the_key_survives_a_kill(start):
    server = start()
    headers = {**CSV, "Idempotency-Key": "k"}
    first = server.post("/v1/datasets", raw=TABLE, headers=headers)
    server.kill()
    server.start()
    again = server.post("/v1/datasets", raw=TABLE, headers=headers)
    assert again.status == 200 and again.json["id"] == first.json["id"]


def test_a_training_is_extended_once(server):
    job = server.submit(QUICK)
    server.wait(job)
    key = {"Idempotency-Key": "more"}
    first = server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}, headers=key)
    assert first.status == 202 and first.headers["Location"] == f"/v1/jobs/{job}"
    again = server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}, headers=key)
    assert again.status == 200 and again.headers["Idempotency-Replayed"] == "true" and again.json["id"] == job
    assert again.headers["Location"] == f"/v1/jobs/{job}"
    server.wait(job)
    again = server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}, headers=key)
    assert again.status == 200 and again.json["status"] == "succeeded" and again.json["progress"]["epoch"] == 6
    check_problem(server.post(f"/v1/jobs/{job}/resume", {"epochs": 9}, headers=key), 422, "idempotency_key_reused")
    check_problem(server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}), 422, "invalid_fields")
    check_problem(server.post(f"/v1/jobs/{job}/resume", {"epochs": 9}, headers={"Idempotency-Key": ""}), 400, "bad_idempotency_key")


def test_the_latest_training_is_extended_once(server):
    """A newer job comes between the two requests; the second is still about the first."""
    job = server.submit(QUICK)
    server.wait(job)
    key = {"Idempotency-Key": "latest"}
    first = server.post("/v1/jobs/latest/resume", {"epochs": 6}, headers=key)
    assert first.status == 202 and first.json["id"] == job
    newer = server.submit(QUICK)
    again = server.post("/v1/jobs/latest/resume", {"epochs": 6}, headers=key)
    assert again.status == 200 and again.headers["Idempotency-Replayed"] == "true" and again.json["id"] == job
    assert again.headers["Location"] == f"/v1/jobs/{job}"
    check_problem(server.post(f"/v1/jobs/{newer}/resume", {"epochs": 6}, headers=key), 422, "idempotency_key_reused")
    server.wait(job)
    server.wait(newer)
    assert server.get(f"/v1/jobs/{newer}").json["progress"]["epoch"] == QUICK["training"]["epochs"]


def test_a_form_is_the_same_with_another_boundary_but_not_with_another_schema(server):
    """A client that sends a form again draws another boundary."""
    def send(boundary, schema):
        parts = {"file": "a,b\n1,2\n3,4\n5,5\n", "schema": schema}
        body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts.items())
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": "a form"}
        return server.post("/v1/datasets", raw=f"{body}--{boundary}--\r\n".encode(), headers=headers)

    first, again, other = send("one", '{"label":"b"}'), send("two", '{"label":"b"}'), send("one", '{"label":null}')
    assert first.status == 201 and again.status == 200 and again.json == first.json
    assert other.status == 422 and other.json["code"] == "idempotency_key_reused"
