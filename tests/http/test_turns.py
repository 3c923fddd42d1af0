"""Large computations beside small ones, what both may hold, and models that requests share."""

import re
import signal
import threading

from conftest import PATIENCE, QUICK, eventually
from test_streams import HEAVY, SANITIZED, connect, memory

LARGE = {**QUICK, "network": {"hidden_size": 512, "hidden_layers": 2}}  # a model of more than a megabyte
MINUTES = "samples.npy?n=1000&seed="  # of HEAVY
SPIRAL = "/v1/datasets/spiral/forward?n=19000&frames=101&seed="  # 7 638 000 numbers: 29.1 MiB


def metrics(server):
    text = server.get("/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(r"^denoised_(\S+) (\S+)$", text, re.M)}


def model_of(server, spec):
    job = server.submit(spec)
    assert server.wait(job)["status"] == "succeeded"
    return job


def test_small_requests_are_answered_beside_large_ones(start):
    server = start("--samplers", "1")
    small, heavy = model_of(server, QUICK), model_of(server, HEAVY)
    large = [connect(server, f"/v1/models/{heavy}/{MINUTES}{i}") for i in range(3)]
    eventually(lambda: metrics(server)["pool_begun"] == 3)
    for seed in range(5):
        assert len(server.get(f"/v1/models/{small}/samples?n=200&seed={seed}").json["points"]) == 200
    csv = "x,y\n" + "".join(f"{i},{-i}\n" for i in range(2000))
    upload = server.request("POST", "/v1/datasets", raw=csv.encode(), headers={"Content-Type": "text/csv"}).json["id"]
    assert server.get(f"/v1/datasets/{upload}/points.csv?n=100").status == 200
    assert server.get(f"/v1/models/{small}/evaluation?n=50").json["n"] == 50, "it is large, and takes turns with those"
    assert server.get(f"/v1/models/{small}/trajectories.gif?n=50&frames=5").status == 200
    now = metrics(server)
    assert now['pool_turns_total{class="small"}'] >= 9
    assert now["pool_at_work"] == now["pool_limit"] == 1
    eventually(lambda: metrics(server)["pool_begun"] == 3)  # they are still at it, and take turns
    before = metrics(server)['pool_turns_total{class="large"}']
    eventually(lambda: metrics(server)['pool_turns_total{class="large"}'] > before + 10)
    for client in large:
        client.close()
    eventually(lambda: metrics(server)["pool_begun"] == 0)
    eventually(lambda: metrics(server)["model_cache_models_in_use"] == 0)


def test_samples_made_in_turns_are_the_same(start):
    server = start("--samplers", "2")
    model = model_of(server, LARGE)
    path = f"/v1/models/{model}/samples.npy?n=3000&seed="
    alone = [server.get(path + str(seed)).body for seed in range(4)]
    together = [None] * 4

    def draw(seed):
        together[seed] = server.fetch("GET", path + str(seed)).body

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_stop_waits_for_no_computation(start):
    server = start("--samplers", "1")
    heavy = model_of(server, HEAVY)
    clients = [connect(server, f"/v1/models/{heavy}/{MINUTES}{i}") for i in range(20)]
    eventually(lambda: metrics(server)["pool_begun"] > 10)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20 * PATIENCE) == 0
    assert "did not stop in time" not in server.read_log()
    for client in clients:
        client.close()


def test_what_is_being_made_counts(start):
    """Many large answers at once: none is begun that the budget has no room for."""
    limit = 128 << 20
    server = start("--max-answer-memory", "128", "--samplers", "4")
    before = memory(server)
    slow = [connect(server, SPIRAL + str(i), buffer=4096) for i in range(24)]
    seen = []

    def have_all_been_looked_at():
        seen.append(metrics(server)["http_answer_bytes"])
        refused = metrics(server).get('http_requests_total{method="GET",route="/v1/datasets/{id}/forward",code="503"}', 0)
        return refused + metrics(server)["http_streams"] == len(slow)

    eventually(have_all_been_looked_at)
    assert 0 < max(seen) <= limit == metrics(server)["http_answer_limit_bytes"]
    assert metrics(server)["http_streams"] == 4
    assert SANITIZED or memory(server) - before < 1.2 * limit
    for client in slow:
        client.close()
    eventually(lambda: metrics(server)["http_answer_bytes"] == 0)


def test_what_waits_for_its_turn_is_not_counted_and_refused_when_it_has_no_room(start):
    server = start("--max-answer-memory", "128", "--samplers", "1")
    heavy = model_of(server, HEAVY)
    begun = [connect(server, f"/v1/models/{heavy}/trajectories.npy?n=10000&steps=400&frames=101&seed={i}") for i in range(8)]
    # each takes 16 MiB for its frames, and room for its text
    eventually(lambda: metrics(server)["http_answer_bytes"] > 110 << 20)
    refused = server.get(SPIRAL + "1")
    assert refused.status == 503 and refused.json["code"] == "answer_memory_full"
    assert int(refused.headers["Retry-After"]) > 0
    for client in begun:
        client.close()
    eventually(lambda: metrics(server)["http_answer_bytes"] == 0)
    assert server.fetch("GET", SPIRAL + "1").status == 200


def test_requests_share_a_model(start):
    server = start()
    model = model_of(server, LARGE)
    before = metrics(server)
    threads = [
        threading.Thread(target=server.fetch, args=("GET", f"/v1/models/{model}/samples?n=10&seed={i}")) for i in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = metrics(server)
    assert after["model_loads_total"] - before["model_loads_total"] == 1
    assert after["model_cache_hits_total"] - before["model_cache_hits_total"] == 11
    assert after["model_cache_models"] >= 1 and after["model_cache_models_in_use"] == 0
    assert 2_000_000 < after["model_cache_bytes"] < 20_000_000 < after["model_cache_limit_bytes"] == 256 << 20


def test_a_model_that_is_trained_on_is_read_anew(start):
    server = start()
    job = model_of(server, QUICK)
    path = f"/v1/models/{job}/samples?n=5"
    first = server.get(path).json
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 6}).status in (200, 202)
    server.wait(job)
    second = server.get(path).json
    assert (first["epoch"], second["epoch"]) == (3, 6) and first["points"] != second["points"]
    assert server.get(path + "&epoch=3").json["points"] == first["points"]


def test_models_in_use_have_a_limit(start):
    server = start("--model-cache", "1")
    first, second, small = model_of(server, LARGE), model_of(server, {**LARGE, "seed": 2}), model_of(server, QUICK)
    assert server.get(f"/v1/models/{first}/samples?n=5").status == 200, "larger than all of it, but alone"
    reader = connect(server, f"/v1/models/{first}/samples.csv?n=100000", buffer=4096)
    eventually(lambda: metrics(server)["model_cache_models_in_use"] == 1)
    assert server.get(f"/v1/models/{first}/samples?n=5").status == 200, "it is there"
    refused = server.get(f"/v1/models/{second}/samples?n=5")
    assert refused.status == 503 and refused.json["code"] == "model_memory_full"
    assert int(refused.headers["Retry-After"]) > 0
    assert server.get(f"/v1/models/{small}/samples?n=5").status == 200, "small ones have room"
    reader.close()
    eventually(lambda: metrics(server)["model_cache_models_in_use"] == 0)
    assert server.get(f"/v1/models/{second}/samples?n=5").status == 200
    assert server.post(f"/v1/jobs/{first}/cancel").status < 500 and server.request("DELETE", f"/v1/models/{first}").status == 204
    assert server.get(f"/v1/models/{first}/samples?n=5").status == 404, "what is gone is not given from memory"
