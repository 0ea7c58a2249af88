-- Durable work of plugins: what is to be done, how far it is, and how it ended. Keys are never used again, as rows of
-- the log refer to them.
CREATE TABLE work (
  key         INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL,                      -- <plugin>.<name>
  title       TEXT NOT NULL,
  owner       INTEGER REFERENCES people (key),    -- NULL: nobody's, the plugin's own
  resource    TEXT,                               -- of the works with the same resource, one runs at a time
  arguments   TEXT NOT NULL,                      -- JSON
  state       TEXT,                               -- JSON: the checkpoint, NULL before the first
  status      TEXT NOT NULL,                      -- waiting, running, paused, done, failed, cancelled
  done        INTEGER NOT NULL DEFAULT 0,
  total       INTEGER,
  rate        REAL,                               -- done per second, of late
  failures    INTEGER NOT NULL DEFAULT 0,         -- attempts that failed
  interrupted INTEGER NOT NULL DEFAULT 0,         -- how often the node died in it since its last progress
  not_before  INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  started_at  INTEGER,                            -- when it ran for the first time
  ended_at    INTEGER,                            -- when it was done, had failed or was cancelled
  result      TEXT,                               -- JSON
  error       TEXT                                -- why the last attempt failed
);
CREATE INDEX work_owner ON work (owner, key) WHERE owner IS NOT NULL;
CREATE INDEX work_status ON work (status, not_before, key);
CREATE INDEX work_ended ON work (ended_at) WHERE ended_at IS NOT NULL;
