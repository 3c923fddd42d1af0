"""Other people's clients, behind one interface:

request(method, url, headers, body, size, chunked) -> Answer; size: a body of so many bytes that are made on the way,
                                                  chunked: without saying in advance how many
follow(url) -> a follower of an event stream, as that client's user would write it: it reconnects with the last id
"""

import asyncio
import base64
import itertools
import json
import os
import pathlib
import subprocess
import threading
import time
from dataclasses import dataclass

import aiohttp
import httpx
import requests

from places import NAME, PATIENCE

TIMEOUT = 120 * PATIENCE
BLOCK = b"0.25,0.5\n" * 7000


@dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def blocks(size):
    """A CSV of so many bytes, without its last line's end."""
    for start in range(0, size, len(BLOCK)):
        yield BLOCK[: size - start]


def body_of(body, size, chunked):
    """For libraries that send iterators in chunks, and bytes with their length."""
    if size is None:
        return body
    return blocks(size) if chunked else b"".join(blocks(size))


class Over(Exception):
    """204: nothing will follow."""


class Follower:
    """Reads a stream in a thread. A subclass of Client says how its lines come: lines(url, headers)."""

    def __init__(self, lines, url):
        self.events = []  # (id, event, data)
        self.last = None  # id, which an event without one leaves as it is
        self.ended = False
        self.closed = False
        self.thread = threading.Thread(target=self.run, args=(lines, url), daemon=True)
        self.thread.start()

    def run(self, lines, url):
        headers = {"Accept": "text/event-stream"}
        while not self.closed:
            try:
                self.read(lines(url, headers))
            except Over:
                break
            except (OSError, ValueError, requests.RequestException, httpx.HTTPError, aiohttp.ClientError, asyncio.TimeoutError):
                pass  # as when the server restarts
            if self.last:
                headers["Last-Event-ID"] = self.last
            time.sleep(0.1)
        self.ended = True

    def read(self, lines):
        fields = {}
        for line in lines:
            if self.closed:
                return
            if line == "" and "data" in fields:
                self.last = fields.get("id", self.last)
                self.events.append((self.last, fields.get("event"), fields["data"]))
            name, _, value = line.partition(": ")
            fields = {**fields, name: value} if line else {}

    def close(self):
        self.closed = True


class Client:
    caches = False

    def follow(self, url):
        return Follower(self.lines, url)

    def close(self):
        pass


class Requests(Client):
    def __init__(self):
        self.session = requests.Session()

    def request(self, method, url, headers=None, body=None, size=None, chunked=False):
        answer = self.session.request(method, url, headers=headers, data=body_of(body, size, chunked), timeout=TIMEOUT)
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

    def lines(self, url, headers):
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 204:
                raise Over
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=1):
                yield line.decode()


class Httpx(Client):
    def __init__(self):
        self.client = httpx.Client(timeout=TIMEOUT)

    def request(self, method, url, headers=None, body=None, size=None, chunked=False):
        answer = self.client.request(method, url, headers=headers, content=body_of(body, size, chunked))
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

    def lines(self, url, headers):
        with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT) as answer:
            if answer.status_code == 204:
                raise Over
            answer.raise_for_status()
            yield from (line.rstrip("\r\n") for line in answer.iter_lines())

    def close(self):
        self.client.close()


class Aiohttp(Client):
    """Each request in a loop of its own: the rest of the tests waits anyway."""

    def request(self, method, url, headers=None, body=None, size=None, chunked=False):
        async def made():
            async for block in as_async(blocks(size)):
                yield block

        async def ask():
            data = made() if chunked else body_of(body, size, False)
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
                async with session.request(method, url, headers=headers, data=data) as answer:
                    return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())

        return asyncio.run(ask())

    def lines(self, url, headers):
        loop = asyncio.new_event_loop()
        session = answer = None
        try:
            session = loop.run_until_complete(make_session())
            answer = loop.run_until_complete(session.get(url, headers=headers))
            if answer.status == 204:
                raise Over
            answer.raise_for_status()
            while line := loop.run_until_complete(answer.content.readline()):
                yield line.decode().rstrip("\n")
        finally:
            if answer:
                answer.close()
            if session:
                loop.run_until_complete(session.close())
            loop.close()


async def make_session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))


async def as_async(items):
    for item in items:
        yield item


class Curl(Client):
    def request(self, method, url, headers=None, body=None, size=None, chunked=False):
        command = ["curl", "-sS", "-i", "-X", method, url, "--max-time", str(TIMEOUT)]
        for name, value in {**(headers or {}), **({"Transfer-Encoding": "chunked"} if chunked else {})}.items():
            command += ["-H", f"{name}: {value}"]
        data = body if size is None else b"".join(blocks(size))
        if data is not None:
            command += ["--data-binary", "@-"]
        run = subprocess.run(command, input=data or b"", capture_output=True, check=False)
        if run.returncode != 0:
            raise OSError(f"curl: exit {run.returncode}: {run.stderr.decode()}")
        head, rest = {}, run.stdout
        while True:  # 100 Continue comes first
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *fields = head.decode("latin-1").split("\r\n")
            status = int(first.split()[1])
            if status >= 200:
                break
        return Answer(status, {k.lower(): v for k, v in (field.split(": ", 1) for field in fields)}, rest)

    def lines(self, url, headers):
        command = ["curl", "-sNS", "-w", "\n%{http_code}\n", url]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            line = ""
            try:
                for line in process.stdout:
                    yield line.rstrip("\n")
            finally:
                process.kill()
        if line == "204\n":
            raise Over


class Driven(Client):
    """A client in JavaScript: driver.mjs does what a line of JSON says, and answers with another."""

    program = os.environ.get("NODE", "node")
    modules = pathlib.Path(__file__).parents[2] / "build/client"

    def __init__(self, kind):
        self.caches = kind == "chromium"
        self.process = subprocess.Popen(
            [self.program, "driver.mjs", kind, NAME], cwd=self.modules, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.numbers = itertools.count()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def request(self, method, url, headers=None, body=None, size=None, chunked=False):
        text = None if body is None else body.decode()
        answer = self.tell(op="request", method=method, url=url, headers=headers or {}, body=text, size=size, chunked=chunked)
        return Answer(answer["status"], answer["headers"], base64.b64decode(answer["body"]))

    def follow(self, url):
        return DrivenFollower(self, next(self.numbers), url)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class DrivenFollower:
    def __init__(self, client, number, url):
        self.client, self.number = client, number
        client.tell(op="follow", number=number, url=url)

    @property
    def events(self):
        return [tuple(event) for event in self.client.tell(op="followed", number=self.number)["events"]]

    @property
    def ended(self):
        return self.client.tell(op="followed", number=self.number)["ended"]

    def close(self):
        self.client.tell(op="unfollow", number=self.number)


CLIENTS = {
    "requests": Requests,
    "httpx": Httpx,
    "aiohttp": Aiohttp,
    "curl": Curl,
    "node": lambda: Driven("node"),
    "chromium": lambda: Driven("chromium"),
}
