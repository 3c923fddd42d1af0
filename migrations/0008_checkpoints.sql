-- A job resumes from a step in the middle of an epoch, too. Checkpoints of before have another
-- format: trainings that would need them start afresh.
DROP TABLE checkpoint;
CREATE TABLE checkpoint (
    job_seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step > 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 0), -- up to which the history goes with it
    seconds REAL NOT NULL CHECK (seconds >= 0), -- of training, up to this step
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64), -- of the bytes
    bytes BLOB NOT NULL,
    PRIMARY KEY (job_seq, step)
) STRICT;
