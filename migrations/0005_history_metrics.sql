-- How good the model was at an epoch, if that was measured (training.evaluate_every).
ALTER TABLE history ADD COLUMN curve_distance REAL;
ALTER TABLE history ADD COLUMN energy_distance REAL;
ALTER TABLE event ADD COLUMN curve_distance REAL; -- of an 'epoch', as in history
ALTER TABLE event ADD COLUMN energy_distance REAL;

DROP TRIGGER event_epoch;
CREATE TRIGGER event_epoch AFTER INSERT ON history
WHEN new.epoch > coalesce((SELECT epoch FROM event WHERE job_seq = new.job_seq AND kind = 'epoch'
                           ORDER BY id DESC LIMIT 1), 0) BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, step, train_loss, val_loss, learning_rate,
                       gradient_norm, seconds, curve_distance, energy_distance)
        SELECT seq, id, (SELECT ms FROM clock), 'epoch', new.epoch,
               new.step, new.train_loss, new.val_loss, new.learning_rate, new.gradient_norm,
               new.seconds, new.curve_distance, new.energy_distance
        FROM job WHERE seq = new.job_seq;
END;
