#!/usr/bin/python3
"""The largest network that the contract allows, and what everybody else notices of it. Prints figures; a promise that is
broken makes it exit 1. Minutes.

usage: large.py DENOISED [--stops N] [--kills N] [--seconds S]
"""
import argparse
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("denoised")
parser.add_argument("--stops", type=int, default=20)
parser.add_argument("--kills", type=int, default=5)
parser.add_argument("--seconds", type=float, default=30)
parser.add_argument("--without", default="", help="of: submissions readers kills stops")
options = parser.parse_args()

LARGEST = {
    "dataset": {"name": "spiral", "n": 500},
    "network": {"hidden_size": 1024, "hidden_layers": 8, "time_embedding": "learned"},
    "diffusion": {"timesteps": 4000},
    "training": {"batch_size": 32, "epochs": 1000000, "checkpoint_every": 1000000, "ema_decay": 0.999},
}
SMALL = {"dataset": {"name": "moons", "n": 100}, "training": {"epochs": 1}}
FLAGS = []
broken = []


def check(held, what):
    print(("  held    " if held else "  BROKEN  ") + what, flush=True)
    if not held:
        broken.append(what)


class Server:
    def __init__(self, directory):
        self.directory = directory
        self.log = open(os.path.join(directory, "log"), "ab")
        self.process = subprocess.Popen(
            [options.denoised, "serve", "--port", "0", "--workers", "1", "--database", os.path.join(directory, "a.db")]
            + FLAGS,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)", line.split("//")[1]).group(1))

    def ask(self, method, path, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        status, body = self.ask(method, path, body)
        assert status < 300, (method, path, status, body)
        return json.loads(body)

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        return status, time.monotonic() - began

    def kill(self):
        self.process.kill()
        self.process.wait()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            text = status.read()
        return [int(re.search(rf"{name}:\s+(\d+)", text).group(1)) // 1024 for name in ("VmRSS", "VmHWM")]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def figures(name, seconds, limit=None):
    text = f"{name}: n {len(seconds)}, p50 {1e3 * percentile(seconds, 0.5):.1f} ms, p99 {1e3 * percentile(seconds, 0.99):.1f} ms,"
    text += f" max {1e3 * max(seconds):.1f} ms"
    if limit is None:
        print("          " + text, flush=True)
    else:
        check(percentile(seconds, 0.99) <= limit, text + f"; p99 at most {1e3 * limit:.0f} ms")


def timed(ask):
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def job_row(directory):
    with sqlite3.connect(f"file:{directory}/a.db?mode=ro", uri=True) as database:
        (row,) = database.execute("SELECT step, seconds FROM job WHERE seq = 1").fetchall()
        saved = database.execute("SELECT step, seconds FROM checkpoint WHERE job_seq = 1 ORDER BY step DESC").fetchall()
    return row, saved


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def submissions(server, _):
    """How long a submission takes while the largest network trains, and is saved."""
    seconds = []
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        seconds.append(timed(lambda: server.json("POST", "/v1/jobs", SMALL)))
        time.sleep(0.02)
    figures("POST /v1/jobs", seconds, 0.1)


def readers(server, id):
    """64 clients that ask for all there is about it, and probes meanwhile."""
    over = threading.Event()
    paths = ["", "/schedule", "/checkpoints", "/schedule.csv", "/schedule.svg"]
    counts = []

    def read(i):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        done = 0
        while not over.is_set():
            connection.request("GET", f"/v1/models/{id}{paths[(i + done) % len(paths)]}")
            response = connection.getresponse()
            response.read()
            assert response.status in (200, 503), response.status
            done += 1
        connection.close()
        counts.append(done)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(64)]
    for thread in threads:
        thread.start()
    seconds = []
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        seconds.append(timed(lambda: server.ask("GET", "/livez")))
        time.sleep(0.02)
    over.set()
    for thread in threads:
        thread.join()
    figures(f"GET /livez beside {sum(counts)} answers to 64 clients", seconds, 0.05)


def kills(directory, server):
    for _ in range(options.kills):
        time.sleep(4)
        until(lambda: job_row(directory)[1])
        time.sleep(options.seconds / 3)
        server.kill()
        (step, seconds), saved = job_row(directory)
        print(f"          kill -9: the job said step {step}, {seconds:.1f} s; saved {saved}: {seconds - saved[0][1]:.1f} s lost")
        server = Server(directory)
    return server


def stops(directory, server):
    longest = 0
    for i in range(options.stops):
        before = job_row(directory)[0][0]
        until(lambda: server.json("GET", "/v1/jobs/" + job)["progress"]["step"] > before, 300)
        status, seconds = server.stop()
        (step, _), saved = job_row(directory)
        longest = max(longest, seconds)
        kept = bool(saved) and saved[0][0] == step
        with open(os.path.join(directory, "log")) as log:
            left = log.read().count("leaving")
        if status != 0 or not kept or seconds > 5 or left:
            check(False, f"SIGTERM {i}: status {status}, {seconds:.2f} s, step {step}, saved {saved}, gave up {left} times")
        server = Server(directory)
    check(longest <= 5, f"SIGTERM, {options.stops} of {options.stops} with all steps: {longest:.2f} s at most; at most 5 s")
    return server


with tempfile.TemporaryDirectory() as directory:
    server = Server(directory)
    began = time.monotonic()
    job = server.json("POST", "/v1/jobs", LARGEST)["id"]
    until(lambda: server.ask("GET", "/v1/models/" + job)[0] == 200)
    print(f"          the first model after {time.monotonic() - began:.1f} s; RSS, peak: {server.memory()} MiB", flush=True)
    for part in (submissions, readers):
        if part.__name__ not in options.without:
            part(server, job)
    print(f"          RSS, peak: {server.memory()} MiB; the database has {os.path.getsize(directory + '/a.db') >> 20} MiB")
    for part in (kills, stops):
        if part.__name__ not in options.without:
            server = part(directory, server)
    server.kill()
sys.exit(1 if broken else 0)
