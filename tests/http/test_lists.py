"""Lists that the server searches, filters and sorts, page by page, whatever is deleted meanwhile."""

import threading
import urllib.parse

import pytest
from conftest import ENDLESS, QUICK, Server, eventually, only_sqlite

JOB_ORDERS = ("created_at", "name", "dataset", "status", "epoch", "train_loss", "val_loss", "duration", "curve_distance", "energy_distance")
MODEL_ORDERS = ("created_at", "updated_at", "name", "epoch", "parameters", "bytes")
NAMES = ["Zebra", "apple", None, "ÄPFEL", None, "100 %", "apple", "b_c", "bXc", "Ωmega"]
UPLOAD = "x,y\n" + "".join(f"{i},{i * i % 17}\n" for i in range(60))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Jobs of every kind; what each comes to is written into the database, to have ties and gaps in every column."""
    server = Server(tmp_path_factory.mktemp("lists"), "--workers", "1")
    upload = server.request("POST", "/v1/datasets?name=My%20Table", raw=UPLOAD.encode(), headers={"Content-Type": "text/csv"})
    server.upload = upload.json["id"]
    sets = ["spiral", "moons", {"id": server.upload}, ["spiral", "moons"]]
    server.ids = []
    for i, name in enumerate(NAMES):
        spec = {**QUICK, "dataset": sets[i % len(sets)], **({"name": name} if name else {})}
        server.ids.append(server.submit(spec))
    for job in server.ids:
        assert server.wait(job)["status"] == "succeeded"
    assert server.stop() == 0
    with server.store.connect() as connection:
        connection.sql("BEGIN")
        for i, job in enumerate(server.ids):
            loss = None if i % 4 == 1 else (i * 7 % 5) / 8 + 1e-17 * (i % 2)
            connection.sql(
                "UPDATE job SET val_loss = ?, train_loss = ?, seconds = ?, epoch = ? WHERE id = ?",
                loss, loss and -loss, (i % 3) * 0.1, i % 3, job)  # fmt: skip
            connection.sql("UPDATE model SET epoch = ?, parameters = ?, updated_at = ? WHERE id = ?", 1 + i % 3, 5 + i % 2, 1000 + i % 2, job)
            if i % 2:
                connection.sql(
                    "UPDATE model SET evaluated_n = 50, curve_distance = ?, energy_distance = 0.5 WHERE id = ?", 0.1 * (i % 3), job)
        connection.sql("UPDATE job SET status = 'cancelled' WHERE id = ?", server.ids[4])
        connection.sql("COMMIT")
    server.start()
    yield server
    server.stop()


def pages(server, path, limit, **query):
    """All of a list, page by page."""
    seen, after = [], {}
    while True:
        page = server.get(f"{path}?{urllib.parse.urlencode({'limit': limit, **query, **after}, doseq=True)}")
        assert page.status == 200, page.body
        assert len(page.json["items"]) <= limit and page.json["has_more"] == (page.json["next"] is not None)
        seen += page.json["items"]
        if not page.json["has_more"]:
            return seen
        assert len(page.json["items"]) == limit and len(seen) < 1000  # it does not go round
        after = {"after": page.json["next"]}


def title(job):
    sets = job["spec"]["dataset"]
    labels = " + ".join(each["name"] for each in (sets if isinstance(sets, list) else [sets]))
    return ((job["name"] + "\n" if job["name"] else "") + labels + "\n" + job["spec"]["preset"]).lower()[:60]


def dataset(job):
    sets = job["spec"]["dataset"]
    return "+".join(each.get("id", each["name"]) for each in (sets if isinstance(sets, list) else [sets]))


def figure(name):
    return lambda job: job["evaluation"] and job["evaluation"][name] and job["evaluation"][name]["value"]


JOB_KEYS = {
    "created_at": lambda job: job["id"], "name": title, "dataset": dataset, "status": lambda job: job["status"],
    "epoch": lambda job: job["progress"]["epoch"], "train_loss": lambda job: job["metrics"]["train_loss"],
    "val_loss": lambda job: job["metrics"]["val_loss"], "duration": lambda job: job["progress"]["seconds"] or None,
    "curve_distance": figure("curve_distance"), "energy_distance": figure("energy_distance"),
}  # fmt: skip
MODEL_KEYS = {"created_at": lambda m: m["id"], "name": title, **{k: lambda m, k=k: m[k] for k in ("epoch", "bytes", "updated_at")}}


def in_order(items, key, descending):
    """Ascending or descending, ties by id the same way, and what has no value last."""
    items = sorted(items, key=lambda item: item["id"], reverse=descending)
    known = sorted((item for item in items if key(item) is not None), key=key, reverse=descending)
    return [item["id"] for item in known + [item for item in items if key(item) is None]]


@pytest.mark.parametrize("order", JOB_ORDERS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_jobs_are_sorted_in_pages(full, order, sign):
    jobs = full.get("/v1/jobs?limit=200").json["items"]
    expected = in_order(jobs, JOB_KEYS[order], bool(sign))
    for limit in (1, 3, 9, 10, 11):
        assert [job["id"] for job in pages(full, "/v1/jobs", limit, sort=sign + order)] == expected
    some = in_order([job for job in jobs if job["status"] == "succeeded"], JOB_KEYS[order], bool(sign))
    for filters in ({"status": "succeeded"}, {"status": ["succeeded", "failed"]}, {"status": "failed,succeeded", "search": "DEFAULT"}):
        assert [job["id"] for job in pages(full, "/v1/jobs", 4, sort=sign + order, **filters)] == some
    moons = in_order([job for job in jobs if dataset(job) == "moons"], JOB_KEYS[order], bool(sign))
    assert [job["id"] for job in pages(full, "/v1/jobs", 1, sort=sign + order, dataset="moons")] == moons


@pytest.mark.parametrize("order", MODEL_ORDERS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_models_are_sorted_in_pages(full, order, sign):
    models = full.get("/v1/models?limit=200").json["items"]
    key = MODEL_KEYS.get(order, lambda model: full.get(f"/v1/models/{model['id']}").json["parameters"])
    expected = in_order(models, key, bool(sign))
    for limit in (1, 3, 10):
        assert [model["id"] for model in pages(full, "/v1/models", limit, sort=sign + order)] == expected
    assert [model["id"] for model in pages(full, "/v1/models", 4, sort=sign + order, imported="false", search="e")] == expected


@pytest.mark.parametrize(("text", "found"), [
    ("zebra", [0]), ("ZEB", [0]), ("äpfel", [3]), ("ÄPFEL", [3]), ("ωMEGA", [9]), ("%", [5]), ("_", [7]), ("b_c", [7]), ("*", []),
    ("moons", [1, 3, 5, 7, 9]), ("MOONS", [1, 3, 5, 7, 9]), ("my table", [2, 6]), ("l + m", [3, 7]), ("sinai", []),
    ("default", range(10)), ("apple moons", []), ("", range(10)), ("'", []), ("\\", []), (" ", [2, 3, 5, 6, 7]),
])  # fmt: skip
def test_a_search_takes_the_words_as_they_are(full, text, found):
    query = urllib.parse.urlencode({"search": text, "counts": "true", "limit": 200})
    page = full.get(f"/v1/jobs?{query}").json
    assert {job["id"] for job in page["items"]} == {full.ids[i] for i in found}
    assert page["counts"]["cancelled"] == (4 in found) and sum(page["counts"].values()) == len(found)
    models = full.get(f"/v1/models?limit=200&{urllib.parse.urlencode({'search': text})}").json["items"]
    assert {model["id"] for model in models} == {full.ids[i] for i in found}


def test_a_search_knows_how_ids_begin(full):
    for part in (full.ids[3], full.ids[3].upper(), full.ids[3][:20]):
        assert full.ids[3] in [job["id"] for job in full.get(f"/v1/jobs?search={part}").json["items"]]
    assert full.get(f"/v1/jobs?search={full.ids[3][9:]}").json["items"] == []  # not its end


def test_a_search_in_small_pages_finds_all_once(full):
    for limit in (1, 2, 4):
        found = [job["id"] for job in pages(full, "/v1/jobs", limit, search="moons")]
        assert found == [full.ids[i] for i in (9, 7, 5, 3, 1)]


def test_counts_are_of_the_search_and_the_data_set(full):
    assert full.get("/v1/jobs?counts=true&limit=1").json["counts"] == {
        "queued": 0, "running": 0, "succeeded": 9, "failed": 0, "cancelled": 1}  # fmt: skip
    spiral = full.get("/v1/jobs?counts=true&dataset=spiral&status=failed").json
    assert spiral["items"] == [] and spiral["counts"]["succeeded"] == 2 and spiral["counts"]["cancelled"] == 1
    assert "counts" not in full.get("/v1/jobs").json


def test_a_sparkline_has_losses_of_the_history(start):
    server = start()
    job = server.submit({**QUICK, "training": {**QUICK["training"], "epochs": 50}})
    without = server.submit({**QUICK, "training": {**QUICK["training"], "epochs": 7, "validation_fraction": 0}})
    for each in (job, without):
        server.wait(each)
    losses = server.get(f"/v1/jobs/{job}/history").json["data"]["val_loss"]
    for count, expected in ((1, losses[-1:]), (2, [losses[0], losses[-1]]), (200, losses), (50, losses)):
        assert server.get(f"/v1/jobs?sparkline={count}").json["items"][1]["sparkline"] == expected
    ten = server.get("/v1/jobs?sparkline=10").json["items"][1]["sparkline"]
    assert len(ten) == 10 and ten == [losses[i * 49 // 9] for i in range(10)]
    training = server.get(f"/v1/jobs/{without}/history").json["data"]["train_loss"]
    assert server.get("/v1/jobs?sparkline=40").json["items"][0]["sparkline"] == training
    assert "sparkline" not in server.get("/v1/jobs?sparkline=0").json["items"][0]


@pytest.mark.parametrize("order", JOB_ORDERS)
def test_a_page_goes_on_after_what_was_deleted(start, order):
    server = start()
    ids = [server.submit(QUICK) for _ in range(6)]
    for job in ids:
        server.wait(job)
    listed = [job["id"] for job in server.get(f"/v1/jobs?sort={order}").json["items"]]
    page = server.get(f"/v1/jobs?sort={order}&limit=3").json
    for job in page["items"]:
        assert server.request("DELETE", f"/v1/jobs/{job['id']}").status == 204
    rest = server.get(f"/v1/jobs?limit=3&sort={order}&after={page['next']}")
    assert [job["id"] for job in rest.json["items"]] == listed[3:]


def test_data_sets_go_on_after_what_was_deleted(server):
    ids = [server.request("POST", "/v1/datasets", raw=UPLOAD.encode(), headers={"Content-Type": "text/csv"}).json["id"] for _ in range(4)]
    page = server.get("/v1/datasets?kind=upload&limit=2").json
    for item in page["items"]:
        assert server.request("DELETE", f"/v1/datasets/{item['id']}").status == 204
    rest = server.get(f"/v1/datasets?kind=upload&after={page['next']}").json
    assert [item["id"] for item in rest["items"]] == ids[1::-1]


@pytest.mark.parametrize("query", [
    "after=x", "after=latest", "after=" + "g" * 36, "after={id}.val_loss.30", "sort=val_loss&after={id}", "sort=val_loss&after={id}.x",
    "sort=val_loss&after={id}.train_loss.30", "sort=val_loss&after={id}.val_loss.3", "sort=val_loss&after={id}.val_loss.zz",
    "sort=val_loss&after={id}.val_loss.00", "sort=loss", "sort=", "sort=--name", "sort=name&sort=status", "status=", "status=done",
    "status=failed,", "status=failed&status=x", "sparkline=201", "sparkline=-1", "counts=yes", "search=" + "a" * 201, "limit=201",
    "seach=x", "sort=val_loss&after={id}.val_loss." + "61" * 300,
])  # fmt: skip
def test_wrong_lists_of_jobs(full, query):
    answer = full.get("/v1/jobs?" + query.replace("{id}", full.ids[0]))
    assert answer.status == 422 and answer.json["errors"][0]["detail"]


@pytest.mark.parametrize("query", ["after=x", "imported=yes", "sort=val_loss", "sort=bytes&after={id}", "search=" + "a" * 201])
def test_wrong_lists_of_models(full, query):
    assert full.get("/v1/models?" + query.replace("{id}", full.ids[0])).status == 422


def test_data_sets_take_only_cursors(full):
    assert full.get("/v1/datasets?after=x").status == 422 and full.get("/v1/datasets?after=moons").status == 200


def test_imported_models_are_found(full):
    weights = full.get(f"/v1/models/{full.ids[0]}/weights.safetensors").body
    made = full.request("POST", "/v1/models?name=From%20Elsewhere", raw=weights, headers={"Content-Type": "application/octet-stream"})
    assert made.status == 201, made.body
    assert [m["id"] for m in full.get("/v1/models?imported=true").json["items"]] == [made.json["id"]]
    assert [m["id"] for m in full.get("/v1/models?imported=true&search=ELSEWHERE&sort=-epoch").json["items"]] == [made.json["id"]]
    assert made.json["id"] not in [m["id"] for m in full.get("/v1/models?imported=false&limit=200").json["items"]]
    assert full.request("DELETE", f"/v1/models/{made.json['id']}").status == 204


def test_an_evaluation_is_computed_once_and_told_in_the_lists(start):
    server = start()
    job = server.submit(QUICK)
    server.wait(job)
    path = f"/v1/models/{job}/evaluation"
    assert server.get(f"/v1/jobs/{job}").json["evaluation"] is None
    first = server.get(path + "?n=50&seed=3")
    assert server.get(path + "?seed=3&n=50").body == first.body  # the time that it took, too
    metrics = first.json["metrics"]
    for figures in (server.get(f"/v1/jobs/{job}").json["evaluation"], server.get("/v1/jobs").json["items"][0]["evaluation"],
                    server.get(f"/v1/models/{job}").json["evaluation"], server.get("/v1/models").json["items"][0]["evaluation"]):  # fmt: skip
        assert figures["n"] == 50 and figures["energy_distance"] == metrics["energy_distance"]
        assert figures["coverage"] == metrics["coverage"]
        assert figures["curve_distance"] == {"value": metrics["curve_distance"]["mean"], "floor": metrics["curve_distance"]["floor"]}
    other = server.get(path + "?n=50&seed=3&sampler=ddim")
    assert other.json["metrics"] != metrics  # which says nothing about the model as it is sampled by default
    assert server.get(f"/v1/jobs/{job}").json["evaluation"]["energy_distance"] == metrics["energy_distance"]
    answers = {server.get(path + query).body for query in ("?n=50&seed=3", "?n=50&seed=3&sampler=ddim", "?n=50", "?n=51", "?n=50&clip=false",
               "?n=50&steps=7", "?n=50&sampler=ddim&eta=0.5", "?n=50&epoch=1")}  # fmt: skip
    assert len(answers) == 8
    assert server.stop() == 0
    server.start()
    assert server.get(path + "?n=50&seed=3").body == first.body
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}).status == 202
    assert server.wait(job)["evaluation"] is None  # it is another model now
    assert server.get(path + "?n=50&seed=3").json["epoch"] == 6
    assert server.request("DELETE", f"/v1/models/{job}").status == 204
    assert server.get(path + "?n=50&seed=3").status == 404
    assert server.get(f"/v1/jobs/{job}").json["evaluation"] is None
    assert server.sql("SELECT count(*) FROM evaluation") == [(0,)]


def metric(server, name):
    lines = server.get("/metrics").body.decode().splitlines()
    return float(next(line.rsplit(" ", 1)[1] for line in lines if line.startswith(name)))


@only_sqlite("a PostgreSQL has its own limits")
def test_evaluations_are_the_first_to_go(start):
    server = start("--max-database", "16")
    job = server.submit(QUICK)
    server.wait(job)
    for n in range(50, 90):  # more than are kept of a model
        assert server.get(f"/v1/models/{job}/evaluation?n={n}&steps=2").status == 200

    def count(table):
        return server.sql(f"SELECT count(*) FROM {table}")[0][0]

    assert count("evaluation") == 32 and count("checkpoint") > 0

    def fill(rows):
        raw = ("x,y\n" + "0.123456,0.654321\n" * rows).encode()
        return server.request("POST", "/v1/datasets", raw=raw, headers={"Content-Type": "text/csv"}).status

    while metric(server, "denoised_db_used_bytes") < 14 << 20:
        assert fill(50_000) == 201
    while count("evaluation") == 32:
        assert fill(500) == 201
    assert count("evaluation") > 0 and count("checkpoint") > 0
    assert server.get(f"/v1/models/{job}/evaluation?n=50&steps=2").status == 200


def test_nobody_waits_for_evaluations(start):
    """A picture that takes longer than eight evaluations together is made before them, although they could take turns."""
    server = start("--samplers", "1")
    job = server.submit({**QUICK, "network": {"hidden_size": 128, "hidden_layers": 3}, "diffusion": {"timesteps": 100}})
    server.wait(job)
    answered = []

    def ask(path):
        answered.append((path[0], server.fetch("GET", f"/v1/models/{job}/{path}").status))

    threads = [threading.Thread(target=ask, args=("trajectories.npy?n=20000&frames=2",))]
    threads[0].start()
    eventually(lambda: metric(server, "denoised_pool_begun") >= 1)
    threads += [threading.Thread(target=ask, args=(f"evaluation?n=600&seed={seed}",)) for seed in range(8)]
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answered) == [("e", 200)] * 8 + [("t", 200)]
    assert answered.index(("t", 200)) < 8, answered


def test_the_order_of_long_data_sets(start):
    """Eight uploads make a name of 295 characters; jobs that differ after the first 60 stand in the order of their ids."""
    server = start()
    ids = [server.request("POST", "/v1/datasets", raw=UPLOAD.encode(), headers={"Content-Type": "text/csv"}).json["id"] for _ in range(9)]
    sets = [ids[:8], "moons", ids[:8], ids[:7] + ids[8:], ids[:8]]
    jobs = [server.submit({**QUICK, "dataset": each if each == "moons" else [{"id": id} for id in each]}) for each in sets]
    uploads = [job for job, each in zip(jobs, sets) if each != "moons"]
    ascending = uploads + [jobs[1]]  # "0..." comes before "moons"
    for sign, wanted in ("", ascending), ("-", ascending[::-1]):
        assert [job["id"] for job in pages(server, "/v1/jobs", 1, sort=sign + "dataset")] == wanted
        assert [job["id"] for job in pages(server, "/v1/jobs", 2, sort=sign + "dataset", search="0")] == wanted
