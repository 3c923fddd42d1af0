"""A commit that takes so long that the node gives up the connection, and that takes place after all."""

from conftest import ENDLESS, QUICK
from fleet import fleet  # noqa: F401

# The first claim takes four seconds to commit, for what is deferred runs then. (Sequences count across transactions.)
SLOW = """
    CREATE SEQUENCE claims;
    CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF nextval(''claims'') = 1 THEN PERFORM pg_sleep(4); END IF; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.status = 'queued' AND NEW.status = 'running') EXECUTE FUNCTION take_time();
"""


def test_a_job_whose_claim_takes_long_is_trained(fleet):  # noqa: F811
    (node,) = fleet(1, "--workers", "1")
    with node.store.connect() as database:
        database.sql(SLOW)
    job = node.submit(QUICK)
    node.submit(ENDLESS)  # which the worker may not take meanwhile
    assert node.wait(job)["status"] == "succeeded"
    assert "a claim without an answer had taken place" in node.read_log()
