-- A model of a table knows its columns, so that its samples are rows of the same form after the data
-- set has been deleted. JSON, as api/table/form.h has it; NULL: points are numbers and nothing else.
ALTER TABLE job ADD COLUMN form TEXT;
ALTER TABLE model ADD COLUMN form TEXT;
