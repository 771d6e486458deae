-- What was altered outside, as sources told it: one row for each change, in its latest state. The recent ones
-- stand in `fact` as well, which is what a start loads. Few enough that an index in random order costs nothing.
CREATE TABLE change (
  seq                INTEGER PRIMARY KEY,
  source             TEXT    NOT NULL,
  id                 TEXT    NOT NULL,
  at                 INTEGER NOT NULL,
  state_at           INTEGER NOT NULL,
  configuration_item TEXT,
  body               TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX change_key ON change (source, id);
CREATE INDEX change_at ON change (at, seq);
CREATE INDEX change_item ON change (configuration_item, at, seq) WHERE configuration_item IS NOT NULL;
CREATE INDEX change_old ON change (state_at);
