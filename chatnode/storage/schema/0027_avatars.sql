-- The address of a group's picture, on this node.
ALTER TABLE conversations ADD COLUMN avatar TEXT;

-- Until now, these were addresses elsewhere, which told others who looked at them. They are not shown any more.
UPDATE people SET avatar = NULL WHERE avatar IS NOT NULL;
