"""What the fault tests share: servers in which things go wrong, and what must be true afterwards.

The server, the specs and the patience are those of tests/http. The program is build/denoised-faults: the same sources
with the shims of tests/fault/shim linked in; tests that need no shim run the program that users get.
"""

import contextlib
import hashlib
import importlib.util
import json
import mmap
import os
import pathlib
import random
import sqlite3
import struct
import sys
import time

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("http_conftest", HERE.parent / "http" / "conftest.py")
http_conftest = importlib.util.module_from_spec(spec)
sys.modules["http_conftest"] = http_conftest
spec.loader.exec_module(http_conftest)

PRODUCT = http_conftest.BINARY
FAULTS = PRODUCT + "-faults"
PATIENCE = http_conftest.PATIENCE
QUICK, ENDLESS = http_conftest.QUICK, http_conftest.ENDLESS
SOAK = bool(os.environ.get("SOAK"))
SEED = int(os.environ.get("FAULT_SEED", time.time_ns() % 1_000_000))
ENDED = ("succeeded", "failed", "cancelled")
# All but the seconds, which a training that was interrupted does not repeat.
EXACT = ("epoch", "step", "train_loss", "val_loss", "learning_rate", "gradient_norm", "curve_distance", "energy_distance")

figures = []  # one line for each test that has something to tell; printed at the end


def tell(line):
    figures.append(line)
    print(line, flush=True)


def dice(name):
    """Random numbers that a failure can be repeated with: FAULT_SEED, printed at the end."""
    return random.Random(f"{SEED}/{name}")


# ---------------------------------------------------------------- the shared page (shim/page.h)


class Page:
    FIELDS = ("pid", "memory_first", "memory_length", "memory_seen", "memory_fired",
              "io_first", "io_length", "io_seen", "io_fired",
              "io_failure", "live", "recorded", "sync_delay")  # fmt: skip
    FAILURES = {"error": 0, "no_space": 1, "short_write": 2, "sync": 3, "quota": 4}

    def __init__(self, path):
        self.path = str(path)
        with open(path, "wb") as file:
            file.write(bytes(8 * len(self.FIELDS)))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8 * len(self.FIELDS))

    def __getitem__(self, name):
        return struct.unpack_from("q", self.memory, 8 * self.FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.memory, 8 * self.FIELDS.index(name), value)

    def arm(self, what, first, length=1):
        """From now on, the calls number first.. fail, `length` of them. first=0: none."""
        self[f"{what}_first"] = 0
        self[f"{what}_seen"] = self[f"{what}_fired"] = 0
        self[f"{what}_length"] = length
        self[f"{what}_first"] = first

    def disarm(self, what):
        """How many have failed."""
        self[f"{what}_first"] = 0
        return self[f"{what}_fired"]


class Server(http_conftest.Server):
    """page: a Page, for the program with faults; else the product."""

    def __init__(self, directory, *flags, page=None, binary=None, **environment):
        self.page = page
        self.binary = binary or (FAULTS if page else PRODUCT)
        if page:
            environment["DENOISED_FAULT_PAGE"] = page.path
        directory = pathlib.Path(directory)
        directory.mkdir(exist_ok=True)
        super().__init__(str(directory), *flags, **environment)

    def start(self):
        began = time.monotonic()
        super().start()
        self.ready_after = time.monotonic() - began

    def ask(self, method, path, body=None, headers=None, raw=None, connection=None):
        """(status, JSON or bytes), or (0, None) without an answer. Nothing is checked against the contract: fast."""
        try:
            answer = self.fetch(method, path, body, headers, raw) if connection is None else connection.ask(method, path, body, headers, raw)
        except (OSError, http_conftest.http.client.HTTPException):
            return 0, None
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, json.loads(answer.body) if is_json else answer.body

    def is_alive(self):
        return self.process.poll() is None


# ---------------------------------------------------------------- what must be true


def database(path):
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def tensors(safetensors):
    """The data of a safetensors file: what follows the header, whose length stands at the beginning."""
    return safetensors[8 + struct.unpack("<Q", safetensors[:8])[0] :]


def outcome(server, job):
    """SHA-256 of a job's weights and of its loss history without the durations."""
    weights = server.fetch("GET", f"/v1/models/{job}/weights.safetensors")
    assert weights.status == 200, weights.body
    history = server.fetch("GET", f"/v1/jobs/{job}/history").json
    assert not history["has_more"]
    columns = json.dumps([history["data"][name] for name in EXACT])
    return hashlib.sha256(tensors(weights.body)).hexdigest(), hashlib.sha256(columns.encode()).hexdigest()


def settle(server, job):
    """Its last state, and whether it had been given up: a training that a dying server stopped three times before it got to
    a checkpoint is left alone, as promised, until somebody says more. That is said here."""
    state = server.wait(job, ENDED, seconds=600)
    given_up = state["status"] == "failed" and state["error"]["code"] == "crash_loop"
    if given_up:
        assert server.ask("POST", f"/v1/jobs/{job}/resume", {})[0] == 202
        state = server.wait(job, ENDED, seconds=600)
    return state, given_up


def undisturbed(directory, specs):
    """What each spec trains to when nothing goes wrong."""
    server = Server(directory, "--workers", "1")
    jobs = [server.submit(spec) for spec in specs]
    for job in jobs:
        assert server.wait(job, seconds=120)["status"] == "succeeded"
    outcomes = [outcome(server, job) for job in jobs]
    assert server.stop() == 0
    return outcomes


def check_integrity(path):
    with database(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        check_rows(connection)


def check_rows(connection):
    """What the rows of a database say of each other, at any moment."""
    wrong = connection.execute(
        "SELECT job.id, job.epoch, count(history.epoch), max(history.epoch) FROM job LEFT JOIN history ON job_seq = seq"
        " GROUP BY seq HAVING count(history.epoch) <> job.epoch OR coalesce(max(history.epoch), 0) <> job.epoch"
    ).fetchall()
    assert wrong == [], f"the history does not go as far as the job: {wrong}"
    wrong = connection.execute(
        "SELECT job.id FROM job WHERE (SELECT count(*) FROM checkpoint WHERE job_seq = seq) > 2"
        " OR (SELECT max(epoch) FROM checkpoint WHERE job_seq = seq) > epoch"
        " OR (SELECT max(step) FROM checkpoint WHERE job_seq = seq) > step"
    ).fetchall()
    assert wrong == [], f"checkpoints beyond the job: {wrong}"
    def whole(blob):
        pieces = connection.execute("SELECT bytes FROM piece WHERE blob_id = ? ORDER BY number", (blob,))
        return b"".join(piece for (piece,) in pieces)

    for blob, sha256 in connection.execute("SELECT blob_id, sha256 FROM checkpoint"):
        assert hashlib.sha256(whole(blob)).hexdigest() == sha256, "a checkpoint is not whole"
    named = " UNION ALL ".join(f"SELECT blob_id FROM {table}" for table in ("checkpoint", "model", "snapshot", "dataset"))
    named += " UNION ALL SELECT cells_blob_id FROM dataset"
    wrong = connection.execute(
        f"SELECT id, refs FROM blob WHERE refs <> (SELECT count(*) FROM ({named}) AS named WHERE blob_id = id)"
        " OR (refs > 0 AND size <> (SELECT coalesce(sum(length(bytes)), 0) FROM piece WHERE blob_id = id))"
    ).fetchall()
    assert wrong == [], f"blobs that are not what rows say of them: {wrong}"
    twice = connection.execute(
        "SELECT job, epoch FROM event WHERE kind = 'epoch' GROUP BY job, epoch HAVING count(*) > 1"
    ).fetchall()
    assert twice == [], f"epochs told of twice: {twice}"


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0
