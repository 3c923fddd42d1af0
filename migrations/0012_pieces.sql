-- Models and training states can take hundreds of megabytes. Their bytes are stored in pieces, which are
-- written (and removed) in transactions of their own, so that nobody waits for a large one. A row that
-- has such bytes names their blob.
CREATE TABLE blob (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL CHECK (size >= 0),
    refs INTEGER NOT NULL DEFAULT 0 CHECK (refs >= 0), -- rows that name it
    writer TEXT -- the boot that is still writing it; without one, and without a row that names it, it goes
) STRICT;
CREATE INDEX blob_unused ON blob (id) WHERE refs = 0 AND writer IS NULL;
CREATE INDEX blob_in_writing ON blob (id) WHERE writer IS NOT NULL;

CREATE TABLE piece (
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    number INTEGER NOT NULL CHECK (number >= 0), -- in order
    bytes BLOB NOT NULL,
    PRIMARY KEY (blob_id, number)
) STRICT;

-- What was stored whole becomes one piece, whatever its size: no bytes are read twice.
CREATE TABLE old_place (kind TEXT PRIMARY KEY, first INTEGER NOT NULL) STRICT;
INSERT INTO old_place VALUES ('checkpoint', 0);
INSERT INTO old_place SELECT 'model', coalesce(max(rowid), 0) FROM checkpoint;
INSERT INTO old_place SELECT 'snapshot', first + (SELECT coalesce(max(rowid), 0) FROM model)
    FROM old_place WHERE kind = 'model';

CREATE VIEW old_bytes (id, bytes) AS
    SELECT rowid, bytes FROM checkpoint
    UNION ALL
    SELECT rowid + (SELECT first FROM old_place WHERE kind = 'model'), bytes FROM model
    UNION ALL
    SELECT rowid + (SELECT first FROM old_place WHERE kind = 'snapshot'), bytes FROM snapshot;
INSERT INTO blob (id, size, refs) SELECT id, length(bytes), 1 FROM old_bytes;
INSERT INTO piece SELECT id, 0, bytes FROM old_bytes;
DROP VIEW old_bytes;

CREATE TABLE new_checkpoint (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step > 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 0), -- up to which the history goes with it
    seconds REAL NOT NULL CHECK (seconds >= 0), -- of training, up to this step
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the bytes
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (job_seq, step)
) STRICT;
INSERT INTO new_checkpoint SELECT job_seq, step, epoch, seconds, sha256, rowid FROM checkpoint;

CREATE TABLE new_model (
    id TEXT PRIMARY KEY CHECK (length(id) = 36), -- the id of the job that trains it
    job_seq INTEGER UNIQUE REFERENCES job (seq) ON DELETE CASCADE,
    name TEXT,
    spec TEXT NOT NULL CHECK (spec GLOB '{*}'),
    variant TEXT NOT NULL, -- of the kernels that trained it
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    size INTEGER NOT NULL,
    dim INTEGER, -- what it is; NULL: not looked up yet, which the next start does
    parameters INTEGER,
    transform BLOB CHECK (length(transform) = 16 * dim), -- float64, first the shift, then the scale
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO new_model
    SELECT id, job_seq, name, spec, variant, epoch,
           rowid + (SELECT first FROM old_place WHERE kind = 'model'), length(bytes),
           NULL, NULL, NULL, created_at, updated_at
    FROM model;

CREATE TABLE new_snapshot (
    model_id TEXT NOT NULL REFERENCES new_model (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (model_id, epoch)
) STRICT;
INSERT INTO new_snapshot
    SELECT model_id, epoch, rowid + (SELECT first FROM old_place WHERE kind = 'snapshot'),
           length(bytes), created_at
    FROM snapshot;

DROP TABLE snapshot;
DROP TABLE checkpoint;
DROP TABLE model;
DROP TABLE old_place;
ALTER TABLE new_model RENAME TO model; -- and in the reference of new_snapshot
ALTER TABLE new_checkpoint RENAME TO checkpoint;
ALTER TABLE new_snapshot RENAME TO snapshot;
CREATE INDEX model_by_update ON model (updated_at);
CREATE INDEX model_not_described ON model (id) WHERE dim IS NULL;

CREATE TRIGGER event_model_inserted AFTER INSERT ON model WHEN new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint', new.epoch);
END;
CREATE TRIGGER event_model_updated AFTER UPDATE OF epoch ON model
WHEN new.epoch <> old.epoch AND new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint', new.epoch);
END;

-- Who names a blob.
CREATE TRIGGER checkpoint_takes_blob AFTER INSERT ON checkpoint BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
END;
CREATE TRIGGER checkpoint_leaves_blob AFTER DELETE ON checkpoint BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;
CREATE TRIGGER model_takes_blob AFTER INSERT ON model BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
END;
CREATE TRIGGER model_changes_blob AFTER UPDATE OF blob_id ON model WHEN new.blob_id <> old.blob_id BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;
CREATE TRIGGER model_leaves_blob AFTER DELETE ON model BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;
CREATE TRIGGER snapshot_takes_blob AFTER INSERT ON snapshot BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
END;
CREATE TRIGGER snapshot_leaves_blob AFTER DELETE ON snapshot BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;

-- What a job's training takes of memory at most, as it was estimated at its submission; 0: not known.
ALTER TABLE job ADD COLUMN memory INTEGER NOT NULL DEFAULT 0 CHECK (memory >= 0);
CREATE INDEX job_in_queue ON job (seq, memory) WHERE status = 'queued';
