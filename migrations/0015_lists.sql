-- Lists that are searched and sorted by the server: each order has an index, which ends with the id.

-- What a search looks through: name, data sets and preset, a line each, without the difference of
-- capital and small letters. The name of what has none is that of its data.
ALTER TABLE job ADD COLUMN words TEXT NOT NULL DEFAULT '';
ALTER TABLE model ADD COLUMN words TEXT NOT NULL DEFAULT '';

UPDATE job SET words = fold(
    coalesce(name || char(10), '') || coalesce(
        (SELECT group_concat(coalesce(nullif(json_extract(value, '$.name'), ''), 'upload'), ' + ')
         FROM json_each(iif(json_type(spec, '$.dataset') = 'array',
                            json_extract(spec, '$.dataset'),
                            json_array(json_extract(spec, '$.dataset'))))),
        dataset) || char(10) || coalesce(json_extract(spec, '$.preset'), ''))
    WHERE json_valid(spec) AND json_type(spec, '$.dataset') IN ('array', 'object');
UPDATE model SET words = job.words FROM job WHERE job.seq = model.job_seq;
UPDATE model SET words = fold(name || char(10)) WHERE job_seq IS NULL AND name IS NOT NULL;

-- Of a model that was evaluated.
ALTER TABLE job ADD COLUMN curve_distance REAL;
ALTER TABLE job ADD COLUMN energy_distance REAL;
CREATE TRIGGER job_evaluated AFTER UPDATE OF curve_distance, energy_distance ON model
WHEN new.job_seq IS NOT NULL BEGIN
    UPDATE job SET curve_distance = new.curve_distance, energy_distance = new.energy_distance
        WHERE seq = new.job_seq;
END;
CREATE TRIGGER job_without_model AFTER DELETE ON model
WHEN old.curve_distance IS NOT NULL OR old.energy_distance IS NOT NULL BEGIN
    UPDATE job SET curve_distance = NULL, energy_distance = NULL WHERE seq = old.job_seq;
END;

DROP INDEX job_by_status;
DROP INDEX job_by_dataset;
CREATE INDEX job_by_status ON job (status, id);
CREATE INDEX job_by_dataset ON job (dataset, id);
CREATE INDEX job_by_name ON job (substr(words, 1, 60), id);
CREATE INDEX job_by_dataset_order ON job (substr(dataset, 1, 60), id);
CREATE INDEX job_by_epoch ON job (epoch, id);
CREATE INDEX job_by_train_loss ON job (train_loss, id);
CREATE INDEX job_by_val_loss ON job (val_loss, id);
CREATE INDEX job_by_duration ON job (nullif(seconds, 0), id);
CREATE INDEX job_by_curve_distance ON job (curve_distance, id);
CREATE INDEX job_by_energy_distance ON job (energy_distance, id);
CREATE INDEX job_search ON job (id, words, status, dataset);

DROP INDEX model_by_update;
CREATE INDEX model_by_update ON model (updated_at, id);
CREATE INDEX model_by_name ON model (substr(words, 1, 60), id);
CREATE INDEX model_search ON model (id, words, job_seq);
CREATE INDEX model_imported ON model (id) WHERE job_seq IS NULL;
