"""The disk fails (T4): the n-th operation on the database's files, once or from then on, for every n. The server goes on,
or stops at once where going on could do harm; it says so to whoever asks; and no promise is broken."""

import collections
import itertools
import time

import harness
import pytest
from harness import ENDLESS, PATIENCE, QUICK, SOAK

LIMIT = 5 * PATIENCE  # seconds; a request that takes longer hangs
STEP = 1 if SOAK else 5
FOR_EVER = 10**9
DATA_IN_DANGER = 70  # the exit status of a server that has stopped by itself
SMALL = {**QUICK, "training": {**QUICK["training"], "epochs": 1}}
CSV = "x,y\n" + "".join(f"{i},{i * i % 7}\n" for i in range(50))


# What is said of each failure. A commit that failed may have taken place, if not for want of space.
FULL = {"disk_full"}
BROKEN = {"disk_error", "outcome_unknown", "store_unavailable"}
CODES = {"error": BROKEN, "no_space": FULL, "short_write": FULL, "quota": FULL, "sync": set()}


class Client:
    """Does a bit of everything, and remembers what it was promised."""

    def __init__(self, server, codes):
        self.server, self.codes = server, codes
        self.told = collections.Counter()  # codes
        self.jobs, self.deleted = {}, set()  # key: id, or None without an answer; ids
        self.uploads = set()
        self.statuses = collections.Counter()
        self.died = 0

    def ask(self, method, path, body=None, headers=None, raw=None):
        status, answer = self.server.ask(method, path, body, headers, raw)
        assert status in (0, 200, 201, 204, 409, 500, 503, 507), f"{method} {path}: {status} {answer}"
        if status >= 500:
            assert answer["code"] in self.codes, answer
            self.told[answer["code"]] += 1
        self.statuses[status] += 1
        return status, answer

    def submit(self, key):
        self.jobs[key] = None
        status, job = self.ask("POST", "/v1/jobs", SMALL, {"Idempotency-Key": key})
        if status in (200, 201):
            self.jobs[key] = job["id"]
        return self.jobs[key]

    def live(self, number):
        """Some requests of each kind."""
        job = self.submit(f"job-{number}")
        if job:
            self.ask("GET", f"/v1/jobs/{job}")
        status, row = self.ask("POST", "/v1/datasets", headers={"Content-Type": "text/csv"}, raw=CSV.encode())
        if status == 201:
            self.uploads.add(row["id"])
        spare = self.submit(f"spare-{number}")
        if spare:
            self.ask("POST", f"/v1/jobs/{spare}/cancel")
            if self.ask("DELETE", f"/v1/jobs/{spare}?force=true")[0] in (0, 204, 503):
                self.deleted.add(spare)
                self.jobs.pop(f"spare-{number}")
        self.ask("GET", "/v1/jobs?limit=3")

    def bring_back(self):
        """As a supervisor would; True if it had stopped by itself."""
        time.sleep(0.02)
        if self.server.is_alive():
            return False
        assert self.server.process.wait() == DATA_IN_DANGER, self.server.read_log()[-3000:]
        self.server.log.close()
        self.server.start()
        self.died += 1
        return True

    def insist(self):
        """What had no answer is asked again, with the same key; the server must be well within seconds."""
        deadline = time.monotonic() + LIMIT
        for key, job in list(self.jobs.items()):
            while job is None:
                assert time.monotonic() < deadline, f"not well: {self.server.read_log()[-3000:]}"
                job = self.submit(key)
        for job in list(self.deleted):
            while self.server.ask("DELETE", f"/v1/jobs/{job}?force=true")[0] not in (204, 404):
                assert time.monotonic() < deadline, "not well"
        while self.server.ask("GET", "/readyz")[0] != 200:
            assert time.monotonic() < deadline, "not ready"

    def check(self):
        """All that was promised is there, once, and nothing else."""
        with harness.database(self.server.database) as connection:
            jobs = dict(connection.execute("SELECT idempotency_key, id FROM job").fetchall())
            uploads = {row[0] for row in connection.execute("SELECT id FROM dataset")}
        assert jobs == self.jobs
        assert self.uploads <= uploads


def ruin(start, page, failure, length):
    server = start("--workers", "1", page=page)
    client = Client(server, CODES[failure])
    client.live("first")
    client.insist()
    page["io_failure"] = page.FAILURES[failure]
    tried = 0
    for n in itertools.count(1, STEP):
        page.arm("io", n, length)
        client.live(n)
        if length == FOR_EVER:
            time.sleep(0.05)  # the worker finds out as well
        fired = page.disarm("io")
        client.bring_back()
        client.insist()
        client.check()
        tried += 1
        if not fired:
            break
    golden, given_up = None, 0
    for key, job in client.jobs.items():
        state, resumed = harness.settle(server, job)
        given_up += resumed
        if key.startswith("spare") and state["status"] == "cancelled":
            continue
        assert state["status"] == "succeeded", state
        outcome = harness.outcome(server, job)
        assert outcome == (golden := golden or outcome)
    assert server.stop() == 0
    client.check()
    harness.check_integrity(server.database)
    statuses = ", ".join(f"{count} x {status or 'closed'}" for status, count in sorted(client.statuses.items()))
    told = ", ".join(f"{count} x {code}" for code, count in sorted(client.told.items()))
    assert client.told, "nobody was told of any failure"
    harness.tell(
        f"disk: {failure}, {'once' if length == 1 else 'from then on'}: {tried} operations failed, {client.died} stops with"
        f" status {DATA_IN_DANGER}, {given_up} jobs given up and resumed, 0 promises broken; {statuses}; {told}"
    )


@pytest.mark.parametrize("length", [1, FOR_EVER], ids=["once", "for ever"])
@pytest.mark.parametrize("failure", ["error", "no_space", "short_write", "quota"])
def test_a_disk_that_fails(start, page, failure, length):
    ruin(start, page, failure, length)


def test_a_sync_that_fails_stops_it(start, page):
    """What is on the disk then, nobody knows: no answer but that, no further write, and a look at it by the next start."""
    server = start("--workers", "1", page=page)
    client = Client(server, CODES["sync"])
    page["io_failure"] = page.FAILURES["sync"]
    page.arm("io", 1)
    assert client.submit("unsure") is None
    assert server.process.wait(timeout=LIMIT) == DATA_IN_DANGER
    assert page.disarm("io") == 1 and client.bring_back()
    client.insist()
    client.check()


def test_starting_on_a_disk_that_fails(start, page):
    """It starts, or says why not; and the next start is a good one."""
    server = start("--workers", "1", page=page)
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    golden = harness.outcome(server, job)
    server.kill()
    page["io_failure"] = page.FAILURES["error"]
    refused = 0
    for n in itertools.count(1, 1 if SOAK else 5):
        page.arm("io", n)
        try:
            server.start()
        except AssertionError:
            fired = page.disarm("io")
            assert server.process.wait(timeout=LIMIT) in (1, DATA_IN_DANGER), server.read_log()[-3000:]
            refused += 1
        else:
            fired = page.disarm("io")
            server.kill()
        if not fired:
            break
    server.start()
    assert harness.outcome(server, job) == golden
    harness.tell(f"disk: {n} operations of a start failed, {refused} times it was refused")


def test_a_report_in_doubt_is_sent_again(start, page):
    """A commit that fails may have stored a report or not. The training goes on, and each epoch is there once."""
    server = start("--workers", "1", page=page)
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 1)
    page["io_failure"] = page.FAILURES["error"]
    doubts, deadline = 0, time.monotonic() + 60 * PATIENCE
    for n in itertools.cycle(range(1, 8)):
        page.arm("io", n)
        while not page["io_fired"]:
            assert time.monotonic() < deadline and server.is_alive()
            time.sleep(0.005)
        page.disarm("io")
        reached = server.get(f"/v1/jobs/{job}").json["progress"]["epoch"]
        server.wait_for_epoch(job, reached + 10)  # it gets through before the next failure
        doubts = server.read_log().count("outcome=unknown")
        if doubts >= 5:
            break
    assert server.get(f"/v1/jobs/{job}").json["attempt"] == 1
    assert "ending=" not in server.read_log(), "its only attempt goes on"
    history = server.get(f"/v1/jobs/{job}/history").json["data"]["epoch"]
    assert history == list(range(1, len(history) + 1))
    assert server.post(f"/v1/jobs/{job}/cancel").json["status"] == "cancelled"
    assert server.stop() == 0
    harness.check_integrity(server.database)
    harness.tell(f"disk: {doubts} reports in doubt, each stored once")
