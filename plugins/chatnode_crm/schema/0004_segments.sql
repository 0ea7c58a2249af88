-- Up to where the members of dynamic lists are what their filters match. A list without a row is still to be checked.
CREATE TABLE crm_segments (
  list        INTEGER PRIMARY KEY,
  checked_at  INTEGER NOT NULL,
  checked_gid INTEGER NOT NULL, -- changes up to this event are in the members
  epoch       TEXT NOT NULL     -- of that gid
);
