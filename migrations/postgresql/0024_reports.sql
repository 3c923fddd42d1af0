-- The number of the last report of the worker that holds the job, counted from 1 for each claim: a report
-- that may or may not have been stored can be sent again, and is stored once.
ALTER TABLE job ADD COLUMN report bigint NOT NULL DEFAULT 0;
