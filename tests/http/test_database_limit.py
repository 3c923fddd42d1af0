"""--max-database: what makes the database grow is refused before the disk is full; reads and deletes never are."""

import subprocess

import pytest
from conftest import BINARY, PATIENCE, only_sqlite

MIB = 1 << 20
LARGE = {  # a model of 4 MiB, and checkpoints of 17
    "dataset": {"name": "moons", "n": 64},
    "network": {"hidden_size": 512, "hidden_layers": 2},
    "training": {"epochs": 2, "batch_size": 64},
}


def upload(server):
    rows = "x,y\n" + "0.123456,0.654321\n" * 100_000  # 800 kB of points
    return server.request("POST", "/v1/datasets?name=filling", raw=rows.encode(), headers={"Content-Type": "text/csv"})


def values(server):
    lines = server.get("/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


@only_sqlite("a PostgreSQL has its own limits")
def test_a_full_database_refuses_growth_only(start):
    server = start("--max-database", "64", "--workers", "1")
    job = server.submit(LARGE)
    assert server.wait(job)["status"] == "succeeded"
    stored = []
    while (answer := upload(server)).status == 201:
        stored.append(answer.json["id"])
    assert answer.status == 507 and answer.json["code"] == "database_full" and "--max-database" in answer.json["detail"]
    assert len(stored) > 50  # the checkpoint has gone for them
    metrics = values(server)
    assert metrics["denoised_db_limit_bytes"] == 64 * MIB
    assert max(metrics["denoised_db_used_bytes"], metrics["denoised_db_size_bytes"]) <= 64 * MIB
    # All that was acknowledged is there, and can be read.
    assert len(server.get(f"/v1/models/{job}/samples?n=4").json["points"]) == 4
    for id in stored:
        assert server.get(f"/v1/datasets/{id}").json["n"] == 100_000
    assert server.get("/readyz").status == 200
    # A training that finds no room says so, and goes on when there is some.
    failed = server.submit(LARGE)
    error = server.wait(failed)["error"]
    assert error["code"] == "database_full" and "--max-database" in error["detail"]
    # Deletes are never refused, and make room.
    for id in stored:
        assert server.request("DELETE", f"/v1/datasets/{id}").status == 204
    assert server.post(f"/v1/jobs/{failed}/resume", {}).status == 202
    assert server.wait(failed)["status"] == "succeeded"
    assert upload(server).status == 201


@only_sqlite("a PostgreSQL has its own limits")
def test_a_training_that_can_never_fit_is_refused(start):
    server = start("--max-database", "16")
    refused = server.post("/v1/jobs", {"network": {"hidden_size": 512, "hidden_layers": 8}})
    assert refused.status == 422 and refused.json["code"] == "too_large" and "--max-database" in refused.json["detail"]
    assert server.post("/v1/jobs", {"training": {"epochs": 1}}).status == 201


@pytest.mark.parametrize("value", ["1", "15", "-1", "x"])
def test_a_limit_that_makes_no_sense(tmp_path, value):
    run = subprocess.run(
        [BINARY, "serve", "--port", "0", "--database", str(tmp_path / "x.db"), "--max-database", value],
        capture_output=True, text=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    assert run.returncode != 0 and "--max-database" in run.stderr
