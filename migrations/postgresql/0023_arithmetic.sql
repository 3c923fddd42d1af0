-- See the file of this name in migrations/sqlite/.
ALTER TABLE job ADD COLUMN arithmetic text COLLATE "C";

CREATE TABLE offer (arithmetic text COLLATE "C" PRIMARY KEY);

DROP INDEX job_in_queue;
CREATE INDEX job_in_queue ON job (seq, memory, arithmetic) WHERE status = 'queued';
CREATE INDEX job_bound ON job (seq, arithmetic) WHERE status = 'queued' AND arithmetic IS NOT NULL;

CREATE FUNCTION checkpoint_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM checkpoint WHERE job_seq = old.job_seq) THEN
        UPDATE job SET arithmetic = NULL WHERE seq = old.job_seq AND arithmetic IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER checkpoint_deleted AFTER DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION checkpoint_deleted();
