"""Clients that send a byte now and then, or do not read (T15): they get their time and no more, and nobody notices."""

import socket
import threading
import time

import harness
from harness import SOAK

CLIENTS = 900 if SOAK else 240
SECONDS = 45 if SOAK else 18  # the header's deadline is 15 s, the body's 30
GROWTH_MIB = min(64, CLIENTS / 4)  # a piece of the answer, the connection, and a socket for each

HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 20000\r\n\r\n{"


def memory_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


class Drippers:
    """A third drips headers, a third a body, a third asks for much and reads nothing."""

    def __init__(self, server, job):
        much = f"GET /v1/models/{job}/samples.csv?n=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.sockets = []
        for i in range(CLIENTS):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", server.port))
            client.sendall((HEAD, BODY, much)[i % 3])
            self.sockets.append(client)
        self.cut = {}  # index: seconds until the server had enough

    def drip(self, until):
        began = time.monotonic()
        while time.monotonic() < until:
            for i, client in enumerate(self.sockets):
                if i % 3 == 2 or i in self.cut:
                    continue
                try:
                    client.sendall(b"X" if i % 3 else b"X-Slow: 1\r\n")
                except OSError:
                    self.cut[i] = time.monotonic() - began
            time.sleep(0.5)

    def close(self):
        for client in self.sockets:
            client.close()


def test_slow_clients(start):
    server = start("--max-connections", "2048", "--max-connections-per-ip", "2048")
    job = server.submit(harness.QUICK)
    server.wait(job)
    before = memory_mib(server)
    drippers = Drippers(server, job)
    dripping = threading.Thread(target=drippers.drip, args=(time.monotonic() + SECONDS + (SECONDS if 'sanitize' in harness.PRODUCT else 0),))
    dripping.start()
    took, grown = [], 0.0
    while dripping.is_alive():
        began = time.monotonic()
        assert server.ask("GET", f"/v1/jobs/{job}")[0] == 200
        took.append(time.monotonic() - began)
        grown = max(grown, memory_mib(server) - before)
        time.sleep(0.05)
    headers = [i for i in drippers.cut if i % 3 == 0]
    bodies = [i for i in drippers.cut if i % 3 == 1]
    drippers.close()
    assert len(headers) == CLIENTS // 3, "headers without end were allowed to go on"
    assert not SOAK or len(bodies) == CLIENTS // 3, "bodies without end were allowed to go on"
    if "sanitize" not in harness.PRODUCT:
        assert grown < GROWTH_MIB
    harness.tell(
        f"slow clients: {CLIENTS}, {len(headers)} cut in their headers and {len(bodies)} in their bodies; others were"
        f" answered after {1000 * harness.percentile(took, 0.99):.0f} ms (99 %), memory grew by {grown:.0f} MiB"
    )
