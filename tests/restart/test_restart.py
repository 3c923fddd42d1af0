"""Stops, crashes and restarts: nothing that was acknowledged is lost."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from conftest import BINARY, ENDLESS, PATIENCE, QUICK, SANITIZED, eventually, not_sanitized, only_sqlite, outcome, undisturbed

LONG = {
    "dataset": {"name": "spiral", "n": 2000},
    "diffusion": {"timesteps": 20},
    "network": {"hidden_size": 32, "hidden_layers": 2},
    "training": {"epochs": 600 if SANITIZED else 6000, "batch_size": 50, "ema_decay": 0.99, "lr_schedule": "cosine",
                 "evaluate_every": 100},
    "seed": 5,
}


def test_a_killed_server_resumes_to_the_same_bytes(start, tmp_path):
    server = start("--workers", "1")
    job = server.submit(LONG)
    kills = 0
    for epoch in (3, 60, 150):
        server.wait_for_epoch(job, epoch)
        # After a kill the job may still be in the queue, already beyond this epoch.
        state = server.wait(job, ("running", "succeeded", "failed"))
        if state["status"] != "running":
            break
        # On PostgreSQL it counts as running until the lease of the killed node is over.
        eventually(lambda: server.get(f"/v1/jobs/{job}").json["attempt"] == kills + 1)
        server.kill()
        kills += 1
        server.start()
    assert kills >= 2
    state = server.wait(job)
    assert state["status"] == "succeeded" and state["attempt"] == kills + 1
    assert outcome(server, job) == undisturbed(start, tmp_path, LONG)


def test_an_orderly_stop_gives_the_job_back_and_resumes(start, tmp_path):
    server = start("--workers", "1")
    job = server.submit(LONG)
    server.wait_for_epoch(job, 5)
    assert server.stop() == 0
    ((status, epoch),) = server.sql("SELECT status, epoch FROM job")
    assert status == "queued" and epoch >= 5
    server.start()
    state = server.wait(job)
    assert state["status"] == "succeeded" and state["attempt"] == 1
    assert outcome(server, job) == undisturbed(start, tmp_path, LONG)


def test_acknowledged_jobs_survive_a_kill(start):
    server = start("--workers", "1")
    server.submit(ENDLESS)
    jobs = [server.submit(QUICK) for _ in range(20)]
    server.kill()
    server.start()
    listed = [job["id"] for job in server.get("/v1/jobs").json["items"]]
    assert listed[:20] == jobs[::-1]


def test_a_cancel_survives_a_kill(start):
    server = start("--workers", "1")
    job = server.submit(ENDLESS)
    server.wait_for_epoch(job, 1)
    assert server.post(f"/v1/jobs/{job}/cancel").status == 200
    server.kill()
    server.start()
    assert server.wait(job)["status"] == "cancelled"


def test_a_job_that_keeps_killing_the_server_is_given_up(start):
    server = start("--workers", "1")
    slow = {
        "network": {"hidden_size": 1024, "hidden_layers": 8},
        "training": {"batch_size": 8192, "epochs": 5},
    }
    job = server.submit(slow)  # its first checkpoint takes longer than this test
    for kill in range(3):
        # On PostgreSQL it counts as running until the lease of the killed node is over.
        eventually(lambda kill=kill: server.get(f"/v1/jobs/{job}").json["attempt"] == kill + 1)
        server.kill()
        server.start()
    state = server.wait(job)
    assert state["status"] == "failed" and state["error"]["code"] == "crash_loop"
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"


@not_sanitized("the five seconds of a stop are those of the plain program, which is ten times as fast")
def test_the_stop_is_quick_even_within_a_long_step(start):
    server = start("--workers", "1")
    job = server.submit({"network": {"hidden_size": 1024, "hidden_layers": 8}, "training": {"batch_size": 16384}})
    server.wait(job, ("running",))
    assert server.stop() == 0  # after five seconds it would be 1


def test_both_signals_stop_it(start):
    server = start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=5 * PATIENCE) == 0


def serve(*flags, **environment):
    return subprocess.run(
        [BINARY, "serve", "--port", "0", *flags],
        capture_output=True,
        text=True,
        timeout=30 * PATIENCE,
        env={**os.environ, **environment},
    )


@only_sqlite("any number of servers share a PostgreSQL")
def test_a_second_server_on_the_same_database_is_refused(start):
    server = start()
    other = serve("--database", server.database)
    assert other.returncode == 1 and "in use by another denoised" in other.stderr
    assert server.get("/readyz").status == 200


@only_sqlite("the schema's number is in the header of the file")
def test_a_newer_schema_is_refused_and_left_alone(start):
    server = start()
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        database.execute("PRAGMA user_version = 9999")
    before = open(server.database, "rb").read()
    refused = serve("--database", server.database)
    assert refused.returncode == 1 and "use a newer denoised" in refused.stderr
    assert open(server.database, "rb").read() == before


def test_a_file_that_is_no_database_of_ours_is_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("these are my notes\n" * 100)
    assert serve("--database", str(text)).returncode == 1
    assert text.read_text().startswith("these are my notes")
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE mine (a)")
    refused = serve("--database", str(foreign))
    assert refused.returncode == 1 and "not a denoised database" in refused.stderr


def test_settings_come_from_flags_and_environment(tmp_path):
    database = str(tmp_path / "a.db")
    for flags, environment, message in [
        (["--port", "70000"], {}, "--port must be an integer from 0 to 65535"),
        (["--port"], {}, "--port needs a value"),
        (["--prot", "1"], {}, 'unknown argument "--prot"'),
        (["--workers=0"], {}, "--workers must be an integer from 1 to 256"),
        (["--log-level=loud"], {}, "--log-level must be"),
        ([], {"DENOISED_WORKERS": "many"}, "DENOISED_WORKERS must be an integer"),
        (["--simd", "mmx"], {"DENOISED_DATABASE": database}, "mmx"),
        (["--database", "/nonexistent/a.db"], {}, "No such file"),
        (["--host", "0.0.0.0"], {}, "--anonymous"),
    ]:
        result = serve(*flags, **environment)
        assert result.returncode in (1, 2) and message in result.stderr, (flags, result.stderr)
    assert not os.path.exists(database)


def test_the_other_commands(start):
    server = start()
    port = str(server.port)
    run = lambda *words: subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=30 * PATIENCE)  # noqa: E731
    assert run("healthcheck", "--port", port).returncode == 0
    server.stop()
    assert run("healthcheck", "--port", port).returncode == 1
    assert run("version").stdout.startswith("denoised ")
    assert "--max-queued" in run("serve", "--help").stdout
    assert run("serv").returncode == 2 and run().returncode == 2


@pytest.mark.parametrize("flags, most", [*([] if SANITIZED else [([], 0.002)]), (["--preset", "sinai2022"], 0.020)])
def test_the_demo(tmp_path, flags, most):
    (tmp_path / "tmp").mkdir()
    result = subprocess.run(
        [BINARY, "demo", *flags],
        capture_output=True,
        text=True,
        timeout=600 * PATIENCE,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )
    assert result.returncode == 0, result.stderr
    distance = float(result.stdout.split("mean distance to the spiral: ")[1].split()[0])
    assert distance <= most
    samples, loss = (tmp_path / name for name in ("samples.svg", "loss.svg"))
    assert samples.read_text().count("<circle") == 1000 and "<path" in loss.read_text()
    assert os.listdir(tmp_path / "tmp") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path, number):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    demo = subprocess.Popen([BINARY, "demo"], stdout=subprocess.PIPE, cwd=tmp_path, env=environment, text=True, start_new_session=True)
    while "epoch" not in demo.stdout.readline():
        assert demo.poll() is None
    os.killpg(demo.pid, number)  # as a terminal does: the server gets it, too
    demo.stdout.read()
    assert demo.wait(timeout=30 * PATIENCE) == 1
    assert os.listdir(temporary) == [] and os.listdir(tmp_path) == ["tmp"]


LEAVES_A_LONG_LOG = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA wal_autocheckpoint = 0")
database.execute("INSERT INTO blob (id, size) VALUES (1000000, 80 << 20)")
for number in range(80):
    database.execute("INSERT INTO piece (blob_id, number, bytes) VALUES (1000000, ?, zeroblob(1 << 20))", (number,))
os._exit(0)
"""


@only_sqlite("the write-ahead log is a file of SQLite")
def test_a_long_log_that_a_stop_had_no_time_for_is_folded_at_the_start(start):
    server = start("--workers", "1")
    job = server.submit(QUICK)
    assert server.wait(job)["status"] == "succeeded"
    server.stop()
    subprocess.run([sys.executable, "-c", LEAVES_A_LONG_LOG, server.database], check=True)
    log = f"{server.database}-wal"
    assert os.path.getsize(log) > 80 << 20
    server.start()
    assert os.path.getsize(log) < 8 << 20 and "long write-ahead log" in server.read_log()
    assert server.wait(server.submit(QUICK))["status"] == "succeeded"
    # The blob belongs to nobody and goes, piece by piece.
    with contextlib.closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        left = "SELECT count(*) FROM piece WHERE blob_id = 1000000"
        eventually(lambda: database.execute(left).fetchone() == (0,))
    assert len(server.get(f"/v1/models/{job}/samples?n=3").json["points"]) == 3
