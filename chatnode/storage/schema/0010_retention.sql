-- Conversations that were closed long ago, and receipts of what was removed.

ALTER TABLE conversations ADD COLUMN inactive_at INTEGER;   -- left out of every inbox; opening it again undoes that

CREATE TABLE removals (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  at           INTEGER NOT NULL,
  rule         TEXT NOT NULL,
  conversation TEXT NOT NULL,      -- public id
  days         INTEGER NOT NULL,   -- what the rule said
  upto         INTEGER NOT NULL,   -- messages with a seq up to here are gone
  counts       TEXT NOT NULL,      -- JSON object: rows by table
  probes       INTEGER,            -- texts that were looked for in the files afterwards, NULL: not yet
  traces       INTEGER,            -- and found there
  proved_at    INTEGER
);
