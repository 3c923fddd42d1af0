"""A network between PostgreSQL and its clients in which a test can make things go wrong.

It forwards connections to 127.0.0.1:PORT, message by message, so that it can act on certain messages. Without TLS: it
answers for nobody, but it must understand what it forwards.
"""

import contextlib
import socket
import struct
import threading
import time

ENCRYPTION = (80877103, 80877104)  # SSLRequest, GSSENCRequest: answered by one byte
CANCEL = 80877102


class Messages:
    """Cuts the bytes of one direction into whole messages, each a pair: its type, and all its bytes."""

    def __init__(self, link, is_server):
        self.link, self.is_server = link, is_server
        self.buffer = b""
        self.is_typed = is_server  # what a client sends first has no type

    def take(self):
        if self.is_server and self.link.byte_answers:  # to a question about encryption
            if not self.buffer:
                return None
            self.link.byte_answers -= 1
            assert self.buffer[:1] == b"N", "this proxy reads no encrypted streams: use sslmode=disable"
            return self.cut(b"", 1)
        start = 1 if self.is_typed else 0
        if len(self.buffer) < start + 4:
            return None
        size = start + struct.unpack_from(">I", self.buffer, start)[0]
        if len(self.buffer) < size:
            return None
        kind = self.buffer[:1] if self.is_typed else b""
        if not self.is_typed:
            (code,) = struct.unpack_from(">I", self.buffer, 4)
            if code in ENCRYPTION:
                self.link.byte_answers += 1
            else:
                self.is_typed = code != CANCEL
        return self.cut(kind, size)

    def cut(self, kind, size):
        message, self.buffer = self.buffer[:size], self.buffer[size:]
        return kind, message

    def feed(self, data):
        self.buffer += data
        while message := self.take():
            yield message


def says(kind, message, word):
    """Whether the server says that a command with this tag has been done, or the client asks for it."""
    if kind == b"C":  # CommandComplete of a server; a client closes statements by it, whose names differ
        return message[5:-1].decode() == word
    text = message[5:] if kind == b"Q" else message[5:].partition(b"\0")[2] if kind == b"P" else b""  # P: after a name
    return text.partition(b"\0")[0].decode(errors="replace").strip(" \n;").upper() == word


class Link:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.byte_answers = 0  # that the server still owes
        self.is_light = False  # the transaction that was begun last reads, or need not last
        self.unaware = None  # of both sockets, the one that is not told that the other has gone
        self.client, self.server = client, proxy.reach()
        self.threads = [
            threading.Thread(target=self.pump, args=(self.client, self.server, False), daemon=True),
            threading.Thread(target=self.pump, args=(self.server, self.client, True), daemon=True),
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def pump(self, source, sink, from_server):
        messages = Messages(self, from_server)
        with contextlib.suppress(OSError):  # somebody has closed it
            while data := source.recv(1 << 16):
                for kind, message in messages.feed(data):
                    if not self.proxy.passes(self, from_server, kind, message, sink):
                        return
        if sink is not self.unaware:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def cut(self, *ends):
        """Both ends see that the other has closed; or only one does, if it is given."""
        for end in ends or (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.cut()
        for thread in self.threads:
            thread.join()
        self.client.close()
        self.server.close()


class Proxy:
    """target: the path of a socket of the server, or (host, port). Attributes may be set at any time."""

    def __init__(self, target):
        self.target = target
        self.delay = 0  # seconds before each message
        self.left = None  # bytes until all connections are cut; None: no limit
        self.is_refusing = False  # new connections are closed at once
        self.swallowed = 0  # messages
        self.changed = threading.Condition()  # guards what follows
        self.is_paused = False
        self.held = 0  # messages that wait for the end of the pause
        self.swallowing = []  # (from the server, word, what happens then)
        self.links = []
        self.is_open = True
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------ what a test does

    def cut(self):
        """All connections end; new ones are taken."""
        for link in self.current():
            link.cut()

    def pause(self):
        """Nothing gets through, new connections included, and nobody is told."""
        with self.changed:
            self.is_paused = True

    def heal(self):
        """All is as at first; what was held in a pause arrives now."""
        with self.changed:
            self.delay, self.left, self.is_refusing, self.swallowing = 0, None, False, []
            self.is_paused = False
            self.changed.notify_all()

    def lose_server(self):
        """As if the server's machine had gone: the clients' connections stay open, and nothing comes any more."""
        for link in self.current():
            link.unaware = link.client
            link.cut(link.server)

    def lose_clients(self):
        """As if the clients' machines had gone: the server keeps their sessions, with all their locks."""
        for link in self.current():
            link.unaware = link.server
            link.cut(link.client)

    def swallow_answer(self, times=1, word="COMMIT", then="cut"):
        """The next such commands are done, and their clients do not hear of it: the connection is cut, or with "hang" stays open.
        Commits are those that must last."""
        self.swallow(True, times, word, then)

    def swallow_command(self, times=1, word="COMMIT", then="cut"):
        """The next such commands do not arrive at the server."""
        self.swallow(False, times, word, then)

    def close(self):
        with self.changed:
            self.is_open = self.is_paused = False
            self.changed.notify_all()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        for link in self.current():
            link.close()

    # ------------------------------------------------------------ the rest

    def swallow(self, from_server, times, word, then):
        assert then in ("cut", "hang")
        with self.changed:
            self.swallowing += [(from_server, word, then)] * times

    def current(self):
        with self.changed:
            return list(self.links)

    def reach(self):
        if isinstance(self.target, tuple):
            return socket.create_connection(self.target)
        reached = socket.socket(socket.AF_UNIX)
        reached.connect(str(self.target))
        return reached

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    if self.is_refusing:
                        raise ConnectionRefusedError
                    link = Link(self, client)
                except OSError:  # or the server is not there
                    client.close()
                    continue
                with self.changed:
                    self.forget_ended()
                    self.links.append(link)
                    link.start()

    def forget_ended(self):
        ended = [link for link in self.links if not link.unaware and not any(thread.is_alive() for thread in link.threads)]
        self.links = [link for link in self.links if link not in ended]
        for link in ended:
            link.close()

    def passes(self, link, from_server, kind, message, sink):
        """Sends a message on; False: the connection is of no use any more."""
        if self.delay:
            time.sleep(self.delay)
        with self.changed:
            self.held += 1
            self.changed.wait_for(lambda: not self.is_paused)
            self.held -= 1
            if kind in (b"Q", b"P") and b"BEGIN" in message:
                link.is_light = b"READ ONLY" in message or b"synchronous_commit = off" in message
            then = self.what_swallows(link, from_server, kind, message)
            allowed = len(message) if self.left is None else min(self.left, len(message))
            if self.left is not None and not then:
                self.left -= allowed
            # Those of this moment: this thread may get to it when the test has healed all and connected again.
            ending = list(self.links) if allowed < len(message) else []
        if then == "hang":
            return False
        if then == "cut":
            link.cut()
            return False
        sink.sendall(message[:allowed])
        for each in ending:
            each.cut()
        return allowed == len(message)

    def what_swallows(self, link, from_server, kind, message):
        for rule in self.swallowing:
            if rule[1] == "COMMIT" and link.is_light:
                continue
            if rule[0] == from_server and (kind == b"C") == from_server and says(kind, message, rule[1]):
                self.swallowing.remove(rule)
                self.swallowed += 1
                return rule[2]
        return None
