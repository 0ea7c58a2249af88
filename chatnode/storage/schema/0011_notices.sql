-- Who may post system messages, and when a closed conversation was last opened again.

ALTER TABLE conversations ADD COLUMN opened_at INTEGER;

-- On a new node there are no roles yet, and all are written from permissions.py.
INSERT OR IGNORE INTO role_permissions (role, permission)
  SELECT 'admin', 'notices.post' WHERE EXISTS (SELECT 1 FROM role_permissions);
