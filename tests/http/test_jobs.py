"""Submitting twice, waiting, resuming and extending; long polls and thinned histories."""

import threading
import time

from conftest import ENDLESS, QUICK, eventually, outcome, undisturbed

SPEC = {
    "dataset": {"name": "moons", "n": 400},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 16, "hidden_layers": 2},
    "training": {"epochs": 12, "batch_size": 50, "checkpoint_every": 5},
}


def test_validate_only_says_what_the_job_would_be(server):
    answer = server.post("/v1/jobs?validate_only=true", {"preset": "sinai2022", "seed": 3})
    assert answer.status == 200 and answer.json["valid"] is True
    assert answer.json["steps"] == 31300 and answer.json["parameters"] > 5000
    assert answer.json["spec"]["seed"] == 3
    assert server.post("/v1/jobs?validate_only=true", {"seed": -3}).status == 422
    assert server.get("/v1/jobs").json["items"] == []


def test_the_same_key_submits_once(server):
    key = {"Idempotency-Key": "k-1"}
    first = server.post("/v1/jobs", SPEC, headers=key)
    assert first.status == 201 and "Idempotency-Replayed" not in first.headers
    again = server.post("/v1/jobs", dict(SPEC, seed=0), headers={**key, "Prefer": "wait=1"})  # in other words
    assert again.headers["Preference-Applied"] == "wait=1"
    assert again.status == 200 and again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] == first.json["id"] and again.headers["Location"] == first.headers["Location"]
    other = server.post("/v1/jobs", dict(SPEC, seed=1), headers=key)
    assert other.status == 422 and other.json["code"] == "idempotency_key_reused"
    assert server.post("/v1/jobs", {**SPEC, "name": "another"}, headers=key).status == 422
    assert server.post("/v1/jobs", SPEC, headers={"Idempotency-Key": "k-2"}).json["id"] != first.json["id"]
    assert server.post("/v1/jobs", SPEC, headers={"Idempotency-Key": "x" * 256}).status == 400
    assert len(server.get("/v1/jobs").json["items"]) == 2


def test_the_key_of_an_extended_job_stands_for_what_was_submitted(server):
    key = {"Idempotency-Key": "extended"}
    job = server.post("/v1/jobs", QUICK, headers=key).json["id"]
    server.wait(job)
    for epochs in (5, 7):
        assert server.post(f"/v1/jobs/{job}/resume", {"epochs": epochs}).status == 202
        server.wait(job)
    again = server.post("/v1/jobs", QUICK, headers=key)
    assert again.status == 200 and again.json["id"] == job and again.json["spec"]["training"]["epochs"] == 7
    for epochs in (5, 7):
        extended = {**QUICK, "training": {**QUICK["training"], "epochs": epochs}}
        assert server.post("/v1/jobs", extended, headers=key).status == 422


def test_the_same_key_at_the_same_time_submits_once(server):
    answers = []
    send = lambda: answers.append(server.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "race"}))  # noqa: E731
    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 11 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_the_key_survives_a_kill(start):
    server = start()
    first = server.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "k"}).json["id"]
    server.kill()
    server.start()
    again = server.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "k"})
    assert again.status == 200 and again.json["id"] == first


def test_prefer_wait_answers_when_the_job_is_over(server):
    answer = server.post("/v1/jobs", QUICK, headers={"Prefer": "wait=20"})
    assert answer.status == 201 and answer.json["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=20" and answer.headers["Location"]
    began = time.monotonic()
    answer = server.post("/v1/jobs", ENDLESS, headers={"Prefer": "wait=1"})
    assert answer.status == 201 and answer.json["status"] in ("queued", "running")
    assert time.monotonic() - began > 0.9, "it waited"
    assert server.post("/v1/jobs", QUICK, headers={"Prefer": "respond-async"}).status == 201


def test_who_waits_for_a_job_that_is_deleted_is_told_so(start):
    server = start("--workers", "1")
    for first in ENDLESS, QUICK:  # one that runs, one in the queue behind it
        answers = []
        headers = {"Prefer": "wait=50", "Idempotency-Key": f"deleted {first is QUICK}"}
        waiting = threading.Thread(target=lambda h=headers, f=first: answers.append(server.post("/v1/jobs", f, headers=h)))
        known = len(server.get("/v1/jobs").json["items"])
        waiting.start()
        eventually(lambda k=known: len(server.get("/v1/jobs").json["items"]) > k)
        if first is ENDLESS:
            eventually(lambda: server.get("/v1/jobs/latest").json["status"] == "running")
            server.submit(ENDLESS)
            job = server.get("/v1/jobs").json["items"][1]["id"]
        else:
            job = server.get("/v1/jobs/latest").json["id"]
        assert server.request("DELETE", f"/v1/jobs/{job}?force=true").status == 204
        waiting.join()
        assert answers[0].status == 404 and answers[0].json["code"] == "no_such_job"
        assert "deleted" in answers[0].json["detail"] and "Location" not in answers[0].headers


def test_a_cancel_says_how_the_job_has_ended(server):
    for wait in range(24):
        job = server.submit({**QUICK, "training": {"epochs": 60, "batch_size": 50}})
        if wait % 3:
            eventually(lambda j=job: server.get(f"/v1/jobs/{j}").json["status"] != "queued")
        answer = server.post(f"/v1/jobs/{job}/cancel", raw=b"{}" if wait % 2 else None)
        assert answer.status == 200 and answer.json["status"] in ("cancelled", "succeeded"), answer.body
        assert server.get(f"/v1/jobs/{job}").json["status"] == answer.json["status"]
    running = server.submit(ENDLESS)
    server.wait_for_epoch(running, 1)
    assert server.post(f"/v1/jobs/{running}/cancel").json["status"] == "cancelled"


def test_a_stop_lets_those_who_wait_go(server):
    answers = []
    wait = lambda: answers.append(server.post("/v1/jobs", ENDLESS, headers={"Prefer": "wait=60"}))  # noqa: E731
    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: server.get("/v1/jobs?status=running").json["items"])
    assert server.stop() == 0
    thread.join()
    assert answers[0].status == 201


def test_a_cancelled_job_resumes_to_the_same_bytes(start, tmp_path):
    server = start("--workers", "1")
    spec = dict(SPEC, training=dict(SPEC["training"], epochs=400))
    job = server.submit(spec)
    server.wait_for_epoch(job, 12)
    server.post(f"/v1/jobs/{job}/cancel")
    state = server.wait(job)
    if state["status"] == "cancelled":
        assert server.post(f"/v1/jobs/{job}/resume").status == 202
    assert server.wait(job)["status"] == "succeeded"
    assert outcome(server, job) == undisturbed(start, tmp_path, spec)


def test_an_extended_job_is_as_one_that_was_longer_from_the_start(start, tmp_path):
    server = start()
    # a cosine schedule stretches over the new number of epochs, so only a constant one can be the same
    spec = dict(SPEC, training=dict(SPEC["training"], lr_schedule="constant"))
    job = server.submit(spec)
    server.wait(job)
    extended = server.post(f"/v1/jobs/{job}/resume", {"epochs": 20})
    assert extended.status == 202 and extended.json["progress"]["epochs"] == 20
    assert extended.json["spec"]["training"]["epochs"] == 20
    assert server.wait(job)["status"] == "succeeded"
    longer = dict(spec, training=dict(spec["training"], epochs=20))
    (history, _, points) = outcome(server, job)
    (other_history, _, other_points) = undisturbed(start, tmp_path, longer)
    assert history == other_history and points == other_points
    assert server.get(f"/v1/models/{job}").json["spec"]["training"]["epochs"] == 20


def test_a_job_that_ended_within_an_epoch_goes_beyond_it(server):
    steps = 1563  # of an epoch: long enough to be met in the middle of it
    job = server.submit({
        "dataset": {"name": "spiral", "n": 100_000},
        "network": {"hidden_size": 128, "hidden_layers": 4},
        "training": {"batch_size": 64, "epochs": 100},
    })
    server.wait_for_step(job, steps + steps // 5)
    server.post(f"/v1/jobs/{job}/cancel")
    progress = server.wait(job)["progress"]
    assert progress["steps"] == 100 * steps and progress["epoch"] * steps < progress["step"], "between two epochs"
    refused = server.post(f"/v1/jobs/{job}/resume", {"epochs": progress["epoch"]})
    assert refused.status == 422 and refused.json["errors"][0]["pointer"] == "/epochs"
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": progress["epoch"] + 1}).status == 202


def test_resume_refuses_what_makes_no_sense(server):
    job = server.submit(SPEC)
    server.wait(job)
    for body, status in [({}, 422), ({"epochs": 5}, 422), ({"epochs": 12}, 422), ({"epoch": 20}, 422), ([], 422)]:
        assert server.post(f"/v1/jobs/{job}/resume", body).status == status, body
    running = server.submit(ENDLESS)
    server.wait(running, ("running",))
    assert server.post(f"/v1/jobs/{running}/resume").json["code"] == "job_active"
    assert server.post("/v1/jobs/0198c0de-0000-7000-8000-000000000000/resume").status == 404


def test_history_waits_for_news(start):
    server = start("--workers", "1")
    slow = dict(ENDLESS, dataset={"name": "spiral", "n": 100000})
    job = server.submit(slow)
    seen = 0
    for _ in range(4):
        news = server.get(f"/v1/jobs/{job}/history?after={seen}&wait=30").json
        assert news["data"]["epoch"][0] == seen + 1  # nothing missed, nothing twice
        seen = news["next_after"]
    waiting = server.submit(QUICK)
    began = time.monotonic()
    nothing = server.get(f"/v1/jobs/{waiting}/history?wait=1").json
    assert nothing["data"]["epoch"] == [] and time.monotonic() - began > 0.9
    # a job that is over has no news to wait for
    server.post(f"/v1/jobs/{waiting}/cancel")
    assert server.get(f"/v1/jobs/{waiting}/history?wait=30").json["status"] == "cancelled"


def test_waiting_costs_others_nothing(start):
    server = start("--workers", "1")
    job = server.submit(ENDLESS)
    queued = server.submit(QUICK)
    wait = lambda: server.get(f"/v1/jobs/{queued}/history?wait=60")  # noqa: E731
    threads = [threading.Thread(target=wait) for _ in range(40)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert server.get(f"/v1/jobs/{job}").status == 200
    assert all(thread.is_alive() for thread in threads)
    assert server.post(f"/v1/jobs/{queued}/cancel").status == 200  # nothing more to wait for
    for thread in threads:
        thread.join()


def test_a_thinned_history_keeps_the_peaks(trained):
    path = f"/v1/jobs/{trained.job}/history"
    full, thin = trained.get(path).json["data"], trained.get(path + "?max_points=20").json["data"]
    assert 10 <= len(thin["epoch"]) <= 20
    assert thin["epoch"] == sorted(set(thin["epoch"]))
    assert thin["epoch"][0] == 1 and thin["epoch"][-1] == 100
    assert min(full["train_loss"]) in thin["train_loss"] and max(full["train_loss"]) in thin["train_loss"]
    for i, epoch in enumerate(thin["epoch"]):  # real rows, not averages
        assert all(thin[column][i] == full[column][epoch - 1] for column in full)
    assert trained.get(path + "?max_points=100").json["data"] == full
    assert trained.get(path + "?max_points=3").status == 422


def test_a_long_history_is_thinned_as_it_is_read(server):
    # more than a sorter of SQLite holds: it would want a file, which the sandbox lets nobody make
    most, epochs = 500, 30_000
    training = {"epochs": epochs, "batch_size": 20, "checkpoint_every": epochs, "validation_fraction": 0}
    spec = {**SPEC, "dataset": {"name": "moons", "n": 20}, "training": training}
    job = server.post("/v1/jobs", spec).json["id"]
    server.wait(job)
    path, full = f"/v1/jobs/{job}/history", []
    while len(full) < epochs:
        full += server.get(f"{path}?after={len(full)}&limit=10000").json["data"]["train_loss"]
    wanted, ranges = {1, epochs}, (most - 2) // 2
    for k in range(ranges):
        part = [epoch for epoch in range(1, epochs + 1) if (epoch - 1) * ranges // epochs == k]
        wanted |= {pick(part, key=lambda epoch: full[epoch - 1]) for pick in (min, max)}
    thin = server.get(f"{path}?max_points={most}").json["data"]
    assert thin["epoch"] == sorted(wanted)
    assert thin["train_loss"] == [full[epoch - 1] for epoch in thin["epoch"]]


def test_an_unchanged_history_is_not_sent_again(trained):
    path = f"/v1/jobs/{trained.job}/history"
    first = trained.get(path)
    tag = first.headers["ETag"]
    again = trained.get(path, headers={"If-None-Match": tag})
    assert again.status == 304 and again.body == b"" and again.headers["ETag"] == tag
    assert trained.get(path, headers={"If-None-Match": f'"other", {tag}'}).status == 304
    assert trained.get(path + "?after=5", headers={"If-None-Match": tag}).status == 200


def test_a_poll_never_shows_what_was_before_an_acknowledged_change(start):
    """Answers are kept while the database does not change, and others poll all the time."""
    server = start("--workers", "1")
    server.submit(ENDLESS)
    job = server.submit(QUICK)
    stop = threading.Event()

    def poll():
        while not stop.is_set():
            server.fetch("GET", f"/v1/jobs/{job}")

    threads = [threading.Thread(target=poll) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(25):
            assert server.get(f"/v1/jobs/{job}").json["status"] == "queued"
            assert server.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
            assert server.get(f"/v1/jobs/{job}").json["status"] == "cancelled"
            assert server.get("/v1/jobs/latest").json["status"] == "cancelled"
            assert server.post(f"/v1/jobs/{job}/resume", {}).status == 202
        assert server.request("DELETE", f"/v1/jobs/{job}?force=true").status == 204
        assert server.get(f"/v1/jobs/{job}").status == 404
        assert server.get("/v1/jobs/latest").json["id"] != job
    finally:
        stop.set()
        for thread in threads:
            thread.join()
