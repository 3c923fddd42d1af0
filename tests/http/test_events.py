"""What happens to jobs, told once each, in order, whatever breaks."""

import itertools
import subprocess
import threading
import time

import pytest
from conftest import BINARY, ENDLESS, PATIENCE, QUICK, eventually, only_sqlite
from sse import Stream
from test_streams import metric

UNKNOWN = "01890000-0000-7000-8000-000000000000"


def stream(server, path, last_id=None, **more):
    return Stream(server, path, last_id, timeout=30 * PATIENCE, **more)


def lines_of(server, path, last_id=None):
    """The lines of a stream, without the blank ones."""
    opened = stream(server, path, last_id)
    yield from (line.decode().strip() for line in iter(opened.response.readline, b"") if line.strip())


def directory(tmp_path, name):
    (tmp_path / name).mkdir()
    return str(tmp_path / name)


def are_all(ids, server):
    """Ascending, and none of the database is missing. Their numbers may have gaps, where a transaction was given up."""
    return all(one < two for one, two in itertools.pairwise(ids)) and ids == [
        stored for (stored,) in server.sql("SELECT id FROM event ORDER BY id")
    ]


def test_the_whole_story_of_a_job(server):
    job = server.submit({**QUICK, "training": {**QUICK["training"], "checkpoint_every": 1}})
    opened = stream(server, f"/v1/jobs/{job}/events")
    assert opened.status == 200
    headers = opened.response.headers
    assert headers["Content-Type"] == "text/event-stream" and headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no" and "Content-Encoding" not in headers
    told = list(opened)  # it ends by itself
    assert opened.retry == 2000
    ids = [identity for identity, _, _ in told]
    assert are_all(ids, server)
    assert {data["job"] for _, _, data in told} == {job}
    statuses = [data["status"] for _, event, data in told if event == "status"]
    assert statuses == ["queued", "running", "succeeded"]
    assert told[0][2]["status"] == "queued" and told[-1][2]["status"] == "succeeded"
    assert told[-1][2]["epoch"] == 3 and told[-1][2]["error"] is None
    assert [data["epoch"] for _, event, data in told if event == "checkpoint"] == [1, 2, 3]
    history = server.get(f"/v1/jobs/{job}/history").json["data"]
    epochs = [data for _, event, data in told if event == "epoch"]
    for column, values in history.items():
        assert [data[column] for data in epochs] == values, column
    # the same by Accept, in pages
    pages, after = [], 0
    while after is not None:
        answer = server.get(f"/v1/jobs/{job}/events?limit=4&after={after}", headers={"Accept": "application/json"})
        pages += [(item["id"], item["event"], item["data"]) for item in answer.json["items"]]
        assert len(answer.json["items"]) == 4 or not answer.json["has_more"]
        after = answer.json["next"]
    assert pages == told
    assert server.get(f"/v1/events.json?job={job}").json["items"][-1]["id"] == ids[-1]


def test_a_stream_goes_on_where_the_client_was(trained):
    path = f"/v1/jobs/{trained.job}/events"
    told = list(stream(trained, path))
    middle = told[len(told) // 2][0]
    rest = [one for one in told if one[0] > middle]
    assert list(stream(trained, path, last_id=middle)) == rest
    assert list(stream(trained, f"{path}?after={middle}")) == rest
    assert list(stream(trained, f"/v1/events?job={trained.job}&after=1", last_id=middle)) == rest  # the header is newer
    assert trained.get(path, headers={"Last-Event-ID": str(told[-1][0])}).status == 204
    assert trained.get(f"/v1/events?job={trained.job}&job={trained.job}&after={told[-1][0]}").status == 204
    assert trained.request("HEAD", path).headers["Content-Type"] == "text/event-stream"
    eventually(lambda: metric(trained, "sse_connections") == 0)


def test_a_stream_tells_at_once_and_of_watched_jobs_only(server):
    other = server.submit(QUICK)
    server.wait(other)
    everything, told = stream(server, "/v1/events"), []
    follower = threading.Thread(target=lambda: told.extend(everything))
    follower.start()
    first = server.submit({**ENDLESS, "name": "first"})
    second = server.submit(QUICK)
    both = stream(server, f"/v1/events?job={first}&job={second}")
    server.wait_for_epoch(first, 3)
    assert server.post(f"/v1/jobs/{first}/cancel").status == 200
    of_both = list(both)
    assert {data["job"] for _, _, data in of_both} == {first, second}
    assert [data["status"] for _, event, data in of_both if event == "status" and data["job"] == first] == [
        "queued", "running", "cancelled",
    ]  # fmt: skip
    ends = {data["job"]: data["status"] for _, event, data in of_both if event == "status"}
    assert ends == {first: "cancelled", second: "succeeded"}
    eventually(lambda: told and told[-1] == of_both[-1])
    # From the moment of connecting on. What was on its way then (on PostgreSQL, behind the horizon) may come before it.
    before = len(told) - len(of_both)
    assert told[before:] == of_both and {data["job"] for _, _, data in told[:before]} <= {other}
    server.stop()
    follower.join(10 * PATIENCE)
    assert told[-1] == (of_both[-1][0], "shutdown", {})


def test_a_deleted_job_says_so_and_takes_its_events_along(server):
    job = server.submit(ENDLESS)
    watching = stream(server, f"/v1/jobs/{job}/events")
    server.wait_for_epoch(job, 2)
    assert server.request("DELETE", f"/v1/jobs/{job}?force=true").status == 204
    told = list(watching)
    assert told[-1][2]["status"] == "deleted" and told[-1][2]["job"] == job
    assert [one["id"] for one in server.get("/v1/events.json").json["items"]] == [told[-1][0]]
    assert list(stream(server, f"/v1/jobs/{job}/events")) == told[-1:]
    assert server.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(told[-1][0])}).status == 204
    again = server.submit(QUICK)  # its events have new numbers
    server.wait(again)
    assert min(identity for identity, _, _ in stream(server, f"/v1/jobs/{again}/events")) > told[-1][0]


def test_a_resumed_job_goes_on_telling(server):
    job = server.submit(QUICK)
    server.wait(job)
    last = list(stream(server, f"/v1/jobs/{job}/events"))[-1][0]
    assert server.post(f"/v1/jobs/{job}/resume", {"epochs": 5}).status == 202
    told = list(stream(server, f"/v1/jobs/{job}/events", last_id=last))
    assert [data["epoch"] for _, event, data in told if event == "epoch"] == [4, 5]
    assert [data["status"] for _, event, data in told if event == "status"] == ["queued", "running", "succeeded"]


def sip(events, told, last=None):
    """Slower than a training tells, but not so slow that the server takes the reader for dead; up to this status."""
    for event in events:
        told.append(event)
        if last and event[2].get("status") == last:
            break
        time.sleep(0.002)


def test_a_slow_reader_misses_nothing(server):
    """More events than its socket and the server's memory of them hold."""
    job = server.submit({**ENDLESS, "dataset": {"n": 100}, "training": {**ENDLESS["training"], "checkpoint_every": 1}})
    told, others = [], []
    other = stream(server, "/v1/events?after=0", buffer=4096)
    readers = [
        threading.Thread(target=sip, args=(stream(server, f"/v1/jobs/{job}/events", buffer=4096), told)),
        threading.Thread(target=sip, args=(other, others, "cancelled")),
    ]
    for reader in readers:
        reader.start()
    server.wait_for_epoch(job, 1000)
    server.post(f"/v1/jobs/{job}/cancel")
    for reader in readers:
        reader.join(60 * PATIENCE)
    ids = [identity for identity, _, _ in told]
    assert len(ids) > 1000 and are_all(ids, server) and told[-1][2]["status"] == "cancelled"
    assert others == told
    other.close()


def test_a_failed_job_says_why(server):
    job = server.submit(
        {
            "dataset": {"n": 500},
            "network": {"hidden_size": 32, "hidden_layers": 8, "conditioning": "multiply"},
            "training": {"epochs": 50, "batch_size": 50, "learning_rate": 10},
        }
    )
    state = server.wait(job)
    _, _, data = list(stream(server, f"/v1/jobs/{job}/events"))[-1]
    assert data["status"] == "failed" and data["error"] == state["error"]


@pytest.mark.parametrize("every", [1, 7])
def test_nothing_is_lost_or_repeated_when_the_server_is_killed(start, every):
    """Epochs after the last checkpoint are trained twice, and told of once."""
    server = start()
    job = server.submit({**ENDLESS, "training": {"epochs": 1000000, "batch_size": 100, "checkpoint_every": every}})
    told = []
    for _ in range(3):
        begun = len(told)
        following = stream(server, f"/v1/jobs/{job}/events", told[-1][0] if told else None)
        assert following.status == 200
        told += itertools.islice(following, 25)
        following.close()
        server.kill()
        server.start()
        assert len(told) == begun + 25
    server.wait_for_epoch(job, max(data["epoch"] for _, _, data in told) + 2)
    server.post(f"/v1/jobs/{job}/cancel")
    told += stream(server, f"/v1/jobs/{job}/events", told[-1][0])
    ids = [identity for identity, _, _ in told]
    assert are_all(ids, server)
    epochs = [data["epoch"] for _, event, data in told if event == "epoch"]
    assert epochs == list(range(1, len(epochs) + 1))
    checkpoints = [data["epoch"] for _, event, data in told if event == "checkpoint"]
    assert checkpoints == sorted(set(checkpoints))
    history = server.get(f"/v1/jobs/{job}/history").json["data"]
    losses = {data["epoch"]: data["train_loss"] for _, event, data in told if event == "epoch"}
    assert [losses[epoch] for epoch in history["epoch"]] == history["train_loss"]  # to the same bits


def test_a_stream_without_news_says_that_it_is_still_there(server):
    """A byte within ten seconds tells proxies that the stream lives, and the server that the client does."""
    stream = Stream(server, "/v1/events", timeout=10 * PATIENCE)
    line = b""
    while not line.startswith(b":"):
        line = stream.response.readline()
        assert line, "the stream ended"
    stream.close()


def test_there_is_a_limit_to_streams(server):
    streams = [stream(server, "/v1/events") for _ in range(256)]
    eventually(lambda: metric(server, "sse_connections") == 256)
    refused = server.get("/v1/events")
    assert refused.status == 503 and refused.json["code"] == "too_many_streams" and refused.headers["Retry-After"]
    assert server.get("/livez").status == 200
    for one in streams[:100]:
        one.close()
    eventually(lambda: metric(server, "sse_connections") == 156)
    assert server.stop() == 0  # with 156 suspended connections, and in time: otherwise it would be 1
    assert all([event for _, event, _ in one][-1:] == ["shutdown"] for one in streams[100:])


@pytest.mark.parametrize(
    "path,status",
    [
        (f"/v1/jobs/{UNKNOWN}/events", 404),
        ("/v1/jobs/nonsense/events", 404),
        (f"/v1/events?job={UNKNOWN}", 404),
        ("/v1/events?job=" + "x" * 101, 422),
        ("/v1/events?job=", 404),
        ("/v1/events?after=-1", 422),
        ("/v1/events?after=x", 422),
        ("/v1/events?after=1&after=2", 422),
        ("/v1/events.json?limit=0", 422),
        ("/v1/events.json?limit=1001", 422),
        ("/v1/events?jobs=x", 422),
    ],
)
def test_bad_questions(trained, path, status):
    assert trained.get(path).status == status


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 16, "1 2"])
def test_bad_last_event_ids(trained, value):
    answer = trained.get("/v1/events", headers={"Last-Event-ID": value})
    assert answer.status == 400 and answer.json["code"] == "bad_last_event_id"
    assert metric(trained, "sse_connections") == 0


def test_unacceptable(trained):
    assert trained.get("/v1/events", headers={"Accept": "text/csv"}).status == 406


# ------------------------------------------------------------------ ids of another database


def every_way(server, job, place):
    """What comes after an id: as a stream of a job and of all, and as a list, by header and by parameter."""
    watched, all_jobs = f"/v1/jobs/{job}/events", f"/v1/events?after={place}"
    everything = itertools.takewhile(lambda event: event[2].get("status") != "succeeded", stream(server, all_jobs))
    listed = [server.get(f"{path}{'&' if '?' in path else '?'}after={place}&limit=1000").json["items"]
              for path in (f"/v1/jobs/{job}/events.json", "/v1/events.json", f"/v1/events.json?job={job}")]  # fmt: skip
    return [
        list(stream(server, watched, last_id=place)),
        list(stream(server, f"{watched}?after={place}")),
        list(stream(server, f"/v1/events?job={job}", last_id=place)),
        [*everything, listed[0] and (listed[0][-1]["id"], listed[0][-1]["event"], listed[0][-1]["data"])],
        *([(item["id"], item["event"], item["data"]) for item in items] for items in listed),
    ]


def test_an_id_of_another_database_silences_nothing(server):
    job = server.submit(QUICK)
    server.wait(job)
    told = list(stream(server, f"/v1/jobs/{job}/events"))
    last = told[-1][0]
    for place in (1, 17, 999999, last + 1, last + 999, last + 2**32, last - 2**32, 2**53 - 1):
        assert all(way == told for way in every_way(server, job, place)), place
    assert server.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(last)}).status == 204
    assert server.get(f"/v1/events.json?after={last}").json["items"] == []


@pytest.mark.parametrize("jobs_before,jobs_now", [(3, 1), (1, 3)])  # the other one knows of more events, or of fewer
def test_a_new_database_in_the_place_of_an_old_one(start, tmp_path, jobs_before, jobs_now):
    first = start(directory=directory(tmp_path, "before"))
    for _ in range(jobs_before):
        job = first.submit(QUICK)
        first.wait(job)
    place = first.events(job)[-1]["id"]
    assert first.stop() == 0
    second = start(directory=directory(tmp_path, "now"))
    assert list(itertools.islice(lines_of(second, "/v1/events", place), 2)) == ["retry: 2000", "id: 0"]
    for _ in range(jobs_now):
        job = second.submit(QUICK)
        second.wait(job)
    list(stream(second, f"/v1/jobs/{job}/events"))  # events may become visible later than what they tell
    everything = second.get("/v1/events.json?limit=1000").json["items"]
    assert second.get(f"/v1/events.json?limit=1000&after={place}").json["items"] == everything
    assert [event[2]["status"] for event in stream(second, f"/v1/jobs/{job}/events", place) if event[1] == "status"] == [
        "queued", "running", "succeeded",
    ]  # fmt: skip


@only_sqlite("denoised backup copies files of SQLite")
def test_a_backup_is_another_database(start, tmp_path):
    """A client goes on with the original after the copy was made, and then meets the copy, which has gone on, too."""
    server = start(directory=directory(tmp_path, "original"))
    old = server.submit(QUICK)
    server.wait(old)
    copy = directory(tmp_path, "copy") + "/test.db"
    subprocess.run([BINARY, "backup", copy, "--database", server.database], check=True)
    lost = server.submit(QUICK)
    server.wait(lost)
    place = list(stream(server, f"/v1/jobs/{lost}/events"))[-1][0]
    assert server.stop() == 0
    other = start(directory=str(tmp_path / "copy"))
    assert other.database == copy
    new = [other.submit(QUICK) for _ in range(3)]
    for job in new:
        other.wait(job)
    for job in (old, *new):
        statuses = [data["status"] for _, event, data in stream(other, f"/v1/jobs/{job}/events", place) if event == "status"]
        assert statuses == ["queued", "running", "succeeded"]
    ids = [event["id"] for event in other.get("/v1/events.json?limit=1000").json["items"]]
    assert are_all(ids, other) and ids[0] > place


def test_who_has_heard_nothing_yet_misses_nothing_either(server):
    """The place where a stream begins is told before anything happens."""
    first = lines_of(server, "/v1/events")
    assert next(first) == "retry: 2000"
    place = int(next(first).removeprefix("id: "))
    job = server.submit(QUICK)
    server.wait(job)
    told = list(stream(server, f"/v1/jobs/{job}/events"))
    assert list(itertools.islice(stream(server, "/v1/events", place), len(told))) == told


def test_the_history_says_where_it_is(trained):
    path = f"/v1/jobs/{trained.job}/history"
    newest = trained.get(path).json["next_after"]
    assert newest == trained.get(path).json["data"]["epoch"][-1]
    for after in (newest, newest + 1, 999999):
        answer = trained.get(f"{path}?after={after}").json
        assert (answer["data"]["epoch"], answer["next_after"]) == ([], newest)
