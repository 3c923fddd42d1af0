"""A reader of server-sent events, by the rules of the WHATWG HTML standard, section 9.2.6."""

import http.client
import json
import socket


class Stream:
    """Iterates over (id, event, data) as they come, until the server ends the stream."""

    def __init__(self, server, path, last_id=None, timeout=300, buffer=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
        if buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.connection.sock.settimeout(timeout)
            self.connection.sock.connect(("127.0.0.1", server.port))
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.retry = None
        self.comments = 0

    def __iter__(self):
        event, data, identity = "message", [], None
        while line := self.response.readline():
            assert line.endswith(b"\n")
            name, _, value = line[:-1].decode().partition(":")
            value = value.removeprefix(" ")
            if line == b"\n":
                if data:
                    yield identity, event, json.loads("\n".join(data))
                event, data = "message", []
            elif name == "":
                self.comments += 1
            elif name == "id":
                identity = int(value)
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
            else:
                assert name == "retry"
                self.retry = int(value)

    def close(self):
        self.response.close()
        self.connection.close()
