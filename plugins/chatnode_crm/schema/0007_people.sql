-- Where a contact is reached: an account of this node (kind chat), or one of another service.
CREATE TABLE crm_identities (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  contact     INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  external_id TEXT NOT NULL,    -- of the kind chat: the account's id
  person      INTEGER,          -- the account's key; NULL for other services
  verified_at INTEGER,          -- NULL: somebody says so
  name        TEXT,             -- the account's name when the contact's names were taken from it
  created_at  INTEGER NOT NULL,
  created_by  INTEGER
);
CREATE UNIQUE INDEX crm_identities_external ON crm_identities (kind, external_id);
CREATE INDEX crm_identities_contact ON crm_identities (contact);
CREATE INDEX crm_identities_person ON crm_identities (person);

-- Contacts whose account was erased, also while the plugin was disabled: what becomes of them is a setting.
CREATE TABLE crm_detached (
  contact INTEGER NOT NULL,
  person  INTEGER NOT NULL,
  PRIMARY KEY (contact, person)
) WITHOUT ROWID;
CREATE TRIGGER crm_identities_gone AFTER DELETE ON crm_identities WHEN old.person IS NOT NULL BEGIN
  INSERT INTO crm_detached (contact, person) VALUES (old.contact, old.person) ON CONFLICT DO NOTHING;
END;

-- Two contacts that may be one person, or that are known not to be; one < other.
CREATE TABLE crm_pairs (
  one     INTEGER NOT NULL,
  other   INTEGER NOT NULL,
  verdict TEXT NOT NULL,        -- suggested, not_same
  reason  TEXT NOT NULL,        -- identity, phone, name_company, name
  score   INTEGER NOT NULL,     -- 0 to 100
  at      INTEGER NOT NULL,
  by      INTEGER,
  PRIMARY KEY (one, other)
) WITHOUT ROWID;
CREATE INDEX crm_pairs_other ON crm_pairs (other);
CREATE INDEX crm_pairs_suggested ON crm_pairs (score DESC, one, other) WHERE verdict = 'suggested';

-- While duplicates are looked for: contacts that are compared with each other have a block in common.
CREATE TABLE crm_blocks (
  block   TEXT NOT NULL,
  sort    TEXT NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (block, sort, contact)
) WITHOUT ROWID;
CREATE INDEX crm_blocks_contact ON crm_blocks (contact);

-- Merges that can be undone: both contacts with all their relations as they were.
CREATE TABLE crm_merges (
  key     INTEGER PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  contact INTEGER NOT NULL,     -- the one that is left
  gone    INTEGER NOT NULL,     -- the key of the other one
  before  TEXT NOT NULL,        -- JSON
  after   TEXT NOT NULL,        -- a digest of what is left, to tell whether it has changed since
  at      INTEGER NOT NULL,
  by      INTEGER
);
CREATE INDEX crm_merges_contact ON crm_merges (contact);
CREATE INDEX crm_merges_at ON crm_merges (at);

CREATE TABLE crm_forms (
  key             INTEGER PRIMARY KEY,
  id              TEXT NOT NULL UNIQUE,
  name            TEXT NOT NULL,
  title           TEXT NOT NULL,
  about           TEXT,
  fields          TEXT NOT NULL, -- JSON: names of fields, in order
  required        TEXT NOT NULL, -- JSON: those that must be given, besides the e-mail
  list            INTEGER,
  tags            TEXT NOT NULL, -- JSON: keys
  origins         TEXT NOT NULL, -- JSON: sites that may embed or post it
  consent         TEXT,          -- what is agreed to
  consent_version INTEGER NOT NULL,
  thanks          TEXT,
  is_active       INTEGER NOT NULL DEFAULT 1,
  posts           INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  created_by      INTEGER,
  updated_at      INTEGER NOT NULL,
  updated_by      INTEGER
);

-- Every text that somebody agreed to, kept as long as an agreement refers to it.
CREATE TABLE crm_consent_texts (
  form    TEXT NOT NULL,
  version INTEGER NOT NULL,
  text    TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (form, version)
) WITHOUT ROWID;

CREATE TABLE crm_consents (
  key     INTEGER PRIMARY KEY,
  contact INTEGER NOT NULL,
  form    TEXT NOT NULL,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL
);
CREATE INDEX crm_consents_contact ON crm_consents (contact);

-- Opted out of broadcasts to one list; crm_contacts.opted_out_at is from everything.
CREATE TABLE crm_opt_outs (
  contact INTEGER NOT NULL,
  list    INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (contact, list)
) WITHOUT ROWID;
CREATE INDEX crm_opt_outs_list ON crm_opt_outs (list);

-- Keyed hashes of the e-mails of erased contacts: neither an import nor a form brings them back.
CREATE TABLE crm_suppressed (
  hash TEXT NOT NULL PRIMARY KEY,
  at   INTEGER NOT NULL
) WITHOUT ROWID;

-- Erasures that are not yet in the journal beside the database, from which they are applied again after a restore.
CREATE TABLE crm_erasures (
  key     INTEGER PRIMARY KEY,
  contact TEXT NOT NULL,        -- the id
  hash    TEXT,
  at      INTEGER NOT NULL
);

CREATE TABLE crm_people_state (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
-- In every backup, so that hashes in the journal mean the same after a restore.
INSERT INTO crm_people_state (name, value) VALUES ('suppression', lower(hex(randomblob(32))));
