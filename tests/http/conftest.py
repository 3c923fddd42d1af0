"""A real server on a real socket for every test that asks for one."""

import functools
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

import jsonschema
import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent))  # of other folders' tests, too
import postgresql
import stores
from stores import BINARY

# By how much a test waits longer than a quiet machine needs: what ends a wait is that something is so, and only a test that
# fails takes this long. A busy machine may be an order of magnitude slower, and so may a sanitizer build be.
SANITIZED = "sanitize" in BINARY
PATIENCE = int(os.environ.get("PATIENCE", 30 if SANITIZED else 10))

# Real tables, from the npm package @observablehq/sample-datasets.
SAMPLES = pathlib.Path(__file__).parents[1] / "browser/node_modules/@observablehq/sample-datasets"

QUICK = {  # a training of a moment
    "dataset": {"name": "spiral", "n": 200},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 8, "hidden_layers": 1},
    "training": {"epochs": 3, "batch_size": 50, "checkpoint_every": 1},
}
ENDLESS = {  # one that nobody waits for
    "dataset": {"name": "spiral", "n": 2000},
    "network": {"hidden_size": 16, "hidden_layers": 2},
    "training": {"epochs": 1000000, "batch_size": 100},
}


def only_sqlite(reason):
    """For tests of what only one kind of database has."""
    return pytest.mark.skipif(stores.KIND != "sqlite", reason=reason)


def not_sanitized(reason):
    """For tests that take minutes there, and show nothing but what the plain build has shown, by code that other tests run, too."""
    return pytest.mark.skipif(SANITIZED, reason=reason)


def sample_table(name):
    file = SAMPLES / name
    assert file.exists(), "make deps-test installs the real tables"
    return file


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


EXACT = ("epoch", "step", "train_loss", "val_loss", "learning_rate", "gradient_norm", "curve_distance", "energy_distance")


def outcome(server, job):
    """What training left: the loss history without its durations, the weights, and samples."""
    history = server.get(f"/v1/jobs/{job}/history").json["data"]
    pieces = server.sql("SELECT bytes FROM piece JOIN model USING (blob_id) WHERE model.id = ? ORDER BY number", job)
    weights = b"".join(piece for (piece,) in pieces)
    points = server.get(f"/v1/models/{job}/samples?n=50").json["points"]
    return [history[column] for column in EXACT], weights, points


def end_despite_kills(server, job, most, epochs):
    """Kills the server at most so often, each time so many epochs further, until the job has succeeded."""
    kills = 0
    for kill in range(most):
        server.wait_for_epoch(job, epochs * (kill + 1))
        # After a kill the job may still be in the queue, already beyond this epoch.
        if server.wait(job, ("running", "succeeded", "failed"))["status"] == "running":
            # On PostgreSQL it counts as running until the lease of the killed node is over.
            eventually(lambda: server.get(f"/v1/jobs/{job}").json["attempt"] == kills + 1)
            server.kill()
            kills += 1
            server.start()
    assert kills >= min(most, 1)
    state = server.wait(job, seconds=120)
    assert state["status"] == "succeeded" and state["attempt"] == kills + 1, state


def places(answer):
    """The place of each point's class in the list of classes; None without labels."""
    return answer["labels"] and [answer["classes"].index(label) for label in answer["labels"]]


def undisturbed(start, tmp_path, spec):
    directory = tmp_path / "undisturbed"
    directory.mkdir()
    server = start(directory=directory)
    job = server.submit(spec)
    assert server.wait(job)["status"] == "succeeded"
    return outcome(server, job)


class Contract:
    """Holds every answer of every test against the OpenAPI description that the server gives."""

    LARGEST = 200_000  # bytes that are worth the time of a validator in Python
    # What HTTP itself brings, and what comes with statuses that no operation lists.
    # And what browsers are told of every answer.
    PLAIN_HEADERS = {
        "date", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "allow", "vary",
        "content-security-policy", "referrer-policy", "cross-origin-resource-policy", "cross-origin-opener-policy",
        "access-control-allow-origin", "access-control-expose-headers", "x-content-type-options", "x-frame-options",
        "x-accel-buffering", "strict-transport-security",
    }  # fmt: skip
    UNLISTED = {405, 417, 421, 500, 501}
    OWN = {404, 406, 409, 507}  # an operation names all its codes that have these

    def __init__(self):
        self.description = None
        self.seen = set()  # (operationId, status)
        self.headers_seen = set()  # (operationId, status, name)

    def remember(self, folder):
        """For the test of what all processes have seen."""
        seen = [sorted(self.seen), sorted(self.headers_seen)]
        pathlib.Path(folder, f"{os.getpid()}.json").write_text(json.dumps(seen))

    def recall(self, folder):
        for file in pathlib.Path(folder).glob("*.json"):
            seen, headers_seen = json.loads(file.read_text())
            self.seen |= {tuple(each) for each in seen}
            self.headers_seen |= {tuple(each) for each in headers_seen}

    def load(self, server):
        if self.description is None:
            self.description = server.fetch("GET", "/openapi.json").json
            self.statuses = {problem["code"]: problem["status"] for problem in self.description["x-problems"]}
            self.patterns = []
            for path, operations in self.description["paths"].items():
                regex = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + r"(\.[a-z]+)?"
                self.patterns.append((re.compile(regex), operations))
            # the most literal path first
            self.patterns.sort(key=lambda pair: pair[0].pattern.count("[^/]+"))
            # One for all, which remembers what it has found: to search the whole description again takes longer than all else.
            self.references = jsonschema.RefResolver("", self.description)
            self.references.resolve = functools.cache(self.references.resolve)

    def resolve(self, part):
        while "$ref" in part:
            found = self.description
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part

    def validate(self, schema, value):
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, resolver=self.references, format_checker=checker).validate(value)

    def operations(self):
        """(method, path, operation) of all."""
        for path, methods in self.description["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def operation(self, method, path):
        path = urllib.parse.unquote(path.split("?")[0])
        for regex, operations in self.patterns:
            if regex.fullmatch(path):
                return operations.get({"HEAD": "get"}.get(method, method.lower()))
        return None

    def described(self, operation, status, what):
        responses = operation["responses"]
        if str(status) in responses:
            return self.resolve(responses[str(status)])
        assert status in self.UNLISTED, f"{what}: {status} is not described: name it in the route's row"
        return self.resolve(responses["default"])

    def check_headers(self, described, answer, what):
        names = {name.lower(): name for name in described["headers"]}
        for name, value in answer.headers.items():
            if name.lower() in self.PLAIN_HEADERS:
                continue
            assert name.lower() in names, f"{what}: the header {name} is not described"
            self.validate(self.resolve(described["headers"][names[name.lower()]])["schema"], value)
        for name in ("X-Request-Id", "Server-Timing", "Cache-Control"):
            assert name in answer.headers, f"{what}: no {name}"

    def check(self, method, path, answer):
        what = f"{method} {path}"
        operation = self.operation(method, path)
        if operation is None or b'"no_such_path"' in answer.body[:200]:
            assert answer.status >= 400, f"{what} is not described"
            described = self.description["components"]["responses"]["Problem"]
        else:
            key = (operation["operationId"], answer.status)
            described = self.described(operation, answer.status, what)
            self.seen.add(key)
            self.headers_seen |= {(*key, name.lower()) for name in answer.headers}
        self.check_headers(described, answer, what)
        if method == "HEAD" or answer.status in (204, 302, 304):
            assert answer.body == b"" and "content" not in described or method == "HEAD"
            return
        content_type = answer.headers["Content-Type"]
        if answer.status == 206 or "Content-Encoding" in answer.headers:
            return
        assert content_type in described["content"], f"{what}: {content_type} is not described"
        if content_type.endswith("json") and content_type != "application/x-ndjson" and len(answer.body) <= self.LARGEST:
            self.validate(described["content"][content_type]["schema"], answer.json)
        if content_type == "application/problem+json":
            assert self.statuses[answer.json["code"]] == answer.status, f"{what}: server/base/problem_rows.h is wrong"
            response = operation["responses"].get(str(answer.status), {}) if operation else {}
            own = re.findall(r"`([a-z_]+)`: ", response.get("description", ""))
            if own and answer.status in self.OWN:
                assert answer.json["code"] in (*own, "no_such_path"), f"{what}: add the code to the route's row"


CONTRACT = Contract()
SEEN = os.environ.get("CONTRACT_SEEN")  # a folder that several processes share


def pytest_sessionfinish():
    if SEEN:
        CONTRACT.remember(SEEN)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    binary = BINARY

    def __init__(self, directory, *flags, database=None, **environment):
        """database: a URI, or the name of a file, instead of one that is made for this folder."""
        self.store = stores.Existing(database) if database else stores.of(directory)
        self.database = self.store.name  # a file, or a URI
        self.log_file = os.path.join(directory, "test.db.log")
        self.flags = flags
        self.environment = environment
        self.process = None
        self.start()

    def start(self):
        self.log = open(self.log_file, "ab")
        how = () if "--database" in self.flags else self.store.flags  # the test has one of its own
        known = {name: value for name, value in os.environ.items() if name != "DENOISED_BINARY"}  # else it warns
        self.process = subprocess.Popen(
            [self.binary, "serve", "--port", "0", "--database", self.database, *how, *self.flags],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**known, **self.environment},
        )
        line = self.process.stdout.readline().decode()
        listening = re.fullmatch(r"listening on (https?)://[0-9.]+:(\d+)(/.*)?\n", line)
        assert listening, (line, self.read_log())
        self.scheme, self.port = listening[1], int(listening[2])

    def read_log(self):
        with open(self.log_file, encoding="utf-8") as log:
            return log.read()

    def sql(self, text, *values):
        """Rows, each a tuple, of one statement that both kinds of databases take; parameters are written as ?."""
        with self.store.connect() as connection:
            return connection.sql(text, *values)

    def stop(self):
        """An orderly stop: exit status 0. The server itself leaves with 1 if it takes five seconds."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=10 * PATIENCE)
        self.log.close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def request(self, method, path, body=None, headers=None, raw=None):
        CONTRACT.load(self)
        answer = self.fetch(method, path, body, headers, raw)
        CONTRACT.check(method, path, answer)
        return answer

    def fetch(self, method, path, body=None, headers=None, raw=None):
        if self.scheme == "https":
            trusting = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60 * PATIENCE, context=trusting)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * PATIENCE)
        headers = dict(headers or {})
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=raw, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body=body, **more)

    def send(self, data):
        """Raw bytes on a fresh socket; everything that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10 * PATIENCE) as connection:
            connection.sendall(data)
            received = b""
            try:
                while True:
                    more = connection.recv(65536)
                    if not more:
                        break
                    received += more
            except ConnectionResetError:
                pass
            return received

    def submit(self, spec):
        answer = self.post("/v1/jobs", spec)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def wait(self, job, statuses=("succeeded", "failed", "cancelled"), seconds=60):
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            state = self.get(f"/v1/jobs/{job}").json
            if state["status"] in statuses:
                return state
            time.sleep(0.02)
        raise AssertionError(f"the job is still {state['status']}: {state}")

    def events(self, job):
        """Of a job that has ended: all of them. On PostgreSQL, they may become visible later than what they tell."""
        items = lambda: self.get(f"/v1/jobs/{job}/events.json?limit=1000").json["items"]  # noqa: E731
        eventually(lambda: any(item["data"].get("status") in ("succeeded", "failed", "cancelled") for item in items()))
        return items()

    def wait_for_progress(self, job, unit, least):
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            state = self.get(f"/v1/jobs/{job}").json
            if state["progress"][unit] >= least:
                return state
            time.sleep(0.01)
        raise AssertionError(f"{unit} {least} was not reached: {state}")

    def wait_for_epoch(self, job, epoch):
        return self.wait_for_progress(job, "epoch", epoch)

    def wait_for_step(self, job, step):
        return self.wait_for_progress(job, "step", step)


@pytest.fixture
def start(tmp_path):
    """Starts servers on this test's directory; stops what is left at the end."""
    servers = []

    def start_server(*flags, directory=None, **environment):
        server = Server(str(directory or tmp_path), *flags, **environment)
        servers.append(server)
        return server

    yield start_server
    for server in servers:
        if server.process.poll() is None:
            assert server.stop() == 0, server.read_log()
    for store in {server.database: server.store for server in servers}.values():
        store.drop()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture(scope="module")
def beside():
    """A private PostgreSQL, whatever database other servers have."""
    with postgresql.cluster() as made:
        yield made


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A shared server with one finished sinai2022 job. Tests must not change that job."""
    shared = Server(str(tmp_path_factory.mktemp("trained")))
    shared.job = shared.submit({"preset": "sinai2022"})
    state = shared.wait(shared.job, seconds=60)
    assert state["status"] == "succeeded", state
    yield shared
    assert shared.stop() == 0, shared.read_log()
