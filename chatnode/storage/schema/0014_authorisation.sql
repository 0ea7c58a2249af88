-- Who owns a group, at once; what public groups are found by; that a plugin changed a message before it was stored.

CREATE INDEX members_owner ON members (conversation) WHERE role = 'owner' AND left_gid IS NULL;

-- Title and description as `caseless` has them, a line each.
ALTER TABLE conversations ADD COLUMN found_by TEXT NOT NULL DEFAULT '';
UPDATE conversations SET found_by = caseless(title || char(10) || description);

-- A hash of what was sent, where a plugin made something else of it: so the same `cid` again is known to be the same.
ALTER TABLE messages ADD COLUMN sent BLOB;

-- How far somebody had got in a conversation when they blocked another: more than that the other does not learn.
CREATE TABLE block_marks (
  person        INTEGER NOT NULL REFERENCES people (key),
  blocked       INTEGER NOT NULL REFERENCES people (key),
  conversation  INTEGER NOT NULL REFERENCES conversations (key),
  delivered_seq INTEGER NOT NULL,
  shown_seq     INTEGER NOT NULL,
  PRIMARY KEY (person, blocked, conversation)
) WITHOUT ROWID;
CREATE INDEX block_marks_blocked ON block_marks (blocked);
INSERT INTO block_marks
  SELECT b.person, b.blocked, m.conversation, m.delivered_seq, m.shown_seq FROM blocks b
  JOIN members m ON m.person = b.person JOIN members o ON o.conversation = m.conversation AND o.person = b.blocked
  WHERE b.person <> b.blocked;
