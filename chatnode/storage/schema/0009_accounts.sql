-- Links to set a new password, erasing an account step by step, the audit log by target.

CREATE TABLE password_resets (
  code_hash  BLOB PRIMARY KEY,
  person     INTEGER NOT NULL UNIQUE REFERENCES people (key),  -- a new link replaces the one before
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- An erasure that is under way: goes on from here after a restart.
CREATE TABLE erasures (
  person INTEGER PRIMARY KEY REFERENCES people (key),
  upto   INTEGER NOT NULL DEFAULT 0,    -- messages.key: messages up to here are done
  counts TEXT NOT NULL DEFAULT '{}'     -- JSON object: table → rows
);
-- Conversations in which the person said something, found on the way.
CREATE TABLE erasure_conversations (
  person       INTEGER NOT NULL REFERENCES people (key),
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  PRIMARY KEY (person, conversation)
) WITHOUT ROWID;

CREATE INDEX audit_target ON audit (target, key);
