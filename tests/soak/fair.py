"""Small requests beside the largest that the limits allow: how long do they wait?

Imports a model of the largest size, trains a small one of the default preset, and lets many clients draw as much from
the large one as one request may cost. Beside them one client draws 100 points in 10 steps of the small model, again
and again, and another asks /livez. Then the server is told to stop in the middle of it, which must not wait for any
computation.

usage: fair.py BINARY [--seconds 20] [--clients 50] [--samplers 1,2] [--small-p99 250] [--live-p99 50]
"""

import argparse
import array
import http.client
import json
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HIDDEN, LAYERS, STEPS = 1024, 8, 4000
SPEC = {
    "network": {"hidden_size": HIDDEN, "hidden_layers": LAYERS, "time_embedding": "learned"},
    "diffusion": {"timesteps": STEPS},
}
LARGE = "samples.npy?n=62&steps=4000&seed="  # 2e13 floating-point operations
SMALL = "samples.json?n=100&steps=10&seed="


def tensors():
    """Names and shapes, as a model of that size has them (engine/denoise.h)."""
    for layer in range(LAYERS):
        yield f"layers.{layer}.weight", [HIDDEN, 2 if layer == 0 else HIDDEN]
        yield f"layers.{layer}.bias", [HIDDEN]
        yield f"layers.{layer}.time.weight", [STEPS, HIDDEN]
    yield "out.weight", [2, HIDDEN]
    yield "out.bias", [2]


def largest_model():
    """A safetensors file with small weights."""
    transform = {"shift": [0, 0], "scale": [1, 1], "low": [-1, -1], "high": [1, 1]}
    header = {
        "__metadata__": {
            "format": "denoised 1",
            "spec": json.dumps(SPEC),
            "dim": "2",
            "classes": "0",
            "epoch": "1",
            "kernels": "avx2",
            "transform": json.dumps(transform),
        }
    }
    at = 0
    for name, shape in tensors():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    block = array.array("f", (0.02 * ((i * 7919) % 101 - 50) / 50 for i in range(1 << 18))).tobytes()
    return struct.pack("<Q", len(head)) + head + (block * (at // len(block) + 1))[:at]


class Server:
    def __init__(self, binary, samplers):
        self.directory = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--database", self.directory.name + "/fair.db", "--log-level", "error"]
            + ["--samplers", str(samplers), "--max-upload", "200", "--max-sample-cost", "2e13"],
            stdout=subprocess.PIPE,
        )
        self.port = int(self.process.stdout.readline().decode().rsplit(":", 1)[1])

    def connect(self, number=0):
        """From an address of its own for every number, as far as loopback goes."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600, source_address=(f"127.0.1.{number}", 0))

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect(1)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status < 300, answer
        return answer

    def counters(self):
        connection = self.connect(1)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return dict(re.findall(r"^(\S+) (\S+)$", text, re.M))

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


class Load:
    """Clients that draw from the large model until they are told to end, or cut off."""

    def __init__(self, server, model, clients, addresses):
        self.statuses, self.ending = {}, False
        self.threads = [
            threading.Thread(target=self.draw, args=(server, model, i, 2 + i % addresses), daemon=True)
            for i in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def draw(self, server, model, seed, number):
        while not self.ending:
            connection = server.connect(number)
            try:
                connection.request("GET", f"/v1/models/{model}/{LARGE}{seed}")
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                status = "cut"
            finally:
                connection.close()
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status != 200:
                time.sleep(0.1)


def probe(server, paths, until, waits):
    connection = server.connect(1)
    for i in range(1 << 30):
        if time.monotonic() > until:
            return
        started = time.monotonic()
        connection.request("GET", paths(i))
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        waits.append(1e3 * (time.monotonic() - started))
        time.sleep(0.005)


def quantiles(name, waits, allowed):
    ordered = sorted(waits)
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    print(f"  {name:8} {len(waits):6} requests  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  max {ordered[-1]:7.1f} ms")
    return p99 <= allowed


def measure(server, small, large, options, addresses):
    load = Load(server, large, options.clients, addresses)
    time.sleep(2)  # the large model is there, and all have begun
    until = time.monotonic() + options.seconds
    live, draws = [], []
    threads = [
        threading.Thread(target=probe, args=(server, lambda i: f"/v1/models/{small}/{SMALL}{i}", until, draws)),
        threading.Thread(target=probe, args=(server, lambda _: "/livez", until, live)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = quantiles("samples", draws, options.small_p99) & quantiles("livez", live, options.live_p99)
    counters = server.counters()
    turns = counters['denoised_pool_turns_total{class="large"}']
    print(f"  begun {counters['denoised_pool_begun']}, turns of large ones {turns}, loads {counters['denoised_model_loads_total']}")
    print(f"  answers to large ones: {load.statuses or 'none yet'}; peak memory {server.memory():.0f} MiB")
    load.ending = True
    return good & (float(turns) > 0)


def run(options, samplers, addresses):
    print(f"--samplers {samplers}, {options.clients} clients at {addresses} addresses")
    server = Server(options.binary, samplers)
    try:
        octets = {"Content-Type": "application/octet-stream"}
        large = server.ask("POST", "/v1/models", largest_model(), octets)["id"]
        job = {"dataset": {"n": 500}, "training": {"epochs": 1, "evaluate_every": 0}}
        small = server.ask("POST", "/v1/jobs", json.dumps(job), {"Content-Type": "application/json", "Prefer": "wait=60"})
        assert small["status"] == "succeeded", small
        good = measure(server, small["id"], large, options, addresses)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(timeout=60)
        seconds = time.monotonic() - started
        print(f"  stopped in {seconds:.2f} s with {status}")
        return good and status == 0 and seconds < 4  # at 4 s it gives up waiting
    finally:
        server.process.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--samplers", default="1,2")
    parser.add_argument("--small-p99", type=float, default=250, dest="small_p99")
    parser.add_argument("--live-p99", type=float, default=50, dest="live_p99")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    good = True
    for samplers in options.samplers.split(","):
        for addresses in (1, options.clients):
            good &= run(options, int(samplers), addresses)
    sys.exit(0 if good else "too slow")


if __name__ == "__main__":
    main()
