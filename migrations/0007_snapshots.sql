-- Models as they were at earlier checkpoints: some, spread over the training, to look back at.
CREATE TABLE snapshot (
    model_id TEXT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    bytes BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (model_id, epoch)
) STRICT;
