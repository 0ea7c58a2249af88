-- Bots, deactivated and erased accounts, scopes of tokens, the audit log.

ALTER TABLE people ADD COLUMN bot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people ADD COLUMN deactivated_at INTEGER;
ALTER TABLE people ADD COLUMN erased_at INTEGER;
ALTER TABLE sessions ADD COLUMN scopes TEXT;               -- JSON list; NULL: all that the person may do

-- What administrators, moderators and the operator did. Holds no message text.
CREATE TABLE audit (
  key     INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  actor   INTEGER REFERENCES people (key),   -- NULL: the operator of the machine, or a job
  action  TEXT NOT NULL,                     -- the command, or the name of the job
  target  TEXT NOT NULL DEFAULT '',          -- public id of what it was done to
  details TEXT NOT NULL DEFAULT '{}'         -- JSON object
);
CREATE INDEX audit_actor ON audit (actor, key);
CREATE INDEX audit_action ON audit (action, key);

-- Roles that came after the first ones; on a new node there are none yet, and all are written from permissions.py.
INSERT INTO role_permissions (role, permission)
  SELECT role, permission FROM (
    SELECT 'admin' AS role, 'moderate' AS permission UNION ALL SELECT 'admin', 'support'
    UNION ALL SELECT 'moderator', 'chat' UNION ALL SELECT 'moderator', 'groups.create'
    UNION ALL SELECT 'moderator', 'moderate' UNION ALL SELECT 'moderator', 'support')
  WHERE EXISTS (SELECT 1 FROM role_permissions);
