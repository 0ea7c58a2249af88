-- Files of contacts that users asked for. They are not in backups, and go after a day; the rows stay as long, to count
-- how many a user made.
CREATE TABLE crm_exports (
  key           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  owner         INTEGER,          -- NULL: the operator
  status        TEXT NOT NULL,    -- waiting, writing, done, removed
  format        TEXT NOT NULL,
  choice        TEXT,             -- JSON: which contacts, and how; NULL once the file is removed
  work          TEXT NOT NULL,
  name          TEXT NOT NULL,    -- of the file, for people
  rows          INTEGER,
  bytes         INTEGER,
  sha256        TEXT,
  error         TEXT,             -- why the file was removed
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER,
  downloaded_at INTEGER,
  removed_at    INTEGER
);
CREATE INDEX crm_exports_owner ON crm_exports (owner, key);
CREATE INDEX crm_exports_created ON crm_exports (created_at);
CREATE INDEX crm_exports_status ON crm_exports (status);

-- Which contacts a file has: one bit for each key, compressed, for 65,536 keys in a row.
CREATE TABLE crm_export_contacts (
  part   INTEGER NOT NULL,        -- of the keys from part * 65536
  export INTEGER NOT NULL,
  bits   BLOB NOT NULL,
  PRIMARY KEY (part, export)
) WITHOUT ROWID;
CREATE INDEX crm_export_contacts_export ON crm_export_contacts (export);

-- Contacts that were deleted while a file was being written, which may have them.
CREATE TABLE crm_export_deleted (
  export  INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (export, contact)
) WITHOUT ROWID;

CREATE TRIGGER crm_exports_gone AFTER DELETE ON crm_exports BEGIN
  DELETE FROM crm_export_contacts WHERE export = OLD.key;
  DELETE FROM crm_export_deleted WHERE export = OLD.key;
END;
