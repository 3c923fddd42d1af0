"""Several nodes on one PostgreSQL: each job has one outcome, whatever becomes of the nodes."""

import contextlib
import signal
import threading
import time

import pytest
from conftest import ENDLESS, QUICK, eventually, outcome, undisturbed
from figures import durations, figure, size
from fleet import at_once, fleet, gave_up, with_job  # noqa: F401
from sse import Stream

LONG = {
    "dataset": {"name": "spiral", "n": 2000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 3000, "batch_size": 50},
    "seed": 5,
}


@pytest.fixture
def nodes(fleet):
    return fleet


def test_a_killed_nodes_job_ends_elsewhere_in_the_same_bytes(nodes, start, tmp_path):
    three = nodes(3, "--workers", "1")
    job = three[0].submit(LONG)
    for least in (3, 400):
        owner, others = with_job([node for node in three if node.process.poll() is None], job)
        owner.wait_for_epoch(job, least)
        owner.kill()
        eventually(lambda: others[0].get(f"/v1/jobs/{job}").json["node"] not in (None, owner.node))
    (last,) = [node for node in three if node.process.poll() is None]
    state = last.wait(job)
    assert state["status"] == "succeeded" and state["attempt"] == 3
    eventually(lambda: [node["id"] for node in last.get("/v1/nodes").json["items"]] == [last.node])
    assert outcome(last, job) == undisturbed(start, tmp_path, LONG)
    with last.store.connect() as database:
        assert database.one("SELECT count(*) FROM event WHERE job = ? AND status = 'succeeded'", job) == 1
        epochs = [epoch for (epoch,) in database.sql("SELECT epoch FROM event WHERE job = ? AND kind = 'epoch' ORDER BY id", job)]
    assert epochs == list(range(1, LONG["training"]["epochs"] + 1)), "each once"


def test_a_node_that_was_taken_for_dead_writes_no_more(nodes):
    """Stopped for longer than its lease, it goes on with a job that is another's by then."""
    two = nodes(2, "--workers", "1")
    job = two[0].submit(ENDLESS)
    owner, (other,) = with_job(two, job)
    owner.wait_for_epoch(job, 3)
    owner.process.send_signal(signal.SIGSTOP)
    eventually(lambda: other.get(f"/v1/jobs/{job}").json["node"] == other.node)
    owner.process.send_signal(signal.SIGCONT)
    eventually(lambda: gave_up(owner, job))
    eventually(lambda: len(owner.get("/v1/nodes").json["items"]) == 2)
    assert "taken for dead" in owner.read_log()
    state = other.post(f"/v1/jobs/{job}/cancel", {}).json
    assert state["status"] == "cancelled" and state["attempt"] == 2
    fresh = owner.submit(ENDLESS)
    eventually(lambda: other.get(f"/v1/jobs/{fresh}").json["node"])
    with owner.store.connect() as database:
        ends = database.sql("SELECT status FROM event WHERE job = ? AND kind = 'status' ORDER BY id", job)
        assert [status for (status,) in ends] == ["queued", "running", "queued", "running", "cancelled"]


def test_a_node_that_freezes_in_a_transaction_holds_up_nobody(nodes):
    """With its job's row and the lock of writers, for which the others wait before they tell any event."""
    two = nodes(2, "--workers", "1")
    job = two[0].submit(ENDLESS)
    owner, (other,) = with_job(two, job)
    owner.wait_for_epoch(job, 3)
    with owner.store.connect() as holding, owner.store.connect() as database:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'denoised' AND "
        holding.sql("BEGIN")
        holding.sql("SELECT seq FROM job WHERE id = ? FOR UPDATE", job)
        eventually(lambda: database.one(sessions + "wait_event_type = 'Lock' AND query LIKE 'UPDATE job%'") == 1)
        owner.process.send_signal(signal.SIGSTOP)
        holding.sql("COMMIT")
        eventually(lambda: database.one(sessions + "state = 'idle in transaction'") > 0)
        try:
            fresh = other.submit(QUICK)
            eventually(lambda: other.get(f"/v1/jobs/{job}").json["node"] == other.node)
            eventually(lambda: other.get(f"/v1/jobs/{fresh}/events.json").json["items"])
        finally:
            owner.process.send_signal(signal.SIGCONT)
    eventually(lambda: gave_up(owner, job))
    assert other.post(f"/v1/jobs/{job}/cancel", {}).json["status"] in ("running", "cancelled")
    assert other.wait(fresh)["status"] == "succeeded"


def test_a_stopped_node_gives_its_job_away_at_once(nodes):
    two = nodes(2, "--workers", "1")
    job = two[0].submit(ENDLESS)
    owner, (other,) = with_job(two, job)
    owner.wait_for_epoch(job, 3)
    assert owner.stop() == 0
    eventually(lambda: other.get(f"/v1/jobs/{job}").json["node"] == other.node)
    assert [node["id"] for node in other.get("/v1/nodes").json["items"]] == [other.node]
    assert other.get(f"/v1/jobs/{job}").json["attempt"] == 1


@pytest.mark.row("cancels")
def test_any_node_cancels(nodes):
    two, seconds = nodes(2, "--workers", "1"), []
    for _ in range(size(5, 50)):
        job = two[0].submit(ENDLESS)
        _, (other,) = with_job(two, job)
        began = time.monotonic()
        other.post(f"/v1/jobs/{job}/cancel", {})
        assert other.wait(job)["status"] == "cancelled"
        seconds.append(time.monotonic() - began)
    durations("cancels", "cancel on another node", seconds, at_most=1)


@pytest.mark.row("claims")
def test_jobs_are_claimed_once_and_all_streams_tell_the_same(nodes):
    four = nodes(4, "--workers", size("2", "4"))
    clients = []

    def listen(node, seen):
        stream = Stream(node, "/v1/events")
        with contextlib.suppress(OSError, AttributeError, ValueError):  # closed below
            for identity, event, data in stream:
                if event != "shutdown":
                    seen.append((identity, event, data["job"]))

    mark = four[0].submit(QUICK)
    four[0].wait(mark)
    for node in four * 2:
        seen = []
        thread = threading.Thread(target=listen, args=(node, seen), daemon=True)
        thread.start()
        clients.append(seen)
    for node in four:
        eventually(lambda node=node: b"denoised_sse_connections 2" in node.get("/metrics").body)
    jobs = at_once([lambda node=node: [node.submit(QUICK) for _ in range(size(15, 250))] for node in four])
    jobs = [job for some in jobs for job in some]
    for job in jobs:
        state = four[1].wait(job)
        assert (state["status"], state["attempt"]) == ("succeeded", 1)
    figure("claims", f"jobs claimed once each, by {size(8, 16)} workers", len(jobs))
    with four[0].store.connect() as database:
        told = database.sql("SELECT id, kind, job FROM event WHERE job <> ? ORDER BY id", mark)
    for job in jobs:
        kinds = [kind for _, kind, of in told if of == job]
        assert kinds.count("status") == 3 and kinds.count("epoch") == QUICK["training"]["epochs"]
    for seen in clients:
        eventually(lambda seen=seen: len([one for one in seen if one[2] != mark]) >= len(told))
        assert [one for one in seen if one[2] != mark] == told
    after = told[0][0] - 1
    for node in four:
        listed, more = [], True
        while more:
            page = node.get(f"/v1/events?after={after}&limit=100", headers={"Accept": "application/json"}).json
            listed += [(event["id"], event["event"], event["data"]["job"]) for event in page["items"]]
            more, after = page["has_more"], listed[-1][0]
        assert listed == told
        after = told[0][0] - 1


@pytest.mark.row("keys")
def test_one_key_on_all_nodes_at_once_is_one_job(nodes):
    four, keys = nodes(4, "--workers", "1"), size(20, 500)
    four[0].submit(ENDLESS)
    for number in range(keys):
        answers = at_once(
            [lambda node=node: node.post("/v1/jobs", QUICK, headers={"Idempotency-Key": f'"key{number}"'}) for node in four]
        )
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 201]
        assert len({answer.json["id"] for answer in answers}) == 1
    with four[0].store.connect() as database:
        assert database.one("SELECT count(*) FROM job WHERE idempotency_key IS NOT NULL") == keys
    figure("keys", "keys sent to 4 nodes at once, each one job", keys)
    while jobs := four[0].get("/v1/jobs?status=running,queued&limit=100").json["items"]:
        for job in jobs:
            four[0].post(f"/v1/jobs/{job['id']}/cancel", {})


@pytest.mark.row("keys")
def test_one_key_on_all_nodes_at_once_is_one_upload(nodes):
    four = nodes(4, "--workers", "1")
    for number in range(size(10, 100)):
        headers = {"Content-Type": "text/csv", "Idempotency-Key": f"key{number}"}
        raw = b"x,y\n" + b"".join(b"%d,%d\n" % (i, (i * i + number) % 97) for i in range(50))
        answers = at_once([lambda node=node: node.post("/v1/datasets", raw=raw, headers=headers) for node in four])
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 201], [answer.json for answer in answers]
        assert len({answer.json["id"] for answer in answers}) == 1
    with four[0].store.connect() as database:
        assert database.one("SELECT count(*) FROM dataset") == size(10, 100)


def test_one_training_resumed_on_all_nodes_at_once_is_resumed_once(nodes):
    four = nodes(4, "--workers", "1")
    job = four[0].submit(QUICK)
    eventually(lambda: four[0].get(f"/v1/jobs/{job}").json["status"] == "succeeded")
    blocked = [four[0].submit(ENDLESS) for _ in four]
    eventually(lambda: all(four[0].get(f"/v1/jobs/{one}").json["status"] == "running" for one in blocked))
    answers = at_once([lambda node=node: node.post(f"/v1/jobs/{job}/resume", {"epochs": 5000}) for node in four])
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409]
    assert {answer.json["code"] for answer in answers if answer.status == 409} == {"job_active"}
    for one in [job, *blocked]:
        four[0].post(f"/v1/jobs/{one}/cancel", {})
