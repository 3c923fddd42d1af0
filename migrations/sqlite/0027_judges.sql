-- The judges of images that evaluations have trained, so that the next one need not.
CREATE TABLE judge (
    id INTEGER PRIMARY KEY, -- in the order of their creation
    key TEXT NOT NULL UNIQUE, -- everything that the bytes depend on
    bytes BLOB NOT NULL
) STRICT;
