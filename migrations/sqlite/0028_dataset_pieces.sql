-- The points of a data set and its table as it was written can be large: they are now stored in pieces, as images are, so that
-- each statement is short. The table is made anew, because its points are in checks; its name, and those that refer to it, stay.
ALTER TABLE dataset RENAME TO dataset_with_bytes;

-- Until their rows name them, `writer` says whose bytes these are.
INSERT INTO blob (size, writer)
    SELECT length(points), 'points ' || seq FROM dataset_with_bytes WHERE points IS NOT NULL ORDER BY seq;
INSERT INTO blob (size, writer)
    SELECT length(cells), 'cells ' || seq FROM dataset_with_bytes WHERE cells IS NOT NULL ORDER BY seq;
WITH RECURSIVE place (number) AS (
    SELECT 0 UNION ALL SELECT number + 1 FROM place WHERE (number + 1) * 1048576 < (SELECT max(size) FROM blob))
INSERT INTO piece (blob_id, number, bytes)
    SELECT blob.id, number, substr(points, number * 1048576 + 1, 1048576)
        FROM dataset_with_bytes JOIN blob ON writer = 'points ' || seq JOIN place ON number * 1048576 < size
    UNION ALL
    SELECT blob.id, number, substr(cells, number * 1048576 + 1, 1048576)
        FROM dataset_with_bytes JOIN blob ON writer = 'cells ' || seq JOIN place ON number * 1048576 < size;

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
    blob_id INTEGER NOT NULL REFERENCES blob (id), -- points: float32 [n][dim]; pixels: uint8 [n][height][width][channels]
    cells_blob_id INTEGER REFERENCES blob (id), -- a block, as api/table/cells.h has it; NULL: uploaded before, or images
    labels BLOB CHECK (length(labels) = 4 * n), -- int32, index of the class; last, because SQLite reads through it to what follows
    CHECK ((labels IS NULL) = (classes IS NULL)),
    CHECK (height = 0 OR dim = height * width * channels)
) STRICT;
INSERT INTO dataset (seq, id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, label, height, width,
                     channels, blob_id, cells_blob_id, labels)
    SELECT seq, id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, label, height, width, channels,
           coalesce(blob_id, (SELECT blob.id FROM blob WHERE writer = 'points ' || seq)),
           (SELECT blob.id FROM blob WHERE writer = 'cells ' || seq), labels
    FROM dataset_with_bytes;
UPDATE blob SET refs = 1, writer = NULL WHERE writer LIKE 'points %' OR writer LIKE 'cells %';
-- Numbers of deleted rows are not given again.
DELETE FROM sqlite_sequence WHERE name = 'dataset';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'dataset', seq FROM sqlite_sequence WHERE name = 'dataset_with_bytes';

CREATE TABLE job_dataset_again (
    dataset_seq INTEGER NOT NULL REFERENCES dataset (seq) ON DELETE CASCADE,
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    PRIMARY KEY (dataset_seq, job_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO job_dataset_again SELECT dataset_seq, job_seq FROM job_dataset;
DROP TABLE job_dataset;
ALTER TABLE job_dataset_again RENAME TO job_dataset;
CREATE INDEX job_dataset_by_job ON job_dataset (job_seq);
DROP TABLE dataset_with_bytes; -- which runs no triggers

CREATE TRIGGER replay_of_dataset AFTER DELETE ON dataset BEGIN
    DELETE FROM replay WHERE id = old.id AND operation = 'createDataset';
END;
CREATE TRIGGER dataset_takes_blobs AFTER INSERT ON dataset BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id IN (new.blob_id, new.cells_blob_id);
END;
CREATE TRIGGER dataset_changes_blob AFTER UPDATE OF blob_id ON dataset WHEN new.blob_id <> old.blob_id BEGIN
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = new.blob_id;
    UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
END;
CREATE TRIGGER dataset_leaves_blobs AFTER DELETE ON dataset BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id IN (old.blob_id, old.cells_blob_id);
END;
