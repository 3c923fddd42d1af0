"""The database goes away and comes back: nobody waits in vain, nothing is lost, and training goes on where it was."""

import concurrent.futures
import contextlib
import signal
import threading

import pytest
import stores
from conftest import ENDLESS, PATIENCE, QUICK, Server, eventually, outcome, undisturbed
from postgresql import cluster
from proxy import Proxy
from sse import Stream

LONG = {
    "dataset": {"name": "spiral", "n": 2000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 600, "batch_size": 50, "checkpoint_every": 50},
    "seed": 5,
}
STEADY = {  # with little to store: its epochs are long
    **ENDLESS,
    "dataset": {"name": "spiral", "n": 50000},
    "training": {"epochs": 10000, "batch_size": 20, "checkpoint_every": 1000},
}
CSV = {"raw": b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i % 97) for i in range(50)), "headers": {"Content-Type": "text/csv"}}


class Direct:
    """The database as the tests see it, without the proxy."""

    flags = ()

    def __init__(self, uri):
        self.uri = uri

    def connect(self):
        return stores.PostgresqlConnection(self.uri)


class Node(Server):
    def __init__(self, directory, made, database, proxy, *flags, user="postgres"):
        directory.mkdir(exist_ok=True)
        self.store = Direct(made.uri(database))
        self.database = f"postgresql://{user}@127.0.0.1:{proxy.port}/{database}?sslmode=disable"
        self.log_file = str(directory / "log")
        self.flags = ("--workers", "1", *flags)
        self.environment = {}
        self.process = None
        self.start()

    def lines(self, text):
        return self.read_log().count(text)

    def is_away(self):
        return b"denoised_database_up 0" in self.get("/metrics").body


@pytest.fixture(scope="module")
def beside():
    with cluster() as made:
        stores.migrate(made.uri(made.create("empty")))
        yield made


@pytest.fixture
def proxy(beside):
    with Proxy(beside.folder / ".s.PGSQL.5432") as between:
        yield between


@pytest.fixture
def database(beside, request):
    name = "t" + str(abs(hash(request.node.name)))
    beside.create(name, "empty")
    beside.sql(stores.MARK, name)
    yield name
    beside.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def node(beside, database, proxy, tmp_path):
    running = Node(tmp_path / "node", beside, database, proxy)
    yield running
    if not beside.process:
        beside.start()
    proxy.heal()
    assert running.stop() == 0, running.read_log()


SERVED = """/livez / /docs /openapi.json /version /metrics /v1/datasets?kind=builtin /v1/datasets/spiral /v1/datasets/spiral/points
    /v1/datasets/spiral/forward /v1/datasets/spiral/optimal""".split()
REFUSED = "/v1/jobs /v1/jobs/{} /v1/jobs/{}/history /v1/events.json /v1/models /v1/models/{} /v1/models/{}/samples /v1/datasets /v1/nodes".split()


def refused(answer):
    return answer.status == 503 and answer.json["code"] == "database_unavailable" and answer.headers.get_all("Retry-After") == ["2"]


def test_what_is_served_meanwhile(beside, node):
    job = node.submit(QUICK)
    assert node.wait(job)["status"] == "succeeded"
    assert b"denoised_database_up 1" in node.get("/metrics").body
    upload = node.post("/v1/datasets", **CSV).json["id"]
    stream, told = Stream(node, "/v1/events"), []

    def listen():
        with contextlib.suppress(OSError, AttributeError, ValueError):  # closed below
            told.extend(event for event in stream if event[2].get("job") not in (None, job))

    threading.Thread(target=listen, daemon=True).start()
    beside.stop()
    eventually(node.is_away)
    for path in SERVED:
        assert node.get(path).status == 200, path
    for path in [*REFUSED, f"/v1/datasets/{upload}", f"/v1/datasets/{upload}/points"]:
        assert refused(node.get(path.format(job))), path
    assert refused(node.post("/v1/jobs", QUICK))
    assert refused(node.post("/v1/jobs", {**QUICK, "dataset": upload}))
    assert refused(node.post(f"/v1/jobs/{job}/resume", {"epochs": 5}))
    assert refused(node.post(f"/v1/jobs/{job}/cancel", {}))
    assert refused(node.post("/v1/datasets", **CSV))
    for path in (f"/v1/jobs/{job}", f"/v1/models/{job}", f"/v1/datasets/{upload}"):
        assert refused(node.request("DELETE", path))
    known = node.get("/metrics").body
    assert b"denoised_jobs{" not in known and b"denoised_nodes" not in known and b"denoised_db_limit_bytes" in known
    eventually(lambda: refused(node.get("/readyz")))
    eventually(lambda: stream.comments > 0)  # the stream is open, and says so
    beside.start()
    eventually(lambda: node.get("/readyz").status == 200)
    fresh = node.submit(QUICK)
    assert node.wait(fresh)["status"] == "succeeded" and not node.is_away()
    with node.store.connect() as store:
        stored = [identity for (identity,) in store.sql("SELECT id FROM event WHERE job <> ? ORDER BY id", job)]
        assert store.sql("SELECT id FROM job ORDER BY seq") == [(job,), (fresh,)], "who was refused has left nothing"
    eventually(lambda: len(told) >= len(stored))
    assert [identity for identity, _, _ in told] == stored
    stream.close()
    assert node.lines("the database is away") == node.lines("the database is back") == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_an_outage_costs_training_no_work(beside, node, start, tmp_path, how):
    job = node.submit(LONG)
    for least in (3, 50, 150):
        node.wait_for_epoch(job, least)
        beside.stop(how)
        eventually(node.is_away)
        beside.start()
        eventually(lambda: node.get("/readyz").status == 200 and not node.is_away())
    state = node.wait(job)
    assert (state["status"], state["attempt"]) == ("succeeded", 1)
    eventually(lambda: node.lines("ending=ended") > 0)  # it is logged after it is stored
    assert node.lines('msg="training" ') == node.lines("ending=ended") == 1, node.read_log()
    assert outcome(node, job) == undisturbed(start, tmp_path, LONG)
    with node.store.connect() as store:
        epochs = [epoch for (epoch,) in store.sql("SELECT epoch FROM event WHERE job = ? AND kind = 'epoch' ORDER BY id", job)]
        statuses = store.sql("SELECT status FROM event WHERE job = ? AND kind = 'status' ORDER BY id", job)
    assert epochs == list(range(1, LONG["training"]["epochs"] + 1)), "each once"
    assert statuses == [("queued",), ("running",), ("succeeded",)]


def test_a_network_that_says_nothing(node, proxy):
    """No connection ends; nothing comes. Requests that need nothing are served at once, and the others after a moment."""
    job = node.submit(STEADY)
    node.wait_for_epoch(job, 1)
    proxy.pause()
    eventually(lambda: refused(node.get(f"/v1/jobs/{job}")))
    assert node.is_away() and node.get("/livez").status == 200
    proxy.heal()
    eventually(lambda: node.get("/readyz").status == 200 and not node.is_away())
    before = node.get(f"/v1/jobs/{job}").json["progress"]["epoch"]
    state = node.wait_for_epoch(job, before + 2)
    assert (state["status"], state["attempt"]) == ("running", 1)
    assert node.post(f"/v1/jobs/{job}/cancel", {}).json["status"] in ("running", "cancelled")
    assert node.wait(job)["status"] == "cancelled"


@pytest.mark.parametrize("connection", ["open", "none"])
def test_requests_give_up_before_it_is_sure(node, proxy, connection):
    """To be sure that the database is away takes seconds, for which a request does not hold its thread: what trains waits."""
    job = node.submit(STEADY)
    node.wait_for_epoch(job, 1)
    for _ in range(10):
        before = node.lines("the database is away")
        assert node.get(f"/v1/jobs/{job}").status == 200
        proxy.pause()
        if connection == "none":
            proxy.cut()
        answer = node.get(f"/v1/jobs/{job}")
        is_early = node.lines("the database is away") == before
        proxy.heal()
        eventually(lambda: node.get("/readyz").status == 200 and not node.is_away())
        assert answer.status == 200 or refused(answer), answer.body
        if answer.status == 503 and is_early:
            break
    assert answer.status == 503 and is_early
    state = node.get(f"/v1/jobs/{job}").json
    assert (state["status"], state["attempt"]) == ("running", 1)
    node.post(f"/v1/jobs/{job}/cancel", {})
    assert node.wait(job)["status"] == "cancelled"


def test_connections_whose_server_has_gone_without_a_word(node, proxy):
    """Of all that are lost one costs a request: whoever looks finds the server there, and not at work on what was asked."""
    node.wait(node.submit(QUICK))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # each needs a connection
        list(pool.map(lambda _: node.get("/v1/jobs"), range(40)))
    proxy.lose_server()
    answers = [node.get("/v1/jobs") for _ in range(8)]
    assert [answer.status for answer in answers[1:]] == [200] * 7 and (answers[0].status == 200 or refused(answers[0]))
    assert not node.is_away() and node.lines("the database is away") == 0
    job = node.submit(QUICK)
    assert node.wait(job)["status"] == "succeeded"


def test_a_slow_answer_is_not_taken_for_lost(beside, database, node):
    """It takes longer than an answer that is lost, and the server is at work on it."""
    assert node.post("/v1/datasets", **CSV).status == 201
    beside.sql("ALTER TABLE dataset RENAME TO slow; CREATE VIEW dataset AS SELECT slow.* FROM slow, pg_sleep(4)", database)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: node.get("/v1/datasets?kind=upload"), range(2)))
    assert [answer.status for answer in answers] == [200, 200], answers[0].body
    assert node.lines("database error") == 0, node.read_log()


def test_requests_that_wait_for_the_database_keep_a_thread_for_others(beside, database, node):
    """On two cores, too, where a thread for each core would do if none had to wait."""
    assert node.post("/v1/datasets", **CSV).status == 201
    beside.sql("ALTER TABLE dataset RENAME TO slow; CREATE VIEW dataset AS SELECT slow.* FROM slow, pg_sleep(6)", database)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    with concurrent.futures.ThreadPoolExecutor(3) as pool, node.store.connect() as store:
        answers = []
        for asked in range(1, 4):
            answers.append(pool.submit(node.get, "/v1/datasets?kind=upload"))
            eventually(lambda asked=asked: store.one(waiting) >= asked)
        assert node.get("/livez").status == 200
        assert store.one(waiting) == 3, "it was answered beside them"
        assert [answer.result().status for answer in answers] == [200] * 3


def test_connections_that_are_cut_under_load(node, proxy, start, tmp_path):
    jobs, over = [node.submit(LONG)], threading.Event()

    def read():
        while not over.is_set():
            answer = node.get("/v1/jobs")
            assert answer.status == 200 or refused(answer), answer.json

    reading = [threading.Thread(target=read) for _ in range(2)]
    for thread in reading:
        thread.start()
    for _ in range(8):
        proxy.cut()
        answer = node.post("/v1/jobs", QUICK)
        jobs += [answer.json["id"]] if answer.status == 201 else []
        assert answer.status == 201 or refused(answer), answer.json
    over.set()
    for thread in reading:
        thread.join()
    for job in jobs:
        state = node.wait(job)
        assert (state["status"], state["attempt"]) == ("succeeded", 1), state
    assert {item["id"] for item in node.get("/v1/jobs?limit=100").json["items"]} == set(jobs)
    assert outcome(node, jobs[0]) == undisturbed(start, tmp_path, LONG)


def test_a_look_for_events_that_loses_its_connection(node, proxy):
    """Its transaction has ended with that, so nobody tries to end it."""
    node.wait(node.submit(QUICK))
    proxy.swallow_answer(word="SET")  # nothing else that a node does all the time is answered so
    assert node.wait(node.submit(QUICK))["status"] == "succeeded"
    eventually(lambda: proxy.swallowed == 1 and node.lines("database error") > 0)
    assert node.wait(node.submit(QUICK))["status"] == "succeeded"
    assert node.lines("database error") == 1 and node.lines("ROLLBACK") == 0, node.read_log()


def test_a_server_stops_without_its_database(beside, node):
    node.submit(STEADY)
    eventually(lambda: node.get("/v1/jobs?status=running").json["items"])
    beside.stop()
    eventually(node.is_away)
    node.process.send_signal(signal.SIGTERM)
    status = node.process.wait(timeout=10 * PATIENCE)
    assert status == (1 if status and node.lines(DOUBT) else 0), node.read_log()  # nobody can say what became of a commit
    beside.start()
    node.start()
    (job,) = node.get("/v1/jobs").json["items"]
    node.wait_for_epoch(job["id"], 1)
    node.post(f"/v1/jobs/{job['id']}/cancel", {})


# ---------------------------------------------------------------- commits without an answer

DOUBT = "a commit got no answer"


@pytest.fixture
def done(node):
    """A job that has ended, on a node that has nothing to do."""
    job = node.submit(QUICK)
    assert node.wait(job)["status"] == "succeeded"
    return job


def swallow(node, proxy, request, then="cut"):
    """Makes requests until one has lost the answer to its commit; all answers, that one last."""
    answers = []
    for _ in range(20):
        before = node.lines(DOUBT)
        proxy.swallow_answer(then=then)
        answers.append(request())
        proxy.heal()
        if node.lines(DOUBT) > before:
            return answers
    raise AssertionError("each time it was another's commit")


@pytest.mark.parametrize("then", ["cut", "hang"])
def test_what_is_created_is_there_once(node, proxy, done, then):
    count = {"n": 0}

    def job(headers=None):
        return node.post("/v1/jobs", {**QUICK, "seed": 7}, headers=headers or {})

    def keyed():
        count["n"] += 1
        return job({"Idempotency-Key": f"key{count['n']}"})

    weights = node.get(f"/v1/models/{done}/weights.safetensors").body
    binary = {"Content-Type": "application/octet-stream"}
    kinds = [
        ("job", job),
        ("job", keyed),
        ("dataset", lambda: node.post("/v1/datasets", **CSV)),
        ("model", lambda: node.post("/v1/models", raw=weights, headers=binary)),
    ]
    with node.store.connect() as store:
        made = {"job": {done}, "dataset": set(), "model": {done}}
        for kind, request in kinds:
            answers = swallow(node, proxy, request, then)
            assert {answer.status for answer in answers} == {201}, [answer.body for answer in answers]
            assert all(answer.headers["Location"].endswith(answer.json["id"]) for answer in answers)
            made[kind] |= {answer.json["id"] for answer in answers}
            for one in made["job"]:
                assert node.wait(one)["status"] == "succeeded"
        made["model"] |= made["job"]
        for kind, ids in made.items():
            assert {identity for (identity,) in store.sql(f"SELECT id FROM {kind}")} == ids
        again = job({"Idempotency-Key": f"key{count['n']}"})
        assert again.status == 200 and again.json["id"] in made["job"], "its key is known"


def test_what_is_changed_is_changed_once(node, proxy, done):
    blocker = node.submit(STEADY)
    eventually(lambda: node.get(f"/v1/jobs/{blocker}").json["status"] == "running")
    epochs = {"n": 3}

    def resume():
        """Of a job that does not run, because another one does."""
        epochs["n"] += 1
        node.post(f"/v1/jobs/{done}/cancel", {})
        return node.post(f"/v1/jobs/{done}/resume", {"epochs": epochs["n"]})

    answers = swallow(node, proxy, resume)
    assert {answer.status for answer in answers} == {202}, [answer.body for answer in answers]
    assert answers[-1].json["status"] == "queued" and answers[-1].json["progress"]["epochs"] == epochs["n"]
    assert node.post(f"/v1/jobs/{done}/resume", {"epochs": epochs["n"]}).status == 409, "it is active"

    def cancel():
        node.post(f"/v1/jobs/{done}/resume", {"epochs": epochs["n"]})
        return node.post(f"/v1/jobs/{done}/cancel", {})

    assert {(answer.status, answer.json["status"]) for answer in swallow(node, proxy, cancel)} == {(200, "cancelled")}
    with node.store.connect() as store:
        told = [status for (status,) in store.sql("SELECT status FROM event WHERE job = ? AND kind = 'status' ORDER BY id", done)]
    assert all(before != after for before, after in zip(told, told[1:], strict=False)), told
    assert node.post(f"/v1/jobs/{blocker}/cancel", {}).status == 200 and node.wait(blocker)["status"] == "cancelled"


USED = """CREATE FUNCTION use_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO job_dataset (job_seq, dataset_seq) SELECT max(seq), new.seq FROM job; RETURN NULL; END $$;
    CREATE TRIGGER use_it AFTER UPDATE OF columns ON dataset FOR EACH ROW EXECUTE FUNCTION use_it()"""


def test_a_change_in_doubt_that_a_job_uses_by_now(beside, database, node, proxy, done):
    """The first run has changed the data set, and the second finds it in use: no conflict, but what was asked for."""
    beside.sql(USED, database)
    made = [node.post("/v1/datasets", **CSV).json["id"] for _ in range(20)]

    def change(column="y", path=None):
        return node.request("PATCH", path or f"/v1/datasets/{made.pop()}", {"columns": {column: {"type": "categorical"}}})

    answers = swallow(node, proxy, change)
    assert {answer.status for answer in answers} == {200}, [answer.body for answer in answers]
    path = f"/v1/datasets/{answers[-1].json['id']}"
    changed = node.get(path).json
    assert answers[-1].json == changed and [column["type"] for column in changed["columns"]] == ["integer", "categorical"]
    assert change("x", path).status == 409, "it is in use"


def test_what_is_deleted_is_gone_and_nothing_else(node, proxy, done):
    weights, kept = node.get(f"/v1/models/{done}/weights.safetensors").body, node.submit(QUICK)
    assert node.wait(kept)["status"] == "succeeded"
    for path, make in (
        ("/v1/jobs/latest", lambda: node.wait(node.submit(QUICK))["id"]),
        ("/v1/models/{}", lambda: node.post("/v1/models", raw=weights, headers={"Content-Type": "application/octet-stream"}).json["id"]),
        ("/v1/datasets/{}", lambda: node.post("/v1/datasets", **CSV).json["id"]),
    ):
        answers = swallow(node, proxy, lambda path=path, make=make: node.request("DELETE", path.format(make())))
        assert {answer.status for answer in answers} == {204}, [answer.body for answer in answers]
    assert {item["id"] for item in node.get("/v1/jobs").json["items"]} == {done, kept}
    assert {item["id"] for item in node.get("/v1/models").json["items"]} == {done, kept}
    assert node.get("/v1/datasets?kind=upload").json["items"] == []
    assert node.request("DELETE", "/v1/datasets/" + done).status == 404


def test_training_finds_out_what_was_stored(node, proxy, start, tmp_path):
    job = node.submit(LONG)
    with node.store.connect() as store:
        for _ in range(10):  # of the claim, reports, and whatever else is written meanwhile
            before, report = proxy.swallowed, store.one("SELECT report FROM job WHERE id = ?", job)
            proxy.swallow_answer()
            eventually(lambda before=before: proxy.swallowed > before)
            ahead = "SELECT count(*) FROM job WHERE id = ? AND (report > ? OR status = 'succeeded')"
            eventually(lambda report=report, ahead=ahead: store.one(ahead, job, report) == 1)
    state = node.wait(job)
    assert (state["status"], state["attempt"]) == ("succeeded", 1), state
    assert node.lines(DOUBT) > 0
    assert outcome(node, job) == undisturbed(start, tmp_path, LONG)
    with node.store.connect() as store:
        epochs = [epoch for (epoch,) in store.sql("SELECT epoch FROM event WHERE job = ? AND kind = 'epoch' ORDER BY id", job)]
        assert epochs == list(range(1, LONG["training"]["epochs"] + 1)), "each once"
        assert store.one("SELECT count(*) FROM event WHERE job = ? AND status = 'succeeded'", job) == 1


def test_a_commit_that_nobody_can_look_up(node, proxy, done):
    """The network is lost with the answer, and does not come back while the client waits."""

    def submit():
        proxy.is_refusing = True
        return node.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "mine"})

    for _ in range(20):
        eventually(lambda: node.post(f"/v1/jobs/{done}/cancel", {}).status == 200)  # the writer is connected
        proxy.swallow_answer()
        answer = submit()
        proxy.heal()
        eventually(lambda: node.get("/readyz").status == 200 and not node.is_away())
        if answer.status == 503 and answer.json["code"] == "outcome_unknown":
            break
        assert answer.status in (200, 201) or refused(answer)
    assert answer.json["code"] == "outcome_unknown"
    again = node.post("/v1/jobs", QUICK, headers={"Idempotency-Key": "mine"})
    assert again.status in (200, 201)
    assert {item["id"] for item in node.get("/v1/jobs").json["items"]} == {done, again.json["id"]}


GONE = "00000000-0000-7000-8000-000000000000 0"  # a worker of a node that is no more


def count(node, name):
    return int(float(node.get("/metrics").body.decode().split(f"\n{name} ")[1].split("\n")[0]))


def test_jobs_that_a_take_over_has_ended_are_counted(node, proxy, done):
    """Also if its commit got no answer."""
    failed, rounds = 'denoised_jobs_finished_total{status="failed"}', 0
    again = "UPDATE job SET status = 'running', owner = ?, stalls = 9, finished_at = NULL, error_code = NULL, error_detail = NULL WHERE id = ?"
    with node.store.connect() as store:
        while node.lines("a take-over got no answer") < 2:
            rounds += 1
            proxy.swallow_answer(times=4)  # others commit, too
            store.sql(again, GONE, done)
            eventually(lambda: store.one("SELECT status FROM job WHERE id = ?", done) == "failed")
            proxy.heal()
            eventually(lambda: count(node, failed) >= rounds)
            assert count(node, failed) == rounds < 40
        told = store.one("SELECT count(*) FROM event WHERE job = ? AND status = 'failed'", done)
    assert told == rounds and node.get(f"/v1/jobs/{done}").json["error"]["code"] == "crash_loop"


def test_events_that_are_missed_are_counted(node, done):
    """A program that writes events without waiting for its turn: no stream can have them in order."""
    assert count(node, "denoised_events_late_total") == 0
    everything = Stream(node, "/v1/events")  # events for which nobody waits are not read, and not counted
    first = node.submit(QUICK)
    assert any(data["job"] == first and data.get("status") == "succeeded" for _, _, data in everything)
    with node.store.connect() as stranger:
        stranger.sql("BEGIN")
        stranger.sql("INSERT INTO event (job_seq, job, at, kind, epoch) SELECT seq, id, 1, 'checkpoint', 3 FROM job WHERE id = ?", done)
        later = node.submit(QUICK)
        stream = Stream(node, f"/v1/events?job={later}&after=0")
        assert [data["status"] for _, event, data in stream if event == "status"][-1] == "succeeded"
        stranger.sql("COMMIT")
    eventually(lambda: count(node, "denoised_events_late_total") == 1)
    assert node.lines("streams have missed them") == 1
    everything.close()
