"""Many clients for a while: streams of events beside short requests, and clients that vanish.

Checks that every stream gets every event once and in order, that streams of clients which stopped reading or went away
are freed, and that the server stays small and stops in order. Reports how long requests and events took; time is no
check, since it is the machine's.

usage: streams.py BINARY [--seconds 20] [--streams 256] [--pollers 200]
"""

import argparse
import asyncio
import datetime
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

IDS = re.compile(rb"^id: (\d+)\nevent: ", re.M)  # an id alone is no event
TIMES = re.compile(rb'"at":"([^"]+)"')
JOB = {
    "dataset": {"name": "moons", "n": 200},
    "diffusion": {"timesteps": 10},
    "network": {"hidden_size": 8, "hidden_layers": 1},
    "training": {"epochs": 5, "batch_size": 50},
}


class Server:
    def __init__(self, binary):
        self.directory = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--database", self.directory.name + "/soak.db", "--log-level", "error"],
            stdout=subprocess.PIPE,
        )
        self.port = int(self.process.stdout.readline().decode().rsplit(":", 1)[1])

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


class Connection:
    """One keep-alive connection; the answers have a Content-Length."""

    async def open(self, server):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 20)
        return self

    async def request(self, method, path, body=None):
        raw = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if raw:
            head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + raw)
        header = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", header, re.I).group(1))
        return int(header[9:12]), await self.reader.readexactly(length)


class Stream:
    """A stream of events, and the ids that came on it. It may stop reading, for ever."""

    def __init__(self, server, path):
        self.server, self.path = server, path
        self.ids, self.late, self.comments = [], [], 0
        self.ended = False
        self.socket = None

    async def open(self, buffer=None):
        loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        await loop.sock_connect(self.socket, ("127.0.0.1", self.server.port))
        await loop.sock_sendall(self.socket, f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    async def follow(self):
        loop, rest = asyncio.get_running_loop(), b""
        while more := await loop.sock_recv(self.socket, 1 << 16):
            now = time.time()
            # An event can be cut by a chunk's head: what it says is joined again.
            rest += more
            whole, chunks = self.dechunk(rest)
            rest = chunks
            self.take(whole, now)
        self.ended = True

    def dechunk(self, raw):
        """What is complete of a chunked body, and the rest."""
        if not hasattr(self, "text"):
            self.text = b""
            head, found, raw_after = raw.partition(b"\r\n\r\n")
            if not found:
                del self.text
                return b"", raw
            assert head.startswith(b"HTTP/1.1 200"), head
            raw = raw_after
        while True:
            size, found, after = raw.partition(b"\r\n")
            if not found or len(after) < int(size, 16) + 2:
                break
            self.text += after[: int(size, 16)]
            raw = after[int(size, 16) + 2 :]
            if int(size, 16) == 0:
                break
        whole, found, self.text = self.text.rpartition(b"\n\n")
        return whole + found, raw

    def take(self, whole, now):
        self.ids += map(int, IDS.findall(whole))
        self.comments += whole.count(b"\n: ") + whole.startswith(b": ")
        for text in TIMES.findall(whole)[-1:]:
            at = datetime.datetime.fromisoformat(text.decode().replace("Z", "+00:00")).timestamp()
            self.late.append(now - at)


async def vanish(followers, streams):
    """A reset instead of a farewell."""
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    for stream in streams:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()


async def gauge(connection, name):
    _, body = await connection.request("GET", "/metrics")
    return int(re.search(rf"^denoised_{re.escape(name)} (\d+)$".encode(), body, re.M).group(1))


async def poll(server, until, took):
    connection = await Connection().open(server)
    paths = ["/livez", "/v1/jobs?limit=1", "/v1/datasets/spiral/points.csv?n=50", "/v1/models/latest/samples?n=20"]
    for turn in range(1 << 30):
        if time.monotonic() >= until:
            break
        started = time.monotonic()
        status, _ = await connection.request("GET", paths[turn % len(paths)])
        took.append(time.monotonic() - started)
        assert status in (200, 404), status  # 404: no model yet
        await asyncio.sleep(0.2)
    connection.writer.close()


async def submit(server, until):
    connection = await Connection().open(server)
    while time.monotonic() < until:
        status, _ = await connection.request("POST", "/v1/jobs", JOB)
        assert status in (201, 429), status
        await asyncio.sleep(0.25)
    while any([await gauge(connection, f'jobs{{status="{status}"}}') for status in ("queued", "running")]):
        await asyncio.sleep(0.1)
    connection.writer.close()


async def all_ids(server):
    connection, ids, after = await Connection().open(server), [], 0
    while after is not None:
        _, body = await connection.request("GET", f"/v1/events.json?limit=1000&after={after}")
        page = json.loads(body)
        ids += [item["id"] for item in page["items"]]
        after = page["next"]
    return ids


async def freed(server, left, seconds):
    connection, started = await Connection().open(server), time.monotonic()
    while (open_now := await gauge(connection, "sse_connections")) > left:
        assert time.monotonic() - started < seconds, f"{open_now} streams are open, {left} should be"
        await asyncio.sleep(0.1)
    return time.monotonic() - started


async def soak(server, options):
    until = time.monotonic() + options.seconds
    took = []
    streams = [Stream(server, "/v1/events?after=0") for _ in range(options.streams)]
    quarter = options.streams // 4
    deaf, dying, staying = streams[:quarter], streams[quarter : 2 * quarter], streams[2 * quarter :]
    for stream in streams:
        await stream.open(buffer=2048 if stream in deaf else None)
    followers = [asyncio.create_task(stream.follow()) for stream in dying + staying]
    work = [asyncio.create_task(poll(server, until, took)) for _ in range(options.pollers)]
    work.append(asyncio.create_task(submit(server, until)))
    await asyncio.sleep(options.seconds / 2)
    await vanish(followers[:quarter], dying)
    gone = await freed(server, options.streams - quarter, 30)
    await asyncio.gather(*work)
    expected = await all_ids(server)
    for _ in range(100):
        if all(len(stream.ids) >= len(expected) for stream in staying):
            break
        await asyncio.sleep(0.1)
    for stream in staying:
        assert stream.ids == expected, "an event is missing, twice, or out of order"
    for stream in dying:
        assert stream.ids == expected[: len(stream.ids)]
    took.sort()
    late = sorted(time_ for stream in staying for time_ in stream.late)
    print(f"{len(expected)} events on each of {options.streams} streams, {len(took)} requests of {options.pollers} clients")
    print(f"requests: median {1e3 * took[len(took) // 2]:.1f} ms, longest {1e3 * took[-1]:.0f} ms")
    print(f"events:   median {1e3 * late[len(late) // 2]:.1f} ms after they were written, latest {1e3 * late[-1]:.0f} ms")
    print(f"streams of clients that went away were freed after {gone:.1f} s; most memory: {server.memory():.1f} MB")
    return deaf, staying, followers[quarter:]


async def deaf_are_freed(server, deaf, left):
    """Clients that stopped reading: their sockets fill, and time out."""
    connection = await Connection().open(server)
    started = time.monotonic()
    noise = asyncio.create_task(submit(server, started + 30))
    took = await freed(server, left, 60)
    assert await gauge(connection, "sse_connections") == left, "a stream of a client that reads was closed"
    noise.cancel()
    await asyncio.gather(noise, return_exceptions=True)
    connection.writer.close()
    print(f"{len(deaf)} streams of clients that stopped reading were freed {took:.1f} s later")


async def beats(server):
    """An idle stream says that it is there."""
    stream = Stream(server, "/v1/events")
    await stream.open()
    follower = asyncio.create_task(stream.follow())
    await asyncio.sleep(11.5)
    assert stream.comments >= 1, "no heartbeat"
    await vanish([follower], [stream])


async def run(server, options):
    deaf, staying, followers = await soak(server, options)
    if options.seconds >= 15:
        await deaf_are_freed(server, deaf, len(staying))
        await beats(server)
    status = await asyncio.to_thread(server.stop)
    assert status == 0, status
    await asyncio.wait_for(asyncio.gather(*followers), 30)
    assert all(stream.ended for stream in staying)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--pollers", type=int, default=200)
    options = parser.parse_args()
    server = Server(options.binary)
    try:
        asyncio.run(run(server, options))
    finally:
        if server.process.poll() is None:
            server.process.kill()
    print("all is well")


if __name__ == "__main__":
    sys.exit(main())
