-- Bots that users own, the slash commands of bots, and what users invoke: commands and buttons.
CREATE TABLE bots_owned (
  bot        INTEGER PRIMARY KEY REFERENCES people (key),
  owner      INTEGER NOT NULL REFERENCES people (key),
  created_at INTEGER NOT NULL,
  paused     INTEGER NOT NULL DEFAULT 0      -- 1: deactivated because its owner is
);
CREATE INDEX bots_owned_owner ON bots_owned (owner);

CREATE TABLE bots_commands (
  key   INTEGER PRIMARY KEY,
  bot   INTEGER NOT NULL REFERENCES people (key),
  name  TEXT    NOT NULL,
  about TEXT    NOT NULL,
  usage TEXT    NOT NULL,
  UNIQUE (bot, name)
);

-- Kept for a day, so that repeating one has the same answer. Keys are never used again, as rows of the log refer to them.
CREATE TABLE bots_invocations (
  key           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT    NOT NULL UNIQUE,                   -- computed from person and cid
  person        INTEGER NOT NULL REFERENCES people (key),
  bot           INTEGER REFERENCES people (key),           -- NULL: a command of a plugin
  plugin        TEXT,
  conversation  INTEGER NOT NULL REFERENCES conversations (key),
  message       INTEGER REFERENCES messages (key),         -- of a button; NULL: a slash command
  command       TEXT    NOT NULL,                          -- name of the command, or id of the button
  said          TEXT    NOT NULL,                          -- the whole text of a slash command
  at            INTEGER NOT NULL,
  fresh_until   INTEGER NOT NULL,                          -- the bot is told of it until then,
  answers_until INTEGER NOT NULL,                          -- and may answer until then
  due_at        INTEGER,                                   -- when the user is told that there is no answer
  replies       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX bots_invocations_person ON bots_invocations (person);
CREATE INDEX bots_invocations_bot ON bots_invocations (bot) WHERE bot IS NOT NULL;
CREATE INDEX bots_invocations_message ON bots_invocations (message) WHERE message IS NOT NULL;
CREATE INDEX bots_invocations_at ON bots_invocations (at);
CREATE INDEX bots_invocations_due ON bots_invocations (due_at) WHERE due_at IS NOT NULL;

-- Texts for one user, kept for a day.
CREATE TABLE bots_notices (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT    NOT NULL UNIQUE,
  person       INTEGER NOT NULL REFERENCES people (key),
  conversation INTEGER NOT NULL REFERENCES conversations (key),
  bot          INTEGER REFERENCES people (key),
  plugin       TEXT,
  invocation   TEXT,
  status       TEXT,                                       -- working, unanswered; NULL: an answer
  text         TEXT    NOT NULL,
  at           INTEGER NOT NULL
);
CREATE INDEX bots_notices_person ON bots_notices (person);
CREATE INDEX bots_notices_bot ON bots_notices (bot) WHERE bot IS NOT NULL;
CREATE INDEX bots_notices_at ON bots_notices (at);

INSERT INTO role_permissions (role, permission)
  SELECT 'admin', 'bots.make' WHERE EXISTS (SELECT 1 FROM role_permissions)
  ON CONFLICT DO NOTHING;
