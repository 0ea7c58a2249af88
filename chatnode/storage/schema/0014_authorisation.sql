-- Fast lookup of owners; search text of public groups; hashes of messages that plugins changed; marks at a block.

CREATE INDEX members_owner ON members (conversation) WHERE role = 'owner' AND left_gid IS NULL;

-- Title and description, folded, one line each.
ALTER TABLE conversations ADD COLUMN found_by TEXT NOT NULL DEFAULT '';
UPDATE conversations SET found_by = folded(title) || char(10) || folded(description);

-- Hash of what the client sent, if a plugin changed the text: tells a repeat from another message with the same cid.
ALTER TABLE messages ADD COLUMN sent BLOB;

-- Marks of a member at the time they blocked another: the blocked user sees these and nothing later.
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
