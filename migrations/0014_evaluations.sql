-- What the server has found out about how good its models are. An evaluation takes seconds, and its
-- answer stays the same, so it is computed once.
CREATE TABLE evaluation (
    id INTEGER PRIMARY KEY, -- in the order in which they were made
    model_id TEXT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0), -- of the checkpoint
    key TEXT NOT NULL, -- all else that the answer depends on
    answer TEXT NOT NULL,
    UNIQUE (model_id, epoch, key)
) STRICT;

-- The main figures of a model as it is now, sampled as it is by default: for lists of many.
ALTER TABLE model ADD COLUMN evaluated_n INTEGER; -- points; NULL: not evaluated
ALTER TABLE model ADD COLUMN curve_distance REAL;
ALTER TABLE model ADD COLUMN curve_floor REAL;
ALTER TABLE model ADD COLUMN energy_distance REAL;
ALTER TABLE model ADD COLUMN energy_floor REAL;

-- A training that begins anew stores other weights for an epoch that was there before.
CREATE TRIGGER evaluation_outdated AFTER UPDATE OF blob_id ON model
WHEN new.blob_id <> old.blob_id AND new.evaluated_n IS NOT NULL BEGIN
    UPDATE model SET evaluated_n = NULL, curve_distance = NULL, curve_floor = NULL,
                     energy_distance = NULL, energy_floor = NULL
        WHERE id = new.id;
END;
