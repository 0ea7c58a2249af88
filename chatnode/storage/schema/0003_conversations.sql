-- What a conversation is for, closing it, counts; settings per person; blocks and reports.

ALTER TABLE conversations ADD COLUMN purpose TEXT NOT NULL DEFAULT 'general' CHECK (purpose IN ('general', 'support'));
ALTER TABLE conversations ADD COLUMN context_type TEXT;    -- a thing of the embedder's that it is about
ALTER TABLE conversations ADD COLUMN context_id TEXT;
ALTER TABLE conversations ADD COLUMN created_by INTEGER;
ALTER TABLE conversations ADD COLUMN closed_at INTEGER;
ALTER TABLE conversations ADD COLUMN closed_reason TEXT
  CHECK (closed_reason IN ('completed', 'manual', 'blocked', 'inactive'));
ALTER TABLE conversations ADD COLUMN closed_by INTEGER;
ALTER TABLE conversations ADD COLUMN idle_days INTEGER;    -- closed after so many days without a message
ALTER TABLE conversations ADD COLUMN retention_days INTEGER;  -- messages are removed after so many days
ALTER TABLE conversations ADD COLUMN last_at INTEGER;      -- time of the newest message
ALTER TABLE conversations ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;  -- without those that were deleted
ALTER TABLE conversations ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;     -- messages up to here were removed
CREATE INDEX conversations_context ON conversations (context_type, context_id) WHERE context_type IS NOT NULL;
CREATE INDEX conversations_support ON conversations (id) WHERE purpose = 'support';
CREATE INDEX conversations_idle ON conversations (last_at) WHERE idle_days IS NOT NULL AND closed_at IS NULL;
CREATE INDEX conversations_closed ON conversations (closed_at) WHERE closed_at IS NOT NULL;

UPDATE conversations SET
  messages = (SELECT count(*) FROM messages m WHERE m.conversation = conversations.key AND m.deleted_at IS NULL),
  last_at = (SELECT at FROM messages m WHERE m.conversation = conversations.key AND m.seq = conversations.head),
  created_by = (SELECT person FROM members m WHERE m.conversation = conversations.key AND m.role = 'owner' LIMIT 1);

-- How far a participant has read, as others see it: stays behind while they hide it.
ALTER TABLE members ADD COLUMN shown_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN hides_receipts INTEGER NOT NULL DEFAULT 0;
UPDATE members SET shown_seq = read_seq;

-- A person's own settings of a conversation; no row: all as by default.
CREATE TABLE conversation_settings (
  person       INTEGER NOT NULL REFERENCES people (key),
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  muted_until  INTEGER,                       -- milliseconds; 253402300799999 is for ever
  notify       TEXT NOT NULL DEFAULT 'all' CHECK (notify IN ('all', 'mentions', 'none')),
  desktop      INTEGER NOT NULL DEFAULT 1,
  mobile       INTEGER NOT NULL DEFAULT 1,
  sounds       INTEGER NOT NULL DEFAULT 1,
  starred      INTEGER NOT NULL DEFAULT 0,
  archived     INTEGER NOT NULL DEFAULT 0,
  colour       TEXT CHECK (colour IN ('red', 'orange', 'yellow', 'green', 'blue', 'purple')),
  label        TEXT,
  PRIMARY KEY (person, conversation)
) WITHOUT ROWID;

CREATE TABLE blocks (
  person  INTEGER NOT NULL REFERENCES people (key),
  blocked INTEGER NOT NULL REFERENCES people (key),
  at      INTEGER NOT NULL,
  PRIMARY KEY (person, blocked)
) WITHOUT ROWID;
CREATE INDEX blocks_blocked ON blocks (blocked);

CREATE TABLE reports (
  key         INTEGER PRIMARY KEY AUTOINCREMENT,
  message     INTEGER NOT NULL REFERENCES messages (key),
  reporter    INTEGER NOT NULL REFERENCES people (key),
  reason      TEXT NOT NULL,
  note        TEXT NOT NULL DEFAULT '',
  at          INTEGER NOT NULL,
  resolved_at INTEGER,
  resolved_by INTEGER REFERENCES people (key),
  resolution  TEXT,
  UNIQUE (message, reporter)
);
CREATE INDEX reports_open ON reports (key) WHERE resolved_at IS NULL;
