-- Jobs, their loss history, their training state, and the models they train.
-- Times are milliseconds since 1970; durations are seconds.

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
    seconds REAL NOT NULL DEFAULT 0 CHECK (seconds >= 0), -- of training, all attempts together
    train_loss REAL, -- of the last stored epoch
    val_loss REAL,
    error_code TEXT,
    error_detail TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    stalls INTEGER NOT NULL DEFAULT 0, -- claims since the last checkpoint: a job that kills the server is given up
    fence INTEGER NOT NULL DEFAULT 0, -- grows with each claim; a worker writes only under its own
    owner TEXT, -- the boot and worker that hold it
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CHECK ((status = 'running') = (owner IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) STRICT;
CREATE INDEX job_by_status ON job (status, seq);
CREATE INDEX job_by_dataset ON job (dataset, seq);

CREATE TABLE history (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    step INTEGER NOT NULL CHECK (step > 0),
    train_loss REAL,
    val_loss REAL,
    learning_rate REAL,
    gradient_norm REAL,
    seconds REAL NOT NULL,
    PRIMARY KEY (job_seq, epoch)
) STRICT, WITHOUT ROWID;

-- Training state to resume from. The newest two of a job are kept.
CREATE TABLE checkpoint (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    bytes BLOB NOT NULL,
    PRIMARY KEY (job_seq, epoch)
) STRICT;

CREATE TABLE model (
    id TEXT PRIMARY KEY CHECK (length(id) = 36), -- the id of the job that trains it
    job_seq INTEGER UNIQUE REFERENCES job (seq) ON DELETE CASCADE,
    name TEXT,
    spec TEXT NOT NULL CHECK (spec GLOB '{*}'),
    variant TEXT NOT NULL, -- of the kernels that trained it
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    bytes BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX model_by_update ON model (updated_at);
