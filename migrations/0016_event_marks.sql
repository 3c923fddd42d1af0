-- Clients remember the id of the last event that they had, and may come back to another database: a
-- new one, or a backup. So ids begin with a mark of the database, in the bits from 32 on. It is drawn
-- by lot, for a new database here and for a backup when it is made (server/store/backup.c). Ids stay
-- below 2^53, which every reader of JSON carries exactly.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'event', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'event');

CREATE TEMP TABLE shift AS SELECT (1 + abs(random() % 1048575)) << 32 AS ids;
UPDATE event SET id = id + (SELECT ids FROM shift);
UPDATE sqlite_sequence SET seq = seq + (SELECT ids FROM shift) WHERE name = 'event';
DROP TABLE shift;
