-- The nodes: the processes that serve this database. A file of SQLite has one. Each has a new id, takes
-- part until its lease ends, by the clock of the database, and is the owner of the jobs that it trains:
-- job.owner begins with its id.
CREATE TABLE node (
    id TEXT PRIMARY KEY CHECK (length(id) = 36),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    workers INTEGER NOT NULL CHECK (workers >= 0),
    draining INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
    started_at INTEGER NOT NULL,
    lease_until INTEGER -- NULL: it ends with the process, because no other can use the file
) STRICT, WITHOUT ROWID;

-- Offers are those of a node; place: the best is 0.
DROP TABLE offer;
CREATE TABLE offer (
    node TEXT NOT NULL REFERENCES node (id) ON DELETE CASCADE,
    arithmetic TEXT NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (node, arithmetic)
) STRICT, WITHOUT ROWID;

-- Since when the database answers: before, no node could renew its lease. Of a file, always.
CREATE VIEW server (started_at) AS SELECT 0;
