#!/usr/bin/python3
"""Fifty of the largest jobs that a server with 2 GiB accepts, and fifty default jobs, in a cgroup of 2 GiB. Prints figures; a
promise that is broken makes it exit 1. As root; minutes.

usage: crowd.py DENOISED [--minutes 20] [--jobs 50]
"""
import argparse
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("denoised")
parser.add_argument("--minutes", type=float, default=20)
parser.add_argument("--jobs", type=int, default=50)
options = parser.parse_args()
LIMIT = 2 << 30


class Cgroup:
    """Of version 2, or of version 1."""

    def __init__(self):
        self.is_new = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        root = "/sys/fs/cgroup" if self.is_new else "/sys/fs/cgroup/memory"
        self.path = f"{root}/denoised-crowd-{os.getpid()}"
        os.mkdir(self.path)
        self.write("memory.max" if self.is_new else "memory.limit_in_bytes", LIMIT)

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w") as file:
            file.write(str(value))

    def read(self, name):
        with open(f"{self.path}/{name}") as file:
            return file.read()

    def kills(self):
        text = self.read("memory.events" if self.is_new else "memory.oom_control")
        return int(re.search(r"oom_kill (\d+)", text).group(1))

    def remove(self):
        os.rmdir(self.path)


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def largest():
    """The widest network of 8 layers with embeddings that are learned, and the largest batch, that is accepted."""

    def spec(hidden, batch):
        return {
            "dataset": {"name": "spiral", "n": 1000},
            "network": {"hidden_size": hidden, "hidden_layers": 8, "time_embedding": "learned"},
            "diffusion": {"timesteps": 4000},
            "training": {"batch_size": batch, "epochs": 1000000},
        }

    def most(accepts, low, high):
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if accepts(middle) else (low, middle)
        return low

    def accepted(job):
        return ask("POST", "/v1/jobs?validate_only=true", job)[0] == 200

    hidden = 2 * most(lambda half: accepted(spec(2 * half, 32)), 4, 513)
    batch = most(lambda size: accepted(spec(hidden, size)), 32, 65537)
    return spec(hidden, batch)


def resident():
    with open(f"/proc/{server.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) << 10


def metric(name):
    return float(re.search(rf"^{name} (\S+)$", ask("GET", "/metrics")[1].decode(), re.M).group(1))


group = Cgroup()
directory = tempfile.TemporaryDirectory()
log = open(directory.name + "/log", "wb")
server = subprocess.Popen(
    [options.denoised, "serve", "--port", "0", "--database", directory.name + "/a.db", "--max-queued", "10000"],
    stdout=subprocess.PIPE,
    stderr=log,
    text=True,
    preexec_fn=lambda: group.write("cgroup.procs", os.getpid()),
)
broken = False
try:
    port = int(re.search(r":(\d+)", server.stdout.readline().split("//")[1]).group(1))
    large = largest()
    estimate = json.loads(ask("POST", "/v1/jobs?validate_only=true", large)[1])["estimate"]
    print(f"the largest: {large['network']['hidden_size']} x 8, batch {large['training']['batch_size']}: {estimate}")
    defaults = []
    for _ in range(options.jobs):
        assert ask("POST", "/v1/jobs", large)[0] == 201
        status, body = ask("POST", "/v1/jobs", {})
        assert status == 201
        defaults.append(json.loads(body)["id"])
    end, peak, done = time.monotonic() + 60 * options.minutes, 0, 0
    while time.monotonic() < end and server.poll() is None:
        peak = max(peak, resident())
        done = sum(json.loads(ask("GET", f"/v1/jobs/{id}")[1])["status"] == "succeeded" for id in defaults)
        time.sleep(0.5)
    budgets = metric("denoised_training_memory_limit_bytes")
    kills, step = group.kills(), json.loads(ask("GET", "/v1/jobs?status=running")[1])["items"][0]["progress"]["step"]
    print(f"{kills} OOM kills, {done} of {len(defaults)} default jobs done, the large one at step {step}")
    print(f"RSS at most {peak >> 20} MiB, with {int(budgets) >> 20} MiB for trainings: {peak / budgets:.2f}")
    broken = kills > 0 or done < len(defaults) or server.poll() is not None
finally:
    server.send_signal(signal.SIGTERM)
    began = time.monotonic()
    status = server.wait(30)
    print(f"SIGTERM: status {status} after {time.monotonic() - began:.2f} s")
    group.remove()
sys.exit(1 if broken or status != 0 else 0)
