"""Servers for what is measured through HTTP: processes that say in their first line where they listen."""


import http.client
import json
import os
import subprocess
import sys


class Process:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def seconds(self):
        """Of processor time, so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Server(Process):
    """A fresh one, on a free port, with its database in a folder that goes away."""

    def __init__(self, binary, folder, *flags):
        command = [binary, "serve", "--port", "0", "--database", f"{folder}/measured.db"]
        super().__init__(*command, "--requests-per-minute", "0", "--log-level", "warn", *flags)

    def ask(self, method, path, body=None, content_type="application/json", wait=60):
        """wait: seconds for which the answer to a new job may wait for the job's end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3600)
        connection.request(
            method,
            path,
            json.dumps(body) if isinstance(body, dict) else body,
            {"Content-Type": content_type, "Prefer": f"wait={wait}"},
        )
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status >= 300:
            sys.exit(f"{method} {path}: {response.status} {answer.decode()}")
        return answer

    def json(self, *request, **options):
        return json.loads(self.ask(*request, **options))
