-- Lists and tags that contacts were taken off, and since when they had been on them, for timelines. Kept as long as the
-- journal.
CREATE TABLE crm_removals (
  key      INTEGER PRIMARY KEY,
  contact  INTEGER NOT NULL,
  kind     TEXT NOT NULL,   -- list, tag
  of       INTEGER NOT NULL, -- its key; it may be deleted by now
  added_at INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  actor    INTEGER
);
CREATE INDEX crm_removals_contact ON crm_removals (contact, at);
CREATE INDEX crm_removals_at ON crm_removals (at);
