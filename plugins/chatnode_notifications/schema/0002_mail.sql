-- Users' addresses for mail. A user has up to two: one that is used, and one whose code the user has not typed yet.
CREATE TABLE notifications_mailboxes (
  key         INTEGER PRIMARY KEY,
  person      INTEGER NOT NULL REFERENCES people (key) ON DELETE CASCADE,
  address     TEXT    NOT NULL,
  state       TEXT    NOT NULL,                   -- pending, active, bounced
  added_at    INTEGER NOT NULL,
  verified_at INTEGER,
  since       INTEGER,                            -- mails tell of items from here on
  code        TEXT,                               -- keyed hash of the code that was sent
  code_until  INTEGER,
  code_tries  INTEGER NOT NULL DEFAULT 0,
  last_ok_at  INTEGER,
  failures    INTEGER NOT NULL DEFAULT 0,         -- final refusals since the last success
  last_error  TEXT,
  UNIQUE (person, address)
);

-- Codes that were sent, for a day: so that nobody is flooded with them.
CREATE TABLE notifications_mail_codes (
  key     INTEGER PRIMARY KEY,
  person  INTEGER NOT NULL,
  address TEXT    NOT NULL,
  at      INTEGER NOT NULL
);
CREATE INDEX notifications_mail_codes_person ON notifications_mail_codes (person);
CREATE INDEX notifications_mail_codes_address ON notifications_mail_codes (address);

-- Mails that are to be sent or were sent; their words are made when they are. `id` is in the Message-ID.
CREATE TABLE notifications_mails (
  key      INTEGER PRIMARY KEY,
  id       TEXT    NOT NULL UNIQUE,
  person   INTEGER NOT NULL,
  kind     TEXT    NOT NULL,                      -- instant, digest, notice
  address  TEXT,                                  -- of a notice; others go to the user's mailbox
  slot     TEXT,                                  -- of a digest: its local hour, day or week
  state    TEXT    NOT NULL DEFAULT 'pending',    -- pending, sent, failed, bounced, suppressed, expired
  attempts INTEGER NOT NULL DEFAULT 0,
  made_at  INTEGER NOT NULL,
  due_at   INTEGER NOT NULL,
  tried_at INTEGER,
  ended_at INTEGER,
  code     TEXT,                                  -- of the server's last reply
  error    TEXT,
  UNIQUE (person, slot)
);
CREATE INDEX notifications_mails_due ON notifications_mails (due_at) WHERE state = 'pending';
CREATE INDEX notifications_mails_ended ON notifications_mails (ended_at) WHERE state <> 'pending';

-- Items that wait for an instant mail, and those that a mail tells of.
CREATE TABLE notifications_mail_items (
  item         INTEGER PRIMARY KEY,
  person       INTEGER NOT NULL,
  conversation INTEGER NOT NULL,                  -- 0: none
  mail         INTEGER,                           -- null while it waits
  first_at     INTEGER NOT NULL,                  -- of the oldest item of the conversation that waits with it
  last_at      INTEGER NOT NULL                   -- of the newest
);
CREATE INDEX notifications_mail_items_person ON notifications_mail_items (person);
CREATE INDEX notifications_mail_items_mail ON notifications_mail_items (mail);
CREATE INDEX notifications_mail_items_first ON notifications_mail_items (first_at) WHERE mail IS NULL;
CREATE INDEX notifications_mail_items_last ON notifications_mail_items (last_at) WHERE mail IS NULL;

CREATE INDEX notifications_people_digest ON notifications_people (next_digest_at) WHERE next_digest_at IS NOT NULL;

CREATE TRIGGER notifications_items_unmailed AFTER DELETE ON notifications_items BEGIN
  DELETE FROM notifications_mail_items WHERE item = old.key;
END;

CREATE TRIGGER notifications_mails_gone AFTER DELETE ON notifications_mails BEGIN
  DELETE FROM notifications_mail_items WHERE mail = old.key;
END;
