-- The spec that a job was submitted with, if it has been resumed with another: what its
-- Idempotency-Key is compared with.
ALTER TABLE job ADD COLUMN submitted_spec TEXT;
