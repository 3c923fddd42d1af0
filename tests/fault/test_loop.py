"""Nobody stays on the event loop for long: every GET, on objects as large as the contract allows, with the program that
measures each stay of a handler there, and says so when it computed for more than 10 ms.

What the objects are is real; that there are so many is done with SQL between two starts, to save time."""

import contextlib
import json
import socket
import time

import harness
from harness import ENDLESS, FAULTS, QUICK

EPOCHS = 100_000  # of the long history
QUEUED = 10_000
ENDED = 100_000
WORDY = 220  # of them, whose description is as long as it may be
DATASETS = 210
COLUMNS = CLASSES = 64
LONG = "n" * 60  # names have at most 64 bytes
BIG = {  # 17 million bytes of weights, and the longest schedule
    "dataset": {"name": "spiral", "n": 100},
    "diffusion": {"timesteps": 4000, "beta_schedule": "cosine"},
    "network": {"hidden_size": 256, "hidden_layers": 4, "time_embedding": "learned"},
    "training": {"epochs": 2, "batch_size": 90},
}
TOLD = "a stay on the event loop"

# A copy of a job, as another one; ids are UUIDs whose last digits count.
COPY_JOBS = """
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :count)
    INSERT INTO job (id, name, dataset, spec, status, epochs, steps, created_at)
    SELECT substr(id, 1, 24) || printf('%012x', i), name, dataset, spec, 'queued', epochs, steps, created_at
    FROM job, number WHERE id = :id"""
# Jobs that have ended, each with numbers of its own.
COPY_ENDED = """
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :count)
    INSERT INTO job (id, name, dataset, spec, status, epochs, steps, epoch, seconds, train_loss, val_loss, curve_distance,
                     energy_distance, words, created_at, finished_at)
    SELECT '01900000' || substr(id, 9, 16) || printf('%012x', i), name, dataset, spec, iif(i % 1000, 'succeeded', 'cancelled'), epochs,
           steps, i % 2, i * 0.1, 1.0 / i, iif(i % 3, 1.1 / i, NULL), iif(i % 2, 0.1 / i, NULL), 0.2 / i,
           'job ' || i || char(10) || 'spiral' || char(10) || 'default', created_at, created_at
    FROM job, number WHERE id = :id"""
LENGTHEN = """
    WITH RECURSIVE number (i) AS (SELECT epochs + 1 FROM job WHERE id = :id UNION ALL SELECT i + 1 FROM number WHERE i < :count)
    INSERT INTO history (job_seq, epoch, step, train_loss, val_loss, learning_rate, gradient_norm, seconds)
    SELECT seq, i, i * steps / epochs, 1.0 / i, 1.1 / i, 0.001, 0.1234567890123 + 1.0 / i, i * 1e-3 FROM job, number WHERE id = :id"""
COPY_DATASETS = """
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :count)
    INSERT INTO dataset (id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, blob_id)
    SELECT substr(id, 1, 24) || printf('%012x', i), name, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, blob_id
    FROM dataset, number WHERE id = :id"""


def upload():
    """64 columns, 64 classes, names as long as they may be."""
    header = [f"{LONG}{i}" for i in range(COLUMNS)] + ["label"]
    rows = [[f"{(i * 7 + k) % 101}.{k}" for k in range(COLUMNS)] + [f"{LONG}{i % CLASSES}"] for i in range(2 * CLASSES)]
    return "\n".join(",".join(row) for row in [header, *rows]).encode()


def fill(server):
    dataset = server.post("/v1/datasets?label=label", headers={"Content-Type": "text/csv"}, raw=upload())
    assert dataset.status == 201, dataset.body
    dataset = dataset.json["id"]
    big, long = server.submit(BIG), server.submit(QUICK)
    small, mixed = server.submit(ENDLESS), server.submit({**QUICK, "dataset": [{"id": dataset}] * 64})
    for job in (big, long):
        assert server.wait(job, seconds=120)["status"] == "succeeded"
    assert server.stop() == 0
    with harness.database(server.database) as connection:
        connection.execute("BEGIN")
        connection.execute(COPY_JOBS, {"id": small, "count": QUEUED})
        connection.execute(COPY_JOBS, {"id": mixed, "count": WORDY})
        connection.execute(COPY_ENDED, {"id": small, "count": ENDED})
        connection.execute(LENGTHEN, {"id": long, "count": EPOCHS})
        connection.execute("UPDATE job SET epoch = ?1, epochs = ?1, step = steps / epochs * ?1, steps = steps / epochs * ?1 WHERE id = ?2",
                           (EPOCHS, long))  # fmt: skip
        connection.execute(COPY_DATASETS, {"id": dataset, "count": DATASETS})
        connection.execute("COMMIT")
        waiting = [row[0] for row in connection.execute("SELECT id FROM job WHERE status = 'queued' ORDER BY seq DESC LIMIT 30")]
    return dataset, big, long, waiting


def paths(server, dataset, big, long, waiting):
    """Every GET that answers with a body that ends, in every format, and with queries that ask for the most."""
    ids = {"/v1/jobs": (long, waiting[0]), "/v1/models": (big, long), "/v1/datasets": (dataset, "spiral"), "/v1/events": ("",)}
    description = json.loads(server.fetch("GET", "/openapi.json").body)
    for path, methods in description["paths"].items():
        if "get" in methods and not path.endswith("/events"):
            of_images = "/images" in path
            for id in ("digits",) if of_images else ids.get("/".join(path.split("/")[:3]), ("",)):
                draws = path.startswith("/v1/models") and path.split("/")[-1] in ("samples", "trajectories")
                yield path.replace("{id}", id).replace("{index}", "17.png") + ("?n=1&steps=1" if draws else "?n=16&steps=1" if "evaluation" in path else "")
    watched = "&".join(f"job={job}" for job in [long, *waiting])
    yield from ("/v1/jobs?limit=200", f"/v1/jobs?limit=200&after={waiting[-1]}", "/v1/jobs?limit=200&status=queued", "/v1/jobs?limit=20")
    yield from (f"/v1/jobs?limit=200&dataset={dataset}", "/v1/jobs/latest", "/v1/models?limit=200", "/v1/datasets?limit=200")
    for parameter in ("/v1/jobs", "/v1/models"):
        orders = next(p for p in description["paths"][parameter]["get"]["parameters"] if p.get("name") == "sort")["schema"]["enum"]
        for order in orders:
            page = f"{parameter}?sort={order}&limit=20"
            following = json.loads(server.fetch("GET", page).body)["next"]
            yield from (page, f"{page}&after={following}") if following else (page,)
    for filters in ("search=spiral", "search=nowhere", "search=job+99999", "status=cancelled", "status=cancelled,running", "dataset=none",
                    "search=nowhere&sort=val_loss", "status=cancelled&sort=name", "dataset=spiral"):  # fmt: skip
        yield f"/v1/jobs?{filters}"
    yield "/v1/jobs?search=spiral&limit=200&sparkline=200&counts=true"
    yield from ("/v1/jobs?limit=20&sparkline=40", "/v1/jobs?limit=20&sparkline=40&sort=-epoch", "/v1/models?imported=true&limit=200")
    yield from ("/v1/jobs?limit=4&sparkline=200&sort=-epoch", "/v1/models?imported=false&search=x", "/v1/datasets?kind=upload", "/v1/events.json?after=0&limit=1000", f"/v1/events.json?after=0&limit=1000&{watched}")
    yield from (f"/v1/events.json?after=0&limit=16&{watched}", f"/v1/jobs/{long}/events.json?after=0&limit=500")
    yield f"/v1/jobs/{long}/events.json?after={EPOCHS // 2}&limit=1000"
    for end in ("", ".csv", ".svg"):
        yield from (f"/v1/jobs/{long}/history{end}?{query}" for query in (
            "limit=500", "limit=501", f"after={EPOCHS // 2}", "max_points=4", "max_points=1000", "max_points=10000", "wait=1",
            f"after={EPOCHS - 100}", f"after={EPOCHS}&wait=1"))  # fmt: skip
        yield f"/v1/models/{big}/schedule{end}"


def listen(server, path, last_id, seconds):
    """Follows a stream of events from an old one on; bytes that came."""
    received = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: {last_id}\r\n\r\n"
        connection.sendall(head.encode())
        until = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < until:
                more = connection.recv(1 << 16)
                received += len(more)
                if not more:
                    break
    return received


def writes(server, dataset, big):
    """Requests with a body are read on the loop, too."""
    junk = {f"leaning_rat{i}": i for i in range(10_000)}
    noise = {"noise": [[0.123456789 + i, -1.5] for i in range(100_000)], "steps": 1}
    assert server.ask("POST", "/v1/jobs", junk)[0] == 422
    assert server.ask("POST", "/v1/jobs", {"training": junk, "name": "x"})[0] == 422
    assert server.ask("POST", "/v1/jobs?validate_only=true", {**QUICK, "dataset": [{"id": dataset}] * 64})[0] == 200
    copies = [{"id": f"{dataset[:24]}{i:012x}"} for i in range(1, 65)]
    for query, status in (("?validate_only=true", 200), ("", 201)):
        assert server.ask("POST", "/v1/jobs" + query, {**QUICK, "dataset": copies})[0] == status
    assert server.ask("POST", "/v1/jobs", raw=b"[" * 200_000)[0] == 400
    assert server.ask("POST", f"/v1/models/{big}/samples", noise)[0] in (200, 422)
    assert server.ask("POST", f"/v1/models/{big}/samples", {**noise, "steps": 1.5})[0] == 422


def test_no_stay_on_the_event_loop_is_long(tmp_path):
    flags = ("--workers", "1", "--max-queued", "100000", "--max-sample-cost", "1e15")
    server = harness.Server(tmp_path, *flags, binary=FAULTS)
    dataset, big, long, waiting = fill(server)
    server.flags = (*flags, "--log-level", "info")
    server.start()
    asked = 0
    for path in paths(server, dataset, big, long, waiting):
        for headers in ({}, {"Accept-Encoding": "gzip"}, {"Accept": "text/html"}):
            answer = server.fetch("GET", path, headers=headers)
            assert answer.status in (200, 304, 406), (path, answer.status, answer.body[:300])
            asked += 1
        assert server.fetch("HEAD", path).status == 200
    replayed = listen(server, f"/v1/events?{'&'.join(f'job={job}' for job in [long, *waiting])}", 1, 3)
    replayed += listen(server, f"/v1/jobs/{long}/events", 1, 2) + listen(server, "/v1/events", 1, 2)
    assert replayed > 1_000_000
    writes(server, dataset, big)
    told = [line for line in server.read_log().splitlines() if TOLD in line]
    assert server.stop() == 0
    assert told == [], f"{len(told)} stays:\n" + "\n".join(told)
    harness.tell(f"loop: {asked} GETs, {replayed >> 20} MiB of events replayed, {QUEUED} jobs queued, {ENDED} ended, no stay above 10 ms")
