CREATE TABLE crm_broadcasts (
  key        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  title      TEXT NOT NULL,
  text       TEXT NOT NULL,
  bot        TEXT NOT NULL,      -- its name
  selection  TEXT NOT NULL,      -- JSON; {} once the audience is stored
  list       INTEGER,            -- whose opt-outs apply, besides those from everything
  per_minute INTEGER NOT NULL,
  opens      INTEGER,            -- the sending window, in minutes of the day
  closes     INTEGER,
  zone       TEXT NOT NULL,      -- of contacts that have none
  zone_field INTEGER,            -- the key of the custom field with a contact's zone
  starts_at  INTEGER NOT NULL,
  state      TEXT NOT NULL,      -- snapshot, sending, done, cancelled
  work       TEXT,               -- the id of its work
  created_at INTEGER NOT NULL,
  created_by INTEGER,
  ended_at   INTEGER
);

-- The audience, as it was when the broadcast began, and what became of each.
CREATE TABLE crm_deliveries (
  broadcast    INTEGER NOT NULL,
  contact      INTEGER NOT NULL,
  state        TEXT NOT NULL,    -- waiting, sent, opted_out, unreachable
  reason       TEXT,             -- why one was not reached
  zone         TEXT,             -- the contact's, if it has one
  conversation INTEGER,
  seq          INTEGER,
  at           INTEGER,
  answered_at  INTEGER,
  stopped_at   INTEGER,          -- opted out after this one
  PRIMARY KEY (broadcast, contact)
) WITHOUT ROWID;
CREATE INDEX crm_deliveries_waiting ON crm_deliveries (broadcast, zone, contact) WHERE state = 'waiting';
CREATE INDEX crm_deliveries_contact ON crm_deliveries (contact);
CREATE INDEX crm_deliveries_conversation ON crm_deliveries (conversation, seq);

-- Numbers of deliveries whose contact is gone.
CREATE TABLE crm_delivered (
  broadcast INTEGER NOT NULL,
  figure    TEXT NOT NULL,
  count     INTEGER NOT NULL,
  PRIMARY KEY (broadcast, figure)
) WITHOUT ROWID;

-- Direct conversations of the bots of broadcasts.
CREATE TABLE crm_talks (
  conversation INTEGER PRIMARY KEY,
  bot          INTEGER NOT NULL,
  person       INTEGER NOT NULL,
  seen         INTEGER NOT NULL   -- the seq up to which it is known what the person answered
);
CREATE INDEX crm_talks_bot ON crm_talks (bot);
CREATE INDEX crm_talks_person ON crm_talks (person);
