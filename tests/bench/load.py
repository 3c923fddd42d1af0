"""How fast the HTTP side is, as ratios within one run: requests/s against a bare libmicrohttpd answer with the same options,
the latency of polls while a training runs, durable submits, and the server's own time for a trajectory. Needs wrk.

usage: load.py DENOISED BARE
"""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

import served

ROUNDS, SECONDS, CLIENTS = 5, 2, 64
ENDLESS = {"preset": "sinai2022", "training": {"epochs": 100000, "checkpoint_every": 100}}
SHORT = {"preset": "sinai2022", "training": {"epochs": 2}}
POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"preset":"sinai2022"}'
"""


class Process(served.Process):
    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, json.dumps(body) if body is not None else None, {**JSON, **(headers or {})})
        response = connection.getresponse()
        answer = response.status, response.headers, response.read()
        connection.close()
        return answer


JSON = {"Content-Type": "application/json"}
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def wrk(url, script=None):
    """(requests per second, p99 in ms, answers that were not 2xx)"""
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--latency", url] + (["-s", script] if script else [])
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), float(number) * UNITS[unit], int(bad[1]) if bad else 0


def polls(denoised, bare, job):
    """In turn, so that a busy machine is busy for all. The processor time per request hardly depends on who else is there."""
    paths = {"bare": (bare, "/"), "/livez": (denoised, "/livez"), "job": (denoised, f"/v1/jobs/{job}")}
    rates = {name: [] for name in paths}
    costs = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, (server, path) in paths.items():
            before = server.seconds()
            rate, _, bad = wrk(server.url + path)
            assert bad == 0, (name, bad)
            rates[name].append(rate)
            costs[name].append(1e6 * (server.seconds() - before) / (rate * SECONDS))
    for name in paths:
        ratio = statistics.median(rate / base for rate, base in zip(rates[name], rates["bare"]))
        share = statistics.median(base / cost for cost, base in zip(costs[name], costs["bare"]))
        print(
            f"{name:22} {statistics.median(rates[name]):9.0f} requests/s   {ratio:5.2f} of bare;"
            f"   {statistics.median(costs[name]):5.1f} us of processor each, {share:.2f} of bare"
        )


def timings(denoised, job):
    path = f"/v1/models/{job}/trajectories?n=1000&seed="
    for suffix in ("application/json", "application/octet-stream"):
        app = []
        for seed in range(41):
            status, headers, _ = denoised.ask("GET", path + str(seed), headers={"Accept": suffix})
            assert status == 200
            app.append(float(headers["Server-Timing"].split("app;dur=")[1]))
        print(f"trajectory of 1 000 points, 40 steps, {suffix:25} {statistics.median(app):6.2f} ms")


def main(binary, bare_binary):
    with tempfile.TemporaryDirectory() as directory:
        database = directory + "/bench.db"
        script = directory + "/post.lua"
        with open(script, "w", encoding="ascii") as file:
            file.write(POST)
        serve = [binary, "serve", "--port", "0", "--database", database, "--workers", "1", "--max-queued", "1000000", "--log-level", "error"]
        with Process(*serve) as denoised:
            _, _, body = denoised.ask("POST", "/v1/jobs", SHORT, {"Prefer": "wait=60"})
            job = json.loads(body)["id"]
            with open(directory + "/body", "wb") as file:
                file.write(body)
            with Process(bare_binary, directory + "/body") as bare:
                polls(denoised, bare, job)
            timings(denoised, job)
            denoised.ask("POST", "/v1/jobs", ENDLESS)
            rate, p99, _ = wrk(f"{denoised.url}/v1/jobs/{job}")
            print(f"polls while training   {rate:9.0f} requests/s   p99 {p99:.2f} ms")
            rate, p99, bad = wrk(denoised.url + "/v1/jobs", script)
            print(f"durable submits, too   {rate:9.0f} submits/s    p99 {p99:.2f} ms   {bad} refused   ({CLIENTS} clients)")


main(*sys.argv[1:])
