-- Whom people keep as contacts. `owner` keeps `contact`; each side has a row of its own. Keys are those of people.

CREATE TABLE contacts_entries (
  key           INTEGER PRIMARY KEY,
  owner         INTEGER NOT NULL REFERENCES people (key),
  contact       INTEGER NOT NULL REFERENCES people (key),
  added_at      INTEGER NOT NULL,            -- the first time; removing and adding again does not change it
  removed_at    INTEGER,                     -- not in the list any more; what the owner wrote is gone
  favourite     INTEGER NOT NULL DEFAULT 0,
  nickname      TEXT,
  number        TEXT,
  note          TEXT,
  groups        TEXT,                        -- JSON list of names, as is `tags`; contacts_labels has them one by one
  tags          TEXT,
  interacted_at INTEGER NOT NULL DEFAULT 0,  -- the newest message between the two; 0: none
  rank          INTEGER NOT NULL DEFAULT 0,  -- how much they talk, as a time: interactions.py says how; 0: never
  counted_gid   INTEGER NOT NULL DEFAULT 0,  -- messages up to it are in the rank
  sort_name     TEXT NOT NULL,               -- what follows is derived (words.py): nickname or name;
  called        TEXT NOT NULL,               -- the person's name and handle;
  words         TEXT NOT NULL,               -- nickname and number, and the number's digits
  UNIQUE (owner, contact)
);
CREATE INDEX contacts_entries_contact ON contacts_entries (contact);
CREATE INDEX contacts_entries_recent ON contacts_entries (owner, interacted_at, contact) WHERE removed_at IS NULL;
CREATE INDEX contacts_entries_rank ON contacts_entries (owner, rank, contact) WHERE removed_at IS NULL;
CREATE INDEX contacts_entries_name ON contacts_entries (owner, sort_name, contact) WHERE removed_at IS NULL;
CREATE INDEX contacts_entries_added ON contacts_entries (owner, added_at, contact) WHERE removed_at IS NULL;

-- The groups and tags of entries, one by one.
CREATE TABLE contacts_labels (
  owner   INTEGER NOT NULL REFERENCES people (key),
  contact INTEGER NOT NULL REFERENCES people (key),
  kind    TEXT NOT NULL CHECK (kind IN ('group', 'tag')),
  name    TEXT NOT NULL,
  folded  TEXT NOT NULL,                     -- the name without case: by it two are the same
  UNIQUE (owner, kind, folded, contact)
);
CREATE INDEX contacts_labels_contact ON contacts_labels (contact);

-- Who has asked whom. What was accepted or withdrawn is not kept; what was declined is, until it may be asked again.
CREATE TABLE contacts_requests (
  key         INTEGER PRIMARY KEY AUTOINCREMENT,
  sender      INTEGER NOT NULL REFERENCES people (key),
  receiver    INTEGER NOT NULL REFERENCES people (key),
  note        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  declined_at INTEGER,
  UNIQUE (sender, receiver)
);
CREATE INDEX contacts_requests_sent ON contacts_requests (sender, key);
CREATE INDEX contacts_requests_received ON contacts_requests (receiver, key);
CREATE INDEX contacts_requests_declined ON contacts_requests (declined_at) WHERE declined_at IS NOT NULL;
