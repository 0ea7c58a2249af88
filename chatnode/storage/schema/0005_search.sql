-- The index of messages' words. Each shard is a stretch of the log with a full-text table of its own,
-- search_words_<number>, so that one can be made anew without the others: only then is a removed word really gone.

CREATE TABLE search_state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  gid INTEGER NOT NULL,   -- messages up to here are in the shards
  key INTEGER NOT NULL    -- of the last of them, to go on from
);
INSERT INTO search_state VALUES (1, 0, 0);

CREATE TABLE search_shards (
  number   INTEGER PRIMARY KEY AUTOINCREMENT,
  above    INTEGER NOT NULL,             -- holds messages with gids above this,
  upto     INTEGER NOT NULL,             -- up to this
  messages INTEGER NOT NULL DEFAULT 0,
  made     INTEGER NOT NULL DEFAULT 1    -- 0: being made anew, not searched yet
);

-- Messages that changed or went since their shard was made. A search looks at them themselves.
CREATE TABLE search_changed (
  serial  INTEGER PRIMARY KEY AUTOINCREMENT,
  message INTEGER NOT NULL,              -- key
  gid     INTEGER NOT NULL,
  at      INTEGER NOT NULL               -- seconds since 1970
);
CREATE INDEX search_changed_gid ON search_changed (gid);

CREATE TRIGGER search_message_changed
AFTER UPDATE OF text, content, sender, reply_to, mentions, kind, edited_at, deleted_at ON messages
WHEN old.gid <= (SELECT gid FROM search_state)
BEGIN
  INSERT INTO search_changed (message, gid, at) VALUES (old.key, old.gid, unixepoch());
END;

CREATE TRIGGER search_message_removed
AFTER DELETE ON messages
WHEN old.gid <= (SELECT gid FROM search_state)
BEGIN
  INSERT INTO search_changed (message, gid, at) VALUES (old.key, old.gid, unixepoch());
END;
