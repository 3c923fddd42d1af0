"""The happy path of every endpoint."""

import concurrent.futures
import io
import re
import threading
import time

import numpy
import pytest
from conftest import ENDLESS, PATIENCE, QUICK

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def test_a_job_has_the_shape_of_the_contract(server):
    answer = server.post("/v1/jobs", dict(QUICK, name="my spiral", seed=7))
    job = answer.json
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Location"] == "/v1/jobs/" + job["id"]
    assert UUID7.match(job["id"])
    assert list(job) == [
        "id", "name", "status", "queue_position", "spec", "progress", "metrics", "error",
        "warnings", "model", "evaluation", "attempt", "node", "arithmetic", "created_at", "started_at", "finished_at", "links",
    ]  # fmt: skip
    assert job["name"] == "my spiral" and job["status"] == "queued"
    assert job["error"] is None and job["started_at"] is None and TIME.match(job["created_at"])
    assert list(job["progress"]) == [
        "epoch", "epochs", "step", "steps", "fraction", "seconds", "steps_per_second", "eta_seconds",
    ]  # fmt: skip
    assert job["progress"]["steps"] == 3 * 4
    assert job["spec"]["seed"] == 7 and job["spec"]["dataset"] == {"name": "spiral", "n": 200, "seed": 7}
    done = server.wait(job["id"])
    assert done["status"] == "succeeded" and done["queue_position"] is None and done["attempt"] == 1
    assert job["arithmetic"] is None and done["arithmetic"].startswith(server.get("/version").json["kernels"] + "/")
    assert done["progress"]["fraction"] == 1 and done["progress"]["step"] == 12
    assert done["metrics"]["train_loss"] > 0 and done["metrics"]["val_loss"] > 0
    assert TIME.match(done["started_at"]) and TIME.match(done["finished_at"])
    for link in done["links"].values():
        assert server.get(link).status in (200, 405)


def test_an_empty_job_is_the_spiral_with_the_default_preset(server):
    spec = server.post("/v1/jobs", {}).json["spec"]
    assert spec["preset"] == "default" and spec["dataset"] == {"name": "spiral", "n": 10000, "seed": 0}
    assert spec["diffusion"]["beta_schedule"] == "log_linear"
    # no body at all asks for the same
    assert server.post("/v1/jobs").json["spec"] == spec


def test_the_echoed_spec_asks_for_the_same_again(server):
    first = server.post("/v1/jobs", dict(QUICK, preset="sinai2022", dataset="moons", seed=3)).json
    again = server.post("/v1/jobs", first["spec"]).json
    assert again["spec"] == first["spec"]
    assert first["spec"]["training"]["batch_size"] == 50 and first["spec"]["training"]["ema_decay"] == 0


def test_a_list_of_data_sets_trains_a_conditional_model(server):
    datasets = ["moons", {"name": "spiral", "n": 30, "seed": 9}]
    job = server.post("/v1/jobs", dict(QUICK, dataset=datasets, seed=3)).json
    echoed = [{"name": "moons", "n": 10000, "seed": 3}, {"name": "spiral", "n": 30, "seed": 9}]
    assert job["spec"]["dataset"] == echoed and job["progress"]["steps"] == 3 * 201
    assert server.post("/v1/jobs?validate_only=true", job["spec"]).json["spec"] == job["spec"]
    assert server.wait(job["id"])["status"] == "succeeded"
    assert [item["id"] for item in server.get("/v1/jobs?dataset=moons%2Bspiral").json["items"]] == [job["id"]]
    # H (2 + e 8 + 1 + 1 + c 3) of one layer, and the output's 2 (H + 1)
    assert server.get(f"/v1/models/{job['id']}").json["parameters"] == 8 * (2 + 8 + 1 + 1 + 3) + 2 * 9


@pytest.mark.parametrize(
    "schedule, prediction",
    [("linear", "epsilon"), ("sigmoid", "sample"), ("quadratic", "v_prediction"), ("log_linear", "v_prediction"), ("flow", "flow")],
)  # fmt: skip
def test_every_schedule_trains_and_samples(server, schedule, prediction):
    diffusion = {"timesteps": 10, "beta_schedule": schedule, "prediction_type": prediction}
    diffusion.update({"beta_start": 1e-4, "beta_end": 0.002, "zero_terminal_snr": prediction != "epsilon"})
    job = server.post("/v1/jobs", dict(QUICK, diffusion=diffusion)).json
    assert job["spec"]["diffusion"] == {"ratio_min": 0.002, "ratio_max": 80, **diffusion}
    assert server.wait(job["id"])["status"] == "succeeded"
    points = server.get(f"/v1/models/{job['id']}/samples?n=20").json["points"]
    assert len(points) == 20 and all(isinstance(x, float) for point in points for x in point)


def test_history_is_columnar_and_incremental(server):
    job = server.submit(QUICK)
    server.wait(job)
    history = server.get(f"/v1/jobs/{job}/history").json
    with server.store.connect() as database:
        columns = [name for name in database.columns("history") if name != "job_seq"]
        rows = database.sql(f"SELECT {', '.join(columns)} FROM history ORDER BY epoch")
    assert {"epoch", "step", "train_loss", "gradient_norm", "energy_distance"} < set(columns)
    assert list(zip(*history["data"].values(), strict=True)) == rows
    told = [event["data"] for event in server.events(job) if event["event"] == "epoch"]
    assert [tuple(data[name] for name in columns) for data in told] == rows
    assert list(told[0]) == ["job", "at", *columns]
    assert list(history) == ["job", "status", "columns", "data", "next_after", "has_more"]
    assert history["columns"] == columns and list(history["data"]) == columns
    assert history["data"]["epoch"] == [1, 2, 3] and history["data"]["step"] == [4, 8, 12]
    assert history["next_after"] == 3 and history["has_more"] is False
    assert all(loss > 0 for loss in history["data"]["train_loss"])
    seconds = history["data"]["seconds"]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    page = server.get(f"/v1/jobs/{job}/history?after=1&limit=1").json
    assert page["data"]["epoch"] == [2] and page["next_after"] == 2 and page["has_more"] is True
    assert page["data"]["train_loss"] == history["data"]["train_loss"][1:2]
    rest = server.get(f"/v1/jobs/{job}/history?after=3").json
    assert rest["data"]["epoch"] == [] and rest["next_after"] == 3 and rest["has_more"] is False


def test_jobs_are_listed_newest_first_and_in_pages(server):
    ids = [server.submit(dict(QUICK, dataset=name)) for name in ("spiral", "moons", "spiral", "s_curve")]
    listed = server.get("/v1/jobs").json
    assert [job["id"] for job in listed["items"]] == ids[::-1]
    assert listed["has_more"] is False and listed["next"] is None
    page = server.get("/v1/jobs?limit=3").json
    assert [job["id"] for job in page["items"]] == ids[:0:-1]
    assert page["has_more"] is True and page["next"] == ids[1]
    rest = server.get(f"/v1/jobs?limit=3&after={page['next']}").json
    assert [job["id"] for job in rest["items"]] == ids[:1] and rest["has_more"] is False
    spirals = server.get("/v1/jobs?dataset=spiral").json["items"]
    assert [job["id"] for job in spirals] == [ids[2], ids[0]]
    for job in ids:
        server.wait(job)
    assert len(server.get("/v1/jobs?status=succeeded").json["items"]) == 4
    assert [job["id"] for job in server.get("/v1/jobs?status=succeeded&dataset=moons").json["items"]] == [ids[1]]
    assert server.get("/v1/jobs?status=failed").json["items"] == []


def test_latest_is_an_id(server):
    server.submit(QUICK)
    job = server.submit(QUICK)
    assert server.get("/v1/jobs/latest").json["id"] == job
    server.wait(job)
    assert server.get("/v1/jobs/latest/history").json["job"] == job
    assert server.get("/v1/models/latest").status == 200


def test_workers_take_jobs_in_order_and_say_who_is_next(start):
    server = start("--workers", "1")
    running = server.submit(ENDLESS)
    server.wait(running, ("running",))
    first, second = server.submit(QUICK), server.submit(QUICK)
    assert server.get(f"/v1/jobs/{first}").json["queue_position"] == 0
    assert server.get(f"/v1/jobs/{second}").json["queue_position"] == 1
    assert server.post(f"/v1/jobs/{running}/cancel").status == 200
    a, b = server.wait(first), server.wait(second)
    assert a["started_at"] <= a["finished_at"] <= b["started_at"]


def test_a_running_job_is_cancelled_and_keeps_its_model(server):
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 2)
    assert server.post(f"/v1/jobs/{job}/cancel").status == 200
    state = server.wait(job)
    assert state["status"] == "cancelled" and state["error"] is None and TIME.match(state["finished_at"])
    assert server.get(f"/v1/models/{job}/samples?n=3").json["n"] == 3
    again = server.post(f"/v1/jobs/{job}/cancel")
    assert again.status == 200 and again.json == state


def test_a_queued_job_is_cancelled_at_once(start):
    server = start("--workers", "1")
    server.submit(ENDLESS)
    job = server.submit(QUICK)
    state = server.post(f"/v1/jobs/{job}/cancel").json
    assert state["status"] == "cancelled" and state["started_at"] is None


def test_delete_takes_the_history_and_the_model_along(server):
    job = server.submit(QUICK)
    server.wait(job)
    answer = server.request("DELETE", f"/v1/jobs/{job}")
    assert answer.status == 204 and answer.body == b""
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/history", f"/v1/models/{job}", f"/v1/models/{job}/samples"):
        assert server.get(path).status == 404
    for table in ("job", "history", "checkpoint", "model"):
        assert server.sql(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_running_job_is_deleted_only_by_force(server):
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 1)
    refused = server.request("DELETE", f"/v1/jobs/{job}")
    assert refused.status == 409 and refused.json["code"] == "job_running"
    assert server.request("DELETE", f"/v1/jobs/{job}?force=true").status == 204
    assert server.get(f"/v1/jobs/{job}").status == 404
    # and the worker is free again
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"


def test_a_model_says_what_it_is(trained):
    model = trained.get(f"/v1/models/{trained.job}").json
    assert model["id"] == trained.job and model["epoch"] == 100 and model["dim"] == 2
    # 2-32-32-32-2 dense layers, and one dense layer on the embedding per hidden layer
    dense = (2 * 32 + 32) + 2 * (32 * 32 + 32) + (32 * 2 + 2)
    assert model["parameters"] == dense + 3 * (32 * 32 + 32)
    assert len(model["transform"]["shift"]) == 2 and all(s > 0 for s in model["transform"]["scale"])
    assert model["spec"] == trained.get(f"/v1/jobs/{trained.job}").json["spec"]


def test_samples_by_get_and_post_are_the_same(trained):
    path = f"/v1/models/{trained.job}/samples"
    got = trained.get(path + "?n=20&seed=5&clip=false").json
    assert list(got) == [
        "model", "epoch", "seed", "sampler", "steps", "evaluations", "eta", "guidance",
        "guidance_ratio_min", "guidance_ratio_max", "n", "dim", "points", "labels", "classes", "duration_seconds",
    ]  # fmt: skip
    assert (got["n"], got["dim"], got["steps"], got["seed"], got["sampler"]) == (20, 2, 40, 5, "ddpm")
    assert len(got["points"]) == 20 and all(len(point) == 2 for point in got["points"])
    posted = trained.post(path, {"n": 20, "seed": 5, "clip": False}).json
    assert posted["points"] == got["points"]
    assert trained.get(path + ".json?n=20&seed=5&clip=false").json["points"] == got["points"]
    assert trained.get(path + "?n=20&seed=6&clip=false").json["points"] != got["points"]
    assert len(trained.get(path).json["points"]) == 1000


def test_trajectories_go_from_noise_to_the_samples(trained):
    path = f"/v1/models/{trained.job}"
    got = trained.get(path + "/trajectories?n=7&seed=2").json
    assert got["timesteps"] == list(range(40, -1, -1))
    assert len(got["x"]) == 41 and len(got["x0"]) == 40
    assert all(len(frame) == 7 for frame in got["x"] + got["x0"])
    assert got["x"][-1] == trained.get(path + "/samples?n=7&seed=2").json["points"]
    # at t = 1 no noise is added: the last frame is the last estimate
    for point, estimate in zip(got["x"][-1], got["x0"][-1]):
        assert max(abs(a - b) for a, b in zip(point, estimate)) < 1e-5


@pytest.mark.parametrize("frames", [2, 5, None])
def test_the_first_frame_is_the_noise_that_was_given(trained, frames):
    """To the last bit, whatever the model's units are; more points than are computed at a time."""
    noise = numpy.random.default_rng(5).normal(size=(700, 2)).astype("f4")
    noise[:4] = [[0, 0], [0.1, -0.0], [1e-30, 16777217], [-3.3333333, 1e6]]
    path, body = f"/v1/models/{trained.job}/trajectories", {"noise": noise.astype("f8").tolist()}
    body |= {"frames": frames} if frames else {}
    first = numpy.array(trained.post(path, body).json["x"][0])
    assert (first.astype("f4") == noise).all()
    frames = numpy.load(io.BytesIO(trained.post(path + ".npy", body).body))
    assert (frames[0] == noise).all()


def test_given_noise_starts_the_trajectory(trained):
    path = f"/v1/models/{trained.job}/trajectories"
    seeded = trained.get(path + "?n=5&seed=11").json
    given = trained.post(path, {"noise": seeded["x"][0], "seed": 11}).json
    assert given["n"] == 5
    for frame, other in zip(seeded["x"], given["x"]):
        for a, b in zip(frame, other):
            assert max(abs(p - q) for p, q in zip(a, b)) < 1e-4


def test_datasets(server):
    listed = server.get("/v1/datasets").json
    names = [item["id"] for item in listed["items"]]
    assert names[:3] == ["spiral", "moons", "s_curve"] and len(names) >= 16 and len(set(names)) == len(names)
    for item in listed["items"]:
        is_image = item["id"] == "digits"
        assert server.get("/v1/datasets/" + item["id"]).json == item and item["dim"] == (28 * 28 if is_image else 2)
        draw = server.get(f"/v1/datasets/{item['id']}/points?n=50&seed=4").json
        assert draw["n"] == 50 and len(draw["points"]) == 50 and (draw["labels"] is None) != is_image
        more = server.get(f"/v1/datasets/{item['id']}/points?n=60&seed=4").json
        assert more["points"][:50] == draw["points"]
        assert not item["has_distance"] or all(-1 <= value <= 1 for point in draw["points"] for value in point)


def test_operations(server):
    assert server.get("/livez").json == {"status": "ok"}
    assert server.get("/readyz").json == {"status": "ready"}
    version = server.get("/version").json
    assert version["name"] == "denoised" and version["kernels"] in ("avx512", "avx2", "baseline", "neon")
    paths = [(e["method"], e["path"]) for e in server.get("/").json["endpoints"]]
    assert ("POST", "/v1/jobs") in paths and len(set(paths)) == len(paths)


def test_head_gives_the_headers_alone(server):
    got, head = server.get("/v1/datasets"), server.request("HEAD", "/v1/datasets")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"] == str(len(got.body))
    for answer in (got, head):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert UUID7.match(answer.headers["X-Request-Id"])


def test_a_connection_serves_many_requests(server):
    many = b"".join(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" for _ in range(9))
    answer = server.send(many + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 10


def test_a_long_sample_request_blocks_nobody(trained):
    durations = []

    def sample():
        durations.append(trained.get(f"/v1/models/{trained.job}/samples?n=100000").json["duration_seconds"])

    threads = [threading.Thread(target=sample) for _ in range(4)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        assert trained.get("/livez").status == 200
        assert trained.get(f"/v1/jobs/{trained.job}").status == 200
        answered += 1
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    # far more answers went out than there are threads that could have been blocked
    assert len(durations) == 4 and answered > 10


def test_a_full_queue_says_so(start):
    server = start("--workers", "1", "--max-queued", "2")
    running = server.submit(ENDLESS)
    server.wait(running, ("running",))
    cancelled = server.submit(QUICK)
    server.post(f"/v1/jobs/{cancelled}/cancel")
    server.submit(QUICK), server.submit(QUICK)
    for refused in (server.post("/v1/jobs", QUICK), server.post(f"/v1/jobs/{cancelled}/resume")):
        assert refused.status == 429 and refused.json["code"] == "queue_full"
        assert int(refused.headers["Retry-After"]) > 0
    assert len(server.get("/v1/jobs").json["items"]) == 4


def test_a_crowd_fills_the_queue_and_no_more(start):
    """Submissions that come together share a transaction, but not each other's fate."""
    server = start("--workers", "1", "--max-queued", "20")
    server.wait(server.submit(ENDLESS), ("running",))
    with concurrent.futures.ThreadPoolExecutor(30) as crowd:
        keys = [{"Idempotency-Key": f"crowd-{number % 8}"} if number % 3 == 0 else {} for number in range(60)]
        answers = list(crowd.map(lambda headers: server.fetch("POST", "/v1/jobs", QUICK, headers), keys))
    created = {answer.json["id"]: answer.json for answer in answers if answer.status == 201}
    assert len(created) == 20
    for answer in answers:
        assert answer.status in (200, 201, 429), answer.body
        if answer.status == 200:
            assert answer.json["id"] in created and answer.headers["Idempotency-Replayed"] == "true"
    assert sorted(job["queue_position"] for job in created.values()) == list(range(20))
    for job, told in created.items():
        assert server.get(f"/v1/jobs/{job}").json == told


def test_two_workers_train_two_jobs_at_once(start):
    server = start("--workers", "2")
    jobs = [server.submit(ENDLESS) for _ in range(3)]
    for job in jobs[:2]:
        server.wait_for_epoch(job, 1)
    assert server.get(f"/v1/jobs/{jobs[2]}").json["status"] == "queued"
    for job in jobs:
        server.post(f"/v1/jobs/{job}/cancel")
    for job in jobs:
        assert server.wait(job, seconds=10 * PATIENCE)["status"] == "cancelled"


def test_a_training_that_diverges_fails_and_says_why(server):
    job = server.submit(
        {
            "dataset": {"n": 500},
            "network": {"hidden_size": 32, "hidden_layers": 8, "conditioning": "multiply"},
            "training": {"epochs": 50, "batch_size": 50, "learning_rate": 10},
        }
    )
    state = server.wait(job)
    assert state["status"] == "failed" and state["error"]["code"] == "diverged"
    assert re.search(r"not finite in epoch \d+; it was [0-9.e+-]+ before", state["error"]["detail"])
    assert server.get(f"/v1/models/{job}").status == 404
