-- When people were last active, what they say of themselves, and, where it is kept, how that changed.
-- Who is online is nowhere here: it follows from the live sessions.

CREATE TABLE presence (
  person    INTEGER PRIMARY KEY REFERENCES people (key),
  active_at INTEGER,                       -- written in batches
  text      TEXT,
  emoji     TEXT,
  until     INTEGER,                       -- the status ends by itself; NULL: it does not
  version   INTEGER NOT NULL DEFAULT 0,    -- counts the changes of what follows here or stands above, but for active_at
  hidden    INTEGER NOT NULL DEFAULT 0     -- 1: nobody else is told anything
);
CREATE INDEX presence_marked ON presence (person) WHERE text IS NOT NULL OR emoji IS NOT NULL OR hidden = 1;

CREATE TABLE presence_history (
  key    INTEGER PRIMARY KEY AUTOINCREMENT,
  person INTEGER NOT NULL REFERENCES people (key),
  at     INTEGER NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('online', 'offline', 'status')),
  text   TEXT,
  emoji  TEXT
);
CREATE INDEX presence_history_person ON presence_history (person, key);
CREATE INDEX presence_history_at ON presence_history (at);
