-- What was imported: who its authors are here, and which of its messages were ever brought in.

-- Names elsewhere, as the importer compares them, and the accounts that stand for them here.
CREATE TABLE import_authors (
  source TEXT NOT NULL,
  name   TEXT NOT NULL,
  person INTEGER NOT NULL REFERENCES people (key),
  PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE INDEX import_authors_person ON import_authors (person);

-- Of the names of people who were erased here: a hash, keyed with the person's id.
CREATE TABLE import_erased_authors (
  source TEXT NOT NULL,
  hash   TEXT NOT NULL,
  person INTEGER NOT NULL REFERENCES people (key),
  PRIMARY KEY (source, hash)
) WITHOUT ROWID;

-- Every message that was ever imported, by the hash of its id elsewhere, keyed with the node's `import_key`. A row stays
-- when the message goes, however it went, so that importing it again does not bring it back.
CREATE TABLE imported (
  hash         BLOB NOT NULL,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  PRIMARY KEY (hash, conversation)
) WITHOUT ROWID;

INSERT INTO node (key, value) VALUES ('import_key', lower(hex(randomblob(32))));

INSERT INTO import_authors (source, name, person)
  SELECT source, source_name, key FROM people
  WHERE source IS NOT NULL AND source <> 'irc' AND source_name IS NOT NULL AND erased_at IS NULL;
-- IRC does not tell nicks apart by case, and {}|~ are small []\^.
INSERT OR IGNORE INTO import_authors (source, name, person)
  SELECT source, replace(replace(replace(replace(lower(source_name), '[', '{'), ']', '}'), '\', '|'), '^', '~'), key
  FROM people WHERE source = 'irc' AND source_name IS NOT NULL AND erased_at IS NULL ORDER BY key;
INSERT INTO import_erased_authors (source, hash, person)
  SELECT source, substr(source_name, 8), key FROM people
  WHERE source IS NOT NULL AND source_name LIKE 'erased:%' AND erased_at IS NOT NULL;

INSERT OR IGNORE INTO imported (hash, conversation, seq)
  SELECT keyed_hash((SELECT value FROM node WHERE key = 'import_key'), c.source, m.cid), m.conversation, m.seq
  FROM messages m JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.sender
  WHERE c.source IS NOT NULL AND p.source IS NOT NULL ORDER BY m.key;

-- An account that a user was given a way into is that user's own.
UPDATE people SET source = NULL WHERE source IS NOT NULL AND erased_at IS NULL
  AND (password IS NOT NULL OR key IN (SELECT person FROM sessions) OR key IN (SELECT person FROM password_resets));
UPDATE people SET source_name = NULL;

-- Authors elsewhere are no participants.
DELETE FROM members WHERE person IN (SELECT key FROM people WHERE source IS NOT NULL)
  AND conversation IN (SELECT key FROM conversations WHERE source IS NOT NULL);

-- A reply stays in its conversation.
UPDATE messages SET reply_to = NULL WHERE reply_to IN (
  SELECT m.reply_to FROM messages m JOIN messages r ON r.id = m.reply_to WHERE r.conversation <> m.conversation)
  AND NOT EXISTS (SELECT 1 FROM messages r WHERE r.id = messages.reply_to AND r.conversation = messages.conversation);
