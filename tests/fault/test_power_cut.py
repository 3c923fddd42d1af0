"""Power cuts (T3): at any moment, with whatever of the unsynced writes. See powercut.py for what a disk may lose."""

import hashlib
import shutil
import sqlite3
import tempfile
import time

import harness
import powercut
from harness import ENDED, SOAK

IMAGES = 10_000 if SOAK else 500
RESUMED = 100 if SOAK else 5
KEPT = (0, 0.1, 0.5, 0.9, 1)  # how likely an unsynced sector has reached the disk

# Checkpoints of some size, so that the log is folded into the database several times.
SPECS = [
    {
        "dataset": {"name": name, "n": 500},
        "diffusion": {"timesteps": 20},
        "network": {"hidden_size": 64, "hidden_layers": 2},
        "training": {"epochs": epochs, "batch_size": 100, "ema_decay": 0.99, "checkpoint_every": every},
        "seed": epochs,
    }
    for name, epochs, every in [("spiral", 60, 1), ("moons", 61, 2), ("heart", 62, 5)]
]
CSV = "x,y\n" + "".join(f"{i},{i * i % 17}\n" for i in range(300))


class Promises:
    """What a client knows, each with the place in the record at which it came to know."""

    def __init__(self, server):
        self.server = server
        self.facts = []  # (from, until, what, SQL that gives 1, its parameters)
        self.specs = {}  # job: index of its spec

    def now(self):
        return self.server.page["recorded"]

    def add(self, what, sql, *parameters):
        self.facts.append([self.now(), None, what, sql, parameters])

    def withdraw(self, parameter):
        """Before a request that may make it untrue."""
        for fact in self.facts:
            if parameter in fact[4] and fact[1] is None:
                fact[1] = self.now()

    def submit(self, index):
        key = f"key-{len(self.facts)}"
        status, job = self.server.ask("POST", "/v1/jobs", SPECS[index], {"Idempotency-Key": key})
        assert status == 201
        self.add("a job", "SELECT count(*) FROM job WHERE id = ? AND idempotency_key = ?", job["id"], key)
        self.specs[job["id"]] = index
        return job["id"]

    def wait(self, job):
        """What has been read is as good as promised."""
        assert self.server.wait(job)["status"] == "succeeded"
        self.add("success", "SELECT status = 'succeeded' AND epoch = epochs FROM job WHERE id = ?", job)
        self.add("a model", "SELECT model.epoch = job.epochs FROM job JOIN model ON job_seq = seq WHERE job.id = ?", job)

    def cancel(self, job):
        assert self.server.ask("POST", f"/v1/jobs/{job}/cancel")[0] == 200
        self.add("a cancel", "SELECT cancel_requested FROM job WHERE id = ?", job)
        del self.specs[job]

    def delete(self, job):
        self.withdraw(job)
        assert self.server.ask("DELETE", f"/v1/jobs/{job}?force=true")[0] == 204
        self.add("a delete", "SELECT NOT EXISTS (SELECT 1 FROM job WHERE id = ?)", job)

    def upload(self):
        status, row = self.server.ask("POST", "/v1/datasets", headers={"Content-Type": "text/csv"}, raw=CSV.encode())
        assert status == 201
        digest = hashlib.sha256(CSV.encode()).hexdigest()
        self.add("a data set", "SELECT sha256 = ? AND n = 300 FROM dataset WHERE id = ?", digest, row["id"])

    def broken(self, connection, place):
        """The facts known at this place that an image denies."""
        for since, until, what, sql, parameters in self.facts:
            if since <= place and (until is None or place < until):
                row = connection.execute(sql, parameters).fetchone()
                if row is None or row[0] != 1:
                    yield f"{what}, known at byte {since} of the record, is not in an image of byte {place}: {parameters}"


def live(server):
    """A life with all kinds of writes, an orderly stop, and a kill."""
    promises = Promises(server)
    first, second = promises.submit(0), promises.submit(1)
    promises.upload()
    promises.cancel(promises.submit(2))
    promises.wait(first)
    server.stop()
    server.start()
    promises.upload()
    third = promises.submit(2)
    promises.wait(second)
    promises.delete(first)
    server.kill()
    server.start()
    promises.submit(0)
    promises.wait(third)
    promises.delete(promises.submit(1))
    time.sleep(0.1)
    server.kill()
    return promises


def check_image(path, promises, place):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        broken = list(promises.broken(connection, place))
        assert broken == [], broken
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            harness.check_rows(connection)
            return connection.execute("SELECT count(*) FROM job").fetchone()[0]
        return 0
    finally:
        connection.close()


def check_resumed(directory, promises, golden):
    """A server finishes what the image has, in the same bytes."""
    server = harness.Server(directory, "--workers", "2")
    jobs = [job["id"] for job in server.ask("GET", "/v1/jobs?limit=100")[1]["items"]]
    for job in jobs:
        state = server.wait(job, ENDED)
        if job in promises.specs:
            assert state["status"] == "succeeded", state
            assert harness.outcome(server, job) == golden[promises.specs[job]], state
    assert server.stop() == 0
    harness.check_integrity(server.database)
    return len(jobs)


def test_power_cuts(tmp_path, start, page):
    dice = harness.dice("power cut")
    golden = harness.undisturbed(tmp_path / "undisturbed", SPECS)
    record = tmp_path / "record"
    page["sync_delay"] = 500  # whoever does not wait for the disk is found out
    server = start("--workers", "1", page=page, DENOISED_FAULT_RECORD=str(record))
    promises = live(server)
    entries = powercut.read_record(record)
    disk = powercut.Disk(entries)
    cuts = sorted(dice.randrange(len(entries) + 1) for _ in range(IMAGES))
    resumed = set(dice.sample(range(IMAGES), RESUMED))
    jobs = checked = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as fast:
        for number, cut in enumerate(cuts):
            directory = f"{fast}/{number}"
            path = f"{directory}/test.db"
            harness.os.mkdir(directory)
            disk.advance(cut)
            disk.write_image(path, dice, KEPT[number % len(KEPT)])
            copy = f"{fast}/copy"
            if number in resumed:
                shutil.copytree(directory, copy)
            place = entries[cut - 1].end if cut else 0
            try:
                jobs += check_image(path, promises, place)
            except (AssertionError, sqlite3.Error) as error:
                raise AssertionError(f"image {number}, after {cut} of {len(entries)} operations: {error}") from error
            checked += sum(since <= place and (until is None or place < until) for since, until, *_ in promises.facts)
            if number in resumed:
                jobs += check_resumed(copy, promises, golden)
                shutil.rmtree(copy)
            shutil.rmtree(directory)
    assert checked > IMAGES, "hardly anything was promised"
    operations = {what: sum(entry.what == what for entry in entries) for what in "wstd"}
    harness.tell(
        f"power cut: {IMAGES} images of a life of {operations['w']} writes, {operations['s']} syncs,"
        f" {operations['t']} truncations, {operations['d']} deletions: 0 of {checked} promises broken, integrity ok,"
        f" {RESUMED} resumed to the same bytes; {time.monotonic() - began:.0f} s"
    )
