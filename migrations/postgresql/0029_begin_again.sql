-- See the file of this name in migrations/sqlite/.
CREATE OR REPLACE FUNCTION job_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR new.status <> old.status THEN
        INSERT INTO event (job_seq, job, at, kind, epoch, status, error_code, error_detail)
            VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', new.epoch, new.status,
                    CASE TG_OP WHEN 'UPDATE' THEN new.error_code END,
                    CASE TG_OP WHEN 'UPDATE' THEN new.error_detail END);
    END IF;
    IF TG_OP = 'UPDATE' AND new.epoch = 0 AND new.step = 0 AND old.epoch > 0 THEN
        DELETE FROM event WHERE job_seq = new.seq;
        INSERT INTO event (job_seq, job, at, kind, epoch, status)
            VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', 0, new.status);
    END IF;
    RETURN NULL;
END $$;
