-- The share of the data that has a point of the model near it: the sign of a model that has learned only a part.
ALTER TABLE model ADD COLUMN coverage REAL;
ALTER TABLE model ADD COLUMN coverage_floor REAL;
