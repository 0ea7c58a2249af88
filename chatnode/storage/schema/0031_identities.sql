-- Users whom the program vouches for that the node is mounted in, by what that calls them.
CREATE TABLE identities (
  key     INTEGER PRIMARY KEY,
  source  TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  person  INTEGER NOT NULL REFERENCES people (key),
  session INTEGER,                           -- of the devices of the person; it may have been signed out
  UNIQUE (source, name)
);
CREATE INDEX identities_person ON identities (person);
