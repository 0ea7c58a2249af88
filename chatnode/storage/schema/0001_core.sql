-- The core's tables. `key` columns are SQLite's own row numbers: short, local, never sent to anybody.
-- `id` columns are the public ids. Times (`…_at`, `at`) are milliseconds since 1970, UTC.

CREATE TABLE node (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE role_permissions (
  role       TEXT NOT NULL,
  permission TEXT NOT NULL,
  PRIMARY KEY (role, permission)
) WITHOUT ROWID;

CREATE TABLE people (
  key           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  handle        TEXT NOT NULL UNIQUE,   -- lower case
  name          TEXT NOT NULL,
  avatar        TEXT,
  role          TEXT NOT NULL,
  password      TEXT,                   -- argon2id; NULL: no password, tokens only
  created_at    INTEGER NOT NULL,
  source        TEXT,                   -- came with an import: where from,
  source_name   TEXT,                   -- and the name there
  UNIQUE (source, source_name)
);

-- Signed-in devices and API tokens. Only the SHA-256 of a token is kept.
CREATE TABLE sessions (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  person       INTEGER NOT NULL REFERENCES people (key),
  kind         TEXT NOT NULL CHECK (kind IN ('device', 'token')),
  label        TEXT NOT NULL,
  token_hash   BLOB NOT NULL UNIQUE,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER
);
CREATE INDEX sessions_person ON sessions (person);

CREATE TABLE invites (
  key        INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL CHECK (kind IN ('member', 'setup')),
  code_hash  BLOB NOT NULL UNIQUE,
  created_by INTEGER REFERENCES people (key),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  uses_left  INTEGER NOT NULL
);
CREATE TABLE invite_conversations (
  invite       INTEGER NOT NULL REFERENCES invites (key) ON DELETE CASCADE,
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  PRIMARY KEY (invite, conversation)
) WITHOUT ROWID;

CREATE TABLE conversations (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL CHECK (kind IN ('direct', 'group')),
  title       TEXT NOT NULL,
  description TEXT NOT NULL,
  visibility  TEXT NOT NULL CHECK (visibility IN ('private', 'public')),
  history     TEXT NOT NULL CHECK (history IN ('all', 'since_joining')),
  created_at  INTEGER NOT NULL,
  head        INTEGER NOT NULL DEFAULT 0,   -- seq of the newest message; never goes back
  activity    INTEGER NOT NULL DEFAULT 0,   -- gid of the newest message, or of the opening
  auto_join   INTEGER NOT NULL DEFAULT 0,   -- 1: everybody who gets an account takes part
  source      TEXT,                         -- came with an import: where from,
  source_key  TEXT,                         -- and its key there
  UNIQUE (source, source_key)
);
CREATE INDEX conversations_public ON conversations (id) WHERE visibility = 'public';

-- Participants, and those who were. left_gid is NULL while they take part.
CREATE TABLE members (
  conversation  INTEGER NOT NULL REFERENCES conversations (key),
  person        INTEGER NOT NULL REFERENCES people (key),
  role          TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
  joined_at     INTEGER NOT NULL,
  joined_gid    INTEGER NOT NULL,
  left_gid      INTEGER,
  first         INTEGER NOT NULL DEFAULT 1,  -- lowest seq they may see
  read_seq      INTEGER NOT NULL DEFAULT 0,
  delivered_seq INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation, person)
) WITHOUT ROWID;
CREATE INDEX members_person ON members (person, conversation);

CREATE TABLE messages (
  key          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,         -- computed from sender and cid: makes a send idempotent
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  seq          INTEGER NOT NULL,
  gid          INTEGER NOT NULL,
  sender       INTEGER NOT NULL REFERENCES people (key),
  cid          TEXT NOT NULL,
  text         TEXT NOT NULL,
  at           INTEGER NOT NULL,
  reply_to     TEXT,                         -- id of a message of the same conversation
  mentions     TEXT,                         -- JSON list of ids of the people named
  metadata     TEXT,                         -- JSON object
  edited_at    INTEGER,
  deleted_at   INTEGER,
  UNIQUE (conversation, seq)
);

CREATE TABLE mentions (
  person       INTEGER NOT NULL,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  PRIMARY KEY (person, conversation, seq)
) WITHOUT ROWID;

-- Each advance of a mark. A message's time for a reader is that of the first advance at or above its seq.
CREATE TABLE receipts (
  conversation INTEGER NOT NULL,
  person       INTEGER NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('read', 'delivered')),
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (conversation, person, kind, seq)
) WITHOUT ROWID;

-- Every durable change, in commit order. Rows name things and hold no text. Its newest row is never removed:
-- the next gid follows from it.
CREATE TABLE log (
  gid          INTEGER PRIMARY KEY,
  conversation INTEGER,
  person       INTEGER,
  kind         TEXT NOT NULL,
  subject      INTEGER NOT NULL,
  actor        INTEGER,
  at           INTEGER NOT NULL
);
-- Posts are found by way of their messages, whose gids rise with seq: no second index is kept for them.
CREATE INDEX log_conversation ON log (conversation, gid)
  WHERE conversation IS NOT NULL AND kind <> 'message.posted';
CREATE INDEX log_person ON log (person, gid) WHERE person IS NOT NULL;

-- Readers of events that concern several people and no conversation.
CREATE TABLE log_audience (
  person INTEGER NOT NULL,
  gid    INTEGER NOT NULL,
  PRIMARY KEY (person, gid)
) WITHOUT ROWID;
