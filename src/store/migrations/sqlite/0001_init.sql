-- Bodies are JSON as the model serialises it, with a checksum behind it (see `seal.rs`), and so are the
-- journal's payloads; those of alerts and incidents are packed (see `packed.rs`). The other columns only find
-- and order them, and stand before the body so that a filter need not read it. Times are milliseconds since the Unix epoch.
-- Incidents are filed under the key behind their id, which rises with the time of opening.
--
-- The journal is the truth; all other rows say what it led to and may be behind it by `position` minus
-- `applied` rows. A start steps those again.
--
-- What an ingest inserts is appended: to the tables by rising numbers, to the indexes as well. No
-- index on this path has a key in random order, because each such insert writes a page of its own.

CREATE TABLE meta (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  epoch    INTEGER NOT NULL,
  position INTEGER NOT NULL,
  applied  INTEGER NOT NULL CHECK (applied <= position)
) STRICT;
-- `acquire` hands out 2 and up, so a writer that never asked holds no valid epoch.
INSERT INTO meta (id, epoch, position, applied) VALUES (1, 1, 0, 0);

CREATE TABLE journal (
  seq     INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  source  TEXT,
  payload BLOB    NOT NULL
) STRICT;

-- `fingerprint` holds the 64 bits as a signed number. `ended_at` is set once memory has let go of it.
CREATE TABLE alert (
  number      INTEGER PRIMARY KEY,
  is_live     INTEGER NOT NULL,
  is_firing   INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL,
  incident    INTEGER,
  ended_at    INTEGER,
  body        BLOB    NOT NULL
) STRICT;
-- Carries the fingerprint so that the search for a live one reads this small index alone: an index
-- led by the fingerprint would be in random order.
CREATE INDEX alert_live ON alert (number, fingerprint) WHERE is_live = 1;
CREATE INDEX alert_past ON alert (fingerprint, number) WHERE is_live = 0;
CREATE INDEX alert_ended ON alert (ended_at) WHERE is_live = 0;
CREATE INDEX alert_resolved ON alert (number) WHERE is_firing = 0;
CREATE INDEX alert_incident ON alert (incident, number) WHERE incident IS NOT NULL;

CREATE TABLE incident (
  id          INTEGER PRIMARY KEY,
  is_live     INTEGER NOT NULL,
  state       TEXT    NOT NULL,
  priority    TEXT    NOT NULL,
  opened_at   INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  merged_into INTEGER,
  body        BLOB    NOT NULL
) STRICT;
CREATE INDEX incident_live ON incident (id) WHERE is_live = 1;
CREATE INDEX incident_past ON incident (updated_at) WHERE is_live = 0;
CREATE INDEX incident_state ON incident (state, opened_at, id, priority);

-- `is_active` while somebody may still have to do something about it; its timeline stays as long.
CREATE TABLE problem (
  id         TEXT    PRIMARY KEY,
  is_active  INTEGER NOT NULL,
  state      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  body       TEXT    NOT NULL
) STRICT;
CREATE INDEX problem_state ON problem (state, created_at, id);

-- `finished_at` is absent exactly while the delivery is pending.
CREATE TABLE delivery (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL,
  incident    INTEGER NOT NULL,
  sink        TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  due_at      INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  finished_at INTEGER,
  body        TEXT    NOT NULL
) STRICT;
CREATE INDEX delivery_pending ON delivery (due_at, id) WHERE state = 'pending';
CREATE INDEX delivery_exhausted ON delivery (created_at, id) WHERE state = 'exhausted';
CREATE INDEX delivery_finished ON delivery (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX delivery_incident ON delivery (incident, id);
CREATE INDEX delivery_created ON delivery (created_at, id);

CREATE TABLE fact (
  kind  TEXT NOT NULL,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- A row holds the entries that one commit made about one incident, and is about one
-- alert at most; or one entry about a problem. It is found by the alert's number, which rises; only where the writer could not know
-- the number is it found by fingerprint. `at` is the time of the last entry.
CREATE TABLE timeline (
  seq               INTEGER PRIMARY KEY,
  at                INTEGER NOT NULL,
  incident          INTEGER,
  alert_number      INTEGER,
  alert_fingerprint INTEGER,
  problem           TEXT,
  body              TEXT    NOT NULL
) STRICT;
CREATE INDEX timeline_incident ON timeline (incident, seq) WHERE incident IS NOT NULL;
CREATE INDEX timeline_alert ON timeline (alert_number, seq) WHERE alert_number IS NOT NULL;
CREATE INDEX timeline_problem ON timeline (problem, seq) WHERE problem IS NOT NULL;
CREATE INDEX timeline_stray ON timeline (alert_fingerprint, seq) WHERE alert_fingerprint IS NOT NULL;

-- Only ever added to. `hash` seals the row and, through the hash of the row before, all before it.
CREATE TABLE audit (
  seq       INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  principal TEXT    NOT NULL,
  action    TEXT    NOT NULL,
  subject   TEXT    NOT NULL,
  outcome   TEXT    NOT NULL,
  hash      BLOB    NOT NULL
) STRICT;

CREATE TABLE quarantine (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  source TEXT    NOT NULL,
  reason TEXT    NOT NULL,
  body   BLOB    NOT NULL
) STRICT;
