-- See the file of this name in migrations/sqlite/.
ALTER TABLE dataset
    DROP CONSTRAINT dataset_check3, -- points or a blob
    DROP CONSTRAINT dataset_check4, -- images where there is a blob
    ADD COLUMN cells_blob_id bigint REFERENCES blob (id);

INSERT INTO blob (size, writer)
    SELECT length(points), 'points ' || seq FROM dataset WHERE points IS NOT NULL ORDER BY seq;
INSERT INTO blob (size, writer)
    SELECT length(cells), 'cells ' || seq FROM dataset WHERE cells IS NOT NULL ORDER BY seq;
INSERT INTO piece (blob_id, number, bytes)
    SELECT blob.id, number, substr(points, CAST(number * 1048576 + 1 AS integer), 1048576)
        FROM dataset JOIN blob ON writer = 'points ' || seq, generate_series(0, (size - 1) / 1048576) AS number
    UNION ALL
    SELECT blob.id, number, substr(cells, CAST(number * 1048576 + 1 AS integer), 1048576)
        FROM dataset JOIN blob ON writer = 'cells ' || seq, generate_series(0, (size - 1) / 1048576) AS number;
UPDATE dataset SET blob_id = coalesce(blob_id, (SELECT blob.id FROM blob WHERE writer = 'points ' || seq)),
                   cells_blob_id = (SELECT blob.id FROM blob WHERE writer = 'cells ' || seq);
UPDATE blob SET refs = 1, writer = NULL WHERE writer LIKE 'points %' OR writer LIKE 'cells %';

ALTER TABLE dataset
    DROP COLUMN points, -- with its check
    DROP COLUMN cells,
    ALTER COLUMN blob_id SET NOT NULL,
    ADD CHECK (height = 0 OR dim = height * width * channels);
CREATE INDEX dataset_by_blob ON dataset (blob_id);
CREATE INDEX dataset_by_cells_blob ON dataset (cells_blob_id) WHERE cells_blob_id IS NOT NULL;

-- A row names another blob than before; NULL: none.
CREATE FUNCTION blob_changed(before bigint, after bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF before IS NOT DISTINCT FROM after THEN
        RETURN;
    END IF;
    UPDATE blob SET refs = refs + 1, writer = NULL WHERE id = after AND (refs > 0 OR writer IS NOT NULL);
    IF after IS NOT NULL AND NOT FOUND THEN
        RAISE EXCEPTION 'blob % was abandoned', after;
    END IF;
    UPDATE blob SET refs = refs - 1 WHERE id = before;
END $$;
CREATE FUNCTION dataset_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM blob_changed(old.blob_id, new.blob_id);
    PERFORM blob_changed(old.cells_blob_id, new.cells_blob_id);
    RETURN NULL;
END $$;
DROP TRIGGER dataset_takes_blob ON dataset;
DROP TRIGGER dataset_leaves_blob ON dataset;
CREATE TRIGGER dataset_blobs AFTER INSERT OR UPDATE OF blob_id OR DELETE ON dataset
    FOR EACH ROW EXECUTE FUNCTION dataset_blobs();
