"""A database with too few connections is not away: those that are open go on, and nobody asks for more without a pause."""

import threading

import pytest
from conftest import QUICK, eventually
from test_away import Node, beside, database, proxy, refused  # noqa: F401

REFUSAL = "too many connections for role"


@pytest.fixture
def node(beside, database, proxy, tmp_path):  # noqa: F811
    """With a role of its own, because a superuser has no limit."""
    beside.sql(
        "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; GRANT pg_read_all_data, pg_write_all_data TO guest",
    )
    running = Node(tmp_path / "node", beside, database, proxy, user="guest")
    yield running
    beside.sql("ALTER ROLE guest CONNECTION LIMIT -1")
    assert running.stop() == 0, running.read_log()


def limit(beside, most):  # noqa: F811
    beside.sql(f"ALTER ROLE guest CONNECTION LIMIT {most}")


def refusals(beside):  # noqa: F811
    return beside.log().count(REFUSAL)


def test_a_slow_statement_beside_a_full_server(beside, node):  # noqa: F811
    """Whoever looks for the server is refused, which shows that it is there."""
    node.wait(node.submit(QUICK))
    before, answers = refusals(beside), []
    asking = threading.Thread(target=lambda: answers.append(node.get("/v1/jobs")))
    limit(beside, 1)
    with node.store.connect() as other:
        other.sql("BEGIN")
        other.sql("LOCK TABLE job")
        asking.start()
        eventually(lambda: refusals(beside) > before)
        other.sql("ROLLBACK")
    asking.join()
    assert answers[0].status == 200
    assert node.lines("the database is away") == 0, node.read_log()
    limit(beside, -1)
    node.wait(node.submit(QUICK))


def test_a_server_without_any_connection(beside, node):  # noqa: F811
    """It is not ready before it has one, its requests are refused at once, and the database hears little of that."""
    node.wait(node.submit(QUICK))
    limit(beside, 0)
    beside.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'")
    eventually(lambda: refused(node.get("/v1/jobs")))
    before, asked = refusals(beside), 0
    while node.get("/readyz").status == 200 or asked < 300:
        answer = node.get("/v1/jobs")
        assert refused(answer) and "in use" in answer.json["detail"]
        asked += 1
    assert node.get("/livez").status == 200
    assert refusals(beside) - before < asked / 3
    assert node.lines("the database is away") == 0 and node.lines("has no connection left") == 1, node.read_log()
    limit(beside, -1)
    eventually(lambda: node.get("/readyz").status == 200)
    node.wait(node.submit(QUICK))
