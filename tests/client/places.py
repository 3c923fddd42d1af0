"""A server that can be restarted where it was, and nginx in front of it."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).parents[2]
BINARY = os.environ.get("DENOISED_BINARY", str(ROOT / "build/denoised"))
PATIENCE = int(os.environ.get("PATIENCE", 10 if "sanitize" in BINARY else 1))
NAME = "denoised.test"  # that Chromium takes for this machine: no loopback name, for which it makes exceptions


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class Server:
    def __init__(self, directory):
        self.directory = directory
        self.port = 0
        self.start()

    def start(self):
        command = [BINARY, "serve", "--port", str(self.port), "--database", "test.db", "--allowed-hosts", NAME]
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=self.directory)
        line = self.process.stdout.readline().decode()
        listening = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert listening, line
        self.port = int(listening[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60 * PATIENCE) == 0

    def ask(self, path, body=None, method=None):
        """What the server itself says, whoever is asked about."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers={"Accept": "application/json"}, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60 * PATIENCE) as answer:
            return json.load(answer)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# What everybody writes first, the lines that /docs/operating gives, and the whole file that it points to.
LINES = re.search(r'<pre class="formula" id="nginx">(.*?)</pre>', (ROOT / "api/docs/operating.html").read_text(), re.S)[1]
SITES = {
    "nginx": "server { listen 80; location / { proxy_pass http://127.0.0.1:8080; } }",
    "nginx by the page": f"server {{ listen 80; location / {{ {LINES} }} }}",
    "nginx by docker": (ROOT / "docker/nginx.conf").read_text(),
}


class Nginx:
    """With this configuration of a site, on a port of its own."""

    def __init__(self, directory, site, server_port):
        directory.mkdir()
        self.directory = directory
        self.port = free_port()
        site = re.sub(r"listen\s+(\[::\]:)?80\b[^;]*;", f"listen 127.0.0.1:{self.port};", site)
        site = site.replace("127.0.0.1:8080", f"127.0.0.1:{server_port}")
        places = "".join(
            f"{name}_temp_path {directory}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""  # so that its workers may write here
        (directory / "nginx.conf").write_text(
            f"{user}daemon off; pid {directory}/pid; error_log {directory}/error.log;\nevents {{}}\n"
            f"http {{ access_log {directory}/access.log;\n{places}{site} }}\n"
        )
        with open(directory / "out", "wb") as out:
            self.process = subprocess.Popen(
                ["/usr/sbin/nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")],
                stdout=out, stderr=out,
            )  # fmt: skip
        eventually(self.answers)

    def answers(self):
        assert self.process.poll() is None, (self.directory / "error.log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60 * PATIENCE)
