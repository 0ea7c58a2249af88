-- What users themselves opted out of. It is about the account, so it holds whatever becomes of the contact.
CREATE TABLE crm_account_opt_outs (
  key    INTEGER PRIMARY KEY,
  person INTEGER NOT NULL,
  list   INTEGER NOT NULL,      -- 0: everything
  at     INTEGER NOT NULL
);
CREATE UNIQUE INDEX crm_account_opt_outs_person ON crm_account_opt_outs (person, list);

-- The lists through which a broadcast reaches contacts, whose opt-outs apply besides those from everything.
-- crm_broadcasts.list is the one that it was sent to by name.
CREATE TABLE crm_broadcast_lists (
  broadcast INTEGER NOT NULL,
  list      INTEGER NOT NULL,
  PRIMARY KEY (broadcast, list)
) WITHOUT ROWID;
INSERT INTO crm_broadcast_lists (broadcast, list) SELECT key, list FROM crm_broadcasts WHERE list IS NOT NULL;

-- Why the last attempt to send it failed.
ALTER TABLE crm_broadcasts ADD COLUMN error TEXT;

-- Up to which event contacts are counted in crm_days; NULL until more are. The command line shows those after it, too.
CREATE TABLE crm_counted (
  gid INTEGER
);
INSERT INTO crm_counted (gid) SELECT CASE WHEN EXISTS (SELECT 1 FROM crm_days) THEN NULL ELSE 0 END;
