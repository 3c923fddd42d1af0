"""Several nodes on one private PostgreSQL, clients that load them, and what must be true of all afterwards."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import sys
import time

import postgresql
import pytest
import stores
from conftest import Answer
from figures import size
from proxy import Proxy

sys.path.append(str(pathlib.Path(__file__).parents[1] / "fault"))
import harness
import test_kill

LEASE = 2  # seconds
ANSWER_SECONDS = 10  # that clients wait for an answer
# About a second each, or half of one; with fewer epochs than there, for each is a row and an event of the one database.
FEWER = size(20, 10)
SPECS = [
    {
        **spec,
        "dataset": {**spec["dataset"], "n": 10 * spec["dataset"]["n"]},
        "training": {**spec["training"], "epochs": spec["training"]["epochs"] // FEWER, "evaluate_every": spec["training"]["evaluate_every"] // FEWER},
    }
    for spec in test_kill.SPECS
]
WORKER = ("--workers", "1", "--checkpoint-seconds", "0.2")


class Node(harness.Server):
    """between: a Proxy on its way to the database."""

    def __init__(self, directory, store, *flags, between=None, binary=harness.FAULTS, database=None, **environment):
        self.store, self.between, self.binary, self.page = store, between, binary, None
        self.database = database or (through(store, between.port) if between else store.name)
        self.log_file = str(directory / "log")
        self.flags = (*(() if "--node-lease" in flags else ("--node-lease", str(LEASE))), *flags)
        self.environment = environment
        self.start()

    def start(self):
        self.known = None
        super().start()

    @property
    def node(self):
        """Its id, new at each start."""
        if not self.known:
            mine = [node for node in self.get("/v1/nodes").json["items"] if node["name"].endswith(f":{self.port}")]
            self.known = max(mine, key=lambda node: node["started_at"])["id"]
        return self.known


def through(store, port):
    return f"postgresql://postgres@127.0.0.1:{port}/{store.database}?sslmode=disable&gssencmode=disable"


class Impatient:
    """A client that does not wait long for an answer."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, headers=None, raw=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)) as connection:
            if body is not None:
                raw, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body=raw, headers=headers or {})
            return Answer(connection.getresponse())


class Client(test_kill.Client):
    """Of any node of a fleet."""

    def __init__(self, fleet, pause):
        super().__init__(fleet, pause, SPECS)


class Fleet:
    def __init__(self, folder):
        try:
            self.store = stores.Postgresql(str(folder / "nodes"))
        except postgresql.Missing as why:
            pytest.skip(str(why))
        self.folder = folder
        self.nodes = []
        self.dice = harness.dice(folder.name)
        self.networks = contextlib.ExitStack()

    def __call__(self, count, *flags, networks=False, **more):
        """Starts more nodes. networks: each has a Proxy of its own between it and the database."""
        for _ in range(count):
            directory = self.folder / f"node{len(self.nodes)}"
            directory.mkdir()
            if networks:
                more["between"] = self.networks.enter_context(Proxy(self.store.beside.folder / ".s.PGSQL.5432"))
            self.nodes.append(Node(directory, self.store, *flags, **more))
        return self.nodes[-count:]

    def living(self):
        return [node for node in self.nodes if node.is_alive()]

    def ask(self, *request):
        """Of any node, even of one that is not there: (status, JSON), or (0, None) without an answer."""
        node = self.dice.choice(self.nodes)
        return node.ask(*request, connection=Impatient(node.port))

    def connect(self):
        return Connection(self.store.name)

    def end(self):
        """Those that are left stop in order."""
        for node in self.living():
            assert node.stop() == 0, node.read_log()
        self.networks.close()
        with self.connect() as database:
            left = {node for (node,) in database.sql("SELECT id FROM node")}
        assert left.isdisjoint(node.known for node in self.nodes if node.process.returncode == 0), "who stops in order leaves"
        self.store.drop()


class Connection(stores.PostgresqlConnection):
    """Also has what the checks of tests/fault/ ask of a connection of SQLite."""

    def execute(self, text, values=()):
        self.rows = self.sql(text, *values)
        return self

    def fetchall(self):
        return self.rows

    def __iter__(self):
        return iter(self.rows)


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """What each of the clients' trainings leaves if nothing disturbs it."""
    return harness.undisturbed(tmp_path_factory.mktemp("undisturbed"), SPECS)


# ---------------------------------------------------------------- what must be true


def all_end(fleet, client):
    """The state of each job of a client, by its key, and how many had been given up: resumed, as somebody would."""
    states, given_up = {}, 0
    with fleet.connect() as database:
        found = database.sql("SELECT idempotency_key, id FROM job WHERE idempotency_key IS NOT NULL")
    test_kill.check_promises(client, found)
    for key, job in found:
        states[key], was_given_up = harness.settle(fleet.living()[0], job)
        given_up += was_given_up
    return states, given_up


def check_outcomes(fleet, client, expected):
    """Every promise was kept, once, in the bytes of an undisturbed run. What each job tells; how many had been given up."""
    states, given_up = all_end(fleet, client)
    node = fleet.living()[0]
    for key, state in states.items():
        assert state["status"] == "succeeded", state
        assert harness.outcome(node, state["id"]) == expected[int(key.split("-")[1]) % len(SPECS)], key
    check_rows(fleet)
    return states, given_up


def check_rows(fleet):
    with fleet.connect() as database:
        harness.check_rows(database)
        twice = "SELECT job FROM event WHERE kind = 'status' AND status = 'succeeded' GROUP BY job HAVING count(*) > 1"
        assert database.sql(twice) == [], "jobs with two outcomes"
        told = "SELECT string_agg(status, ' ' ORDER BY id) FROM event WHERE event.job = job.id AND kind = 'status'"
        for job, fence, statuses in database.sql(f"SELECT id, fence, ({told}) FROM job"):
            assert statuses.count("running") == fence, (job, fence, statuses, "claims that no event tells of")
        assert database.sql("SELECT id FROM job WHERE attempt > fence") == []


def eventually_within(condition, pause=0.01, seconds=60 * harness.PATIENCE):
    """Seconds until it is so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "it did not come about"
        time.sleep(pause)
    return time.monotonic() - began


def at_once(works):
    """Runs all in threads; their results, in order, or what one of them raised."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return [running.result() for running in [pool.submit(work) for work in works]]


def with_job(nodes, job):
    """The node that trains a job, and the others."""
    running = {}
    eventually_within(lambda: running.update(nodes[0].get(f"/v1/jobs/{job}").json) or running["node"])
    (owner,) = [node for node in nodes if node.node == running["node"]]
    return owner, [node for node in nodes if node is not owner]


def gave_up(node, job):
    """Learned that the job is another's, or lost the connection of the transaction in which it was stopped."""
    return any(f"job={job} ending={ending}" in node.read_log() for ending in ("lost", "store_broken"))

