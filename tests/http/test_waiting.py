"""Requests that wait for a job read it when something has happened to it, not again and again."""

import threading
import time

from conftest import ENDLESS, QUICK, eventually
from test_prometheus import metrics

LOOKS = "denoised_wait_looks_total"
WAITERS = 12
FLOOR = 2  # seconds after which a waiting request looks in any case


def ask(server, answers, method, path, body=None, headers=None):
    thread = threading.Thread(target=lambda: answers.append(server.request(method, path, body, headers=headers)))
    thread.start()
    return thread


def epoch(server, job):
    return server.get(f"/v1/jobs/{job}").json["progress"]["epoch"]


def test_those_who_wait_for_a_queued_job_do_not_look_at_it_while_another_trains(start):
    server = start("--workers", "1")
    busy = server.submit(ENDLESS)
    server.wait_for_epoch(busy, 1)
    key = {"Idempotency-Key": "waits", "Prefer": "wait=60"}
    queued = server.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "waits"}).json["id"]
    answers, began = [], time.monotonic()
    threads = [ask(server, answers, "GET", f"/v1/jobs/{queued}/history?wait=60") for _ in range(WAITERS // 2)]
    threads += [ask(server, answers, "POST", "/v1/jobs", QUICK, key) for _ in range(WAITERS // 2)]
    eventually(lambda: metrics(server)[LOOKS] >= WAITERS)  # all have looked once
    many = epoch(server, busy) + 200
    eventually(lambda: epoch(server, busy) >= many)
    looks, seconds = metrics(server)[LOOKS], time.monotonic() - began
    # On PostgreSQL once more, if nobody had waited for events until then, and through a pooler twice.
    assert looks <= WAITERS * (3 + seconds / FLOOR), "200 epochs of another job are no reason to look"
    assert not answers
    assert server.post(f"/v1/jobs/{busy}/cancel").status == 200
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * WAITERS
    histories = [answer.json for answer in answers if "data" in answer.json]
    assert len(histories) == WAITERS // 2 and all(history["data"]["epoch"] for history in histories)
    jobs = [answer.json for answer in answers if "spec" in answer.json]
    assert [job["status"] for job in jobs] == ["succeeded"] * (WAITERS // 2)
    assert {job["id"] for job in jobs} == {queued}


def test_who_waits_for_the_end_does_not_look_at_each_epoch(start):
    server = start("--workers", "1")
    answers, key = [], {"Idempotency-Key": "end", "Prefer": "wait=60"}
    job = server.post("/v1/jobs", ENDLESS, headers={"Idempotency-Key": "end"}).json["id"]
    before = metrics(server)[LOOKS]
    began = time.monotonic()
    thread = ask(server, answers, "POST", "/v1/jobs", ENDLESS, key)
    eventually(lambda: epoch(server, job) >= 200)
    looks, seconds = metrics(server)[LOOKS] - before, time.monotonic() - began
    assert looks <= 5 + seconds / FLOOR, "once or twice when it was queued, when it started, and every two seconds"
    assert server.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
    thread.join()
    assert answers[0].json["status"] == "cancelled"


def test_a_history_of_the_latest_job_follows_it(start):
    """A request that waits for "latest" hears of the epochs of a job that was submitted meanwhile."""
    server = start("--workers", "1")
    busy = server.submit(ENDLESS)
    server.wait_for_epoch(busy, 1)
    server.submit(QUICK)
    answers = []
    thread = ask(server, answers, "GET", "/v1/jobs/latest/history?wait=60")
    eventually(lambda: metrics(server)[LOOKS] >= 1)
    last = server.submit(dict(QUICK, seed=5))
    assert server.post(f"/v1/jobs/{busy}/cancel").status == 200
    thread.join()
    assert answers[0].status == 200 and answers[0].json["job"] == last and answers[0].json["data"]["epoch"]
