"""A training ends in the bytes of the instruction set that it began with, wherever it goes on; where it cannot go on, it
waits and says so, and starts anew only when somebody asks for that."""

import hashlib
import json
import re

import pytest
from conftest import ENDLESS, QUICK, eventually, outcome

SLOW = {  # a second or two, in many short epochs
    "dataset": {"name": "spiral", "n": 15000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 64, "hidden_layers": 2},
    "training": {"epochs": 60, "batch_size": 64, "ema_decay": 0.99, "keep_best": True, "evaluate_every": 20},
    "seed": 5,
}
OLD = "baseline"


def change(server, *statements):
    """While it is stopped."""
    for statement in statements:
        server.sql(*statement)


def restart(server, simd):
    assert server.stop() == 0
    server.flags = ("--workers", "2", "--simd", simd)
    server.start()


@pytest.fixture(scope="session")
def best(tmp_path_factory):
    """The best instruction set of this CPU, if that is not the only one."""
    from conftest import Server

    server = Server(str(tmp_path_factory.mktemp("best")))
    name = server.get("/version").json["kernels"]
    offers = [arithmetic for (arithmetic,) in server.sql("SELECT arithmetic FROM offer")]
    assert server.stop() == 0
    assert any(offer.startswith(f"{name}/") for offer in offers) and len(set(offers)) == len(offers)
    if not any(offer.startswith(f"{OLD}/") for offer in offers) or name == OLD:
        pytest.skip("this machine has one instruction set")
    return name


def trained(server, job):
    """History and weights: samples are drawn with the server's own instruction set."""
    return outcome(server, job)[:2]


@pytest.fixture(scope="session")
def expected(tmp_path_factory, best):
    """What undisturbed trainings leave, for each instruction set."""
    from conftest import Server

    results = {}
    for simd in (OLD, best):
        server = Server(str(tmp_path_factory.mktemp(f"undisturbed-{simd}")), "--simd", simd)
        job = server.submit(SLOW)
        state = server.wait(job)
        assert state["status"] == "succeeded" and state["arithmetic"].startswith(f"{simd}/")
        results[simd] = trained(server, job)
        assert server.stop() == 0
    assert results[OLD] != results[best]
    return results


@pytest.fixture
def begun(start, best):
    """A server with the old instruction set, stopped and not started again, and its half-trained job."""
    server = start("--workers", "2", "--simd", OLD)
    job = server.submit(SLOW)
    assert server.get(f"/v1/jobs/{job}").json["arithmetic"] in (None, *(a for (a,) in server.sql("SELECT arithmetic FROM offer")))
    server.wait_for_epoch(job, 3)
    return server, job


def waiting(server):
    return re.search(r"^denoised_jobs_waiting_for_kernels (\d+)$", server.fetch("GET", "/metrics").body.decode(), re.M)[1]


def check_waits(server, job, arithmetic):
    state = server.get(f"/v1/jobs/{job}").json
    (listed,) = (each for each in server.get("/v1/jobs").json["items"] if each["id"] == job)
    for each in (state, listed):
        assert each["status"] == "queued" and each["queue_position"] is None and each["arithmetic"] == arithmetic
        (warning,) = (w for w in each["warnings"] if w["code"] == "waits_for_kernels")
        assert arithmetic in warning["detail"]
    assert waiting(server) == "1"
    assert server.sql(f"SELECT count(*) > 0 FROM checkpoint JOIN job ON seq = job_seq WHERE id = '{job}'") == [(1,)]
    return state


def test_a_job_waits_for_its_kernels_and_ends_in_the_same_bytes(begun, best, expected):
    server, job = begun
    ((own,),) = server.sql("SELECT arithmetic FROM offer")
    assert own.startswith(f"{OLD}/") and waiting(server) == "0"
    restart(server, best)
    state = check_waits(server, job, own)
    assert "jobs=1" in server.read_log().split("jobs wait for arithmetic", 1)[1]
    # It is in nobody's way, and in nobody's count.
    for other in [server.submit(QUICK) for _ in range(2)]:
        assert server.wait(other)["status"] == "succeeded"
    endless = [server.submit(ENDLESS) for _ in range(2)]
    eventually(lambda: all(server.get(f"/v1/jobs/{each}").json["status"] == "running" for each in endless))
    queued = [server.submit(QUICK) for _ in range(2)]
    assert [server.get(f"/v1/jobs/{each}").json["queue_position"] for each in queued] == [0, 1]
    listed = {each["id"]: each["queue_position"] for each in server.get("/v1/jobs?status=queued").json["items"]}
    assert listed == {job: None, queued[0]: 0, queued[1]: 1}
    for each in (*endless, *queued):
        server.request("DELETE", f"/v1/jobs/{each}?force=true")
    for _ in range(2):  # however often such a server comes and goes
        restart(server, best)
        assert check_waits(server, job, own)["progress"]["step"] == state["progress"]["step"] > 0
    restart(server, OLD)
    done = server.wait(job)
    assert done["status"] == "succeeded" and done["attempt"] == 1 and done["warnings"] == [] and waiting(server) == "0"
    assert trained(server, job) == expected[OLD]
    assert "checkpoint not usable" not in server.read_log()


def test_a_server_with_both_runs_each_job_with_its_own(begun, best, expected):
    server, job = begun
    restart(server, "auto")
    other = server.submit(SLOW)
    for each, simd in ((job, OLD), (other, best)):
        state = server.wait(each)
        assert state["status"] == "succeeded" and state["arithmetic"].startswith(f"{simd}/")
        assert trained(server, each) == expected[simd]
        assert server.sql(f"SELECT variant FROM model WHERE id = '{each}'") == [(simd,)]
    # and when it is extended
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 70}).status == 202
    assert server.wait(job)["arithmetic"].startswith(f"{OLD}/")


@pytest.mark.parametrize("simd", ["auto", "other"])
def test_the_arithmetic_of_old_checkpoints_is_found_out(begun, best, expected, simd):
    server, job = begun
    assert server.stop() == 0
    warning = {"code": "few_points", "detail": "an earlier one"}
    change(server, ("UPDATE job SET arithmetic = NULL, warnings = ?", json.dumps([warning])))
    server.flags = ("--workers", "1", "--simd", best if simd == "other" else "auto")
    server.start()
    if simd == "other":
        eventually(lambda: server.get(f"/v1/jobs/{job}").json["arithmetic"])
        state = check_waits(server, job, server.get(f"/v1/jobs/{job}").json["arithmetic"])
        assert state["attempt"] == 0 and state["warnings"][0] == warning and len(state["warnings"]) == 2
        restart(server, OLD)
    done = server.wait(job)
    assert done["attempt"] == 1 and done["warnings"] == [warning]
    assert trained(server, job) == expected[OLD]


def test_a_checkpoint_of_another_version_is_kept(begun):
    server, job = begun
    assert server.stop() == 0
    ((blob,),) = server.sql("SELECT blob_id FROM checkpoint ORDER BY step DESC LIMIT 1")
    pieces = server.sql(f"SELECT bytes FROM piece WHERE blob_id = {blob} ORDER BY number")
    other = b"denoised train 5" + pieces[0][0][16:]
    digest = hashlib.sha256(b"".join([other, *(piece for (piece,) in pieces[1:])])).hexdigest()
    change(
        server,
        ("UPDATE piece SET bytes = ? WHERE blob_id = ? AND number = 0", other, blob),
        ("UPDATE checkpoint SET sha256 = ? WHERE blob_id = ?", digest, blob),
    )
    server.start()
    eventually(lambda: server.get(f"/v1/jobs/{job}").json["queue_position"] is None)
    eventually(lambda: server.get(f"/v1/jobs/{job}").json["status"] == "queued")
    check_waits(server, job, "denoised train 5")


def test_afresh_trains_from_the_beginning(begun, best, expected):
    server, job = begun
    restart(server, best)
    before = server.get(f"/v1/jobs/{job}").json
    assert before["progress"]["epoch"] >= 3 and before["model"] == job
    refused = server.post(f"/v1/jobs/{job}/resume")
    assert refused.status == 409 and refused.json["code"] == "job_active"
    for query in ("afresh=maybe", "afresh=", "fresh=true", "afresh=true&afresh=false"):
        assert 400 <= server.post(f"/v1/jobs/{job}/resume?{query}").status < 500, query
    assert server.post("/v1/jobs/latest/resume?afresh=true", {"epochs": 0}).status == 422
    missing = "01890000-0000-7000-8000-000000000000"
    assert server.post(f"/v1/jobs/{missing}/resume?afresh=true").status == 404
    assert server.get(f"/v1/jobs/{job}").json == before
    key = {"Idempotency-Key": "again"}
    answer = server.post(f"/v1/jobs/{job}/resume?afresh=true", headers=key)
    assert answer.status == 202
    state = answer.json
    assert state["status"] == "queued" and state["queue_position"] == 0 and state["arithmetic"] is None
    assert state["progress"]["epoch"] == state["progress"]["step"] == 0 and state["model"] is None
    assert state["warnings"] == [] and state["metrics"] == {"train_loss": None, "val_loss": None}
    done = server.wait(job)
    assert done["status"] == "succeeded" and done["arithmetic"].startswith(f"{best}/")
    assert trained(server, job) == expected[best]
    assert server.post(f"/v1/jobs/{job}/resume?afresh=true", headers=key).status == 200  # the first did it
    assert server.post(f"/v1/jobs/{job}/resume", headers=key).status == 422  # another request
    assert server.get(f"/v1/jobs/{job}").json["status"] == "succeeded"
    # A job that has ended, too, and with fewer epochs than it has.
    assert server.post(f"/v1/jobs/{job}/resume?afresh=true", {"epochs": 2}).status == 202
    done = server.wait(job)
    assert done["status"] == "succeeded" and done["progress"]["epochs"] == done["progress"]["epoch"] == 2
    assert len(server.get(f"/v1/jobs/{job}/history").json["data"]["epoch"]) == 2
    events = server.events(job)  # only what is still true
    assert [event["data"]["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]


def test_afresh_is_refused_while_the_job_runs(server):
    job = server.submit(ENDLESS)
    server.wait_for_step(job, 1)
    refused = server.post(f"/v1/jobs/{job}/resume?afresh=true")
    assert refused.status == 409 and refused.json["code"] == "job_active"
    assert server.request("DELETE", f"/v1/jobs/{job}?force=true").status == 204


@pytest.mark.parametrize("way", ["cancel", "delete"])
def test_a_waiting_job_can_be_given_up(begun, best, way):
    server, job = begun
    restart(server, best)
    if way == "cancel":
        assert server.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
        assert server.get(f"/v1/jobs/{job}").json["warnings"] == []
    else:
        assert server.request("DELETE", f"/v1/jobs/{job}").status == 204
    assert waiting(server) == "0"


def test_without_a_checkpoint_a_job_is_free(begun, best, expected):
    """A digest that is wrong drops a checkpoint; without any, the job begins anew with what there is."""
    server, job = begun
    assert server.stop() == 0
    change(server, ("UPDATE checkpoint SET sha256 = ?", "0" * 64))
    server.flags = ("--workers", "1", "--simd", OLD)
    server.start()
    assert server.wait(job)["status"] == "succeeded"
    assert "checkpoint not usable" in server.read_log() and trained(server, job) == expected[OLD]
    assert server.request("DELETE", f"/v1/models/{job}").status == 204
    assert server.get(f"/v1/jobs/{job}").json["arithmetic"] is None
