"""The database of a server in the tests, as it is seen from outside the server, by SQL that both kinds take.

It is a file of SQLite, or with DATABASE=postgresql in the environment a database of a private PostgreSQL, which is started
when the first is needed. With DATABASE=pgbouncer servers reach the same through a pooler, and the tests past it.
"""

import atexit
import os
import re
import sqlite3
import subprocess

import postgresql
from pooler import Pooler

BINARY = os.environ.get("DENOISED_BINARY", os.path.abspath("build/denoised"))
KIND = os.environ.get("DATABASE", "sqlite")
assert KIND in ("sqlite", "postgresql", "pgbouncer"), f"DATABASE={KIND}"


def migrate(name):
    done = subprocess.run([BINARY, "migrate", "--database", name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Connection:
    """Each statement is a transaction of its own, unless "BEGIN" came before."""

    def __init__(self, native):
        self.native = native

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.native.close()

    def one(self, text, *values):
        """The only value of the only row."""
        ((value,),) = self.sql(text, *values)
        return value


class SqliteConnection(Connection):
    def __init__(self, path):
        super().__init__(sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=60))
        self.native.execute("PRAGMA foreign_keys = ON")
        # The server would find its file shorter than it left it, and leave: that is for those who damage it.
        self.native.execute("PRAGMA wal_autocheckpoint = 0")

    def sql(self, text, *values):
        """Rows as tuples. Parameters are written as ? and nothing else may contain a question mark."""
        return self.native.execute(text, values).fetchall()

    def tables(self):
        return [name for (name,) in self.sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]

    def columns(self, table):
        return [name for (name,) in self.sql("SELECT name FROM pragma_table_info(?)", table)]

    def version(self):
        """Changes with each commit of others."""
        return self.one("PRAGMA data_version")


class PostgresqlConnection(Connection):
    def __init__(self, uri):
        import psycopg2

        super().__init__(psycopg2.connect(uri))
        self.native.autocommit = True

    def sql(self, text, *values):
        with self.native.cursor() as cursor:
            cursor.execute(text.replace("%", "%%").replace("?", "%s"), values)
            rows = cursor.fetchall() if cursor.description else []
        return [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows]

    def tables(self):
        return [name for (name,) in self.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")]

    def columns(self, table):
        return [name for (name,) in self.sql(
            "SELECT attname FROM pg_attribute WHERE attrelid = CAST(? AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum", table)]  # fmt: skip

    def version(self):
        """The next transaction that writes: rolled back ones count, and so do those of other databases."""
        return self.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")


class Sqlite:
    flags = ()

    def __init__(self, directory):
        self.name = os.path.join(directory, "test.db")

    def connect(self):
        return SqliteConnection(self.name)

    def drop(self):
        """The file goes with the test's folder."""


# What makes the ids of a database's events its own, as the first migration does.
MARK = "SELECT setval(pg_get_serial_sequence('event', 'id'), (1 + floor(random() * 1048575)::bigint) << 32)"


class Postgresql:
    beside = None  # the server, for all
    made = {}  # by directory
    flags = ()  # that a server needs, besides the name

    def __init__(self, directory):
        if not Postgresql.beside:
            Postgresql.beside = postgresql.Cluster()
            atexit.register(Postgresql.beside.remove)
            Postgresql.beside.start()
            migrate(self.beside.uri(self.beside.create("empty")))
        self.directory = directory
        self.database = self.beside.create(f"test{len(self.made)}_" + re.sub("[^a-z0-9]", "_", os.path.basename(directory).lower())[:40], "empty")
        self.beside.sql(MARK, self.database)
        self.name = self.beside.uri(self.database)

    def connect(self):
        return PostgresqlConnection(self.name)

    def drop(self):
        """Fails while a server is connected that should have gone."""
        self.beside.drop(self.database)
        self.made[self.directory] = None


class Pooled(Postgresql):
    """Servers take the pooler's way, and have to know the other one."""

    pooler = None  # for all
    SESSIONS = 6

    def __init__(self, directory):
        super().__init__(directory)
        if not Pooled.pooler:
            Pooled.pooler = Pooler(self.beside, self.SESSIONS)
            atexit.register(Pooled.pooler.remove)
        self.direct = self.name
        self.name = self.pooler.uri(self.database)
        self.flags = ("--database-listen", self.direct)

    def connect(self):
        return PostgresqlConnection(self.direct)

    def drop(self):
        assert not self.pooler.clients(self.database), "a server is connected that should have gone"
        self.pooler.forget(self.database)
        super().drop()


class Existing:
    """One that a test has made, and drops, itself."""

    flags = ()

    def __init__(self, name):
        self.name = str(name)

    def connect(self):
        return PostgresqlConnection(self.name) if "://" in self.name else SqliteConnection(self.name)

    def drop(self):
        pass


def of(directory):
    """The same for the same directory: a server that starts again meets what was stored."""
    directory = os.path.realpath(directory)
    if KIND == "sqlite":
        return Sqlite(directory)
    if not Postgresql.made.get(directory):
        Postgresql.made[directory] = Pooled(directory) if KIND == "pgbouncer" else Postgresql(directory)
    return Postgresql.made[directory]
