-- A training that goes on from a checkpoint within its first epoch does not start from the beginning: it comes to the same results,
-- and the events of epochs that it trains again were told before.
DROP TRIGGER event_job_restarted;
CREATE TRIGGER event_job_restarted AFTER UPDATE OF epoch ON job
WHEN new.epoch = 0 AND new.step = 0 AND old.epoch > 0 BEGIN
    DELETE FROM event WHERE job_seq = new.seq;
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', 0, new.status);
END;
