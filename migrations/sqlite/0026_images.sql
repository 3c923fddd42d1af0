-- A data set may have images instead of points: bytes in rows of pixels, which can be large and are stored in
-- pieces. points may now be NULL, so the table is made anew; its name, and those that refer to it, stay.
ALTER TABLE dataset RENAME TO dataset_of_points;
CREATE TABLE dataset (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of upload
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    name TEXT,
    n INTEGER NOT NULL CHECK (n > 0),
    dim INTEGER NOT NULL CHECK (dim > 0), -- coordinates of a point, or values of an image
    columns TEXT NOT NULL CHECK (columns GLOB '[[]*]'), -- of a table, as JSON
    classes TEXT CHECK (classes GLOB '[[]*]'), -- their names, as JSON; NULL without labels
    statistics TEXT NOT NULL CHECK (statistics GLOB '{*}'),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the uploaded file
    bytes INTEGER NOT NULL, -- size of the uploaded file
    created_at INTEGER NOT NULL,
    label TEXT, -- the name of the column with the labels
    height INTEGER NOT NULL DEFAULT 0, -- of an image; 0: points
    width INTEGER NOT NULL DEFAULT 0,
    channels INTEGER NOT NULL DEFAULT 0,
    blob_id INTEGER REFERENCES blob (id), -- pixels: uint8 [n][height][width][channels]
    -- What is large comes last: SQLite reads through it to what follows.
    labels BLOB CHECK (length(labels) = 4 * n), -- int32, index of the class
    points BLOB CHECK (length(points) = 4 * n * dim), -- float32, one point after another; NULL: images
    cells BLOB, -- a block, as api/table/cells.h has it; NULL: uploaded before, or images
    CHECK ((labels IS NULL) = (classes IS NULL)),
    CHECK ((points IS NULL) <> (blob_id IS NULL)),
    CHECK (blob_id IS NULL OR dim = height * width * channels)
) STRICT;
INSERT INTO dataset (seq, id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, points,
                     cells, label)
    SELECT seq, id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, labels, points, cells, label
    FROM dataset_of_points;
-- Numbers of deleted rows are not given again.
DELETE FROM sqlite_sequence WHERE name = 'dataset';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'dataset', seq FROM sqlite_sequence WHERE name = 'dataset_of_points';

CREATE TABLE job_dataset_again (
    dataset_seq INTEGER NOT NULL REFERENCES dataset (seq) ON DELETE CASCADE,
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    PRIMARY KEY (dataset_seq, job_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO job_dataset_again SELECT dataset_seq, job_seq FROM job_dataset;
DROP TABLE job_dataset;
ALTER TABLE job_dataset_again RENAME TO job_dataset;
CREATE INDEX job_dataset_by_job ON job_dataset (job_seq);
DROP TABLE dataset_of_points; -- which runs no triggers

CREATE TRIGGER replay_of_dataset AFTER DELETE ON dataset BEGIN
    DELETE FROM replay WHERE id = old.id AND operation = 'createDataset';
END;
CREATE TRIGGER dataset_takes_blob AFTER INSERT ON dataset WHEN new.blob_id IS NOT NULL BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
END;
CREATE TRIGGER dataset_leaves_blob AFTER DELETE ON dataset WHEN old.blob_id IS NOT NULL BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;
