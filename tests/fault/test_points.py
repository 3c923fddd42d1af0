"""Killed at each point (T2): around everything that becomes durable, and before each operation on the database's files."""

import itertools
import pathlib
import re
import signal

import harness
import pytest
from harness import ENDED, FAULTS, QUICK, SOAK

SOURCES = pathlib.Path(__file__).parents[2]
LIGHT = {**QUICK, "training": {**QUICK["training"], "epochs": 8, "checkpoint_every": 2}}
# Checkpoints of more than a megabyte, for the points that are passed only with those, or when the log has become long.
HEAVY = {**QUICK, "network": {"hidden_size": 128, "hidden_layers": 4}, "training": {**QUICK["training"], "epochs": 9}}


def points():
    found = set()
    for source in [*SOURCES.glob("server/**/*.c"), *SOURCES.glob("tests/fault/shim/*.c")]:
        found |= set(re.findall(r'FAULT_POINT\("([^"]+)"\)', source.read_text()))
    return sorted(found)


def start_killed(directory, page, point, passing):
    """A server that will die there; None if it has done so before it listened."""
    try:
        return harness.Server(directory, "--workers", "1", page=page, DENOISED_FAULT_KILL=f"{point}:{passing}")
    except AssertionError:
        return None


class Life:
    """Asks for a bit of everything; what it was promised."""

    def __init__(self, spec):
        self.spec = spec
        self.jobs, self.deleted, self.uploads = {}, set(), 0

    def submit(self, server, key):
        self.jobs.setdefault(key, None)
        status, job = server.ask("POST", "/v1/jobs", self.spec, {"Idempotency-Key": key})
        if status:
            assert status in (200, 201), (status, job)
            assert self.jobs[key] in (None, job["id"])
            self.jobs[key] = job["id"]
        return job["id"] if status else None

    def run(self, server):
        """True if the server has lived through all of it."""
        job = self.submit(server, "trained")
        other = self.submit(server, "deleted")
        if other and server.ask("DELETE", f"/v1/jobs/{other}?force=true")[0] == 204:
            self.deleted.add(other)
        self.uploads += server.ask("POST", "/v1/datasets", headers={"Content-Type": "text/csv"}, raw=b"1,2\n3,4\n")[0] == 201
        while job and server.is_alive():
            state = server.ask("GET", f"/v1/jobs/{job}")[1]
            if state and state["status"] in ENDED:
                break
        waiting = self.submit(server, "waiting")  # the stop comes while it is trained
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(timeout=10 * harness.PATIENCE)
        assert status in (0, -signal.SIGKILL), server.read_log()[-3000:]
        return bool(waiting) and status == 0

    def check(self, server, golden):
        for key in ("trained", "waiting"):
            job = self.submit(server, key)
            state = server.wait(job, ENDED)
            assert state["status"] == "succeeded", state
            assert harness.outcome(server, job) == golden
        for job in self.deleted:
            assert server.ask("GET", f"/v1/jobs/{job}")[0] == 404
        assert server.stop() == 0
        harness.check_integrity(server.database)
        with harness.database(server.database) as connection:
            keys = [row[0] for row in connection.execute("SELECT idempotency_key FROM job")]
            assert len(keys) == len(set(keys)) and set(keys) <= {"trained", "waiting", "deleted"}
            (uploads,) = connection.execute("SELECT count(*) FROM dataset").fetchone()
            assert uploads >= self.uploads


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    return harness.undisturbed(tmp_path_factory.mktemp("undisturbed"), [LIGHT, HEAVY])


def kill_at(directory, page, point, passing, spec, golden):
    """False if the point was not passed so often."""
    life = Life(spec)
    server = start_killed(directory, page, point, passing)
    died = server is None or not life.run(server)
    if server:
        server.log.close()
    life.check(harness.Server(directory, "--workers", "1"), golden)
    return died


@pytest.mark.parametrize("point", points())
def test_killed_at(tmp_path, page, point, golden):
    # Whoever promises too early is found out before the commit: up to the requests, past what the start has written.
    first = range(1, 9) if point == "writer.before_commit" else range(1, 3)
    passings = itertools.count(1) if SOAK else [*first, harness.dice(point).randrange(first.stop, 40)]
    is_rare = point in ("store.before_checkpoint", "blob.piece_written")
    spec = HEAVY if is_rare else LIGHT
    kills = 0
    for passing in passings:
        if not kill_at(tmp_path / str(passing), page, point, passing, spec, golden[is_rare]):
            break
        kills += 1
    assert kills > 0, f"{point} was never passed"
    kill_count[point] = kills


kill_count = {}


def test_the_program_that_users_get_has_no_points():
    """And all points were there to be tried."""
    faults, product = (pathlib.Path(path).read_bytes() for path in (FAULTS, harness.PRODUCT))
    for point in points():
        assert point.encode() in faults and point.encode() not in product
    assert b"DENOISED_FAULT" not in product
    if kill_count:
        harness.tell(f"points: {sum(kill_count.values())} kills at {len(kill_count)} points, all to the same bytes")
