-- What the janitor writes to, to see whether writing works again.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX job_by_finish ON job (finished_at) WHERE finished_at IS NOT NULL;
