"""No memory (T6): the n-th allocation of an endpoint fails, for every n. Nothing crashes, hangs, leaks or gets lost."""

import collections
import gzip
import http.client
import io
import itertools
import struct
import time
import zipfile

import harness
import PIL.Image
import pytest
from harness import ENDED, PATIENCE, QUICK, SOAK, http_conftest

LIMIT = 5 * PATIENCE  # seconds; a request that takes longer hangs
# A sanitizer build counts the allocations of our own code alone, which are not many.
ODD_STEPS = 1 if SOAK or "sanitize" in harness.PRODUCT else 7
CSV = "x,y,label\n" + "".join(f"{i * 0.5},{i * 0.25 - 3},{'ab'[i % 2]}\n" for i in range(40))
# A form with a file that is compressed and has names in quotes, decimal commas and text in windows-1252.
PACKED = gzip.compress('"";"x ""1""";"label"\n"a";5,1;"é"\n"b";3,25;"ü"\n'.encode("cp1252"))
# l follows from k, and two spellings of missing values are one value.
ROWS = ["2020-01-31,a,u,1.5", "2020-02-29,b,v,NA", ",c,w,2", "2020-03-01,a,u,7", "NA,b,v,1", "2020-03-02,c,w,1"]
TABLE = "id,day,k,l,v\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS * 10))
FORM = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv.gz"\r\n'
        b"Content-Type: text/csv; charset=windows-1252\r\n\r\n" + PACKED + b"\r\n--b--\r\n")  # fmt: skip
# Images of 4 x 4 pixels with labels in a file of their own, and pictures in folders.
DIGITS = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % name + gzip.compress(data) + b"\r\n" for name, data in (
    (b"images", struct.pack(">HBB3I", 0, 8, 3, 6, 4, 4) + bytes(range(96))), (b"labels", struct.pack(">HBBI", 0, 8, 1, 6) + b"\0\1\2" * 2),
)) + b"--b--\r\n"  # fmt: skip


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for k in range(4):
            picture = io.BytesIO()
            PIL.Image.frombytes("RGB" if k == 2 else "L", (4, 4), bytes(range(48 if k == 2 else 16))).save(picture, "png")
            file.writestr(f"{k % 2}/{k}.png", picture.getvalue())
    return out.getvalue()


ARCHIVE = archive()


class Connection:
    """Kept alive, so that what fails is the request and not the connection."""

    def __init__(self, server):
        self.server, self.connection = server, None

    def ask(self, method, path, body=None, headers=None):
        """(status, body); (0, None) when the server closed the connection without an answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LIMIT)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = http_conftest.Answer(self.connection.getresponse())
            if answer.headers.get("Connection", "").lower() == "close":
                self.drop()
            return answer.status, answer.body
        except TimeoutError:
            pytest.fail(f"{method} {path} hangs")
        except (OSError, http.client.HTTPException):
            self.drop()
            return 0, None

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None


JSON = {"Content-Type": "application/json"}
# name: (method, path, body, headers, the statuses when all is well); {job} has ended and has a model
READS = {
    "job": ("GET", "/v1/jobs/{job}", None, {}, {200}),
    "jobs": ("GET", "/v1/jobs?limit=5&status=succeeded", None, {}, {200}),
    "history": ("GET", "/v1/jobs/{job}/history?max_points=50", None, {}, {200}),
    "history.svg": ("GET", "/v1/jobs/{job}/history.svg", None, {"Accept-Encoding": "gzip"}, {200}),
    "events": ("GET", "/v1/jobs/{job}/events", None, {}, {200}),
    "model": ("GET", "/v1/models/{job}", None, {}, {200}),
    "schedule": ("GET", "/v1/models/{job}/schedule.csv", None, {}, {200}),
    "weights": ("GET", "/v1/models/{job}/weights.safetensors", None, {}, {200}),
    "samples": ("GET", "/v1/models/{job}/samples?n=20&sampler=dpmpp_2m&steps=4", None, {}, {200}),
    "samples.png": ("GET", "/v1/models/{job}/samples.png?n=20", None, {}, {200}),
    "score": ("POST", "/v1/models/{job}/score", '{"points": [[0, 1], [2, 3]], "steps": 4}', JSON, {200}),
    "samples by POST": ("POST", "/v1/models/{job}/samples", '{"noise": [[0, 1], [2, 3]], "sampler": "heun"}', JSON, {200}),
    "trajectories": ("GET", "/v1/models/{job}/trajectories?n=5&frames=3", None, {}, {200}),
    "trajectories.gif": ("GET", "/v1/models/{job}/trajectories.gif?n=5&frames=3", None, {}, {200}),
    "trajectories.png": ("GET", "/v1/models/{job}/trajectories.png?n=5&frames=3", None, {}, {200}),
    "evaluation": ("GET", "/v1/models/{job}/evaluation?n=100", None, {}, {200}),
    "points": ("GET", "/v1/datasets/heart/points.npy?n=20", None, {}, {200}),
    "forward": ("GET", "/v1/datasets/moons/forward?n=5&frames=3", None, {}, {200}),
    "images.png": ("GET", "/v1/datasets/digits/images.png?n=20", None, {}, {200}),
    "optimal": ("GET", "/v1/datasets/spiral/optimal?n=5&frames=3", None, {}, {200}),
    "readiness": ("GET", "/readyz", None, {}, {200}),
    "metrics": ("GET", "/metrics", None, {}, {200}),
    "description": ("GET", "/openapi.json", None, {"Accept-Encoding": "gzip"}, {200}),
}  # fmt: skip
WRITES = {
    "validate": ("POST", "/v1/jobs?validate_only=true", '{"dataset": ["spiral", "moons"]}', JSON, {200}),
    "wrong job": ("POST", "/v1/jobs", '{"dataset": "spirl", "epochs": 3}', JSON, {422}),
    "cancel": ("POST", "/v1/jobs/{job}/cancel", None, {}, {200}),
    "upload": ("POST", "/v1/datasets?name=mine", CSV, {"Content-Type": "text/csv"}, {201}),
    "records": ("POST", "/v1/datasets", '[{"x": "\\u0031", "label": "a"}, {"x": "2,5", "y": 1}, {"x": 3, "y": null}]', JSON, {201}),
    "table": ("POST", "/v1/datasets", TABLE, {"Content-Type": "text/csv"}, {201}),
    "images": ("POST", "/v1/datasets", DIGITS, {"Content-Type": "multipart/form-data; boundary=b"}, {201}),
    "archive": ("POST", "/v1/datasets", ARCHIVE, {"Content-Type": "application/zip"}, {201}),
    "form": ("POST", "/v1/datasets", FORM, {"Content-Type": "multipart/form-data; boundary=b"}, {201}),
    "import": ("POST", "/v1/models?name=mine", "weights", {"Content-Type": "application/octet-stream"}, {201}),
}


class Ruin:
    """One endpoint, again and again, with one more allocation before the one that fails."""

    def __init__(self, server, page):
        self.server, self.page = server, page
        self.connection = Connection(server)
        self.statuses, self.problems = collections.Counter(), []
        self.tried = 0

    def lives(self):
        """Looks twice: a process takes a moment to die."""
        time.sleep(0.02)
        return self.server.is_alive()

    def once(self, n, request):
        """False when there are no n allocations."""
        method, path, body, headers, fine = request
        assert self.connection.ask("GET", "/livez")[0] == 200, self.server.read_log()[-3000:]
        self.page.arm("memory", n)
        status, answer = self.connection.ask(method, path, body, headers)
        fired = self.page.disarm("memory")
        if status == 0 and not self.lives():
            self.problems.append(f"{method} {path}, allocation {n}: dead, {self.server.process.poll()}")
            self.connection.drop()
            self.server.start()
        allowed = fine | {0, 500, 503} if fired else fine
        if status not in allowed:
            self.problems.append(f"{method} {path}, allocation {n}: {status} {answer}")
        self.statuses[status] += 1
        self.tried += 1
        return fired > 0, status, answer

    def every(self, request, step=1, first=1):
        for n in itertools.count(first, step):
            fired, *_ = self.once(n, request)
            if not fired:
                break

    def settle(self):
        """Live allocations when nothing happens."""
        last = None
        while last != (last := self.page["live"]):
            time.sleep(0.05)
        return last


@pytest.fixture
def trained(start, page):
    server = start("--workers", "1", page=page)
    server.job = server.submit({**QUICK, "name": "the model"})
    assert server.wait(server.job)["status"] == "succeeded"
    return server


def filled(request, server):
    method, path, body, headers, fine = request
    if body == "weights":
        body = server.fetch("GET", f"/v1/models/{server.job}/weights.safetensors").body
    return method, path.format(job=server.job), body, headers, fine


def test_reads_without_memory(trained, page):
    ruin = Ruin(trained, page)
    leaks = {}
    for name, request in READS.items():
        request = filled(request, trained)
        ruin.every(request, ODD_STEPS)  # caches fill
        rounds = []  # one more session of the database may be opened in any of them, a leak is in all
        while len(rounds) < 3 and (not rounds or rounds[-1][0] > 0):
            before, tried = ruin.settle(), ruin.tried
            ruin.every(request, ODD_STEPS)
            rounds.append((ruin.settle() - before, ruin.tried - tried))
        leaks[name] = min(rounds)
    tell(ruin, f"{len(READS)} reads")
    assert {name: leak for name, leak in leaks.items() if leak[0] > 3 + leak[1] // 20} == {}


def test_writes_without_memory(trained, page):
    ruin = Ruin(trained, page)
    for request in WRITES.values():
        ruin.every(filled(request, trained), ODD_STEPS)
    tell(ruin, f"{len(WRITES)} writes")
    harness.check_integrity(trained.database)


def test_jobs_without_memory(trained, page):
    """Submitted, and trained or not; the same key gives the same job afterwards."""
    ruin = Ruin(trained, page)
    golden = harness.outcome(trained, trained.job)
    endings = collections.Counter()
    for n in itertools.count(1, ODD_STEPS):
        key = {"Idempotency-Key": f"memory-{n}", "Content-Type": "application/json"}
        body = http_conftest.json.dumps({**QUICK, "name": f"job {n}"})
        fired, status, answer = ruin.once(n, ("POST", "/v1/jobs", body, key, {201}))
        again, job = trained.ask("POST", "/v1/jobs", raw=body.encode(), headers=key)
        assert again == (200 if status == 201 else again) and again in (200, 201)
        if status == 201:
            assert http_conftest.json.loads(answer)["id"] == job["id"]
        state = trained.wait(job["id"])
        endings[state["status"]] += 1
        if state["status"] == "succeeded":
            assert harness.outcome(trained, job["id"]) == golden
        else:
            assert state["error"]["code"] == "no_memory", state
        if not fired:
            break
    tell(ruin, f"submitting: {dict(endings)}")
    harness.check_integrity(trained.database)


def ended(server, spec):
    """A job that has ended, whatever fails on the way."""
    while (answer := server.ask("POST", "/v1/jobs", spec))[0] != 201:
        assert server.is_alive()
    while (state := server.ask("GET", f"/v1/jobs/{answer[1]['id']}")[1] or {}).get("status") not in ENDED:
        assert server.is_alive()
        time.sleep(0.01)
    return state


def test_training_without_memory(trained, page):
    golden = harness.outcome(trained, trained.job)
    endings = collections.Counter()
    for n in itertools.count(1, 1 if SOAK else 10 * ODD_STEPS):
        page.arm("memory", n)
        state = ended(trained, QUICK)
        fired = page.disarm("memory")
        endings[state["status"]] += 1
        if state["status"] == "succeeded":
            assert harness.outcome(trained, state["id"]) == golden
        else:
            assert state["error"]["code"] == "no_memory", state
        if not fired:
            break
    harness.tell(f"memory: training, {dict(endings)}")


def test_a_table_without_memory(trained, page):
    """Its cells become numbers, and samples become its rows."""
    rows = "".join(f"{i % 7},{'xyz'[i % 3]},{i % 5 or ''},{'uvw'[i % 3]}\n" for i in range(60))
    raw = f"a,b,c,d\n{rows}".encode()  # d follows from b
    status, made = trained.ask("POST", "/v1/datasets", raw=raw, headers={"Content-Type": "text/csv"})
    assert status == 201
    job = {"dataset": {"id": made["id"]}, "network": {"hidden_layers": 1}, "training": {"epochs": 2}}
    endings = collections.Counter()
    for n in itertools.count(1, 10 * ODD_STEPS):
        page.arm("memory", n)
        state = ended(trained, job)
        fired = page.disarm("memory")
        endings[state["status"]] += 1
        assert state["status"] == "succeeded" or state["error"]["code"] == "no_memory", state
        if not fired:
            break
    assert state["status"] == "succeeded"
    ruin = Ruin(trained, page)
    for suffix in ("csv", "json"):
        ruin.every(("GET", f"/v1/models/{state['id']}/samples.{suffix}?n=20", None, {}, {200}), ODD_STEPS)
    known = '{"rows": [{"b": "x", "c": ""}, {"d": "u"}], "draws": 3, "steps": 2, "missing": "never"}'
    ruin.every(("POST", f"/v1/models/{state['id']}/samples", known, JSON, {200}), ODD_STEPS)
    ruin.every(("POST", f"/v1/models/{state['id']}/score", '{"points": [{"a": 3, "b": "y"}], "steps": 2}', JSON, {200}), ODD_STEPS)
    holes, as_csv = "b;a;c\nx;;\n;3;1\n", {"Content-Type": "text/csv"}
    ruin.every(("POST", f"/v1/models/{state['id']}/samples.csv?draws=3&steps=2", holes, as_csv, {200}), ODD_STEPS)
    ruin.every(("POST", f"/v1/models/{state['id']}/score?steps=2", holes, as_csv, {200}), ODD_STEPS)
    ruin.every(("GET", f"/v1/models/{state['id']}/evaluation?n=16&sampler=ddim&steps=2", None, {}, {200}), ODD_STEPS)
    tell(ruin, f"a table, {dict(endings)}")


def test_starting_without_memory(trained, page):
    """Either it starts, or it says why not."""
    assert trained.stop() == 0
    tried = refused = 0
    for n in itertools.count(1, 10 * ODD_STEPS):
        page.arm("memory", n)
        try:
            trained.start()
        except AssertionError:
            fired = page.disarm("memory")
            status = trained.process.wait(timeout=LIMIT)
            assert status == 1, f"allocation {n}: {status} {trained.read_log()[-3000:]}"
            refused += 1
        else:
            fired = page.disarm("memory")
            assert trained.fetch("GET", f"/v1/jobs/{trained.job}").status in (200, 500, 503)
            assert trained.fetch("GET", f"/v1/jobs/{trained.job}").status == 200
            assert trained.stop() == 0, f"allocation {n}"
        tried += 1
        if not fired:
            break
    harness.tell(f"memory: {tried} starts, {refused} refused with a message")


def tell(ruin, what):
    assert ruin.problems == [], "\n".join(ruin.problems)
    statuses = ", ".join(f"{count} x {status or 'closed'}" for status, count in sorted(ruin.statuses.items()))
    harness.tell(f"memory: {what}: {ruin.tried} requests, 0 crashes, 0 hangs; {statuses}")
