"""What other people's clients meet: directly, behind nginx as it comes, and behind nginx as /docs/operating says."""

import io
import json
import subprocess

import numpy
import pytest
from clients import CLIENTS
from places import NAME, SITES, Nginx, Server, eventually

TABLE = b"x,y\n" + b"".join(b"%g,%g\n" % (i % 7 / 7, i % 11 / 11) for i in range(60))
QUICK = {
    "dataset": {"name": "spiral", "n": 200},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 8, "hidden_layers": 1},
    "training": {"epochs": 3, "batch_size": 50},
}
LONG = {**QUICK, "dataset": {"name": "spiral", "n": 20000}, "training": {"epochs": 1000000, "batch_size": 100}}
JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def addresses(server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("nginx")
    fronts = {name: Nginx(directory / name.replace(" ", "_"), site, server.port) for name, site in SITES.items()}
    yield {"direct": server.port, **{name: front.port for name, front in fronts.items()}}
    for front in fronts.values():
        front.stop()


@pytest.fixture(scope="module", params=list(CLIENTS))
def client(request):
    client = CLIENTS[request.param]()
    client.name = request.param
    yield client
    client.close()


@pytest.fixture(scope="module")
def model(server):
    job = server.ask("/v1/jobs", QUICK)["id"]
    eventually(lambda: server.ask(f"/v1/jobs/{job}")["status"] == "succeeded")
    return job


@pytest.fixture(params=["direct", *SITES])
def base(request, addresses, client):
    host = NAME if client.name == "chromium" else "127.0.0.1"
    return f"http://{host}:{addresses[request.param]}"


@pytest.fixture
def refuses_pages(base, addresses, client):
    """A browser says where a page is from, and nginx as it comes hides where it was asked."""
    return client.name == "chromium" and base.endswith(f":{addresses['nginx']}")


def test_an_upload_and_a_training(base, client, refuses_pages):
    made = client.request("POST", f"{base}/v1/datasets?name=mine", CSV, TABLE)
    if refuses_pages:
        assert made.status == 403 and made.json["code"] == "foreign_origin"
        assert base in made.json["detail"]  # and what to do about it
        return
    assert made.status == 201, made.body
    assert made.headers["location"] == f"/v1/datasets/{made.json['id']}" and made.json["n"] == 60
    body = json.dumps({**QUICK, "dataset": {"id": made.json["id"]}}).encode()
    job = client.request("POST", f"{base}/v1/jobs", {**JSON, "Prefer": "wait=50"}, body)
    assert job.status == 201 and job.json["status"] == "succeeded", job.body
    assert job.headers["location"] == f"/v1/jobs/{job.json['id']}" and "wait" in job.headers["preference-applied"]
    points = client.request("GET", f"{base}/v1/models/{job.json['id']}/samples.csv?n=5")
    assert points.status == 200 and len(points.body.splitlines()) == 6


def test_events_across_a_restart(base, client, server):
    job = server.ask("/v1/jobs", LONG)["id"]
    stream = client.follow(f"{base}/v1/jobs/{job}/events")
    try:
        eventually(lambda: sum(name == "epoch" for _, name, _ in stream.events) >= 3)
        before = max(int(number) for number, *_ in stream.events)
        server.stop()
        server.start()
        eventually(lambda: sum(name == "epoch" and int(number) > before for number, name, _ in stream.events) >= 3)
        server.ask(f"/v1/jobs/{job}/cancel", method="POST")
        eventually(lambda: stream.ended)
    finally:
        stream.close()
    events = [event for event in stream.events if event[1] != "shutdown"]
    numbers = [int(number) for number, *_ in events]
    assert numbers == sorted(set(numbers))  # nothing twice
    listed, after = [], 0
    while page := server.ask(f"/v1/jobs/{job}/events?after={after}")["items"]:
        listed += [item["id"] for item in page]
        after = listed[-1]
    assert numbers == [int(number) for number in listed if int(number) >= numbers[0]]  # nothing missing
    epochs = [json.loads(data)["epoch"] for _, name, data in events if name == "epoch"]
    assert epochs == sorted(set(epochs))
    assert json.loads(events[-1][2])["status"] == "cancelled"


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_an_upload_is_told_so(base, client, server, refuses_pages, chunked):
    if client.name == "chromium" and chunked:
        pytest.skip("Chromium sends streams over HTTP/2 only")
    for _ in range(3):
        answer = client.request("POST", f"{base}/v1/datasets", CSV, size=80_000_000, chunked=chunked)
        if refuses_pages and answer.status == 403:
            continue
        assert answer.status == 413
        if answer.headers["content-type"].startswith("application/problem+json"):  # nginx has a limit of its own
            assert answer.json["code"] == "body_too_large"
    assert server.ask("/livez")["status"] == "ok"


def test_a_download_is_resumed(base, client, model, tmp_path):
    url = f"{base}/v1/models/{model}/samples.npy?n=20000&seed=4"
    whole = client.request("GET", url)
    assert whole.status == 200 and numpy.load(io.BytesIO(whole.body)).shape == (20000, 2)
    if client.name == "curl":
        (tmp_path / "points.npy").write_bytes(whole.body[:70_000])
        subprocess.run(["curl", "-sSf", "-C", "-", url, "-o", tmp_path / "points.npy"], check=True)
        assert (tmp_path / "points.npy").read_bytes() == whole.body
    headers = {"Range": "bytes=70000-", "If-Range": whole.headers["etag"]}
    rest = client.request("GET", url, headers)
    assert rest.status == 206 and rest.headers["content-range"] == f"bytes 70000-{len(whole.body) - 1}/{len(whole.body)}"
    assert rest.body == whole.body[70_000:]
    other = client.request("GET", url, {**headers, "If-Range": '"another"'})
    assert other.status == 200 and other.body == whole.body


def test_formats_are_told_apart(base, client, model):
    url = f"{base}/v1/models/{model}/samples?n=20&seed=9"
    table = {"Accept": "text/csv"}
    as_json = client.request("GET", url, {"Accept": "application/json"})
    tag = as_json.headers["etag"]
    if not client.caches:  # what keeps answers asks by itself
        table["If-None-Match"] = tag
    as_csv = client.request("GET", url, table)
    assert as_csv.status == 200 and as_csv.headers["content-type"].startswith("text/csv")
    assert as_csv.body.startswith(b"x,y") and as_csv.headers["etag"] != tag
    picture = client.request("GET", url, {**table, "Accept": "image/svg+xml"})
    assert picture.status == 200 and b"<svg" in picture.body
    again = client.request("GET", url, {"Accept": "application/json", "If-None-Match": tag})
    assert (again.status, again.body) == (304, b"") or client.caches and again.json["points"] == as_json.json["points"]
