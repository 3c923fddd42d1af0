"""Killed at random (T1): nothing acknowledged is lost, nothing is done twice, and the results are the same bytes."""

import itertools
import os
import threading
import time

import harness
from harness import SOAK

KILLS = int(os.environ.get("FAULT_KILLS", 1000 if SOAK else 30))
MOST_SECONDS = 3.0  # between two kills

# About a second each, with a checkpoint now and then.
SPECS = [
    {
        "dataset": {"name": name, "n": 1000},
        "diffusion": {"timesteps": 20},
        "network": {"hidden_size": 16, "hidden_layers": 2},
        "training": {"epochs": epochs, "batch_size": 50, "ema_decay": ema, "checkpoint_every": every,
                     "lr_schedule": "cosine", "evaluate_every": evaluate},
        "seed": seed,
    }
    for seed, (name, epochs, ema, every, evaluate) in enumerate([
        ("spiral", 1800, 0.99, 1, 0),
        ("moons", 2400, 0, 7, 200),
        ("heart", 1800, 0.9, 40, 0),
        ("circles", 2700, 0.999, 3, 300),
    ])
]  # fmt: skip


class Client:
    """Submits jobs one after another, each with a key, until told to stop; asks again until it has an answer."""

    def __init__(self, server, pause, specs=SPECS):
        self.server, self.pause, self.specs = server, pause, specs
        self.asked, self.acknowledged = [], {}  # keys; and the ids that were promised for them
        self.wrong = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for i in itertools.count():
            key = f"key-{i}"
            self.asked.append(key)
            while not self.submit(key, self.specs[i % len(self.specs)]):
                if self.over.is_set():
                    return  # what has no answer may or may not be there
                time.sleep(0.02)
            if self.over.wait(self.pause):
                return

    def submit(self, key, spec):
        status, job = self.server.ask("POST", "/v1/jobs", spec, {"Idempotency-Key": key})
        if status in (200, 201):
            self.acknowledged[key] = job["id"]
        elif status not in (0, 503):
            self.wrong.append((key, status, job))
        return status in (200, 201)

    def finish(self):
        self.over.set()
        self.thread.join()


def check_jobs(client, path):
    """Every promise was kept, once."""
    harness.check_integrity(path)
    with harness.database(path) as connection:
        found = connection.execute("SELECT idempotency_key, id FROM job").fetchall()
    check_promises(client, found)
    return dict(found)


def check_promises(client, found):
    """found: the keys and ids that are stored."""
    assert client.wrong == []
    assert len(found) == len(dict(found)), "one key, two jobs"
    lost = {key: job for key, job in client.acknowledged.items() if dict(found).get(key) != job}
    assert lost == {}, f"lost: {lost}"
    assert set(dict(found)) <= set(client.asked)


def test_killed_at_random(tmp_path):
    dice = harness.dice("kill")
    golden = harness.undisturbed(tmp_path / "undisturbed", SPECS)
    server = harness.Server(tmp_path, "--workers", "2")
    client = Client(server, pause=0.7)
    ready = []
    for kill in range(KILLS):
        time.sleep(dice.uniform(0, MOST_SECONDS))
        server.kill()
        if kill % 50 == 49 or kill == KILLS - 1:
            check_jobs(client, server.database)
        server.start()
        ready.append(server.ready_after)
    client.finish()
    for key, job in client.acknowledged.items():  # whoever asks once more gets the same job
        status, again = server.ask("POST", "/v1/jobs", SPECS[int(key.split("-")[1]) % len(SPECS)], {"Idempotency-Key": key})
        assert (status, again["id"]) == (200, job)
    jobs = check_jobs(client, server.database)
    given_up = 0
    for key, job in jobs.items():
        state, resumed = harness.settle(server, job)
        given_up += resumed
        assert state["status"] == "succeeded", state
        assert harness.outcome(server, job) == golden[int(key.split("-")[1]) % len(SPECS)], (key, state)
    assert given_up <= 1 + len(jobs) // 20, f"{given_up} of {len(jobs)} jobs were given up"
    attempts = sum(server.ask("GET", f"/v1/jobs/{job}")[1]["attempt"] for job in jobs.values())
    assert server.stop() == 0
    check_jobs(client, server.database)
    harness.tell(
        f"kill: {KILLS} kills, {len(client.acknowledged)} acknowledged jobs, 0 lost, 0 twice,"
        f" {attempts - len(jobs)} interrupted trainings ({given_up} given up and resumed), all to the same bytes;"
        f" ready after {1000 * harness.percentile(ready, 0.5):.0f} ms (median), {1000 * max(ready):.0f} ms (longest)"
    )
