"""The answer to a COMMIT is lost on the way: the change was made, and the node finds out, whatever the task was."""

import itertools

import pytest
from conftest import ENDLESS, QUICK
from figures import figure, size
from fleet import WORKER, fleet, harness  # noqa: F401

CSV = b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i % 17) for i in range(30))


class Doubt:
    """A node whose network loses answers, and another one whose network does not."""

    def __init__(self, fleet):
        (self.node,) = fleet(1, *WORKER, networks=True)
        (self.other,) = fleet(1, *WORKER)
        self.fleet, self.network = fleet, self.node.between
        self.trained = self.other.submit(QUICK)
        self.other.wait(self.trained)
        self.weights = self.other.fetch("GET", f"/v1/models/{self.trained}/weights.safetensors").body

    def ask(self, *request, status, **more):
        """With a lost answer on the way of it; whichever commit of the node that is."""
        self.network.swallow_answer()
        answer = self.node.fetch(*request, **more)
        self.network.heal()
        assert answer.status == status, (request, answer.status, answer.body)
        return answer.json if answer.body else None

    def count(self, text, *values):
        with self.fleet.connect() as database:
            return database.one(text, *values)


def statuses(doubt, job):
    with doubt.fleet.connect() as database:
        return [status for (status,) in database.sql("SELECT status FROM event WHERE job = ? AND kind = 'status' ORDER BY id", job)]


def submit(doubt):
    before = doubt.count("SELECT count(*) FROM job")
    job = doubt.ask("POST", "/v1/jobs", QUICK, status=201)["id"]
    assert doubt.count("SELECT count(*) FROM job") == before + 1
    doubt.other.wait(job)


def submit_with_key(doubt, numbers=itertools.count()):
    headers = {"Idempotency-Key": f"doubt-{next(numbers)}"}
    job = doubt.ask("POST", "/v1/jobs", QUICK, headers=headers, status=201)["id"]
    again = doubt.other.post("/v1/jobs", QUICK, headers=headers)
    assert again.status == 200 and again.json["id"] == job
    doubt.other.wait(job)


def train(doubt):
    """Claims, reports and the end of a job; and renewals of the lease."""
    job = doubt.other.submit(QUICK)
    doubt.network.swallow_answer(times=2)
    state = doubt.other.wait(job)
    doubt.network.heal()
    assert state["status"] == "succeeded" and statuses(doubt, job).count("succeeded") == 1
    epochs = "SELECT count(*) FROM event WHERE job = ? AND kind = 'epoch'"
    assert doubt.count(epochs, job) == QUICK["training"]["epochs"]


def cancel(doubt):
    job = doubt.other.submit(ENDLESS)
    doubt.other.wait_for_epoch(job, 1)
    doubt.ask("POST", f"/v1/jobs/{job}/cancel", {}, status=200)
    assert doubt.other.wait(job)["status"] == "cancelled" and statuses(doubt, job).count("cancelled") == 1
    assert doubt.other.request("DELETE", f"/v1/jobs/{job}").status == 204


def resume(doubt):
    job = doubt.other.submit(QUICK)
    doubt.other.wait(job)
    doubt.ask("POST", f"/v1/jobs/{job}/resume", {"epochs": QUICK["training"]["epochs"] + 1}, status=202)
    assert doubt.other.wait(job)["status"] == "succeeded"
    assert [status for status in statuses(doubt, job) if status != "running"] == ["queued", "succeeded", "queued", "succeeded"]


def delete(doubt):
    job = doubt.other.submit(QUICK)
    doubt.other.wait(job)
    doubt.ask("DELETE", f"/v1/jobs/{job}", status=204)
    assert doubt.other.get(f"/v1/jobs/{job}").status == 404 and statuses(doubt, job) == ["deleted"]


def upload(doubt):
    before = doubt.count("SELECT count(*) FROM dataset")
    dataset = doubt.ask("POST", "/v1/datasets", raw=CSV, headers={"Content-Type": "text/csv"}, status=201)["id"]
    assert doubt.count("SELECT count(*) FROM dataset") == before + 1
    doubt.ask("DELETE", f"/v1/datasets/{dataset}", status=204)
    assert doubt.count("SELECT count(*) FROM dataset") == before


def import_model(doubt):
    before = doubt.count("SELECT count(*) FROM model")
    headers = {"Content-Type": "application/octet-stream"}
    model = doubt.ask("POST", "/v1/models", raw=doubt.weights, headers=headers, status=201)["id"]
    assert doubt.count("SELECT count(*) FROM model") == before + 1
    doubt.ask("DELETE", f"/v1/models/{model}", status=204)
    assert doubt.count("SELECT count(*) FROM model") == before



TASKS = (submit, submit_with_key, train, cancel, resume, delete, upload, import_model)


@pytest.mark.row("in-doubt")
def test_in_doubt(fleet):
    doubt, wanted = Doubt(fleet), size(10, 200)
    tasks = 0
    for task in itertools.cycle(TASKS):
        task(doubt)
        tasks += 1
        if doubt.network.swallowed >= wanted and tasks >= len(TASKS):
            break
    with fleet.connect() as database:
        harness.check_rows(database)
    figure("in-doubt", "answers to COMMIT lost", doubt.network.swallowed)
    figure("in-doubt", f"tasks of {len(TASKS)} kinds, each done once", tasks)
    figure("in-doubt", "answers outcome_unknown", 0)
