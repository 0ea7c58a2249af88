-- Contacts of the organisation; not users of the node, though a contact may be one (crm_identities).
--
-- A contact's key is the gid of the event that says it was created: keys are never given again, and rise with time, so
-- that rows and most indexes grow at their end, however many there are. Its id begins with the key for the same reason.
CREATE TABLE crm_contacts (
  key         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  email       TEXT,             -- as it was given
  email_key   TEXT,             -- normalised: what is unique
  external_id TEXT,             -- of another system
  first_name  TEXT,
  last_name   TEXT,
  company     TEXT,
  phone       TEXT,             -- as it is shown
  phone_key   TEXT,             -- E.164, if it is a valid number
  country     TEXT,
  city        TEXT,
  description TEXT,             -- Markdown
  custom      TEXT,             -- values of custom fields: a JSON object by the field's key, NULL for none
  owner       INTEGER,          -- the user who looks after the contact
  source      TEXT NOT NULL,    -- manual, import, api, chat, form
  opted_out_at INTEGER,         -- no broadcasts since then
  version     INTEGER NOT NULL, -- the gid of the last change
  created_at  INTEGER NOT NULL,
  created_by  INTEGER,
  updated_at  INTEGER NOT NULL,
  updated_by  INTEGER,
  words       TEXT NOT NULL     -- what it is found by (contacts/words.py); crm_words has them in order
);
CREATE UNIQUE INDEX crm_contacts_email ON crm_contacts (email_key) WHERE email_key IS NOT NULL;
CREATE UNIQUE INDEX crm_contacts_external ON crm_contacts (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX crm_contacts_created ON crm_contacts (created_at);
-- For equality. One by one, as pages of keys then come in order without sorting.
CREATE INDEX crm_contacts_country ON crm_contacts (country);
CREATE INDEX crm_contacts_city ON crm_contacts (city);
CREATE INDEX crm_contacts_owner ON crm_contacts (owner) WHERE owner IS NOT NULL;

-- The words of contacts. An index of its own for each of the fields would cost an import more than all else.
CREATE VIRTUAL TABLE crm_words USING fts5(
  words, content='crm_contacts', content_rowid='key', detail=none, columnsize=0, prefix='1 2 3 4',
  tokenize="ascii tokenchars '@.+-_'"
);

-- What changed, and by whom; `contact.updated` and `contact.deleted` are made from it, as the log holds no text. Kept
-- some weeks, removed on erasure.
CREATE TABLE crm_changes (
  gid     INTEGER PRIMARY KEY,
  contact INTEGER NOT NULL,     -- key; the row may be gone
  before  TEXT NOT NULL,        -- JSON of the changed fields
  after   TEXT,                 -- NULL: the contact was deleted
  reason  TEXT,                 -- why it was deleted
  actor   INTEGER,
  at      INTEGER NOT NULL
);
CREATE INDEX crm_changes_contact ON crm_changes (contact, gid);
CREATE INDEX crm_changes_at ON crm_changes (at);

-- Contacts that were deleted: their ids stay, so that events can say which contact is gone.
CREATE TABLE crm_gone (
  contact INTEGER PRIMARY KEY,  -- its key
  id      TEXT NOT NULL,
  gid     INTEGER NOT NULL      -- of the event
);

-- Ids of contacts that were merged into another.
CREATE TABLE crm_redirects (
  id      TEXT PRIMARY KEY,
  contact INTEGER NOT NULL      -- the key of the one that is left
) WITHOUT ROWID;
CREATE INDEX crm_redirects_contact ON crm_redirects (contact);
