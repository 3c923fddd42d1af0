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
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the file as it came
    bytes INTEGER NOT NULL, -- of the file
    created_at INTEGER NOT NULL,
    labels BLOB CHECK (length(labels) = 4 * n), -- int32, index of the class
    points BLOB NOT NULL CHECK (length(points) = 4 * n * dim), -- float32, a point after the other
    CHECK ((labels IS NULL) = (classes IS NULL))
) STRICT;

-- Which job trains on which: a data set cannot go while a job still needs it.
CREATE TABLE job_dataset (
    dataset_seq INTEGER NOT NULL REFERENCES dataset (seq) ON DELETE CASCADE,
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    PRIMARY KEY (dataset_seq, job_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_dataset_by_job ON job_dataset (job_seq);
