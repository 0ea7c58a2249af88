-- Words have other comparable forms: the index is made anew, by itself, while the node runs.

UPDATE search_shards SET made = 2;
UPDATE search_state SET gid = 0, key = 0;
DELETE FROM search_changed;
