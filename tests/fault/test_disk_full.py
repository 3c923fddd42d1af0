"""A file system that is really full (T5): 507 for who writes, all is well for who reads, and it goes on by itself."""

import contextlib
import os
import subprocess
import time

import harness
import pytest
from harness import PATIENCE

SPEC = {
    "dataset": {"name": "spiral", "n": 1000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 800, "batch_size": 50, "checkpoint_every": 1},
}
SMALL = {**SPEC, "network": {"hidden_size": 8, "hidden_layers": 1}, "training": {**SPEC["training"], "epochs": 1}}
CSV = "x,y\n" + "".join(f"{i},{i}.5\n" for i in range(20000))


@contextlib.contextmanager
def small_disk(directory, size):
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs to be mounted here: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def upload(server):
    return server.ask("POST", "/v1/datasets", headers={"Content-Type": "text/csv"}, raw=CSV.encode())[0]


def fill(server, filler):
    """Until nothing can be written any more: uploads, then the file system by other means."""
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        upload(server)
        while file.write(bytes(4096)) == 4096:
            pass


def test_a_full_disk(tmp_path):
    golden = harness.undisturbed(tmp_path / "undisturbed", [SPEC])[0]
    with small_disk(tmp_path / "disk", "16m") as disk:
        server = harness.Server(disk, "--workers", "1")
        jobs = [server.submit(SPEC)]
        small = []
        server.wait_for_epoch(jobs[0], 3)
        refused = reads = 0
        deadline = time.monotonic() + 20 * PATIENCE
        while refused < 20 and time.monotonic() < deadline:
            fill(server, disk / "filler")
            status, job = server.ask("POST", "/v1/jobs", SMALL)
            assert status in (201, 507)  # a small write may find room among what the files have
            if status == 201:
                small.append(job["id"])
            refused += status == 507
            for path in (f"/v1/jobs/{jobs[0]}", f"/v1/jobs/{jobs[0]}/history", f"/v1/models/{jobs[0]}/samples?n=5"):
                assert server.ask("GET", path)[0] == 200, path
                reads += 1
            time.sleep(0.05)
        os.unlink(disk / "filler")
        freed = time.monotonic()
        while (answer := server.ask("POST", "/v1/jobs", SPEC))[0] != 201:
            assert answer[0] == 507 and time.monotonic() - freed < 5 * PATIENCE
        recovered = time.monotonic() - freed
        jobs.append(answer[1]["id"])
        for job in (*jobs, *small):
            assert server.wait(job)["status"] == "succeeded"
        for job in jobs:
            assert harness.outcome(server, job) == golden
        assert refused == 20 and server.stop() == 0
        harness.check_integrity(server.database)
    harness.tell(f"full disk: {refused} x 507, {len(small)} x 201, {reads} reads x 200, writes again after {1000 * recovered:.0f} ms, same bytes")


def test_what_is_deleted_on_a_full_disk_makes_room(tmp_path):
    """The database and its log have filled the disk by themselves: nothing but a DELETE gives room, and it does."""
    with small_disk(tmp_path / "disk", "6m") as disk:
        server = harness.Server(disk, "--workers", "1")
        headers = {"Content-Type": "text/csv"}
        datasets = []
        while (answer := server.ask("POST", "/v1/datasets", headers=headers, raw=CSV.encode()))[0] == 201:
            datasets.append(answer[1]["id"])
        assert answer[0] == 507 and answer[1]["code"] == "disk_full" and len(datasets) > 4
        for again in range(3):
            for dataset in datasets[:3]:
                assert server.ask("DELETE", f"/v1/datasets/{dataset}")[0] == 204, again
            for place in range(2):
                status, dataset = server.ask("POST", "/v1/datasets", headers=headers, raw=CSV.encode())
                assert status == 201, (again, place, dataset)
                datasets.append(dataset["id"])
            datasets = datasets[3:]
        quick = {**SPEC, "training": {**SPEC["training"], "epochs": 3}}
        assert server.wait(server.submit(quick))["status"] == "succeeded"
        assert server.stop() == 0
        harness.check_integrity(server.database)
