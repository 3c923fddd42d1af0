"""What the tests' own proxy does to a real PostgreSQL and a real client of it."""

import contextlib
import socket
import struct
import threading

import psycopg2
import pytest
from conftest import PATIENCE, eventually
from postgresql import cluster
from proxy import Messages, Proxy


@pytest.fixture(scope="module")
def beside():
    with cluster() as made:
        made.create("store")
        made.sql("CREATE TABLE t (id bigint PRIMARY KEY, text text)", "store")
        yield made


@pytest.fixture
def proxy(beside):
    beside.sql("TRUNCATE t; INSERT INTO t VALUES (0, 'there')", "store")
    with Proxy(beside.folder / ".s.PGSQL.5432") as between:
        yield between


@pytest.fixture
def connect(proxy):
    opened = []

    def connect():
        opened.append(psycopg2.connect(host="127.0.0.1", port=proxy.port, user="postgres", dbname="store", application_name="tested"))
        return opened[-1]

    yield connect
    proxy.heal()
    proxy.cut()  # so that none of them waits while it is closed
    for connection in opened:
        connection.close()


def ask(connection, text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else None


def ids(beside):
    return [int(identity) for (identity,) in beside.sql("SELECT id FROM t ORDER BY id", "store")]


def sessions(beside):
    return int(beside.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tested'")[0][0])


class Asking(threading.Thread):
    """Asks on a thread of its own, since the answer may not come."""

    def __init__(self, connection, text):
        super().__init__(daemon=True)
        self.connection, self.text = connection, text
        self.answer = self.error = None
        self.start()

    def run(self):
        try:
            self.answer = ask(self.connection, self.text)
        except psycopg2.Error as error:
            self.error = error

    def ends(self):
        self.join(60 * PATIENCE)
        assert not self.is_alive()
        return self.answer


def test_all_gets_through(beside, connect):
    text = "é$'\0"[:-1] * 700_000
    connections = [connect() for _ in range(10)]
    for i, connection in enumerate(connections):
        ask(connection, "INSERT INTO t VALUES (%s, %s)", i + 1, text)
    for connection in connections:
        connection.commit()
    assert ids(beside) == list(range(11))
    for i, connection in enumerate(reversed(connections)):
        assert ask(connection, "SELECT text FROM t WHERE id = %s", i + 1) == [(text,)]


def test_a_cut(beside, connect, proxy):
    connection, other = connect(), connect()
    ask(connection, "INSERT INTO t VALUES (1, 'a')")
    proxy.cut()
    for one in (connection, other):
        with pytest.raises(psycopg2.OperationalError):
            ask(one, "SELECT 1")
    assert ask(connect(), "SELECT id FROM t") == [(0,)]
    eventually(lambda: sessions(beside) == 1)


@pytest.mark.parametrize("left", [0, 1, 4, 5, 1000, 100_000])
def test_a_cut_within_a_message(beside, connect, proxy, left):
    connection = connect()
    proxy.left = left
    with pytest.raises(psycopg2.OperationalError):
        ask(connection, "SELECT repeat('x', 1000000)")
    assert proxy.left == 0
    with pytest.raises(psycopg2.OperationalError):
        connect()
    proxy.heal()
    assert ask(connect(), "SELECT 1") == [(1,)]


def test_the_cut_is_at_that_byte(proxy):
    """A start and its answers, read by hand."""
    start = struct.pack(">II", 8 + len(b"user\0postgres\0database\0store\0\0"), 196608) + b"user\0postgres\0database\0store\0\0"

    def received():
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=60 * PATIENCE) as connection:
            connection.sendall(start)
            data = b""
            with contextlib.suppress(ConnectionResetError):
                while more := connection.recv(65536):
                    data += more
                    if data.endswith(b"Z\0\0\0\5I"):
                        break
            return data

    whole = received()
    assert whole.startswith(b"R\0\0\0\x08\0\0\0\0S")
    proxy.left = len(start) + 100
    assert received() == whole[:100]


def test_a_pause(connect, proxy):
    connection = connect()
    proxy.pause()
    asking = Asking(connection, "SELECT 7")
    eventually(lambda: proxy.held == 1)
    assert asking.is_alive()
    proxy.heal()
    assert asking.ends() == [(7,)] and proxy.held == 0


def test_a_pause_holds_new_connections(connect, proxy):
    proxy.pause()
    made = []
    connecting = threading.Thread(target=lambda: made.append(connect()), daemon=True)
    connecting.start()
    eventually(lambda: proxy.held == 1)
    assert made == []
    proxy.heal()
    connecting.join(60 * PATIENCE)
    assert ask(made[0], "SELECT 7") == [(7,)]


def test_a_cut_ends_a_pause_for_those_who_wait(beside, connect, proxy):
    connection = connect()
    proxy.pause()
    asking = Asking(connection, "INSERT INTO t VALUES (1, 'a')")
    eventually(lambda: proxy.held == 1)
    proxy.cut()
    asking.ends()
    assert isinstance(asking.error, psycopg2.OperationalError) and ids(beside) == [0]


def test_delay(connect, proxy):
    """Slow, and nothing else; that a message has waited is seen by what another has done meanwhile."""
    connection = connect()
    proxy.delay = 0.5
    asking = Asking(connection, "SELECT 7")
    direct = socket.create_connection(("127.0.0.1", proxy.port))
    eventually(lambda: len(proxy.current()) == 2)  # it is taken at once
    assert asking.is_alive()
    direct.close()
    assert asking.ends() == [(7,)]


def test_refusing(connect, proxy):
    connection = connect()
    proxy.is_refusing = True
    with pytest.raises(psycopg2.OperationalError):
        connect()
    assert ask(connection, "SELECT 7") == [(7,)]
    proxy.heal()
    assert ask(connect(), "SELECT 7") == [(7,)]


def test_the_server_is_lost_and_nobody_says_so(beside, connect, proxy):
    connection = connect()
    ask(connection, "INSERT INTO t VALUES (1, 'a')")
    proxy.lose_server()
    eventually(lambda: sessions(beside) == 0)
    asking = Asking(connection, "SELECT 7")
    assert ask(connect(), "SELECT id FROM t") == [(0,)]  # others are served
    assert asking.is_alive()
    proxy.cut()
    asking.ends()
    assert isinstance(asking.error, psycopg2.OperationalError)


def test_the_client_is_lost_and_its_locks_stay(beside, connect, proxy):
    connection = connect()
    ask(connection, "UPDATE t SET text = 'changed' WHERE id = 0")
    proxy.lose_clients()
    with pytest.raises(psycopg2.OperationalError):
        ask(connection, "SELECT 7")
    assert sessions(beside) == 1
    assert "could not obtain lock" in beside.run("psql", "-Xqc", "SELECT * FROM t FOR UPDATE NOWAIT", "-d", "store").stderr
    proxy.cut()
    eventually(lambda: sessions(beside) == 0)
    assert beside.sql("SELECT text FROM t FOR UPDATE NOWAIT", "store") == [["there"]]


@pytest.mark.parametrize("then", ["cut", "hang"])
def test_the_answer_to_a_commit_is_swallowed(beside, connect, proxy, then):
    connection = connect()
    ask(connection, "INSERT INTO t VALUES (1, 'COMMIT')")
    proxy.swallow_answer(then=then)
    assert ask(connection, "SELECT text FROM t WHERE id = 1") == [("COMMIT",)]  # that is a value
    asking = Asking(connection, "COMMIT")
    eventually(lambda: proxy.swallowed == 1)
    assert ids(beside) == [0, 1]
    if then == "hang":
        assert asking.is_alive()
        proxy.cut()
    asking.ends()
    assert isinstance(asking.error, psycopg2.OperationalError)
    again = connect()
    ask(again, "INSERT INTO t VALUES (2, 'b')")
    again.commit()  # only once
    assert ids(beside) == [0, 1, 2] and proxy.swallowed == 1


def test_a_commit_is_swallowed_before_it_arrives(beside, connect, proxy):
    connections = [connect() for _ in range(3)]
    proxy.swallow_command(times=2)
    for i, connection in enumerate(connections):
        ask(connection, f"INSERT INTO t VALUES ({i + 1}, 'b')")
        if i < 2:
            with pytest.raises(psycopg2.OperationalError):
                ask(connection, " commit; ")
        else:
            connection.commit()
    assert ids(beside) == [0, 3] and proxy.swallowed == 2


def test_the_answer_to_another_command_is_swallowed(beside, connect, proxy):
    connection = connect()
    connection.autocommit = True
    proxy.swallow_answer(word="INSERT 0 1")
    ask(connection, "UPDATE t SET text = 'b'")
    with pytest.raises(psycopg2.OperationalError):
        ask(connection, "INSERT INTO t VALUES (1, 'a')")
    assert ids(beside) == [0, 1]


def test_the_server_is_away(beside, connect, proxy):
    connection = connect()
    beside.stop()
    with pytest.raises(psycopg2.OperationalError):
        ask(connection, "SELECT 1")
    with pytest.raises(psycopg2.OperationalError):
        connect()
    beside.start()
    assert ask(connect(), "SELECT id FROM t") == [(0,)]


# ---------------------------------------------------------------- what it reads


class Owing:
    byte_answers = 0


def typed(kind, payload):
    return kind + struct.pack(">I", 4 + len(payload)) + payload


def test_messages_in_any_pieces():
    start = struct.pack(">II", 8, 80877103)
    body = b"user\0postgres\0\0"
    sent = [start, struct.pack(">II", 8 + len(body), 196608) + body, typed(b"Q", b"COMMIT\0"), typed(b"P", b"\0COMMIT\0\0\0"), typed(b"X", b"")]
    for size in (1, 2, 3, 7, 1000):
        link, data, got = Owing(), b"".join(sent), []
        reader = Messages(link, is_server=False)
        for at in range(0, len(data), size):
            got += reader.feed(data[at : at + size])
        assert [message for _, message in got] == sent and link.byte_answers == 1
        assert [kind for kind, _ in got] == [b"", b"", b"Q", b"P", b"X"]
        answers = Messages(link, is_server=True)
        assert list(answers.feed(b"N" + typed(b"C", b"COMMIT\0"))) == [(b"N"[:0], b"N"), (b"C", typed(b"C", b"COMMIT\0"))]
        assert link.byte_answers == 0
