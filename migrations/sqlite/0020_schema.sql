-- The whole schema. Times are milliseconds since 1970; durations are seconds. A later migration is the
-- next file. Denoised 0.1.0 used the numbers below 20; this version refuses its databases.

-- ---------------------------------------------------------------- jobs

CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of submission, and so of the queue
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    name TEXT,
    dataset TEXT NOT NULL,
    spec TEXT NOT NULL CHECK (spec GLOB '{*}'),
    status TEXT NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    epochs INTEGER NOT NULL CHECK (epochs > 0),
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch BETWEEN 0 AND epochs),
    steps INTEGER NOT NULL CHECK (steps > 0),
    step INTEGER NOT NULL DEFAULT 0 CHECK (step BETWEEN 0 AND steps),
    seconds REAL NOT NULL DEFAULT 0 CHECK (seconds >= 0), -- of training, in all attempts
    train_loss REAL, -- at the last stored epoch
    val_loss REAL,
    curve_distance REAL, -- of the model, if it was evaluated
    energy_distance REAL,
    error_code TEXT,
    error_detail TEXT,
    warnings TEXT NOT NULL DEFAULT '[]' CHECK (warnings GLOB '[[]*]'), -- about the spec, as JSON
    attempt INTEGER NOT NULL DEFAULT 0,
    stalls INTEGER NOT NULL DEFAULT 0, -- claims since the last checkpoint: a job that keeps killing the server fails
    fence INTEGER NOT NULL DEFAULT 0, -- grows with each claim; a worker may write only while it matches
    owner TEXT, -- the boot and worker that hold it
    memory INTEGER NOT NULL DEFAULT 0 CHECK (memory >= 0), -- estimated maximum bytes
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    idempotency_key TEXT, -- a second submission with the same key returns this job
    submitted_spec TEXT, -- compared with such a submission, if a resume has changed the spec
    -- The texts that a search looks through: name, data sets and preset, one per line, with their case
    -- folded. A job without a name is listed by the name of its data.
    words TEXT NOT NULL DEFAULT '',
    CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CHECK ((status = 'running') = (owner IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX job_by_idempotency_key ON job (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_in_queue ON job (seq, memory) WHERE status = 'queued';
-- Counts the jobs ahead of one in the queue without reading any job.
CREATE INDEX job_by_place ON job (status, seq);
CREATE INDEX job_by_finish ON job (finished_at) WHERE finished_at IS NOT NULL;

-- Each order of the list has an index that ends with the id.
CREATE INDEX job_by_status ON job (status, id);
CREATE INDEX job_by_dataset ON job (dataset, id);
CREATE INDEX job_by_name ON job (substr(words, 1, 60), id);
CREATE INDEX job_by_dataset_order ON job (substr(dataset, 1, 60), id);
CREATE INDEX job_by_epoch ON job (epoch, id);
CREATE INDEX job_by_train_loss ON job (train_loss, id);
CREATE INDEX job_by_val_loss ON job (val_loss, id);
CREATE INDEX job_by_duration ON job (nullif(seconds, 0), id);
CREATE INDEX job_by_curve_distance ON job (curve_distance, id);
CREATE INDEX job_by_energy_distance ON job (energy_distance, id);
CREATE INDEX job_search ON job (id, words, status, dataset);

-- The number of jobs of each status, kept up to date, because every submission and monitor reads it.
CREATE TABLE job_count (
    status TEXT PRIMARY KEY,
    n INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO job_count (status, n)
    VALUES ('queued', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('cancelled', 0);

CREATE TRIGGER job_count_inserted AFTER INSERT ON job BEGIN
    UPDATE job_count SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER job_count_changed AFTER UPDATE OF status ON job WHEN new.status <> old.status BEGIN
    UPDATE job_count SET n = n - 1 WHERE status = old.status;
    UPDATE job_count SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER job_count_deleted AFTER DELETE ON job BEGIN
    UPDATE job_count SET n = n - 1 WHERE status = old.status;
END;

-- The epochs of a job.
CREATE TABLE history (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    step INTEGER NOT NULL CHECK (step > 0),
    train_loss REAL,
    val_loss REAL,
    learning_rate REAL,
    gradient_norm REAL,
    seconds REAL NOT NULL,
    curve_distance REAL, -- metrics of the model, if they were measured (training.evaluate_every)
    energy_distance REAL,
    PRIMARY KEY (job_seq, epoch)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- data sets

-- Data sets that clients have uploaded.
CREATE TABLE dataset (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of upload
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    name TEXT,
    n INTEGER NOT NULL CHECK (n > 0),
    dim INTEGER NOT NULL CHECK (dim BETWEEN 1 AND 64),
    columns TEXT NOT NULL CHECK (columns GLOB '[[]*]'), -- their names, as JSON
    classes TEXT CHECK (classes GLOB '[[]*]'), -- their names, as JSON; NULL without labels
    statistics TEXT NOT NULL CHECK (statistics GLOB '{*}'),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the uploaded file
    bytes INTEGER NOT NULL, -- size of the uploaded file
    created_at INTEGER NOT NULL,
    labels BLOB CHECK (length(labels) = 4 * n), -- int32, index of the class
    points BLOB NOT NULL CHECK (length(points) = 4 * n * dim), -- float32, one point after another
    CHECK ((labels IS NULL) = (classes IS NULL))
) STRICT;

-- Which job trains on which data set. A data set that a job still needs cannot be deleted.
CREATE TABLE job_dataset (
    dataset_seq INTEGER NOT NULL REFERENCES dataset (seq) ON DELETE CASCADE,
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    PRIMARY KEY (dataset_seq, job_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_dataset_by_job ON job_dataset (job_seq);

-- ---------------------------------------------------------------- models and checkpoints

-- Models and checkpoints can take hundreds of megabytes. Their bytes are stored in pieces, which are
-- written and removed in transactions of their own, so that nobody waits for a large one. The row of a
-- model or checkpoint names its blob.
CREATE TABLE blob (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL CHECK (size >= 0),
    refs INTEGER NOT NULL DEFAULT 0 CHECK (refs >= 0), -- rows that name it
    writer TEXT -- the boot that is still writing it; a blob that has neither a writer nor a row is deleted
) STRICT;
CREATE INDEX blob_unused ON blob (id) WHERE refs = 0 AND writer IS NULL;
CREATE INDEX blob_in_writing ON blob (id) WHERE writer IS NOT NULL;

CREATE TABLE piece (
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    number INTEGER NOT NULL CHECK (number >= 0), -- in order
    bytes BLOB NOT NULL,
    PRIMARY KEY (blob_id, number)
) STRICT;

-- States from which training resumes, perhaps within an epoch. The newest two of a job are kept.
CREATE TABLE checkpoint (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step > 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 0), -- the last one of the history that belongs to it
    seconds REAL NOT NULL CHECK (seconds >= 0), -- of training, up to this step
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the bytes
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (job_seq, step)
) STRICT;

CREATE TABLE model (
    id TEXT PRIMARY KEY CHECK (length(id) = 36), -- the id of the job that trains it
    job_seq INTEGER UNIQUE REFERENCES job (seq) ON DELETE CASCADE, -- NULL: imported
    name TEXT,
    spec TEXT NOT NULL CHECK (spec GLOB '{*}'),
    variant TEXT NOT NULL, -- of the kernels that trained it
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    size INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    parameters INTEGER NOT NULL,
    transform BLOB NOT NULL CHECK (length(transform) = 16 * dim), -- float64, first the shift, then the scale
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    words TEXT NOT NULL DEFAULT '', -- as the job's
    -- The main figures of the model as it is now, sampled with the defaults: for lists of many.
    evaluated_n INTEGER, -- points; NULL: not evaluated
    curve_distance REAL,
    curve_floor REAL,
    energy_distance REAL,
    energy_floor REAL,
    coverage REAL, -- fraction of the data with a sample nearby
    coverage_floor REAL
) STRICT;
CREATE INDEX model_by_update ON model (updated_at, id);
CREATE INDEX model_by_name ON model (substr(words, 1, 60), id);
CREATE INDEX model_search ON model (id, words, job_seq);
CREATE INDEX model_imported ON model (id) WHERE job_seq IS NULL;

-- Some earlier states of models, spread over their training, to look back at.
CREATE TABLE snapshot (
    model_id TEXT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    blob_id INTEGER NOT NULL REFERENCES blob (id),
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (model_id, epoch)
) STRICT;

-- How many rows name a blob.
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

-- ---------------------------------------------------------------- evaluations

-- An evaluation of a model takes seconds, and its answer stays the same, so it is computed once.
CREATE TABLE evaluation (
    id INTEGER PRIMARY KEY, -- in the order of their creation
    model_id TEXT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0), -- of the checkpoint
    key TEXT NOT NULL, -- everything else that the answer depends on
    answer TEXT NOT NULL,
    UNIQUE (model_id, epoch, key)
) STRICT;

-- Training that starts from the beginning stores other weights for an epoch that existed before.
CREATE TRIGGER evaluation_outdated AFTER UPDATE OF blob_id ON model
WHEN new.blob_id <> old.blob_id AND new.evaluated_n IS NOT NULL BEGIN
    UPDATE model SET evaluated_n = NULL, curve_distance = NULL, curve_floor = NULL,
                     energy_distance = NULL, energy_floor = NULL
        WHERE id = new.id;
END;
CREATE TRIGGER job_evaluated AFTER UPDATE OF curve_distance, energy_distance ON model
WHEN new.job_seq IS NOT NULL BEGIN
    UPDATE job SET curve_distance = new.curve_distance, energy_distance = new.energy_distance
        WHERE seq = new.job_seq;
END;
CREATE TRIGGER job_without_model AFTER DELETE ON model
WHEN old.curve_distance IS NOT NULL OR old.energy_distance IS NOT NULL BEGIN
    UPDATE job SET curve_distance = NULL, energy_distance = NULL WHERE seq = old.job_seq;
END;

-- ---------------------------------------------------------------- events

-- What happened to jobs, in the order in which it became durable. Triggers write the events, so that
-- every change has its event, in the same transaction.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, because clients remember it
    job_seq INTEGER NOT NULL,
    job TEXT NOT NULL, -- its id; the job is gone when the status is 'deleted'
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('status', 'epoch', 'checkpoint')),
    epoch INTEGER NOT NULL, -- the last epoch of the job, or the one of an 'epoch' event
    status TEXT, -- only a 'status' event has this and an error
    error_code TEXT,
    error_detail TEXT,
    step INTEGER, -- only an 'epoch' event has this and the rest, as in history
    train_loss REAL,
    val_loss REAL,
    learning_rate REAL,
    gradient_norm REAL,
    seconds REAL,
    curve_distance REAL,
    energy_distance REAL
) STRICT;
CREATE INDEX event_by_job ON event (job_seq, id);
CREATE INDEX event_of_deleted ON event (job, job_seq, at) WHERE status = 'deleted';
-- For the deletion that removes the events of older deletions.
CREATE INDEX event_of_deleted_by_time ON event (at) WHERE status = 'deleted';

-- Clients remember the id of the last event that they received, and may come back to another database:
-- a new one, or a backup. So ids begin with a random mark of the database, in the bits from 32 on: a
-- new database gets it here, and a backup when it is made (server/store/sqlite/backup.c). Ids stay below 2^53,
-- so that every JSON parser reads them exactly.
INSERT INTO sqlite_sequence (name, seq) VALUES ('event', (1 + abs(random() % 1048575)) << 32);

CREATE VIEW clock (ms) AS
    SELECT CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER);

CREATE TRIGGER event_job_inserted AFTER INSERT ON job BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', new.epoch, new.status);
END;

CREATE TRIGGER event_job_status AFTER UPDATE OF status ON job WHEN new.status <> old.status BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, status, error_code, error_detail)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', new.epoch, new.status,
                new.error_code, new.error_detail);
END;

-- Training starts from the beginning, perhaps with other results: earlier events are no longer true.
CREATE TRIGGER event_job_restarted AFTER UPDATE OF epoch ON job
WHEN new.epoch = 0 AND old.epoch > 0 BEGIN
    DELETE FROM event WHERE job_seq = new.seq;
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', 0, new.status);
END;

-- A deleted job leaves only the event of its deletion, for a day, so that its watchers receive it.
CREATE TRIGGER event_job_deleted AFTER DELETE ON job BEGIN
    DELETE FROM event WHERE job_seq = old.seq;
    DELETE FROM event
        WHERE status = 'deleted' AND at < (SELECT ms FROM clock) - 86400000;
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (old.seq, old.id, (SELECT ms FROM clock), 'status', old.epoch, 'deleted');
END;

-- After a crash, epochs after the last checkpoint are trained again, with the same results: each has
-- only one event.
CREATE TRIGGER event_epoch AFTER INSERT ON history
WHEN new.epoch > coalesce((SELECT epoch FROM event WHERE job_seq = new.job_seq AND kind = 'epoch'
                           ORDER BY id DESC LIMIT 1), 0) BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, step, train_loss, val_loss, learning_rate,
                       gradient_norm, seconds, curve_distance, energy_distance)
        SELECT seq, id, (SELECT ms FROM clock), 'epoch', new.epoch,
               new.step, new.train_loss, new.val_loss, new.learning_rate, new.gradient_norm,
               new.seconds, new.curve_distance, new.energy_distance
        FROM job WHERE seq = new.job_seq;
END;

CREATE TRIGGER event_model_inserted AFTER INSERT ON model WHEN new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint', new.epoch);
END;
CREATE TRIGGER event_model_updated AFTER UPDATE OF epoch ON model
WHEN new.epoch <> old.epoch AND new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint', new.epoch);
END;

-- ---------------------------------------------------------------- the rest

-- What requests with an Idempotency-Key have created, so that a repeated request does not create it
-- again. (A submitted job has its key in its own row.) A row is deleted with what it created.
CREATE TABLE replay (
    number INTEGER PRIMARY KEY, -- in the order of the requests
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL, -- distinguishes it from another request with this key
    id TEXT NOT NULL,
    UNIQUE (operation, key)
) STRICT;
CREATE INDEX replay_by_id ON replay (id);

CREATE TRIGGER replay_of_dataset AFTER DELETE ON dataset BEGIN
    DELETE FROM replay WHERE id = old.id AND operation = 'createDataset';
END;
CREATE TRIGGER replay_of_model AFTER DELETE ON model BEGIN
    DELETE FROM replay WHERE id = old.id AND operation = 'importModel';
END;
CREATE TRIGGER replay_of_job AFTER DELETE ON job BEGIN
    DELETE FROM replay WHERE id = old.id AND operation = 'resumeJob';
END;

-- The janitor writes here to see whether writing works again.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
