"""What is not kept for ever, on a running server; a damaged database; a full disk."""

import contextlib
import subprocess
import time

import pytest
from conftest import BINARY, ENDLESS, QUICK, eventually, only_sqlite

DAY = 86_400_000


def test_old_things_go_when_their_time_has_come(start):
    server = start("--keep-jobs-days", "30")
    ages = {6: None, 8: None, 31: None}
    for days in ages:
        ages[days] = server.submit(QUICK)
        server.wait(ages[days])
    server.stop()
    now = int(time.time() * 1000)
    for days, job in ages.items():
        server.sql("UPDATE job SET finished_at = ? WHERE id = ?", now - days * DAY, job)
    server.start()
    eventually(lambda: len(server.get("/v1/jobs").json["items"]) == 2)
    items = lambda job: server.get(f"/v1/jobs/{job}/events.json").json["items"]  # noqa: E731
    eventually(lambda: len(items(ages[8])) == 1)
    assert items(ages[8])[0]["data"]["status"] == "succeeded"
    assert len(items(ages[6])) > 5
    assert server.get(f"/v1/models/{ages[31]}").status == 404
    assert server.get(f"/v1/jobs/{ages[8]}/history").json["data"]["epoch"] == [1, 2, 3]
    # of ended jobs one checkpoint is left, and it is of use
    assert server.post(f"/v1/jobs/{ages[8]}/resume", {"epochs": 5}).status == 202
    assert server.wait(ages[8])["progress"]["epoch"] == 5
    assert "checkpoint not usable" not in server.read_log()


@only_sqlite("PostgreSQL looks after its own files")
def test_a_damaged_database_is_refused(start):
    server = start()
    for _ in range(3):
        server.wait(server.submit(QUICK))
    server.stop()
    with open(server.database, "r+b") as file:
        for page in range(4, 40):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)
    refused = subprocess.run([BINARY, "serve", "--port", "0", "--database", server.database], capture_output=True, text=True)
    assert refused.returncode == 1 and "is damaged" in refused.stderr and "backup" in refused.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 6 MiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", directory], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here: " + mounted.stderr.strip())
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


@only_sqlite("the disk of a PostgreSQL is its own machine's")
def test_a_full_disk_stops_writes_alone_until_there_is_space(start, small_disk):
    server = start("--workers", "1", directory=small_disk)
    done = server.submit(QUICK)
    server.wait(done)
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 3)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    answers, readies = [], []

    def refuses():  # while the training's smaller writes fit into what is left, the server is ready again after a refusal
        answers.append(server.post("/v1/jobs", QUICK))
        readies.append(server.get("/readyz"))
        return answers[-1].status == 507 and readies[-1].status == 503

    eventually(refuses)
    assert answers[-1].json["code"] == "disk_full"
    ready = readies[-1]
    assert "no space" in ready.json["detail"] and ready.headers["Retry-After"]
    assert server.get("/livez").status == 200
    assert server.get(f"/v1/jobs/{done}/history").json["data"]["epoch"] == [1, 2, 3]
    assert server.get(f"/v1/models/{done}/samples?n=5").status == 200
    acknowledged = [answer.json["id"] for answer in answers if answer.status == 201]
    ballast.unlink()
    began = time.monotonic()
    eventually(lambda: server.get("/readyz").status == 200)
    print("ready again after", time.monotonic() - began)
    step = server.get(f"/v1/jobs/{job}").json["progress"]["step"]
    eventually(lambda: server.get(f"/v1/jobs/{job}").json["progress"]["step"] > step)
    print("training again after", time.monotonic() - began)
    assert server.post(f"/v1/jobs/{job}/cancel").status == 200
    for one in acknowledged:
        assert server.wait(one)["status"] == "succeeded"
    assert server.post("/v1/jobs", QUICK).status == 201
    assert server.stop() == 0  # before its disk goes
