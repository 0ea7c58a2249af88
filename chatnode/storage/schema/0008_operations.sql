-- What the node does by itself, and how it went the last time.
CREATE TABLE jobs (
  name     TEXT PRIMARY KEY,
  at       INTEGER NOT NULL,             -- when the last run began
  seconds  REAL NOT NULL,                -- how long it took
  ok       INTEGER NOT NULL,
  result   TEXT NOT NULL,                -- what it did, or why it failed
  runs     INTEGER NOT NULL,
  failures INTEGER NOT NULL
) WITHOUT ROWID;
