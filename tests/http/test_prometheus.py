"""/metrics: what Prometheus reads, and that the numbers are those of what happened."""

import json
import pathlib
import re
import shutil
import subprocess
import time

import pytest
import stores
from conftest import ENDLESS, PATIENCE, QUICK
from test_bad_requests import check_problem

TEMPLATES = json.loads((pathlib.Path(__file__).parents[2] / "api" / "openapi.json").read_text())["paths"]


def metrics(server):
    """Every sample line, by its name with labels."""
    lines = server.get("/metrics").body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert len(values) == sum(not line.startswith("#") for line in lines), "each sample once"
    return {name: float(value) for name, value in values.items()}


def wait_until(condition):
    deadline = time.monotonic() + 10 * PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_every_metric_counts_what_happened(start):
    server = start("--workers", "1")
    before = metrics(server)
    job = server.submit(QUICK)
    server.wait(job)
    running, waiting = server.submit(ENDLESS), server.submit(QUICK)
    server.wait_for_epoch(running, 1)
    assert metrics(server)['denoised_jobs{status="running"}'] == 1
    assert metrics(server)['denoised_jobs{status="queued"}'] == 1
    ended = 'denoised_jobs_finished_total{status="cancelled"}'
    assert server.post(f"/v1/jobs/{waiting}/cancel").status == 200
    assert metrics(server)[ended] == 1, "it was counted before it was acknowledged"
    assert server.post(f"/v1/jobs/{running}/cancel").status == 200
    server.wait(running)
    server.get(f"/v1/models/{job}/samples?n=700")
    server.get(f"/v1/models/{job}/trajectories?n=50")
    server.get(f"/v1/jobs/{'0' * 36}")
    server.get("/nowhere")
    server.request("PUT", "/v1/jobs")
    wait_until(lambda: metrics(server)[ended] == 2)
    after = metrics(server)

    def grew(name, **labels):
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        name += f"{{{text}}}" if labels else ""
        return after[name] - before.get(name, 0)

    assert grew("denoised_jobs", status="succeeded") == 1 and grew("denoised_jobs", status="cancelled") == 2
    assert grew("denoised_jobs_finished_total", status="succeeded") == 1
    assert grew("denoised_jobs_finished_total", status="failed") == 0
    assert grew("denoised_queue_wait_seconds_count") == 2, "one was cancelled while it waited"
    # the quick job: 200 points less a tenth for validation, in batches of 50
    steps, examples = grew("denoised_training_steps_total"), grew("denoised_training_examples_total")
    assert steps >= 3 * 3 and examples >= 3 * 3 * 50
    assert grew("denoised_training_step_duration_seconds_count") == steps
    assert 0 < grew("denoised_training_step_duration_seconds_sum") < 60 * PATIENCE
    assert grew("denoised_sampled_points_total", sampler="ddpm") == 750
    assert grew("denoised_sampling_duration_seconds_count", sampler="ddpm") >= 2

    requests = "denoised_http_requests_total"
    assert grew(requests, method="POST", route="/v1/jobs", code="201") == 3
    assert grew(requests, method="GET", route="/v1/models/{id}/samples", code="200") == 1
    assert grew(requests, method="GET", route="/v1/jobs/{id}", code="404") == 1
    assert grew(requests, method="other", route="none", code="404") == 1
    assert grew(requests, method="other", route="none", code="405") == 1
    duration = "denoised_http_request_duration_seconds_count"
    assert grew(duration, method="POST", route="/v1/jobs") == 3
    assert after["denoised_http_requests_in_flight"] >= 1, "this one"
    assert grew("denoised_db_transaction_duration_seconds_count") >= 5
    assert after["denoised_db_size_bytes"] >= 4096 and (after["denoised_db_wal_bytes"] > 0) == (stores.KIND == "sqlite")
    assert after["denoised_sse_connections"] == 0

    assert grew("process_cpu_seconds_total") > 0
    assert 1e6 < after["process_resident_memory_bytes"] < after["process_virtual_memory_bytes"]
    assert 5 < after["process_open_fds"] < after["process_max_fds"]
    assert abs(after["process_start_time_seconds"] - time.time()) < 600


def test_histograms_are_cumulative_and_labels_few(trained):
    trained.get(f"/v1/models/{trained.job}/samples?n=10")
    lines = trained.get("/metrics").body.decode().splitlines()
    families = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    assert all(name.startswith(("denoised_", "process_")) for name in families)
    buckets = {}
    for line in lines:
        name, value = line.rsplit(" ", 1)
        match = re.fullmatch(r'(\w+)_bucket\{(.*?),?le="(.*)"\}', name)
        if match:
            buckets.setdefault((match[1], match[2]), []).append((float(match[3]), float(value)))
    assert {family for family, kind in families.items() if kind == "histogram"} >= {name for name, _ in buckets}
    text = "\n".join(lines)
    for (name, labels), rows in buckets.items():
        bounds, counts = zip(*rows)
        assert list(bounds) == sorted(bounds) and bounds[-1] == float("inf") and list(counts) == sorted(counts)
        count = f"{name}_count{{{labels}}}" if labels else f"{name}_count"
        assert f"{count} {counts[-1]:.0f}" in text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert routes <= {*TEMPLATES, "none"}


def test_an_open_stream_is_counted(start):
    server = start("--workers", "1")
    server.submit(ENDLESS)
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30 * PATIENCE)
    connection.request("GET", "/v1/events")
    assert connection.getresponse().status == 200
    wait_until(lambda: metrics(server)["denoised_sse_connections"] == 1)
    connection.close()
    wait_until(lambda: metrics(server)["denoised_sse_connections"] == 0)


def test_promtool_finds_nothing_to_say(trained):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    trained.get("/nowhere")
    check = subprocess.run([promtool, "check", "metrics"], input=trained.get("/metrics").body, capture_output=True)
    assert check.returncode == 0 and not check.stdout and not check.stderr, (check.stdout, check.stderr)


def test_the_cost_of_samples_is_limited(start):
    server = start("--max-sample-cost", "2e7")
    job = server.submit(QUICK)
    server.wait(job)
    parameters = server.get(f"/v1/models/{job}").json["parameters"]
    most = int(2e7 // (2 * parameters * QUICK["diffusion"]["timesteps"]))
    url = f"/v1/models/{job}/samples?n="
    assert server.get(url + str(most)).status == 200
    answer = server.get(url + str(most + 1))
    detail = check_problem(answer, 422, "too_expensive")["detail"]
    assert f"n = {most} for this model" in detail and f"{most + 1} points would cost" in detail and "2e+07" in detail
    check_problem(server.get(f"/v1/models/{job}/trajectories?n={most + 1}&frames=2"), 422, "too_expensive")
    check_problem(server.post(f"/v1/models/{job}/samples", {"n": most + 1}), 422, "too_expensive")
