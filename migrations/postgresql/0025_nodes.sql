-- See the file of this name in migrations/sqlite/.
CREATE TABLE node (
    id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    workers bigint NOT NULL CHECK (workers >= 0),
    draining bigint NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
    started_at bigint NOT NULL,
    lease_until bigint
);

DROP TABLE offer;
CREATE TABLE offer (
    node text COLLATE "C" NOT NULL REFERENCES node (id) ON DELETE CASCADE,
    arithmetic text COLLATE "C" NOT NULL,
    place bigint NOT NULL,
    PRIMARY KEY (node, arithmetic)
);

CREATE VIEW server (started_at) AS
    SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000 AS bigint);

-- A node that was taken for dead may go on to write: what was swept meanwhile is not to be named by a row.
CREATE OR REPLACE FUNCTION blob_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR new.blob_id <> old.blob_id) THEN
        UPDATE blob SET refs = refs + 1, writer = NULL
            WHERE id = new.blob_id AND (refs > 0 OR writer IS NOT NULL);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'blob % was abandoned', new.blob_id;
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR new.blob_id <> old.blob_id) THEN
        UPDATE blob SET refs = refs - 1 WHERE id = old.blob_id;
    END IF;
    RETURN NULL;
END $$;
