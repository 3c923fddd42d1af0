"""A fresh server, for what is measured through HTTP: on a free port, with its database in a folder that goes away."""

import http.client
import json
import os
import subprocess
import sys


class Server:
    def __init__(self, binary, folder, *flags):
        command = [binary, "serve", "--port", "0", "--database", f"{folder}/measured.db"]
        command += ["--requests-per-minute", "0", "--log-level", "warn", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1].rsplit(":", 1)[1])

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
