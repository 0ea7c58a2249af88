-- Contacts of the organisation; not users of the node, though a contact may be one (crm_identities).
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
  updated_by  INTEGER
);
CREATE UNIQUE INDEX crm_contacts_email ON crm_contacts (email_key) WHERE email_key IS NOT NULL;
CREATE UNIQUE INDEX crm_contacts_external ON crm_contacts (external_id) WHERE external_id IS NOT NULL;

-- What `contact.updated` and `contact.deleted` tell, as the log holds no text: kept some weeks, removed on erasure.
CREATE TABLE crm_changes (
  gid     INTEGER PRIMARY KEY,
  contact INTEGER NOT NULL,     -- key; the row may be gone
  id      TEXT NOT NULL,
  before  TEXT,                 -- JSON of the changed fields
  after   TEXT,
  reason  TEXT,                 -- why a contact was deleted
  at      INTEGER NOT NULL
);
CREATE INDEX crm_changes_contact ON crm_changes (contact, gid);
CREATE INDEX crm_changes_at ON crm_changes (at);
