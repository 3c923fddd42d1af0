-- A training goes on to the same bytes only with the arithmetic that it began with: the instruction set,
-- the version of the program, the C library. NULL: no checkpoint, or one from before this column, whose
-- arithmetic is found out when it is loaded.
ALTER TABLE job ADD COLUMN arithmetic TEXT;

-- The arithmetic that the running servers offer.
CREATE TABLE offer (arithmetic TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- All that a claim compares.
DROP INDEX job_in_queue;
CREATE INDEX job_in_queue ON job (status, seq, memory, arithmetic) WHERE status = 'queued';
-- Queued jobs that not every server can continue: few.
CREATE INDEX job_bound ON job (status, seq, arithmetic) WHERE status = 'queued' AND arithmetic IS NOT NULL;

-- Without a checkpoint, a job begins anew, and any arithmetic is right.
CREATE TRIGGER job_unbound AFTER DELETE ON checkpoint
WHEN NOT EXISTS (SELECT 1 FROM checkpoint WHERE job_seq = old.job_seq) BEGIN
    UPDATE job SET arithmetic = NULL WHERE seq = old.job_seq AND arithmetic IS NOT NULL;
END;
