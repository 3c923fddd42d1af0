-- What happened to jobs, in the order in which it became durable. Triggers write it, so no change can
-- forget to, and it is in the change's own transaction.

CREATE VIEW clock (ms) AS
    SELECT CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER);

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: clients remember it
    job_seq INTEGER NOT NULL,
    job TEXT NOT NULL, -- its id; the job is gone when the status is 'deleted'
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('status', 'epoch', 'checkpoint')),
    epoch INTEGER NOT NULL, -- that the job has got to; of an 'epoch', the one that it tells of
    status TEXT, -- of a 'status'
    error_code TEXT,
    error_detail TEXT,
    step INTEGER, -- of an 'epoch', as in history
    train_loss REAL,
    val_loss REAL,
    learning_rate REAL,
    gradient_norm REAL,
    seconds REAL
) STRICT;
CREATE INDEX event_by_job ON event (job_seq, id);
CREATE INDEX event_of_deleted ON event (job, job_seq, at) WHERE status = 'deleted';

-- The jobs that there are already.
INSERT INTO event (job_seq, job, at, kind, epoch, status, error_code, error_detail)
    SELECT seq, id, coalesce(finished_at, started_at, created_at), 'status', epoch, status,
           error_code, error_detail
    FROM job ORDER BY seq;

CREATE TRIGGER event_job_inserted AFTER INSERT ON job BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status',
                new.epoch, new.status);
END;

CREATE TRIGGER event_job_status AFTER UPDATE OF status ON job WHEN new.status <> old.status BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, status, error_code, error_detail)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status',
                new.epoch, new.status, new.error_code, new.error_detail);
END;

-- The training starts afresh, perhaps to other numbers: what was told of it is not true any more.
CREATE TRIGGER event_job_restarted AFTER UPDATE OF epoch ON job
WHEN new.epoch = 0 AND old.epoch > 0 BEGIN
    DELETE FROM event WHERE job_seq = new.seq;
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (new.seq, new.id, (SELECT ms FROM clock), 'status', 0,
                new.status);
END;

-- Only the news remains of a deleted job, for a day, so that whoever watches it gets to know.
CREATE TRIGGER event_job_deleted AFTER DELETE ON job BEGIN
    DELETE FROM event WHERE job_seq = old.seq;
    DELETE FROM event
        WHERE status = 'deleted' AND at < (SELECT ms FROM clock) - 86400000;
    INSERT INTO event (job_seq, job, at, kind, epoch, status)
        VALUES (old.seq, old.id, (SELECT ms FROM clock), 'status',
                old.epoch, 'deleted');
END;

-- Epochs after the last checkpoint are trained again, to the same numbers, after a crash: each is
-- told of once.
CREATE TRIGGER event_epoch AFTER INSERT ON history
WHEN new.epoch > coalesce((SELECT epoch FROM event WHERE job_seq = new.job_seq AND kind = 'epoch'
                           ORDER BY id DESC LIMIT 1), 0) BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch, step, train_loss, val_loss, learning_rate,
                       gradient_norm, seconds)
        SELECT seq, id, (SELECT ms FROM clock), 'epoch', new.epoch,
               new.step, new.train_loss, new.val_loss, new.learning_rate, new.gradient_norm,
               new.seconds
        FROM job WHERE seq = new.job_seq;
END;

CREATE TRIGGER event_model_inserted AFTER INSERT ON model WHEN new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint',
                new.epoch);
END;

CREATE TRIGGER event_model_updated AFTER UPDATE OF epoch ON model
WHEN new.epoch <> old.epoch AND new.job_seq IS NOT NULL BEGIN
    INSERT INTO event (job_seq, job, at, kind, epoch)
        VALUES (new.job_seq, new.id, (SELECT ms FROM clock), 'checkpoint',
                new.epoch);
END;
