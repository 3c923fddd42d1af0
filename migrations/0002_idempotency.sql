-- The Idempotency-Key that a job was submitted with: the same key gives the same job again.
ALTER TABLE job ADD COLUMN idempotency_key TEXT;
CREATE UNIQUE INDEX job_by_idempotency_key ON job (idempotency_key) WHERE idempotency_key IS NOT NULL;
