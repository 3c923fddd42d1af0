"""The store's SQL and its schema on a real PostgreSQL: the same tables, and every statement is accepted."""

import os
import pathlib
import re
import sqlite3
import subprocess

import pytest
import stores
from conftest import BINARY, ENDLESS, QUICK, Server, eventually
from postgresql import PROGRAMS, cluster
from test_deploy import SHARED
from test_layers import ROOT
from test_prometheus import metrics

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


@pytest.mark.parametrize("name", ["store", "store_events", "store_offers", "store_reports", "store_room", "claim", "endings", "hindered", "together", "nodes", "reports", "retention", "queue_model"])
def test_the_store_does_the_same_there(server, name):
    """The store's own tests, which know nothing of the database, on this one."""
    program = pathlib.Path(BINARY).parent / "tests" / f"test_{name}"
    if not program.exists():
        pytest.skip("make test-binaries builds it")
    environment = {**os.environ, "TEST_POSTGRESQL": f"{PROGRAMS} {server.folder}", "QUEUE_SEQUENCES": "60"}
    done = subprocess.run([program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert re.search(r"Passing: [1-9]\d* \| Failing: 0 \| Crashing: 0", done.stderr + done.stdout)


@pytest.fixture
def place(server, tmp_path):
    """A database for one test."""
    made = server.uri(server.create("t" + re.sub(r"\W", "", tmp_path.name).lower()[:50]))
    stores.migrate(made)
    return made


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(place, *flags):
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(str(folder), *flags, database=place))
        return servers[-1]

    yield start
    for started in servers:
        if started.process.poll() is None:
            assert started.stop() == 0, started.read_log()


def refusal(place, **environment):
    command = [BINARY, "serve", "--port", "0"] + (["--database", place] if place else [])
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode in (1, 2, 78), done
    return done.stderr


def test_a_server_trains_and_answers_and_finds_all_again(serve, place, start):
    """The same job ends in the same bytes as on a file, and a restart loses nothing."""
    there, here = serve(place), start()
    jobs = {server: server.submit(QUICK) for server in (there, here)}
    for server, job in jobs.items():
        assert server.wait(job)["status"] == "succeeded"
    answers = [server.get(f"/v1/models/{job}/weights.safetensors").body for server, job in jobs.items()]
    assert answers[0].partition(b"}")[2][-500:] == answers[1].partition(b"}")[2][-500:]
    columns = ("epoch", "step", "train_loss", "val_loss", "learning_rate", "gradient_norm")
    losses = [server.get(f"/v1/jobs/{job}/history").json["data"] for server, job in jobs.items()]
    assert [losses[0][name] for name in columns] == [losses[1][name] for name in columns]
    kinds = [[event["event"] for event in server.events(job)] for server, job in jobs.items()]
    assert kinds[0].count("epoch") == kinds[1].count("epoch") == QUICK["training"]["epochs"]
    job = jobs[there]
    before = [there.get(path).json for path in (f"/v1/jobs/{job}", f"/v1/models/{job}/samples?n=5&seed=1", f"/v1/jobs/{job}/events.json")]
    assert there.stop() == 0
    again = serve(place)
    after = [again.get(path).json for path in (f"/v1/jobs/{job}", f"/v1/models/{job}/samples?n=5&seed=1", f"/v1/jobs/{job}/events.json")]
    for answer in (before, after):
        answer[1].pop("duration_seconds", None)
    assert after == before


def test_a_killed_server_leaves_a_job_that_goes_on(serve, place):
    killed = serve(place, "--checkpoint-seconds", "0.05")
    job = killed.submit(ENDLESS)
    killed.wait_for_epoch(job, 3)
    killed.kill()
    again = serve(place)
    eventually(lambda: again.get(f"/v1/jobs/{job}").json["attempt"] == 2)
    assert again.post(f"/v1/jobs/{job}/cancel").status in (200, 202)
    assert again.wait(job)["status"] == "cancelled"


def test_connections_that_the_server_has_cut_are_opened_again(server, serve, place):
    """As after its restart: what was under way fails, the next request and the training do not."""
    running = serve(place)
    job = running.submit(ENDLESS)
    running.wait_for_epoch(job, 1)
    name = place.split("/")[3].split("?")[0]
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    eventually(lambda: running.fetch("GET", f"/v1/jobs/{job}").status == 200)
    eventually(lambda: running.fetch("POST", f"/v1/jobs/{job}/cancel").status in (200, 202))
    assert running.wait(job)["status"] == "cancelled"


def test_a_dump_restored_goes_on(server, serve, place):
    """Made while a job runs; its job continues from its checkpoint, and new events have numbers of their own."""
    name, copy = place.split("/")[3].split("?")[0], server.create("restored")
    first = serve(place, "--checkpoint-seconds", "0.05")
    done, job = first.submit(QUICK), first.submit(ENDLESS)
    first.wait(done)
    first.wait_for_epoch(job, 3)
    eventually(lambda: server.sql("SELECT count(*) FROM checkpoint", name) != [["0"]])
    assert server.run("pg_dump", "--format=custom", "--file=dump", name).returncode == 0
    assert first.stop() == 0
    restored = server.run("pg_restore", "--exit-on-error", f"--dbname={copy}", "dump")
    assert restored.returncode == 0, restored.stderr
    latest = int(server.sql("SELECT max(id) FROM event", copy)[0][0])
    again = serve(server.uri(copy), "--node-lease", "2")
    eventually(lambda: again.get(f"/v1/jobs/{job}").json["attempt"] == 2)
    assert again.get(f"/v1/models/{done}/samples?n=3&seed=1").json["points"]
    assert again.post(f"/v1/jobs/{job}/cancel").status in (200, 202)
    assert again.wait(job)["status"] == "cancelled"
    assert server.sql(f"SELECT count(*) > 0 FROM event WHERE id > {latest}", copy) == [["t"]]


def test_what_two_nodes_report_of_their_database_is_the_same(serve, place):
    """And of themselves, what each has done: a job counts where it ended, once."""
    nodes = [serve(place), serve(place)]
    first = nodes[0].submit(QUICK)
    nodes[0].submit(ENDLESS)
    nodes[0].wait(first)

    def of(*names):
        found = [metrics(node) for node in nodes]
        return [{key: value for key, value in each.items() if key.split("{")[0] in names} for each in found]

    eventually(lambda: of(*SHARED)[0] == of(*SHARED)[1] and of("denoised_jobs")[1]['denoised_jobs{status="running"}'] == 1)
    assert {key.split("{")[0] for key in of(*SHARED)[0]} == SHARED
    assert of("denoised_nodes")[1] == {"denoised_nodes": 2}
    eventually(lambda: sum(each['denoised_jobs_finished_total{status="succeeded"}'] for each in of("denoised_jobs_finished_total")) == 1)
    ended = [node.get(f"/v1/jobs/{first}").json["status"] for node in nodes]
    assert ended == ["succeeded"] * 2


def test_what_cannot_be_used_is_refused_with_the_reason(server, place):
    name = place.split("/")[3].split("?")[0]
    assert "does not exist" in refusal(place.replace(name, "nothing"))
    server.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    assert "UTF8" in refusal(place.replace(name, "latin"))
    server.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert "synchronous_commit" in refusal(place)
    server.sql(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    server.sql("INSERT INTO schema_migration VALUES (9999, 'x', 1, 0)", name)
    assert "use a newer denoised" in refusal(place)


def test_a_password_is_taken_from_the_environment_only_and_never_shown(server, place):
    for secret in ("postgresql://user:geheim@localhost/x", "postgresql:///x?user=a&password=geheim"):
        error = refusal(secret)
        assert "DENOISED_DATABASE" in error and "geheim" not in error
    error = refusal(None, DENOISED_DATABASE=f"postgresql://user:geheim@/nothing?host={server.folder}")
    assert "role  user  does not exist" in error and "geheim" not in error
    for broken in ("postgresql://user:geheim@[::1/x", "postgresql://user:geheim@localhost:99999/x?sslmode=geheim"):
        assert "geheim" not in refusal(None, DENOISED_DATABASE=broken)
    assert "geheim" not in refusal(None, DENOISED_DATABASE="postgres://user:geheim@localhost/x")
    assert "--max-database" in refusal(place, DENOISED_MAX_DATABASE="64")
    copied = subprocess.run([BINARY, "backup", "copy.db", "--database", place], capture_output=True, text=True)
    assert copied.returncode != 0 and "pg_dump" in copied.stderr
