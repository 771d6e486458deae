-- A row for each firing that is over. Its body is absent while the alert's own row says what the alert was, which is
-- until the alert fires again; then another row brings the body, and this one counts no more.
--
-- `at` is when it ended. `length` is a class of durations: what fired at a moment ended no later after it than its class
-- allows, so each class is looked through for that long only. In each of the eight the keys rise.
CREATE TABLE firing (
  seq     INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  length  INTEGER NOT NULL,
  number  INTEGER NOT NULL,
  body    BLOB
) STRICT;
CREATE INDEX firing_at ON firing (length, at);

-- For what was sent about a firing: the id of a delivery says nothing of its time.
CREATE INDEX delivery_since ON delivery (incident, created_at);
