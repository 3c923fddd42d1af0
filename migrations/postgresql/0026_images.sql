-- See the file of this name in migrations/sqlite/.
ALTER TABLE dataset
    DROP CONSTRAINT dataset_dim_check,
    ADD CONSTRAINT dataset_dim_check CHECK (dim > 0),
    ALTER COLUMN points DROP NOT NULL,
    ADD COLUMN height bigint NOT NULL DEFAULT 0,
    ADD COLUMN width bigint NOT NULL DEFAULT 0,
    ADD COLUMN channels bigint NOT NULL DEFAULT 0,
    ADD COLUMN blob_id bigint REFERENCES blob (id);
ALTER TABLE dataset
    ADD CHECK ((points IS NULL) <> (blob_id IS NULL)),
    ADD CHECK (blob_id IS NULL OR dim = height * width * channels);

CREATE TRIGGER dataset_takes_blob AFTER INSERT ON dataset
    FOR EACH ROW WHEN (new.blob_id IS NOT NULL) EXECUTE FUNCTION blob_taken();
CREATE TRIGGER dataset_leaves_blob AFTER DELETE ON dataset
    FOR EACH ROW WHEN (old.blob_id IS NOT NULL) EXECUTE FUNCTION blob_taken();
