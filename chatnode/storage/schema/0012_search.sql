-- The index holds where words stand, and when they were said: it is made anew, by itself, while the node runs.

ALTER TABLE search_shards ADD COLUMN merged INTEGER NOT NULL DEFAULT 0;  -- 1: in one piece, 2: on the way there
UPDATE search_shards SET made = 0;
UPDATE search_state SET gid = 0, key = 0;
DELETE FROM search_changed;
