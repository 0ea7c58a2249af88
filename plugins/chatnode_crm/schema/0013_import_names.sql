-- Contacts that were deleted while there were imports, whose files must lose them: a row for the address and the external
-- id that they had, and for each that they had before.
CREATE TABLE crm_import_names (
  contact     INTEGER NOT NULL,
  email_key   TEXT,
  external_id TEXT,
  at          INTEGER NOT NULL
);
CREATE INDEX crm_import_names_contact ON crm_import_names (contact);
CREATE INDEX crm_import_names_email ON crm_import_names (email_key);
INSERT INTO crm_import_names SELECT contact, email_key, external_id, at FROM crm_import_forgotten;
DROP TABLE crm_import_forgotten;
