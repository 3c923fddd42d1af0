-- What requests with an Idempotency-Key have made, so that the same request makes it only once. (Submitted jobs have their key
-- beside them.) A row goes with what it made.
CREATE TABLE replay (
    number INTEGER PRIMARY KEY, -- in the order in which they were served
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL, -- what tells it from another request with this key
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
