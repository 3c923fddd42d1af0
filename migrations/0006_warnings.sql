-- What the server has to say about a job's spec: a JSON array.
ALTER TABLE job ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]' CHECK (warnings GLOB '[[]*]');
