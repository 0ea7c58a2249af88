-- Imported authors who are being handed over to users: goes on from here after a restart.
CREATE TABLE adoptions (
  author INTEGER PRIMARY KEY REFERENCES people (key),
  person INTEGER NOT NULL REFERENCES people (key),
  upto   INTEGER NOT NULL DEFAULT 0     -- messages.key: messages up to here are moved
);
CREATE TABLE adoption_conversations (
  author       INTEGER NOT NULL REFERENCES people (key),
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  PRIMARY KEY (author, conversation)
) WITHOUT ROWID;
