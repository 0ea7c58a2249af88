-- Who owns a group, at once; what public groups are found by; that a plugin changed a message before it was stored.

CREATE INDEX members_owner ON members (conversation) WHERE role = 'owner' AND left_gid IS NULL;

-- Title and description as `caseless` has them, a line each.
ALTER TABLE conversations ADD COLUMN found_by TEXT NOT NULL DEFAULT '';
UPDATE conversations SET found_by = caseless(title || char(10) || description);

-- A hash of what was sent, where a plugin made something else of it: so the same `cid` again is known to be the same.
ALTER TABLE messages ADD COLUMN sent BLOB;
