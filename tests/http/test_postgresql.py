"""The store's SQL and its schema on a real PostgreSQL: the same tables, and every statement is accepted."""

import os
import pathlib
import re
import sqlite3
import subprocess

import pytest
from conftest import BINARY
from postgresql import PROGRAMS, cluster
from test_layers import ROOT

MIGRATIONS = ROOT / "migrations"
# Types of PostgreSQL for those of SQLite.
TYPES = {"INTEGER": "bigint", "REAL": "double precision", "TEXT": "text", "BLOB": "bytea"}
# What types of sql_prepare (server/store/sql.h) stand for.
BOUND = {"t": "text", "i": "bigint", "d": "double precision", "b": "bytea"}
LITERAL = r'"(?:[^"\\]|\\.)*"'
LITERALS = re.compile(rf"{LITERAL}(?:\s*{LITERAL})*")
STATEMENT = re.compile(r"(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b")


def joined(literals):
    return re.sub(r"\\(.)", r"\1", "".join(text[1:-1] for text in re.findall(LITERAL, literals)))


def statements():
    """(file, text, types of the parameters or None): all SQL of the store, after the preprocessor."""
    found = []
    for path in sorted((ROOT / "server/store").glob("*.c")):
        command = ["gcc", "-E", "-P", "-I.", "-D_GNU_SOURCE", "-std=gnu17", path]
        code = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for match in LITERALS.finditer(code):
            text = joined(match.group())
            if STATEMENT.match(text):
                after = re.match(rf"\s*,\s*({LITERALS.pattern})", code[match.end() :])
                types = joined(after.group(1)) if after else "-"
                found.append((path.name, text, types if re.fullmatch("[tidb]*", types) else None))
    return found


def types_of_list(text, count):
    """As server/store/lists.c puts them together: a value of the list's order, an id, a limit, and texts to search for."""
    return ("t" if re.match(r"SELECT id, (substr|status|NULL)", text) else "d") + "ti" + "t" * (count - 3)


def parameters(text):
    """The text as PostgreSQL writes it, and its number of parameters."""
    text = text.replace("/*!", "").replace("*/", "")
    numbers = [int(number) for number in re.findall(r"\?(\d+)", text)]
    if not numbers:  # ?, ?, ..: counted
        count = text.count("?")
        for number in range(1, count + 1):
            text = text.replace("?", f"${number}", 1)
        return text, count
    return re.sub(r"\?(\d+)", r"$\1", text), max(numbers)


@pytest.fixture(scope="module")
def server():
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def schema(server):
    server.create("store")
    for path in sorted((MIGRATIONS / "postgresql").glob("*.sql")):
        server.sql(path.read_text(), "store")
    return server


@pytest.fixture
def reference():
    database = sqlite3.connect(":memory:")
    for path in sorted((MIGRATIONS / "sqlite").glob("*.sql")):
        database.executescript(path.read_text())
    yield database
    database.close()


def columns_of_sqlite(database):
    columns = {}
    for (table,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
        for _, name, kind, required, _, key in database.execute(f"PRAGMA table_info({table})").fetchall():
            columns[table, name] = (TYPES[kind], bool(required or key))
    return columns


def test_both_databases_have_the_same_tables_and_columns(schema, reference):
    """The same names, types that correspond, and NULL where the other takes it."""
    rows = schema.sql(
        "SELECT table_name, column_name, data_type, is_nullable, coalesce(collation_name, '') FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'schema_migration' ORDER BY 1, 2",
        "store",
    )
    views = {name for (name,) in schema.sql("SELECT table_name FROM information_schema.views WHERE table_schema = 'public'", "store")}
    assert views == {"clock", "job_count", "server"}
    expected = columns_of_sqlite(reference)
    found = {(table, name): (kind, nullable == "NO") for table, name, kind, nullable, _ in rows if table not in views}
    assert found == {key: value for key, value in expected.items() if key[0] not in views}
    assert {(table, name) for table, name, *_ in rows if table == "job_count"} == {("job_count", "n"), ("job_count", "status")}
    assert [(table, name) for table, name, kind, _, collation in rows if kind == "text" and collation != "C"] == []


def test_both_databases_have_the_same_keys(schema, reference):
    """Primary and foreign keys, and what is deleted with what."""
    expected = set()
    for (table,) in reference.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
        for row in reference.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            expected.add((table, row[3], row[2], row[4], row[6]))
    found = schema.sql(
        "SELECT c.conrelid::regclass, a.attname, c.confrelid::regclass, f.attname,"
        " CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION' END"
        " FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " JOIN pg_attribute AS f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1] WHERE c.contype = 'f'",
        "store",
    )
    assert expected and {tuple(row) for row in found} == expected
    keys = {}
    for (table,) in reference.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
        keys[table] = {row[1] for row in reference.execute(f"PRAGMA table_info({table})").fetchall() if row[5]}
    keys.pop("job_count")  # a view
    found = {}
    for table, name in schema.sql(
        "SELECT c.conrelid::regclass, a.attname FROM pg_constraint AS c JOIN pg_attribute AS a"
        " ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'p' AND c.connamespace = 'public'::regnamespace",
        "store",
    ):
        found.setdefault(table, set()).add(name)
    found.pop("schema_migration")
    assert found == keys


def test_migrations_of_both_have_the_same_numbers():
    """PostgreSQL began later, with the whole schema of its first number."""
    numbers = {folder: [int(path.name[:4]) for path in sorted((MIGRATIONS / folder).glob("*.sql"))] for folder in ("sqlite", "postgresql")}
    first = numbers["postgresql"][0]
    assert numbers["postgresql"] == [number for number in numbers["sqlite"] if number >= first]


def test_all_statements_are_found():
    """As many as there are calls that pass one, and those that stand in tables."""
    found = statements()
    assert len(found) > 120
    texts = " ".join(text for _, text, _ in found)
    for part in ("INSERT INTO history", "UPDATE job SET status = 'running'", "DELETE FROM evaluation WHERE id =", "ORDER BY energy_distance DESC, id DESC"):
        assert part in texts, part


def test_every_statement_is_accepted(schema, reference):
    """By PostgreSQL, with parameters of the types that are bound; and by SQLite, so that this list is of whole statements."""
    script, wrong = [], []
    texts = {}
    for file, text, types in statements():
        texts[text] = (file, types if types is not None else texts.get(text, (file, None))[1])
    for i, (text, (file, types)) in enumerate(texts.items()):
        try:
            reference.execute(f"EXPLAIN {text}", [None] * max(parameters(text)[1], 0))
        except sqlite3.Error as error:
            wrong.append((file, text, f"SQLite: {error}"))
        sql, count = parameters(re.sub(r" INDEXED BY \w+", "", text))
        assert types is None or len(types) >= count, (file, text, types)
        if types is None:
            types = types_of_list(text, count) if file == "lists.c" else ""
        kinds = [BOUND[kind] for kind in types]
        script.append(f"\\echo {i}\nPREPARE s{i}{'(' + ', '.join(kinds) + ')' if kinds else ''} AS {sql};\n")
    done = schema.run("psql", "-Xq", "-d", "store", "-f", "-", input="".join(script))
    at = list(texts)
    refused = re.findall(r"^psql:<stdin>:(\d+): (ERROR:.*)$", done.stderr, re.M)
    lines = "".join(script).splitlines()
    for line, error in refused:
        number = next(int(lines[n].split()[1]) for n in range(int(line) - 1, -1, -1) if lines[n].startswith("\\echo"))
        wrong.append((texts[at[number]][0], at[number], error))
    assert done.stdout.split() == [str(i) for i in range(len(texts))]
    assert wrong == []
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["store", "store_events", "store_reports", "store_room", "claim", "endings", "reports", "retention", "queue_model"])
def test_the_store_does_the_same_there(server, name):
    """The store's own tests, which know nothing of the database, on this one."""
    program = pathlib.Path(BINARY).parent / "tests" / f"test_{name}"
    if not program.exists():
        pytest.skip("make test-binaries builds it")
    environment = {**os.environ, "TEST_POSTGRESQL": f"{PROGRAMS} {server.folder}", "QUEUE_SEQUENCES": "60"}
    done = subprocess.run([program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert re.search(r"Passing: [1-9]\d* \| Failing: 0 \| Crashing: 0", done.stderr + done.stdout)
