-- Titles and bodies are made from the tables when they are sent, so what is erased is nowhere. Only what
-- `notifications.send` was given is stored here.

-- What a user has chosen; without a row, the defaults.
CREATE TABLE notifications_people (
  person                INTEGER PRIMARY KEY REFERENCES people (key) ON DELETE CASCADE,
  zone                  TEXT,                     -- IANA name; null: UTC
  quiet                 TEXT,                     -- JSON: [{"begins": "22:00", "ends": "07:00", "days": ["monday", …]}, …]
  paused_until          INTEGER,
  content               TEXT    NOT NULL DEFAULT 'full',   -- full, sender, nothing
  threads               INTEGER NOT NULL DEFAULT 1,
  replies               INTEGER NOT NULL DEFAULT 1,
  mentions_through_mute INTEGER NOT NULL DEFAULT 0,
  mail                  TEXT    NOT NULL DEFAULT 'off',    -- off, instant, digest
  digest                TEXT,                     -- JSON: {"every": "daily", "at": "08:00", "weekday": "monday"}
  next_digest_at        INTEGER,
  language              TEXT
);
CREATE INDEX notifications_people_mail ON notifications_people (person) WHERE mail <> 'off';

-- Devices and addresses that alerts go to.
CREATE TABLE notifications_registrations (
  key           INTEGER PRIMARY KEY,
  id            TEXT    NOT NULL UNIQUE,
  person        INTEGER NOT NULL REFERENCES people (key) ON DELETE CASCADE,
  session       INTEGER,
  transport     TEXT    NOT NULL,                 -- webpush, unifiedpush, ntfy, webhook, desktop
  address       TEXT    NOT NULL,
  keys          TEXT,                             -- JSON: secrets of the device
  label         TEXT    NOT NULL,
  content       TEXT,
  state         TEXT    NOT NULL DEFAULT 'active',  -- active, failing, suspended, gone
  failing_since INTEGER,
  last_ok_at    INTEGER,
  last_error    TEXT,
  vapid         TEXT,
  created_at    INTEGER NOT NULL,
  UNIQUE (transport, address)
);
CREATE INDEX notifications_registrations_person ON notifications_registrations (person);

-- What is decided and not yet due: one per user and conversation.
CREATE TABLE notifications_bundles (
  key          INTEGER PRIMARY KEY,
  person       INTEGER NOT NULL,
  conversation INTEGER NOT NULL,
  first_seq    INTEGER NOT NULL,
  last_seq     INTEGER NOT NULL,
  last_gid     INTEGER NOT NULL,
  count        INTEGER NOT NULL,
  messages     TEXT    NOT NULL,                  -- the newest of them: "<seq>:<reason>,…"
  level        INTEGER NOT NULL,                  -- 1 ordinary, 2 system, 3 everyone, 4 personal
  due_at       INTEGER NOT NULL,
  made_at      INTEGER NOT NULL,
  UNIQUE (person, conversation)
);
CREATE INDEX notifications_bundles_due ON notifications_bundles (due_at);

-- Messages that are still to be judged for a part of the many users who may be notified.
CREATE TABLE notifications_fanouts (
  key          INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  messages     TEXT    NOT NULL,                  -- JSON: [[gid, seq, sender, at], …]
  above        INTEGER NOT NULL DEFAULT 0,        -- done for users with keys up to here
  made_at      INTEGER NOT NULL
);

-- What a user was notified of. The key is the gid of the event that says so, and never used again.
CREATE TABLE notifications_items (
  key          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,
  person       INTEGER NOT NULL,
  conversation INTEGER,
  message      INTEGER,                           -- the newest message that it tells of
  sender       INTEGER,
  kind         TEXT    NOT NULL,                  -- message, mention, reply, thread, system
  first_seq    INTEGER,
  last_seq     INTEGER,                           -- of `message`
  last_gid     INTEGER NOT NULL DEFAULT 0,
  count        INTEGER NOT NULL,
  personal     INTEGER NOT NULL,
  reason       TEXT    NOT NULL,                  -- mention, reply, thread, direct, everyone, system, ordinary
  title        TEXT,                              -- of notifications.send only
  body         TEXT,
  url          TEXT,
  created_at   INTEGER NOT NULL,
  due_at       INTEGER,                           -- of notifications.send, until it is handed to the transports
  read_at      INTEGER,
  mailed_at    INTEGER
);
CREATE INDEX notifications_items_person ON notifications_items (person, key);
CREATE INDEX notifications_items_unread ON notifications_items (person, conversation) WHERE read_at IS NULL;
CREATE INDEX notifications_items_newest ON notifications_items (person, conversation, created_at);
CREATE INDEX notifications_items_message ON notifications_items (message);
CREATE INDEX notifications_items_sender ON notifications_items (sender);
CREATE INDEX notifications_items_conversation ON notifications_items (conversation);
CREATE INDEX notifications_items_due ON notifications_items (due_at) WHERE due_at IS NOT NULL;

-- An item on its way to a registration.
CREATE TABLE notifications_deliveries (
  key          INTEGER PRIMARY KEY,
  item         INTEGER NOT NULL,
  registration INTEGER NOT NULL,
  state        TEXT    NOT NULL DEFAULT 'pending',  -- pending, sent, failed, bounced, suppressed, expired
  attempts     INTEGER NOT NULL DEFAULT 0,
  due_at       INTEGER NOT NULL,
  tried_at     INTEGER,
  sent_at      INTEGER,
  status       INTEGER,
  error        TEXT,
  UNIQUE (item, registration)
);
CREATE INDEX notifications_deliveries_due ON notifications_deliveries (due_at) WHERE state = 'pending';
CREATE INDEX notifications_deliveries_registration ON notifications_deliveries (registration);

CREATE TRIGGER notifications_items_gone AFTER DELETE ON notifications_items BEGIN
  DELETE FROM notifications_deliveries WHERE item = old.key;
END;

CREATE TABLE notifications_keys (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
