-- Data sets are tables: their cells as they were written, and what is known about each column.
ALTER TABLE dataset ADD COLUMN cells BLOB; -- a block, as api/table/cells.h has it; NULL: uploaded before
ALTER TABLE dataset ADD COLUMN label TEXT; -- the name of the column with the labels

-- The columns, of which only the names were known, become objects.
UPDATE dataset SET columns = (
    SELECT json_group_array(json_object(
        'name', names.value, 'type', 'numeric', 'coordinate', names.key, 'missing', 0, 'distinct', 0,
        'min', json_extract(statistics, '$.min[' || names.key || ']'),
        'max', json_extract(statistics, '$.max[' || names.key || ']'),
        'mean', json_extract(statistics, '$.mean[' || names.key || ']'),
        'std', json_extract(statistics, '$.std[' || names.key || ']'),
        'format', NULL, 'step', 0, 'missing_text', '', 'levels', NULL, 'follows', NULL,
        'examples', json_array(), 'notes', json_array()))
    FROM json_each(dataset.columns) AS names);
