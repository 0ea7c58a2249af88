-- Kinds of messages, edits, deletion for all, threads, pins.

ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'text'
  CHECK (kind IN ('text', 'image', 'file', 'location', 'system'));
ALTER TABLE messages ADD COLUMN content TEXT;              -- JSON object: what a kind other than text carries
ALTER TABLE messages ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN deleted_by INTEGER;
ALTER TABLE messages ADD COLUMN deleted_reason TEXT;
ALTER TABLE messages ADD COLUMN thread INTEGER;            -- seq of the message that the thread hangs on
ALTER TABLE messages ADD COLUMN replies INTEGER NOT NULL DEFAULT 0;  -- in the thread that hangs on this one
ALTER TABLE messages ADD COLUMN pinned_at INTEGER;
ALTER TABLE messages ADD COLUMN pinned_by INTEGER;
CREATE INDEX messages_thread ON messages (conversation, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX messages_pinned ON messages (conversation, pinned_at) WHERE pinned_at IS NOT NULL;

-- What an edited message said before: version 1 is what was posted. Goes when the message is deleted.
CREATE TABLE message_edits (
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  text         TEXT NOT NULL,
  at           INTEGER NOT NULL,   -- since when it said so
  PRIMARY KEY (conversation, seq, version)
) WITHOUT ROWID;

-- mentions.person 0 stands for everyone who took part.
