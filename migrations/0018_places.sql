-- Counts those that are before a job in the queue: it has all that is asked for, so no job is read for that.
CREATE INDEX job_by_place ON job (status, seq);
