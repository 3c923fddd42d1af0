-- How many jobs there are of each status: asked for at each submission and by every monitor, so it is
-- not counted anew each time.
CREATE TABLE job_count (
    status TEXT PRIMARY KEY,
    n INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO job_count (status, n)
    SELECT column1, (SELECT count(*) FROM job WHERE status = column1)
    FROM (VALUES ('queued'), ('running'), ('succeeded'), ('failed'), ('cancelled'));

CREATE TRIGGER job_count_inserted AFTER INSERT ON job BEGIN
    UPDATE job_count SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER job_count_changed AFTER UPDATE OF status ON job WHEN new.status <> old.status BEGIN
    UPDATE job_count SET n = n - 1 WHERE status = old.status;
    UPDATE job_count SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER job_count_deleted AFTER DELETE ON job BEGIN
    UPDATE job_count SET n = n - 1 WHERE status = old.status;
END;
